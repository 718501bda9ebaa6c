"""OpenAI's and Anthropic's own clients, unchanged, against the gateway in front of a real model:
the embedded one, in the gateway's process. One process for all of it; about 30 short calls."""

import asyncio
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import anthropic
import openai
import pytest
from pydantic import BaseModel

from evalkit.control.providers.engine import missing_engine
from evalkit.store.traces import TraceStore
from tests.peers.gateway import add_key, serving

pytestmark = [
    pytest.mark.local_model,
    pytest.mark.skipif(missing_engine() is not None, reason=str(missing_engine())),
]
CONFIG = """\
version: 1
providers: {here: {kind: local}}
models:
  tiny:
    {provider: here, tier: local, price: {input_usd_per_mtok: 1, output_usd_per_mtok: 2}}
routes:
- {name: ask, models: {primary: tiny}, max_tokens: 60}
- name: careful
  models: {primary: tiny}
  max_tokens: 12
  local_only: true
  policies: {pii_redaction: true, blocked_phrases: [paris]}
budgets: [{scope: user, max_usd: 1, window: month}]
"""
# Anthropic's client has no argument for it any more
COLD: Any = {"extra_body": {"temperature": 0}}
FRANCE: Any = [{"role": "user", "content": "The capital of France is"}]
ORDERS = {"B-12": "At the depot.", "C-44": "On its way.", "D-7": "Delivered."}
SCHEMA: Any = {
    "type": "object",
    "properties": {"order": {"type": "string"}},
    "required": ["order"],
}
OPENAI_TOOL: Any = {
    "type": "function",
    "function": {
        "name": "find_order",
        "description": "Finds an order by its number.",
        "parameters": SCHEMA,
    },
}
ANTHROPIC_TOOL: Any = {
    "name": "find_order",
    "description": "Finds an order by its number.",
    "input_schema": SCHEMA,
}


class Answer(BaseModel):
    """A form that even a very small model fills in, for its sampling is held to it."""

    colour: Literal["red", "blue"]


@dataclass(frozen=True)
class Door:
    """The gateway: its root, its address with /v1, and a key of it."""

    root: Path
    url: str
    key: str

    @property
    def base(self) -> str:
        """The address as Anthropic's client takes it."""
        return self.url.removesuffix("/v1")


@pytest.fixture(scope="module")
def door(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    root: Path = tmp_path_factory.mktemp("gateway")
    (root / "evalkit.yaml").write_text(CONFIG, encoding="utf-8")
    key = add_key(root, "--user", "u1")
    with serving(root) as (url, _):
        yield Door(root, url, key)


@pytest.fixture
def client(door: Door) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=door.url, api_key=door.key) as made:
        yield made


@pytest.fixture
def claude(door: Door) -> Iterator[anthropic.Anthropic]:
    with anthropic.Anthropic(base_url=door.base, api_key=door.key) as made:
        yield made


def openai_turns(order: str) -> list[Any]:
    """Three orders that were asked about, and a fourth: as small as it is, the model hardly calls
    without."""
    turns: list[Any] = []
    for number, place in ORDERS.items():
        turns += [
            {"role": "user", "content": f"Where is order {number}?"},
            openai_call(number),
            {"role": "tool", "tool_call_id": f"c-{number}", "content": place},
            {"role": "assistant", "content": f"Order {number}: {place}"},
        ]
    return [*turns, {"role": "user", "content": f"Where is order {order}?"}]


def openai_call(number: str) -> Any:
    function = {"name": "find_order", "arguments": json.dumps({"order": number})}
    call = {"id": f"c-{number}", "type": "function", "function": function}
    return {"role": "assistant", "content": None, "tool_calls": [call]}


def anthropic_turns(order: str) -> list[Any]:
    """The same in Anthropic's format."""
    turns: list[Any] = []
    for number, place in ORDERS.items():
        use = {"id": f"c-{number}", "name": "find_order", "input": {"order": number}}
        result = {"type": "tool_result", "tool_use_id": f"c-{number}", "content": place}
        turns += [
            {"role": "user", "content": f"Where is order {number}?"},
            {"role": "assistant", "content": [{"type": "tool_use"} | use]},
            {"role": "user", "content": [result]},
            {"role": "assistant", "content": f"Order {number}: {place}"},
        ]
    return [*turns, {"role": "user", "content": f"Where is order {order}?"}]


