"""What one vendor does otherwise than the others."""

import json
from typing import Any

import pytest
from botocore.eventstream import EventStreamBuffer
from botocore.loaders import Loader
from botocore.model import ServiceModel
from botocore.validate import ParamValidator

from evalkit.control.providers import anthropic, azure_openai, bedrock, gemini, openai_responses
from evalkit.control.providers.error_bodies import ErrorBody
from evalkit.control.providers.meanings import meaning_of
from evalkit.control.providers.protocol import UnsentParameter
from evalkit.ports import HttpReply
from evalkit.records.asset import Tool
from evalkit.records.attempt import FailureMode
from evalkit.records.call import Message, Request
from tests.unit.control.providers.fakes import http_reply, request
from tests.unit.control.providers.formats import bedrock_converse


def asked(**params: Any) -> Request:
    return request(params=params)


def google(status: int, name: str, *details: dict[str, Any]) -> ErrorBody:
    error = {"code": status, "message": "No.", "status": name, "details": list(details)}
    return gemini.error_of(http_reply(status, {"error": error}))


@pytest.mark.parametrize(
    ("base_url", "url"),
    [
        (
            "https://me.openai.azure.com",
            "https://me.openai.azure.com/openai/deployments/a%2Fb/chat/completions"
            "?api-version=2024-10-21",
        ),
        (
            "https://me.openai.azure.com/openai/?api-version=2025-04-01-preview",
            "https://me.openai.azure.com/openai/deployments/a%2Fb/chat/completions"
            "?api-version=2025-04-01-preview",
        ),
        (
            "https://gate.example/team?tenant=7",
            "https://gate.example/team/openai/deployments/a%2Fb/chat/completions"
            "?tenant=7&api-version=2024-10-21",
        ),
        (
            "https://me.openai.azure.com/openai/v1/",
            "https://me.openai.azure.com/openai/v1/chat/completions",
        ),
    ],
)
def test_an_azure_deployment_stands_in_the_address(base_url: str, url: str) -> None:
    assert azure_openai.url_of(base_url, "a/b") == url


def test_google_writes_the_wait_into_the_body() -> None:
    retry = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "34.5s"}
    error = google(429, "RESOURCE_EXHAUSTED", {"@type": "other"}, retry)
    assert error.retry_after_s == 34.5
    assert meaning_of(429, error).mode == FailureMode.RATE_LIMITED


@pytest.mark.parametrize("delay", ["soon", "s", "-3s", 7, None])
def test_a_wait_that_google_did_not_write_as_a_duration_is_none(delay: Any) -> None:
    assert google(429, "RESOURCE_EXHAUSTED", {"retryDelay": delay}).retry_after_s is None


def test_a_quota_of_the_day_is_nothing_to_wait_for() -> None:
    minute = {"violations": [{"quotaId": "GenerateRequestsPerMinutePerProject"}]}
    day = {"violations": [{"quotaId": "GenerateRequestsPerDayPerProject-FreeTier"}]}
    modes = [
        meaning_of(429, google(429, "RESOURCE_EXHAUSTED", each)).mode for each in (minute, day)
    ]
    assert modes == [FailureMode.RATE_LIMITED, FailureMode.QUOTA]


def test_googles_wrong_key_is_no_bad_request() -> None:
    error = google(400, "INVALID_ARGUMENT", {"reason": "API_KEY_INVALID"})
    assert meaning_of(400, error).mode == FailureMode.AUTHENTICATION


@pytest.mark.parametrize("body", [[{"error": {"code": 503, "status": "UNAVAILABLE"}}], "no", []])
def test_googles_errors_come_in_any_shape(body: Any) -> None:
    error = gemini.error_of(HttpReply(status=503, headers={}, body=http_reply(503, body).body))
    assert meaning_of(503, error).mode == FailureMode.SERVER_ERROR


def test_googles_failed_tool_call_is_the_models_own_empty_answer() -> None:
    body = http_reply(200, {"candidates": [{"finishReason": "MALFORMED_FUNCTION_CALL"}]}).body
    answer = gemini.answer_of(body)
    assert not isinstance(answer, ErrorBody)
    assert (answer.generated, answer.finish_reason) == (True, "malformed_function_call")


def test_settings_that_stand_beside_the_generation_stay_there() -> None:
    settings = [{"category": "HARM_CATEGORY_HARASSMENT", "threshold": "BLOCK_NONE"}]
    payload = gemini.payload_of(asked(safetySettings=settings, thinkingConfig={"x": 1}, top_k=3))
    assert payload["safetySettings"] == settings
    assert payload["generationConfig"] == {"thinkingConfig": {"x": 1}, "topK": 3}


def test_reasoning_effort_has_its_place_in_every_format() -> None:
    given = asked(reasoning_effort="low")
    assert openai_responses.payload_of(given)["reasoning"] == {"effort": "low"}
    assert anthropic.payload_of(given)["output_config"] == {"effort": "low"}
    assert bedrock.payload_of(given)["outputConfig"] == {"effort": "low"}
    thinking = gemini.payload_of(given)["generationConfig"]["thinkingConfig"]
    assert thinking == {"thinkingLevel": "low"}


