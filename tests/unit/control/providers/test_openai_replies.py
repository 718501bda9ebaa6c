"""What is made of what an OpenAI-compatible endpoint sends back with a success."""

from typing import Any

import pytest

from evalkit.errors import ProviderError
from evalkit.records.attempt import FailureMode
from evalkit.records.call import Reply, ToolCall, Usage
from tests.unit.control.providers.fakes import (
    FakeTransport,
    FixedClock,
    answering,
    completion,
    http_reply,
    provider,
    request,
    run,
)


def reply_to(body: Any, status: int = 200) -> Reply:
    return run(provider(answering(status, body)).complete(request(), timeout_s=5))


def failure_of(body: Any, status: int = 200) -> ProviderError:
    with pytest.raises(ProviderError) as caught:
        reply_to(body, status)
    return caught.value


def test_text_model_and_usage_are_read() -> None:
    reply = reply_to(completion())
    assert (reply.content, reply.model, reply.origin) == ("yes", "m-2026", "live")
    assert reply.usage == Usage(input_tokens=20, output_tokens=3, cached_tokens=8)
    assert reply.finish_reason == "stop"


def test_latency_and_time_are_those_of_the_call() -> None:
    clock = FixedClock()
    transport = FakeTransport(http_reply(200, completion()), clock, takes_s=1.5)
    reply = run(provider(transport, clock=clock).complete(request(), timeout_s=5))
    assert reply.latency_s == 1.5
    assert reply.measured_at == "2026-11-24T12:00:01.500+00:00"


def test_two_calls_are_two_measurements_even_when_the_server_repeats_its_id() -> None:
    first, second = reply_to(completion()), reply_to(completion())
    assert first.measurement_id != second.measurement_id
    assert first.measurement_id.startswith("chatcmpl-1/")


def test_a_missing_usage_is_estimated_and_says_so() -> None:
    body = completion()
    del body["usage"]
    usage = reply_to(body).usage
    assert usage.estimated
    assert usage.input_tokens == 7  # 26 bytes in, four a token
    assert usage.output_tokens == 1


def test_more_cached_than_sent_is_cut_to_what_was_sent() -> None:
    usage = {"prompt_tokens": 5, "completion_tokens": 1, "prompt_tokens_details": None}
    assert reply_to(completion(usage=usage)).usage.cached_tokens == 0
    usage["prompt_tokens_details"] = {"cached_tokens": 9}  # type: ignore[assignment]
    assert reply_to(completion(usage=usage)).usage.cached_tokens == 5


@pytest.mark.parametrize("count", [-5, 2**64, 10**400])
def test_a_count_of_tokens_that_no_reply_has_is_a_malformed_reply(count: int) -> None:
    body = completion(usage={"prompt_tokens": count, "completion_tokens": 1})
    assert failure_of(body).code == FailureMode.MALFORMED_REPLY


def tool_call(arguments: Any) -> dict[str, Any]:
    call = {"id": "t1", "type": "function", "function": {"name": "f", "arguments": arguments}}
    return completion(message={"content": None, "tool_calls": [call]}, finish_reason="tool_calls")


@pytest.mark.parametrize(
    ("status", "body", "code"),
    [
        (200, b'{"choices": [{"message": {"content": "\xff"}}]}', FailureMode.MALFORMED_REPLY),
        (200, b'{"choices": ' + b"[" * 50_000, FailureMode.MALFORMED_REPLY),
        (200, b'{"error": ' + b"[" * 50_000, FailureMode.MALFORMED_REPLY),
        (500, b'{"error": {"message": "\xff"}}', FailureMode.SERVER_ERROR),
        (500, b'{"error": ' + b"[" * 50_000, FailureMode.SERVER_ERROR),
    ],
    ids=["no UTF-8", "nested", "nested error", "error in no UTF-8", "error nested"],
)
def test_no_body_is_a_bug_of_ours(status: int, body: bytes, code: FailureMode) -> None:
    assert failure_of(body, status).code == code


def test_arguments_that_are_nested_without_end_are_kept_as_text() -> None:
    arguments = '{"a": ' + "[" * 50_000 + "]" * 50_000 + "}"
    (call,) = reply_to(tool_call(arguments)).tool_calls
    assert (call.arguments, call.raw) == (None, arguments)


