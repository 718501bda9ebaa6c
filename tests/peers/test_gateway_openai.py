"""OpenAI's own client, unchanged, against the gateway: chat completions."""

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import openai
import pytest

from tests.peers.gateway import Gateway, Upstream, gateway, upstream

HELLO: Any = [{"role": "user", "content": "hello"}]
LOOKUP: Any = {
    "type": "function",
    "function": {
        "name": "lookup",
        "description": "Find an order.",
        "strict": True,
        "parameters": {
            "type": "object",
            "properties": {"id": {"type": "integer"}},
            "required": ["id"],
            "additionalProperties": False,
        },
    },
}


def calls(arguments: str) -> dict[str, Any]:
    function = {"name": "lookup", "arguments": arguments}
    return {"content": None, "tool_calls": [{"id": "c1", "type": "function", "function": function}]}


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


def test_an_answer_with_its_usage(up: Upstream, client: openai.OpenAI) -> None:
    done = client.chat.completions.create(model="plain", messages=HELLO, temperature=0)
    assert done.choices[0].message.content == "fine"
    assert done.choices[0].finish_reason == "stop"
    assert done.usage is not None
    assert (done.usage.prompt_tokens, done.usage.completion_tokens) == (11, 7)
    assert up.bodies[0]["model"] == "up-model"
    assert up.bodies[0]["temperature"] == 0


def test_a_stream_with_its_usage(up: Upstream, client: openai.OpenAI) -> None:
    up.says = ["a rather long answer"]
    chunks = list(
        client.chat.completions.create(
            model="plain", messages=HELLO, stream=True, stream_options={"include_usage": True}
        )
    )
    texts = [each.choices[0].delta.content for each in chunks if each.choices]
    assert "".join(text or "" for text in texts) == "a rather long answer"
    assert len([text for text in texts if text]) > 3
    assert chunks[-1].usage is not None
    assert chunks[-1].usage.total_tokens == 18


@pytest.mark.parametrize("stream", [False, True])
def test_personal_data_leaves_in_neither_direction(
    up: Upstream, client: openai.OpenAI, stream: bool
) -> None:
    up.says = ["write to kim@example.org and wait for an answer there"]
    ask: Any = [{"role": "user", "content": "I am lea@example.org"}]
    given: Any = client.chat.completions.create(model="careful", messages=ask, stream=stream)
    if stream:
        text = "".join(each.choices[0].delta.content or "" for each in given if each.choices)
    else:
        text = given.choices[0].message.content
    assert text == "write to [EMAIL_2] and wait for an answer there"
    assert "lea@" not in str(up.bodies)


@pytest.mark.parametrize("stream", [False, True])
def test_tool_calls_come_whole_and_their_results_go_back(
    up: Upstream, client: openai.OpenAI, stream: bool
) -> None:
    up.says = [calls('{"id": 4711}'), "It is on its way."]
    asked = {"model": "plain", "tools": [LOOKUP], "tool_choice": "auto"}
    if stream:
        with client.chat.completions.stream(messages=HELLO, **asked) as events:
            message = events.get_final_completion().choices[0].message
    else:
        done = client.chat.completions.create(messages=HELLO, **asked)
        assert done.choices[0].finish_reason == "tool_calls"
        message = done.choices[0].message
    assert message.tool_calls
    (call,) = message.tool_calls
    assert (call.id, call.function.name) == ("c1", "lookup")  # type: ignore[union-attr]
    turn = message.model_dump(exclude_none=True)
    turn = {key: turn[key] for key in ("role", "tool_calls")}
    for each in turn["tool_calls"]:
        each["function"].pop("parsed_arguments", None)
    result = {"role": "tool", "tool_call_id": "c1", "content": '{"state": "sent"}'}
    last = client.chat.completions.create(messages=[*HELLO, turn, result], **asked)
    assert last.choices[0].message.content == "It is on its way."
    assert [each["role"] for each in up.bodies[-1]["messages"]] == ["user", "assistant", "tool"]


def test_a_call_of_a_strict_tool_meets_its_schema_or_is_no_answer(
    up: Upstream, client: openai.OpenAI
) -> None:
    up.says = [calls('{"id": "x"}')]
    with pytest.raises(openai.APIStatusError) as caught:
        client.chat.completions.create(model="plain", messages=HELLO, tools=[LOOKUP])
    assert caught.value.status_code == 502
    assert caught.value.code == "invalid_reply"
    assert len(up.bodies) == 1, "the client does not ask again"


