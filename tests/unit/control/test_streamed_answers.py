"""An answer that is streamed through a session: what leaves when, and what never does."""

import asyncio
import json
from collections.abc import AsyncGenerator, Sequence
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evalkit.control.session import ControlSession
from evalkit.errors import PolicyBlocked, ProviderError
from evalkit.records.asset import Output
from evalkit.records.call import CallPiece, Completion, Message, Piece, Reply, Request, ToolCall
from tests.unit.control.fakes import FakeProvider, World, error_of, reply_of, route_with, traced

HELLO = [Message(role="user", content="hello")]


class Writer(FakeProvider):
    """Writes its reply in pieces that are cut as it is told; it may fail, or wait, on the way."""

    def __init__(
        self,
        reply: Reply,
        cuts: Sequence[int] = (),
        *,
        error: ProviderError | None = None,
        waits: asyncio.Event | None = None,
    ) -> None:
        super().__init__(reply, name="writer")
        self.reply, self.cuts, self.error, self.waits = reply, cuts, error, waits
        self.closed = 0

    async def stream(self, request: Request, *, timeout_s: float) -> AsyncGenerator[Piece, None]:
        self.requests.append(request)
        try:
            for text in cut(self.reply.content, self.cuts):
                yield Piece(text=text)
            for index, call in enumerate(self.reply.tool_calls):
                yield Piece(call=CallPiece(index=index, id=call.id, name=call.name))
                yield Piece(call=CallPiece(index=index, arguments=json.dumps(call.arguments)))
            if self.waits is not None:
                await self.waits.wait()
            if self.error is not None:
                raise self.error
            yield Piece(reply=self.reply)
        finally:
            self.closed += 1


def cut(text: str, cuts: Sequence[int]) -> list[str]:
    places = sorted({min(each, len(text)) for each in cuts} | {0, len(text)})
    return [text[a:b] for a, b in pairwise(places)]


def every(text: str) -> range:
    """Cut at every letter."""
    return range(len(text) + 1)


async def take(session: ControlSession, **keys: Any) -> tuple[list[Piece], Completion]:
    pieces: list[Piece] = []
    async for each in session.stream(HELLO, **keys):
        if isinstance(each, Completion):
            return pieces, each
        pieces.append(each)
    raise AssertionError("a stream ends with its completion, or raises")


def listen(world: World, pieces: list[Piece] | None = None, **keys: Any) -> Completion:
    """The completion; what came before it is added to `pieces`, also where it ends in an error."""

    async def hear() -> Completion:
        async for each in world.open().stream(HELLO, **keys):
            if isinstance(each, Completion):
                return each
            if pieces is not None:
                pieces.append(each)
        raise AssertionError("a stream ends with its completion, or raises")

    return asyncio.run(hear())


def text_of(pieces: Sequence[Piece]) -> str:
    return "".join(piece.text for piece in pieces)


def world_of(content: str, cuts: Sequence[int], policies: dict[str, Any], **keys: Any) -> World:
    return World(route=route_with(policies=policies, **keys), one=Writer(reply_of(content), cuts))


def test_without_an_output_policy_every_piece_leaves_as_it_came() -> None:
    pieces: list[Piece] = []
    done = listen(World(one=Writer(reply_of("Hello you"), [2, 5])), pieces)
    assert [piece.text for piece in pieces] == ["He", "llo", " you"]
    assert done.content == "Hello you"


def test_an_answer_in_json_is_streamed_where_nothing_is_looked_for() -> None:
    pieces: list[Piece] = []
    listen(World(one=Writer(reply_of('{"a": 1}'), every("12345678"))), pieces)
    assert len(pieces) == 8


@pytest.mark.parametrize("size", [1, 2, 3, 7])
def test_an_address_is_replaced_wherever_it_was_cut(size: int) -> None:
    content = "Please write to kim@example.org today and then wait for an answer."
    pieces: list[Piece] = []
    world = world_of(content, range(0, 99, size), {"pii_redaction": True})
    done = listen(world, pieces)
    assert text_of(pieces) == done.content
    assert "kim@" not in text_of(pieces)
    assert "[EMAIL_1]" in text_of(pieces)
    assert len(pieces) > 2, "prose leaves while it is written"


