"""Anthropic's own client, unchanged, against the gateway, which asks a model of OpenAI's format."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anthropic
import pytest

from tests.peers.gateway import CALLS_BY_TURNS, Gateway, Upstream, gateway, upstream

HELLO: Any = [{"role": "user", "content": "hello"}]
LOOKUP: Any = {
    "name": "lookup",
    "description": "Find an order.",
    "input_schema": {"type": "object", "properties": {"id": {"type": "integer"}}},
}
CALLS = {
    "content": "Let me see.",
    "tool_calls": [
        {
            "id": "c1",
            "type": "function",
            "function": {"name": "lookup", "arguments": '{"id": 4711}'},
        }
    ],
}


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Upstream, Gateway]]:
    root: Path = tmp_path_factory.mktemp("gateway")
    with upstream() as up, gateway(root, up.url) as door:
        yield up, door


@pytest.fixture
def up(served: tuple[Upstream, Gateway]) -> Upstream:
    served[0].says = ["fine"]
    served[0].bodies.clear()
    return served[0]


@pytest.fixture(params=["api_key", "auth_token"])
def client(
    served: tuple[Upstream, Gateway], request: pytest.FixtureRequest
) -> Iterator[anthropic.Anthropic]:
    """With the key in x-api-key, and with the key as a bearer token."""
    base = served[1].url.removesuffix("/v1")
    keys: dict[str, Any] = {"api_key": None, "auth_token": None} | {request.param: served[1].key}
    with anthropic.Anthropic(base_url=base, **keys) as made:
        yield made


def test_a_message_with_its_usage(up: Upstream, client: anthropic.Anthropic) -> None:
    told = client.messages.create(model="plain", max_tokens=100, system="Be brief.", messages=HELLO)
    (block,) = told.content
    assert block.type == "text"
    assert block.text == "fine"
    assert told.stop_reason == "end_turn"
    assert (told.usage.input_tokens, told.usage.output_tokens) == (11, 7)
    assert [each["role"] for each in up.bodies[0]["messages"]] == ["system", "user"]
    assert up.bodies[0]["max_tokens"] == 100


def test_a_stream_with_its_usage(up: Upstream, client: anthropic.Anthropic) -> None:
    up.says = ["a rather long answer"]
    with client.messages.stream(model="plain", max_tokens=100, messages=HELLO) as stream:
        heard = list(stream.text_stream)
        last = stream.get_final_message()
    assert "".join(heard) == "a rather long answer"
    assert len(heard) > 3
    assert (last.usage.input_tokens, last.usage.output_tokens) == (11, 7)
    assert last.stop_reason == "end_turn"


@pytest.mark.parametrize("stream", [False, True])
def test_tool_calls_come_as_blocks_and_their_results_go_back(
    up: Upstream, client: anthropic.Anthropic, stream: bool
) -> None:
    up.says = [CALLS, "It is on its way."]
    asked: Any = {"model": "plain", "max_tokens": 100, "tools": [LOOKUP]}
    asked["tool_choice"] = {"type": "any", "disable_parallel_tool_use": True}
    if stream:
        with client.messages.stream(messages=HELLO, **asked) as events:
            told = events.get_final_message()
    else:
        told = client.messages.create(messages=HELLO, **asked)
    assert told.stop_reason == "tool_use"
    assert [block.type for block in told.content] == ["text", "tool_use"]
    use = told.content[1]
    assert use.type == "tool_use"
    assert use.input == {"id": 4711}
    assert up.bodies[0]["tool_choice"] == "required"
    assert up.bodies[0]["parallel_tool_calls"] is False
    turn: Any = {
        "role": "assistant",
        "content": [
            {"type": "text", "text": "Let me see."},
            {"type": "tool_use", "id": use.id, "name": use.name, "input": use.input},
        ],
    }
    result: Any = {
        "role": "user",
        "content": [
            {"type": "tool_result", "tool_use_id": use.id, "content": "not there", "is_error": True}
        ],
    }
    last = client.messages.create(messages=[*HELLO, turn, result], **asked)
    assert last.content[0].type == "text"
    assert up.bodies[-1]["messages"][-1] == {
        "role": "tool",
        "content": '{"error":"not there"}',
        "tool_call_id": "c1",
    }


def test_calls_that_a_model_writes_by_turns_come_one_after_the_other(
    up: Upstream, client: anthropic.Anthropic
) -> None:
    up.says = [CALLS_BY_TURNS]
    tools: Any = [{"name": name, "input_schema": {}} for name in ("lookup", "notify")]
    open_ = []
    with client.messages.stream(
        model="plain", max_tokens=50, messages=HELLO, tools=tools
    ) as stream:
        for event in stream:
            if event.type == "content_block_start":
                open_.append(event.index)
            elif event.type == "content_block_stop":
                assert open_.pop() == event.index
                assert not open_
        last = stream.get_final_message()
    calls = [each for each in last.content if each.type == "tool_use"]
    assert [(each.id, each.name, each.input) for each in calls] == [
        ("c0", "lookup", {"id": 1}),
        ("c1", "notify", {"id": 2}),
    ]
    assert [each.text for each in last.content if each.type == "text"] == ["One moment."]


def test_a_policy_s_no_is_a_permission_error(up: Upstream, client: anthropic.Anthropic) -> None:
    up.says = ["about the falcon"]
    with pytest.raises(anthropic.PermissionDeniedError) as caught:
        client.messages.create(model="careful", max_tokens=9, messages=HELLO)
    body: Any = caught.value.body
    assert body["error"]["type"] == "permission_error"
    assert body["error"]["rule"] == "policies.blocked_phrases"
    assert caught.value.request_id == body["request_id"]
    assert len(up.bodies) == 1


def test_a_policy_s_no_in_the_middle_of_a_stream_is_raised(
    up: Upstream, client: anthropic.Anthropic
) -> None:
    up.says = ["All of it is well so far and then the falcon flies on"]
    heard: list[str] = []
    with (
        pytest.raises(anthropic.APIStatusError),
        client.messages.stream(model="careful", max_tokens=99, messages=HELLO) as stream,
    ):
        heard.extend(stream.text_stream)
    assert "".join(heard).startswith("All of it")
    assert "falcon" not in "".join(heard)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("thinking", {"type": "enabled", "budget_tokens": 1024}),
        ("tools", [{"type": "web_search_20250305", "name": "web_search"}]),
        ("system", [{"type": "text", "text": "x", "cache_control": {"type": "ephemeral"}}]),
    ],
)
def test_what_cannot_be_translated_is_refused_by_name(
    up: Upstream, client: anthropic.Anthropic, field: str, value: Any
) -> None:
    asked: dict[str, Any] = {"model": "plain", "max_tokens": 2000, "messages": HELLO}
    with pytest.raises(anthropic.BadRequestError) as caught:
        client.messages.create(**(asked | {field: value}))
    body: Any = caught.value.body
    assert body["error"]["param"].startswith(field)
    assert not up.bodies


def test_a_route_that_the_key_does_not_have_is_not_found(
    up: Upstream, client: anthropic.Anthropic
) -> None:
    with pytest.raises(anthropic.NotFoundError):
        client.messages.create(model="other", max_tokens=9, messages=HELLO)


def test_the_asynchronous_client_streams_too(served: tuple[Upstream, Gateway]) -> None:
    served[0].says = ["a rather long answer"]
    base = served[1].url.removesuffix("/v1")

    async def hear() -> str:
        async with (
            anthropic.AsyncAnthropic(base_url=base, api_key=served[1].key) as client,
            client.messages.stream(model="plain", max_tokens=9, messages=HELLO) as stream,
        ):
            return await stream.get_final_text()

    assert asyncio.run(hear()) == "a rather long answer"