def test_openai_s_clients_get_one_answer_whole_and_as_a_stream(
    door: Door, client: openai.OpenAI
) -> None:
    asked: Any = {"model": "ask", "messages": FRANCE, "temperature": 0, "max_tokens": 12}
    raw = client.chat.completions.with_raw_response.create(**asked)
    whole = raw.parse()
    text = whole.choices[0].message.content or ""
    assert "Paris" in text
    assert whole.choices[0].finish_reason == "length"
    assert whole.usage is not None
    assert whole.usage.prompt_tokens > 4 and whole.usage.completion_tokens == 12

    async def hear() -> tuple[str, Any]:
        parts, usage = [], None
        async with openai.AsyncOpenAI(base_url=door.url, api_key=door.key) as there:
            again = await there.chat.completions.create(**asked)
            assert again.choices[0].message.content == text
            stream = await there.chat.completions.create(
                **asked, stream=True, stream_options={"include_usage": True}
            )
            async for chunk in stream:
                parts += [each.delta.content or "" for each in chunk.choices]
                usage = chunk.usage or usage
        assert len([part for part in parts if part]) > 3
        return "".join(parts), usage

    assert asyncio.run(hear()) == (text, whole.usage)
    trace = TraceStore(door.root).find(raw.headers["x-evalkit-trace"])
    assert trace.input_tokens == whole.usage.prompt_tokens
    assert trace.cost_usd == pytest.approx(float(raw.headers["x-evalkit-cost-usd"]), abs=1e-8)


def test_openai_s_client_runs_a_tool_and_hears_of_its_result(client: openai.OpenAI) -> None:
    asked: Any = {"model": "ask", "tools": [OPENAI_TOOL], "temperature": 0}
    turns = openai_turns("A-17")
    done = client.chat.completions.create(messages=turns, **asked)
    assert done.choices[0].finish_reason == "tool_calls"
    (call,) = done.choices[0].message.tool_calls or ()
    assert call.type == "function"
    assert (call.function.name, json.loads(call.function.arguments)) == (
        "find_order",
        {"order": "A-17"},
    )
    turn = done.choices[0].message.model_dump(exclude_none=True)
    result = {"role": "tool", "tool_call_id": call.id, "content": "Left on Monday."}
    last = client.chat.completions.create(messages=[*turns, turn, result], **asked)
    assert "Left on Monday." in (last.choices[0].message.content or "")


def test_openai_s_client_parses_structured_output(client: openai.OpenAI) -> None:
    messages: Any = [{"role": "user", "content": "Of what colour is the sky?"}]
    done = client.chat.completions.parse(
        model="ask", messages=messages, temperature=0, response_format=Answer
    )
    assert isinstance(done.choices[0].message.parsed, Answer)
    told = client.responses.parse(
        model="ask", input="Of what colour is the sky?", temperature=0, text_format=Answer
    )
    assert isinstance(told.output_parsed, Answer)


def test_openai_s_responses_come_whole_and_as_events(door: Door, client: openai.OpenAI) -> None:
    asked: Any = {"model": "ask", "input": "The capital of France is", "temperature": 0}
    asked["max_output_tokens"] = 12
    whole = client.responses.create(**asked)
    assert "Paris" in whole.output_text

    async def hear() -> tuple[list[str], str]:
        async with openai.AsyncOpenAI(base_url=door.url, api_key=door.key) as there:
            kinds, parts = [], []
            async with there.responses.stream(**asked) as events:
                async for each in events:
                    kinds.append(each.type)
                    if each.type == "response.output_text.delta":
                        parts.append(each.delta)
            return kinds, "".join(parts)

    kinds, text = asyncio.run(hear())
    assert text == whole.output_text
    assert kinds[0] == "response.created"
    assert kinds[-1] == "response.incomplete", "it was cut off at its token cap"