def test_a_blocked_value_ends_the_answer_and_nothing_of_it_leaves() -> None:
    content = "All is well so far. The card is 4111 1111 1111 1111 and more follows here."
    pieces: list[Piece] = []
    world = world_of(content, every(content), {"pii": {"mode": "block"}})
    with pytest.raises(PolicyBlocked):
        listen(world, pieces)
    assert "4111" not in text_of(pieces)
    assert text_of(pieces).startswith("All is")


PHRASES = ["Project Falcon", "falcon wing", "a a", "größe", "tệ"]
WORDS = [
    "project",
    "Falcon",
    "falcon",
    "wing",
    "a",
    " ",
    "  ",
    "\n",
    "Größe",
    "x",
    "fal\u200bcon",
    "\ufe0f",
    "\\u0066alcon",
    "\\",
    "te\u0302",
    "\u0323",
    ".",
]


@settings(deadline=None)
@given(
    st.lists(st.sampled_from(WORDS), max_size=14).map("".join),
    st.lists(st.integers(0, 60), max_size=12),
    st.sampled_from(["redact", "block"]),
)
def test_phrases_in_pieces_are_those_of_the_whole_answer(
    content: str, cuts: list[int], mode: str
) -> None:
    policies = {"blocked_phrases": [{"text": each, "mode": mode} for each in PHRASES]}
    whole, outcome = blocked_or_content(world_of(content, (), policies)), ""
    pieces: list[Piece] = []
    try:
        outcome = listen(world_of(content, cuts, policies), pieces).content
    except PolicyBlocked:
        assert whole is None
        found = blocked_or_content(world_of(text_of(pieces), (), policies))
        assert found is not None, "nothing that left holds a phrase"
    else:
        assert outcome == whole == text_of(pieces)


def blocked_or_content(world: World) -> str | None:
    try:
        return listen(world).content
    except PolicyBlocked:
        return None


@settings(deadline=None)
@given(
    st.lists(
        st.sampled_from(
            ["kim@example.org", "Project Falcon", "call", "+49 30 901820", "see", "the", " ", "\n"]
        ),
        max_size=12,
    ).map(" ".join),
    st.lists(st.integers(0, 120), max_size=16),
)
def test_phrases_and_personal_data_together_leave_as_the_whole_answer_says(
    content: str, cuts: list[int]
) -> None:
    policies = {
        "pii_redaction": True,
        "blocked_phrases": [{"text": "Project Falcon", "mode": "redact"}],
    }
    pieces: list[Piece] = []
    done = listen(world_of(content, cuts, policies), pieces)
    assert text_of(pieces) == done.content == listen(world_of(content, (), policies)).content


@pytest.mark.parametrize(
    "policies",
    [
        {"blocked_phrases": [{"pattern": "x+y"}]},
        {"pii_redaction": True, "blocked_phrases": [{"pattern": "x+y", "mode": "redact"}]},
    ],
)
def test_an_answer_that_has_to_pass_a_pattern_comes_whole(policies: dict[str, Any]) -> None:
    content = "one two three four five six"
    pieces: list[Piece] = []
    listen(world_of(content, every(content), policies), pieces)
    assert [piece.text for piece in pieces] == [content]


def test_an_answer_that_has_to_cite_leaves_only_once_it_does() -> None:
    pieces: list[Piece] = []
    with pytest.raises(PolicyBlocked) as caught:
        listen(world_of("No source.", [2, 4], {}, require_citations=True), pieces)
    assert caught.value.rule == "require_citations"
    assert not pieces


def test_json_is_held_back_where_something_is_looked_for_and_stays_json() -> None:
    content = ' {"to": "kim@example.org"}'
    pieces: list[Piece] = []
    listen(world_of(content, every(content), {"pii_redaction": True}), pieces)
    assert len(pieces) == 1
    assert json.loads(pieces[0].text) == {"to": "[EMAIL_1]"}