def test_structured_output_is_held_to_its_schema(up: Upstream, client: openai.OpenAI) -> None:
    schema = LOOKUP["function"]["parameters"]
    form: Any = {"type": "json_schema", "json_schema": {"name": "order", "schema": schema}}
    up.says = ['{"id": 1}', '{"id": "one"}']
    done = client.chat.completions.create(model="plain", messages=HELLO, response_format=form)
    assert done.choices[0].message.content == '{"id": 1}'
    with pytest.raises(openai.APIStatusError, match="does not meet the schema"):
        client.chat.completions.create(model="plain", messages=HELLO, response_format=form)


def test_a_policy_s_no_is_raised_once_with_its_rule(up: Upstream, client: openai.OpenAI) -> None:
    up.says = ["about the falcon"]
    with pytest.raises(openai.PermissionDeniedError) as caught:
        client.chat.completions.create(model="careful", messages=HELLO)
    error: Any = caught.value.body
    assert error["rule"] == "policies.blocked_phrases"
    assert error["request_id"] == caught.value.request_id
    assert len(up.bodies) == 1


def test_a_policy_s_no_in_the_middle_of_a_stream_is_raised_too(
    up: Upstream, client: openai.OpenAI
) -> None:
    up.says = ["All of it is well so far and then the falcon flies on"]
    heard = []
    with pytest.raises(openai.APIError, match="blocked phrase"):
        for each in client.chat.completions.create(model="careful", messages=HELLO, stream=True):
            heard.append(each.choices[0].delta.content or "")
    assert "".join(heard).startswith("All of it")
    assert "falcon" not in "".join(heard)


def test_what_is_held_back_whole_fails_with_a_status_of_its_own(
    up: Upstream, client: openai.OpenAI
) -> None:
    with pytest.raises(openai.PermissionDeniedError):
        client.chat.completions.create(model="cited", messages=HELLO, stream=True)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("n", 2),
        ("logprobs", True),
        ("audio", {"voice": "x", "format": "wav"}),
        ("messages", [{"role": "user", "content": [{"type": "image_url", "image_url": {}}]}]),
    ],
)
def test_what_cannot_be_translated_is_refused_by_name(
    up: Upstream, client: openai.OpenAI, field: str, value: Any
) -> None:
    asked: dict[str, Any] = {"model": "plain", "messages": HELLO} | {field: value}
    with pytest.raises(openai.BadRequestError) as caught:
        client.chat.completions.create(**asked)
    assert caught.value.param is not None
    assert caught.value.param.startswith(field)
    assert not up.bodies


def test_a_provider_that_fails_is_asked_again_by_the_client(
    up: Upstream, client: openai.OpenAI
) -> None:
    up.says = [503, "fine"]
    fast = client.with_options(max_retries=1)
    assert fast.chat.completions.create(model="plain", messages=HELLO).choices
    assert len(up.bodies) == 2


def test_without_a_key_there_is_no_service(up: Upstream, served: tuple[Upstream, Gateway]) -> None:
    for key in ("none", "ek-0123456789-" + "x" * 43):
        with (
            openai.OpenAI(base_url=served[1].url, api_key=key) as stranger,
            pytest.raises(openai.AuthenticationError),
        ):
            stranger.chat.completions.create(model="plain", messages=HELLO)
    assert not up.bodies


def test_a_key_opens_its_routes_until_it_is_revoked(served: tuple[Upstream, Gateway]) -> None:
    door = served[1]
    key = door.add_key("--routes", "plain", "--user", "u2")
    with openai.OpenAI(base_url=door.url, api_key=key) as limited:
        assert [each.id for each in limited.models.list()] == ["plain"]
        with pytest.raises(openai.NotFoundError):
            limited.chat.completions.create(model="careful", messages=HELLO)


def test_a_client_that_leaves_ends_the_upstream_s_answer(tmp_path: Path) -> None:
    with (
        upstream(hold=threading.Event()) as up,
        gateway(tmp_path, up.url) as door,
        openai.OpenAI(base_url=door.url, api_key=door.key) as client,
    ):
        stream = client.chat.completions.create(model="plain", messages=HELLO, stream=True)
        next(iter(stream))
        stream.close()
        assert up.broken.wait(20)