def test_openai_s_client_raises_what_the_model_and_the_policies_refuse(
    door: Door, client: openai.OpenAI
) -> None:
    long: Any = [{"role": "user", "content": "word " * 6000}]
    with pytest.raises(openai.BadRequestError) as too_long:
        client.chat.completions.create(model="ask", messages=long)
    assert too_long.value.code == "context_length"
    with pytest.raises(openai.PermissionDeniedError) as blocked:
        client.chat.completions.create(model="careful", messages=FRANCE, temperature=0)
    body: Any = blocked.value.body
    assert body["rule"] == "policies.blocked_phrases"
    with pytest.raises(openai.APIError, match="blocked phrase"):
        for _ in client.chat.completions.create(
            model="careful", messages=FRANCE, temperature=0, stream=True
        ):
            pass
    poor = add_key(door.root, "--user", "u2", "--max-tokens", "10")
    with (
        openai.OpenAI(base_url=door.url, api_key=poor) as limited,
        pytest.raises(openai.RateLimitError) as spent,
    ):
        limited.chat.completions.create(model="ask", messages=FRANCE)
    body = spent.value.body
    assert (body["code"], body["rule"]) == ("insufficient_quota", "budgets.key.max_tokens")


def test_anthropic_s_clients_get_one_answer_whole_and_as_a_stream(
    door: Door, claude: anthropic.Anthropic
) -> None:
    asked: Any = {"model": "ask", "messages": FRANCE, "max_tokens": 12} | COLD
    whole = claude.messages.create(**asked)
    (block,) = whole.content
    assert block.type == "text"
    assert "Paris" in block.text
    assert whole.stop_reason == "max_tokens"
    assert whole.usage.output_tokens == 12

    async def hear() -> tuple[list[str], Any]:
        async with (
            anthropic.AsyncAnthropic(base_url=door.base, api_key=door.key) as there,
            there.messages.stream(**asked) as stream,
        ):
            parts = [part async for part in stream.text_stream]
            return parts, await stream.get_final_message()

    parts, last = asyncio.run(hear())
    assert len(parts) > 3
    assert "".join(parts) == block.text
    assert last.usage.output_tokens == 12
    assert last.usage.input_tokens == whole.usage.input_tokens > 4


def test_anthropic_s_client_hears_a_tool_call_as_a_stream_and_answers_it(
    claude: anthropic.Anthropic,
) -> None:
    asked: Any = {"model": "ask", "max_tokens": 60, "tools": [ANTHROPIC_TOOL]} | COLD
    turns = anthropic_turns("A-17")
    with claude.messages.stream(messages=turns, **asked) as events:
        told = events.get_final_message()
    assert told.stop_reason == "tool_use"
    (use,) = (block for block in told.content if block.type == "tool_use")
    assert (use.name, use.input) == ("find_order", {"order": "A-17"})
    result: Any = {"type": "tool_result", "tool_use_id": use.id, "content": "Left on Monday."}
    more: Any = [
        {"role": "assistant", "content": [block.model_dump() for block in told.content]},
        {"role": "user", "content": [result]},
    ]
    last = claude.messages.create(messages=[*turns, *more], **asked)
    assert "Left on Monday." in "".join(
        block.text for block in last.content if block.type == "text"
    )


def test_anthropic_s_client_parses_structured_output(claude: anthropic.Anthropic) -> None:
    messages: Any = [{"role": "user", "content": "Of what colour is the sky?"}]
    told = claude.messages.parse(
        model="ask", max_tokens=30, messages=messages, output_format=Answer, **COLD
    )
    assert isinstance(told.parsed_output, Answer)


def test_anthropic_s_client_raises_what_the_model_and_the_policies_refuse(
    claude: anthropic.Anthropic,
) -> None:
    long: Any = [{"role": "user", "content": "word " * 6000}]
    with pytest.raises(anthropic.BadRequestError):
        claude.messages.create(model="ask", max_tokens=9, messages=long)
    with pytest.raises(anthropic.PermissionDeniedError) as blocked:
        claude.messages.create(model="careful", max_tokens=9, messages=FRANCE, **COLD)
    body: Any = blocked.value.body
    assert body["error"]["rule"] == "policies.blocked_phrases"


def test_two_clients_at_once_wait_for_the_one_model_and_each_gets_its_answer(door: Door) -> None:
    async def ask_all() -> list[str]:
        async with openai.AsyncOpenAI(base_url=door.url, api_key=door.key) as there:

            async def one(start: str) -> str:
                messages: Any = [{"role": "user", "content": start}]
                done = await there.chat.completions.create(
                    model="ask", messages=messages, temperature=0, max_tokens=3
                )
                return done.choices[0].message.content or ""

            return await asyncio.gather(*(one(f"{n}, {n + 1}, {n + 2},") for n in (1, 4, 1, 4)))

    first, second, *again = asyncio.run(ask_all())
    assert again == [first, second]
    assert first.strip().startswith("4") and second.strip().startswith("7")