def test_tool_calls_leave_redacted_and_whole() -> None:
    calls = (ToolCall(id="c1", name="mail", arguments={"to": "kim@example.org"}),)
    world = World(
        route=route_with(policies={"pii_redaction": True}),
        one=Writer(reply_of("", tool_calls=calls)),
    )
    pieces: list[Piece] = []
    listen(world, pieces, interim=True)
    (piece,) = pieces
    assert piece.call is not None
    assert json.loads(piece.call.arguments) == {"to": "[EMAIL_1]"}


def test_tool_calls_leave_as_they_come_where_nothing_is_looked_for() -> None:
    calls = (ToolCall(id="c1", name="mail", arguments={"to": "kim"}),)
    pieces: list[Piece] = []
    listen(World(one=Writer(reply_of("", tool_calls=calls))), pieces, interim=True)
    assert [piece.call.name for piece in pieces if piece.call] == ["mail", ""]


def test_after_the_first_piece_nobody_else_is_asked() -> None:
    error = error_of("connection", retryable=True, may_be_billed=True)
    world = World(one=Writer(reply_of("Hello"), [2], error=error), retries=3)
    with pytest.raises(ProviderError) as caught:
        listen(world)
    assert caught.value.output_began
    assert not world.two.requests


def test_what_is_held_back_from_the_listener_has_begun_all_the_same() -> None:
    error = error_of("connection", retryable=True, may_be_billed=True)
    world = World(
        route=route_with(require_citations=True),
        one=Writer(reply_of("Hello"), [2], error=error),
    )
    with pytest.raises(ProviderError):
        listen(world)
    assert not world.two.requests


def test_a_listener_who_leaves_is_charged_for_what_had_come() -> None:
    async def leave() -> tuple[World, ControlSession]:
        reply = reply_of("twelve bytes")
        world = World(one=Writer(reply, waits=asyncio.Event()), retries=2)
        session = world.open()
        answer = session.stream(HELLO, params={"max_tokens": 1000})
        assert isinstance(await anext(answer), Piece)
        assert world.ledger.held_tokens > 1000
        await answer.aclose()
        return world, session

    world, session = asyncio.run(leave())
    assert world.ledger.held_tokens == 0
    assert 0 < world.ledger.spent_tokens < 20
    assert session.billed_usd > 0
    assert isinstance(world.one, Writer)
    assert world.one.closed == 1
    assert traced(session, "stream.left")


def test_a_listener_who_leaves_before_the_first_piece_is_charged_the_bound() -> None:
    async def leave() -> World:
        world = World(one=Writer(reply_of(""), waits=asyncio.Event()))
        answer = world.open().stream(HELLO, params={"max_tokens": 1000})
        waiting = asyncio.ensure_future(anext(answer))
        while not world.one.requests:
            await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.wait([waiting])
        return world

    world = asyncio.run(leave())
    assert world.ledger.held_tokens == 0
    assert world.ledger.spent_tokens > 1000


def test_a_refusal_is_streamed_as_one() -> None:
    world = World(
        route=route_with(policies={"pii_redaction": True}),
        one=Writer(reply_of("", refusal="I will not write to kim@example.org")),
    )
    pieces: list[Piece] = []
    listen(world, pieces, output=Output(kind="json"))
    assert [piece.refusal for piece in pieces] == ["I will not write to [EMAIL_1]"]


def test_the_trace_is_that_of_an_answer_that_is_not_streamed() -> None:
    content = "Write to kim@example.org or to Project Falcon now please."
    policies = {
        "pii_redaction": True,
        "blocked_phrases": [{"text": "Project Falcon", "mode": "redact"}],
    }

    async def both() -> list[list[tuple[str, str]]]:
        one = world_of(content, every(content), policies).open()
        await take(one)
        other = world_of(content, (), policies).open()
        await other.complete(HELLO)
        return [[(each.rule, each.outcome) for each in s.decisions] for s in (one, other)]

    streamed, whole = asyncio.run(both())
    assert streamed == whole