def test_a_schema_that_anthropic_cannot_enforce_is_not_sent() -> None:
    payload = anthropic.payload_of(request(schema={"type": "object"}))
    assert "output_config" not in payload


def test_a_parameter_cannot_bring_an_output_form_of_its_own() -> None:
    form = {"format": {"type": "text"}}
    assert "text" not in openai_responses.payload_of(asked(text=form))
    assert "output_config" not in anthropic.payload_of(asked(output_config=form))
    with pytest.raises(UnsentParameter, match="responseSchema"):
        gemini.payload_of(asked(responseSchema={}))


def test_responses_are_not_kept_by_the_vendor_unless_asked_to() -> None:
    assert openai_responses.payload_of(asked())["store"] is False
    assert openai_responses.payload_of(asked(store=True))["store"] is True


def test_a_tool_without_parameters_takes_none_in_every_format() -> None:
    bare = request(tools=(Tool(name="now"),))
    nothing = {"type": "object", "properties": {}}
    assert anthropic.payload_of(bare)["tools"] == [{"name": "now", "input_schema": nothing}]
    assert gemini.payload_of(bare)["tools"] == [{"functionDeclarations": [{"name": "now"}]}]
    (tool,) = openai_responses.payload_of(bare)["tools"]
    assert (tool["parameters"], tool["strict"]) == (nothing, False)


def test_what_anthropic_wrote_to_the_cache_is_input_too() -> None:
    usage = {"input_tokens": 504, "cache_creation_input_tokens": 123, "output_tokens": 3}
    body = {"content": [], "usage": usage | {"cache_read_input_tokens": 1000}}
    answer = anthropic.answer_of(http_reply(200, body).body)
    assert not isinstance(answer, ErrorBody) and answer.usage is not None
    assert (answer.usage.input_tokens, answer.usage.cached_tokens) == (1627, 1000)


def test_a_failed_response_without_a_reason_is_a_server_error() -> None:
    answer = openai_responses.answer_of(http_reply(200, {"status": "failed", "output": []}).body)
    assert isinstance(answer, ErrorBody)
    meaning = meaning_of(200, answer)
    assert (meaning.mode, meaning.may_be_billed) == (FailureMode.SERVER_ERROR, True)


def test_amazons_error_is_named_in_a_header_or_in_the_body() -> None:
    header = {"x-amzn-errortype": "ThrottlingException:http://internal.amazon.com/x/"}
    named = [
        bedrock.error_of(HttpReply(status=429, headers=header, body=b'{"message":"Slow."}')),
        bedrock.error_of(
            http_reply(429, {"__type": "a.b#ThrottlingException", "message": "Slow."})
        ),
    ]
    assert [(each.code, each.message) for each in named] == [("ThrottlingException", "Slow.")] * 2


def test_an_amazon_model_that_is_still_loading_is_no_rate_limit() -> None:
    error = ErrorBody(code="ModelNotReadyException")
    assert meaning_of(429, error).mode == FailureMode.SERVER_ERROR


def test_two_turns_of_one_role_are_one_message_for_bedrock() -> None:
    messages = tuple(
        Message(role=role, content=text)
        for role, text in (("user", "a"), ("tool", "b"), ("assistant", "c"), ("user", "d"))
    )
    assert bedrock.payload_of(request(messages=messages))["messages"] == [
        {"role": "user", "content": [{"text": "a"}, {"text": "b"}]},
        {"role": "assistant", "content": [{"text": "c"}]},
        {"role": "user", "content": [{"text": "d"}]},
    ]


def test_amazons_own_description_takes_every_request_and_reply() -> None:
    """botocore ships the service's model: what is sent has to pass its validator."""
    described = Loader().load_service_model("bedrock-runtime", "service-2")
    operation = ServiceModel(described, "bedrock-runtime").operation_model("Converse")
    name, turns = bedrock_converse.FORMAT.turns
    for changes in ({}, {name: turns}):
        sent = bedrock_converse.FORMAT.payload | {"modelId": "m"} | changes
        report = ParamValidator().validate(sent, operation.input_shape)
        assert report.generate_report() == ""
    guarded = [exchange for exchange, _ in bedrock_converse.FORMAT.guarded]
    for exchange in (bedrock_converse.FORMAT.text, bedrock_converse.FORMAT.tool_call, *guarded):
        report = ParamValidator().validate(exchange.body, operation.output_shape)
        assert report.generate_report() == ""


def test_amazons_own_description_takes_every_event_of_our_streams() -> None:
    described = Loader().load_service_model("bedrock-runtime", "service-2")
    operation = ServiceModel(described, "bedrock-runtime").operation_model("ConverseStream")
    events = operation.output_shape.members["stream"].members
    for exchange in bedrock_converse.STREAMS.values():
        buffer = EventStreamBuffer()
        buffer.add_data(exchange.body)
        messages = [(each.headers[":event-type"], json.loads(each.payload)) for each in buffer]
        assert messages[0][0] == "messageStart"
        for name, payload in messages:
            if name == "metadata":  # a stream without usage is not Amazon's, and has to be borne
                payload.setdefault("usage", {"inputTokens": 1, "outputTokens": 1, "totalTokens": 2})
            report = ParamValidator().validate(payload, events[name])
            assert report.generate_report() == "", name
