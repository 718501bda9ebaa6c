"""The embedded model in this process with tools: a real call, and a real answer to its result."""

import asyncio

import pytest

from evalkit.control.providers.engine import missing_engine
from evalkit.control.providers.local import LocalProvider
from evalkit.control.providers.weights import EMBEDDED
from evalkit.records.asset import Tool
from evalkit.records.call import Message, Piece, Reply, Request, ToolCall
from evalkit.workflows.wiring import SystemClock

pytestmark = pytest.mark.local_model

FIND = Tool(
    name="find_order",
    description="Finds an order by its number.",
    parameters={
        "type": "object",
        "properties": {"order": {"type": "string"}},
        "required": ["order"],
    },
)


def asked(order: str) -> Message:
    return Message(role="user", content=f"Where is order {order}?")


def calling(order: str) -> Message:
    call = ToolCall(name="find_order", arguments={"order": order}, id=f"c-{order}")
    return Message(role="assistant", content="", tool_calls=(call,))


def found(order: str, place: str) -> Message:
    return Message(role="tool", content=place, tool_call_id=f"c-{order}", name="find_order")


def examples() -> tuple[Message, ...]:
    """Three rounds: as small as it is, the model calls hardly without."""
    turns: list[Message] = []
    for order, place in (("B-12", "At the depot."), ("C-44", "On its way."), ("D-7", "Delivered.")):
        said = Message(role="assistant", content=f"Order {order}: {place}")
        turns += [asked(order), calling(order), found(order, place), said]
    return tuple(turns)


def test_a_call_is_made_and_its_result_is_answered() -> None:
    if problem := missing_engine():
        pytest.skip(problem)

    async def work() -> tuple[Reply, list[Piece], Reply]:
        embedded = LocalProvider(name="embedded", clock=SystemClock())

        def request(*messages: Message) -> Request:
            return Request(
                model=EMBEDDED.model,
                messages=(*examples(), *messages),
                key="k",
                params={"temperature": 0, "max_tokens": 60},
                tools=(FIND,),
            )

        try:
            first = await embedded.complete(request(asked("A-17")), timeout_s=60)
            streamed = embedded.stream(request(asked("A-17")), timeout_s=60)
            pieces = [piece async for piece in streamed]
            told = (asked("A-17"), calling("A-17"), found("A-17", "Left on Monday."))
            return first, pieces, await embedded.complete(request(*told), timeout_s=60)
        finally:
            await embedded.close()

    first, pieces, answer = asyncio.run(work())
    [call] = first.tool_calls
    assert (call.name, call.arguments) == ("find_order", {"order": "A-17"})
    assert first.finish_reason == "tool_calls"
    arguments = "".join(piece.call.arguments for piece in pieces if piece.call is not None)
    last = pieces[-1].reply
    assert last is not None and last.tool_calls[0].arguments == call.arguments
    assert arguments.replace(" ", "") == '{"order":"A-17"}'
    assert "Left on Monday." in answer.content
