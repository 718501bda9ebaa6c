"""What an OpenAI-compatible endpoint is sent."""

from typing import Any

import pytest

from evalkit.control.providers.openai_request import payload_of
from evalkit.errors import ConfigError, ProviderError
from evalkit.records.asset import Tool
from evalkit.records.attempt import FailureMode
from tests.unit.control.providers.fakes import (
    SECRET,
    answering,
    completion,
    provider,
    request,
    run,
)


def sent_by(**options: Any) -> tuple[str, dict[str, str], dict[str, Any]]:
    transport = answering(200, completion())
    asked = options.pop("request", None) or request()
    run(provider(transport, **options).complete(asked, timeout_s=5))
    return transport.urls[0], dict(transport.headers[0]), transport.bodies[0]


def test_messages_and_parameters_are_sent_and_attribution_is_not() -> None:
    _, _, body = sent_by()
    assert body == {
        "model": "m",
        "messages": [
            {"role": "system", "content": "Answer yes or no."},
            {"role": "user", "content": "Is it on?"},
        ],
        "temperature": 0,
        "max_tokens": 16,
    }


def test_openai_itself_is_sent_the_new_name_of_the_output_cap() -> None:
    for base_url in ("https://api.openai.com/v1", "https://eu.api.openai.com/v1"):
        _, _, body = sent_by(base_url=base_url)
        assert body["max_completion_tokens"] == 16
        assert "max_tokens" not in body


def test_a_host_that_only_ends_alike_is_not_taken_for_openai() -> None:
    _, _, body = sent_by(base_url="https://notapi.openai.com.example/v1")
    assert body["max_tokens"] == 16


@pytest.mark.parametrize(
    ("base_url", "url"),
    [
        ("http://127.0.0.1:8080/v1", "http://127.0.0.1:8080/v1/chat/completions"),
        ("http://127.0.0.1:8080/v1/", "http://127.0.0.1:8080/v1/chat/completions"),
        ("https://a.example/x?api-version=2", "https://a.example/x/chat/completions?api-version=2"),
    ],
)
def test_the_path_goes_below_the_base_and_before_its_query(base_url: str, url: str) -> None:
    assert sent_by(base_url=base_url)[0] == url


@pytest.mark.parametrize(
    "base_url", ["ftp://a.example", "https://", "https://a.example:notaport/", "http://[bad/v1"]
)
def test_a_base_url_that_is_no_address_is_refused_before_any_call(base_url: str) -> None:
    with pytest.raises(ConfigError, match=r"providers\.hosted\.base_url"):
        sent_by(base_url=base_url)


def test_a_password_in_the_address_is_refused_without_being_shown() -> None:
    with pytest.raises(ConfigError) as caught:
        sent_by(base_url="https://me:hunter2@a.example/v1")
    assert "hunter2" not in str(caught.value)


def test_a_parameter_cannot_replace_model_or_messages() -> None:
    body = payload_of(request(params={"model": "dearer", "messages": [], "top_p": 0.5}))
    assert (body["model"], len(body["messages"]), body["top_p"]) == ("m", 2, 0.5)


def test_tools_are_sent_without_their_effect() -> None:
    parameters = {"type": "object", "properties": {"id": {"type": "string"}}}
    tools = (
        Tool(name="look_up", description="Find it.", effect="read", parameters=parameters),
        Tool(name="stop"),
    )
    _, _, body = sent_by(request=request(tools=tools))
    assert body["tools"] == [
        {
            "type": "function",
            "function": {
                "name": "look_up",
                "description": "Find it.",
                "parameters": parameters,
            },
        },
        {"type": "function", "function": {"name": "stop"}},
    ]


CLOSED = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "additionalProperties": False,
    "required": ["a"],
    "properties": {"a": {"type": ["object", "null"], "additionalProperties": False}},
}


def test_a_closed_schema_is_sent_as_strict_and_without_its_dialect() -> None:
    _, _, body = sent_by(request=request(schema=CLOSED))
    schema = {key: value for key, value in CLOSED.items() if key != "$schema"}
    assert body["response_format"] == {
        "type": "json_schema",
        "json_schema": {"name": "reply", "schema": schema, "strict": True},
    }


@pytest.mark.parametrize(
    "change",
    [
        {"additionalProperties": True},
        {"required": []},
        {"properties": {"a": {"type": "object"}}},
        {"properties": {"a": {"anyOf": [{"type": "object"}]}}},
    ],
)
def test_a_schema_that_strict_mode_refuses_is_not_sent_as_strict(change: dict[str, Any]) -> None:
    _, _, body = sent_by(request=request(schema=CLOSED | change))
    assert body["response_format"]["json_schema"]["strict"] is False


def test_the_key_is_read_when_the_call_is_made() -> None:
    environ: dict[str, str] = {"LLM_KEY": "old"}
    transport = answering(200, completion())
    hosted = provider(transport, environ=environ)
    environ["LLM_KEY"] = f"{SECRET}\n"  # as `export KEY=$(cat file)` never, but .env files do
    run(hosted.complete(request(), timeout_s=5))
    assert transport.headers[0]["authorization"] == f"Bearer {SECRET}"


def test_an_endpoint_without_a_key_gets_no_authorization() -> None:
    _, headers, _ = sent_by(api_key_env=None)
    assert "authorization" not in headers


@pytest.mark.parametrize("value", [None, "", "  \n", "sk-\nx", "ключ"])
def test_a_missing_or_impossible_key_is_an_authentication_error_that_names_the_variable(
    value: str | None,
) -> None:
    environ = {} if value is None else {"LLM_KEY": value}
    transport = answering(200, completion())
    with pytest.raises(ProviderError, match=r"\$LLM_KEY") as caught:
        run(provider(transport, environ=environ).complete(request(), timeout_s=5))
    assert caught.value.code == FailureMode.AUTHENTICATION
    assert not caught.value.retryable
    assert transport.urls == []
