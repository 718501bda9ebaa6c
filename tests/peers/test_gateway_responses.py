"""OpenAI's own client, unchanged, against the gateway: Responses."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import openai
import pytest
from pydantic import BaseModel

from tests.peers.gateway import CALLS_BY_TURNS, Gateway, Upstream, gateway, upstream

LOOKUP: Any = {
    "type": "function",
    "name": "lookup",
    "description": "Find an order.",
    "strict": False,
    "parameters": {"type": "object", "properties": {"id": {"type": "integer"}}},
}
CALLS = {
    "content": None,
    "tool_calls": [
        {
            "id": "c1",
            "type": "function",
            "function": {"name": "lookup", "arguments": '{"id": 4711}'},
        }
    ],
}


class Order(BaseModel):
    """What is asked for as structured output."""

    id: int


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


@pytest.fixture
def client(served: tuple[Upstream, Gateway]) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=served[1].url, api_key=served[1].key) as made:
        yield made


def test_a_response_with_its_usage(up: Upstream, client: openai.OpenAI) -> None:
    done = client.responses.create(
        model="plain", instructions="Be brief.", input="hello", max_output_tokens=50
    )
    assert done.output_text == "fine"
    assert done.status == "completed"
    assert done.usage is not None
    assert (done.usage.input_tokens, done.usage.output_tokens) == (11, 7)
    assert [each["role"] for each in up.bodies[0]["messages"]] == ["system", "user"]


def test_a_stream_ends_with_the_whole_response(up: Upstream, client: openai.OpenAI) -> None:
    up.says = ["a rather long answer"]
    with client.responses.stream(model="plain", input="hello") as stream:
        kinds = [each.type for each in stream]
        last = stream.get_final_response()
    assert last.output_text == "a rather long answer"
    assert kinds[0] == "response.created"
    assert kinds[-1] == "response.completed"
    assert kinds.count("response.output_text.delta") > 3


@pytest.mark.parametrize("stream", [False, True])
def test_function_calls_and_their_outputs(
    up: Upstream, client: openai.OpenAI, stream: bool
) -> None:
    up.says = [CALLS, "It is on its way."]
    asked: Any = {"model": "plain", "tools": [LOOKUP], "tool_choice": "required"}
    if stream:
        with client.responses.stream(input="hello", **asked) as events:
            done: Any = events.get_final_response()
    else:
        done = client.responses.create(input="hello", **asked)
    (call,) = done.output
    assert (call.type, call.call_id, call.arguments) == ("function_call", "c1", '{"id":4711}')
    back = [
        {"role": "user", "content": "hello"},
        call.model_dump(exclude_none=True, exclude={"parsed_arguments"}),
        {"type": "function_call_output", "call_id": "c1", "output": "sent"},
    ]
    last = client.responses.create(input=back, **asked)
    assert last.output_text == "It is on its way."
    assert [each["role"] for each in up.bodies[-1]["messages"]] == ["user", "assistant", "tool"]


def test_calls_that_a_model_writes_by_turns_come_one_after_the_other(
    up: Upstream, client: openai.OpenAI
) -> None:
    up.says = [CALLS_BY_TURNS]
    tools: Any = [LOOKUP, LOOKUP | {"name": "notify"}]
    with client.responses.stream(model="plain", input="hello", tools=tools) as stream:
        events: list[Any] = list(stream)
    done = [each for each in events if each.type == "response.function_call_arguments.done"]
    assert [(each.name, each.arguments) for each in done] == [
        ("lookup", '{"id": 1}'),
        ("notify", '{"id": 2}'),
    ]
    texts = [each.text for each in events if each.type == "response.output_text.done"]
    assert texts == ["One moment."]
    ended = [each.item.type for each in events if each.type == "response.output_item.done"]
    assert sorted(ended) == ["function_call", "function_call", "message"]


def test_structured_output_is_parsed(up: Upstream, client: openai.OpenAI) -> None:
    up.says = ['{"id": 7}']
    done = client.responses.parse(model="plain", input="hello", text_format=Order)
    assert done.output_parsed == Order(id=7)
    assert up.bodies[0]["response_format"]["type"] == "json_schema"


def test_a_policy_s_no_in_a_stream_is_raised(up: Upstream, client: openai.OpenAI) -> None:
    up.says = ["All of it is well so far and then the falcon flies on"]
    with pytest.raises(openai.APIError, match="blocked phrase"):
        list(client.responses.create(model="careful", input="hello", stream=True))


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("store", True),
        ("previous_response_id", "resp_1"),
        ("tools", [{"type": "web_search"}]),
        ("input", [{"role": "user", "content": [{"type": "input_image", "image_url": "x"}]}]),
    ],
)
def test_what_cannot_be_translated_is_refused_by_name(
    up: Upstream, client: openai.OpenAI, field: str, value: Any
) -> None:
    asked: dict[str, Any] = {"model": "plain", "input": "hello"} | {field: value}
    with pytest.raises(openai.BadRequestError) as caught:
        client.responses.create(**asked)
    assert caught.value.param is not None
    assert caught.value.param.startswith(field)
    assert not up.bodies


def test_the_asynchronous_client_streams_too(served: tuple[Upstream, Gateway]) -> None:
    served[0].says = ["a rather long answer"]

    async def hear() -> str:
        async with (
            openai.AsyncOpenAI(base_url=served[1].url, api_key=served[1].key) as client,
            client.responses.stream(model="plain", input="hello") as stream,
        ):
            return (await stream.get_final_response()).output_text

    assert asyncio.run(hear()) == "a rather long answer"