@pytest.mark.parametrize(
    ("arguments", "read", "raw"),
    [
        ('{"a": 1}', {"a": 1}, None),
        ({"a": 1}, {"a": 1}, None),  # some servers send an object instead of its text
        ("", {}, None),
        ('{"a": ', None, '{"a": '),
        ("[1]", None, "[1]"),
    ],
)
def test_tool_calls_are_read_and_arguments_that_are_no_object_are_kept_as_text(
    arguments: Any, read: dict[str, Any] | None, raw: str | None
) -> None:
    reply = reply_to(tool_call(arguments))
    assert reply.tool_calls == (ToolCall(name="f", arguments=read, id="t1", raw=raw),)
    assert (reply.content, reply.finish_reason) == ("", "tool_calls")


def test_a_refusal_is_a_reply_that_carries_the_refusal() -> None:
    reply = reply_to(completion(message={"content": None, "refusal": "I won't."}))
    assert (reply.content, reply.refusal) == ("", "I won't.")


def test_a_filtered_reply_is_a_refusal_that_keeps_its_usage() -> None:
    reply = reply_to(completion(message={"content": "so f"}, finish_reason="content_filter"))
    assert reply.refusal is not None and "content filter" in reply.refusal
    assert (reply.finish_reason, reply.usage.output_tokens) == ("content_filter", 3)


@pytest.mark.parametrize("status", [200, 400])
def test_a_filtered_prompt_is_a_refusal_that_used_nothing(status: int) -> None:
    error = {"message": "…", "type": None, "param": "prompt", "code": "content_filter"}
    reply = reply_to({"error": error}, status)
    assert reply.refusal is not None
    assert (reply.finish_reason, reply.usage) == ("content_filter", Usage())


def test_content_in_parts_is_joined() -> None:
    parts = [{"type": "thinking", "thinking": "…"}, {"type": "text", "text": "ye"}]
    parts.append({"type": "text", "text": "s"})
    assert reply_to(completion(message={"content": parts})).content == "yes"


def test_an_empty_text_is_the_models_answer_where_tokens_were_generated() -> None:
    assert reply_to(completion(message={"content": ""})).content == ""


@pytest.mark.parametrize("usage", [None, {"prompt_tokens": 20, "completion_tokens": 0}])
def test_an_empty_text_without_a_generated_token_is_no_answer(usage: Any) -> None:
    failure = failure_of(completion(message={"content": None}, usage=usage))
    assert failure.code == FailureMode.EMPTY_REPLY
    assert failure.retryable and failure.may_be_billed


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>hello</html>",
        b'{"choices": [',
        b"\xff\xfe",
        b"[]",
        {},
        {"choices": []},
        {"choices": [{}]},
        {"choices": "none"},
        {"choices": [{"message": {"content": 7}}]},
        {"choices": [{"message": {"content": [{"type": "text", "text": 7}]}}]},
        {"choices": [{"message": {"content": "x"}}], "usage": {"prompt_tokens": "many"}},
    ],
)
def test_a_success_that_holds_no_completion_is_malformed_and_may_be_billed(body: Any) -> None:
    failure = failure_of(body)
    assert failure.code == FailureMode.MALFORMED_REPLY
    assert failure.retryable and failure.may_be_billed


def test_a_success_that_carries_an_error_is_that_error() -> None:
    failure = failure_of({"error": {"message": "slow down", "code": "rate_limit_exceeded"}})
    assert (failure.code, failure.retryable) == (FailureMode.RATE_LIMITED, True)
    failure = failure_of({"error": {"message": "upstream", "code": 401}})
    assert (failure.code, failure.retryable) == (FailureMode.AUTHENTICATION, False)
    failure = failure_of({"error": "something broke"})
    assert (failure.code, failure.may_be_billed) == (FailureMode.SERVER_ERROR, True)


def test_an_error_inside_a_choice_is_no_answer() -> None:
    body = completion(message={"content": "half an ans"}, finish_reason="error")
    body["choices"][0]["error"] = {"message": "upstream broke", "code": 502}
    assert failure_of(body).code == FailureMode.SERVER_ERROR
