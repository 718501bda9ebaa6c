"""Every kind of refusal at every door: its status, its shape, its headers."""

import re
from typing import Any

import pytest

from evalkit.errors import (
    BudgetExhausted,
    ConfigError,
    InvalidReply,
    PolicyBlocked,
    Problem,
    ProviderError,
    Refused,
    StoreError,
)
from tests.unit.gateway.application import FakeService, operating, send

HELLO = [{"role": "user", "content": "hello"}]
CALL = {"id": "c1", "name": "lookup", "arguments": {}}
CHAT, RESPONSES, MESSAGES = "/v1/chat/completions", "/v1/responses", "/v1/messages"
DOORS: dict[str, dict[str, Any]] = {
    CHAT: {"model": "plain", "messages": HELLO},
    RESPONSES: {"model": "plain", "input": "hello"},
    MESSAGES: {"model": "plain", "max_tokens": 9, "messages": HELLO},
    "/v1/evalkit/tools/authorize": {"route": "plain", "call": CALL},
}
STREAMED = [path for path in DOORS if "evalkit" not in path]
GOOD = {"authorization": "Bearer good"}

Row = tuple[BaseException, int, str, str | None, str | None, tuple[str, str]]


def failed(code: str, *, retryable: bool = True, **more: Any) -> ProviderError:
    return ProviderError(code, "no", retryable=retryable, **more)


NO = "false"
FINAL: dict[str, Any] = {"retryable": False}
BAD = ("invalid_request_error", "invalid_request_error")
RATE = ("rate_limit_error", "rate_limit_error")
SERVER = ("server_error", "api_error")
OVER = ("server_error", "overloaded_error")
BLOCKED = PolicyBlocked("policies.x", "no")
SPENT = BudgetExhausted("budgets.key.max_usd", "no")
WRONG = ConfigError([Problem(message="no", key="temperature")])
# what the core says: status, code, x-should-retry, retry-after, the types of OpenAI and Anthropic
CORE: list[Row] = [
    (BLOCKED, 403, "policy_blocked", NO, None, ("permission_error", "permission_error")),
    (SPENT, 429, "insufficient_quota", NO, None, ("insufficient_quota", "billing_error")),
    (InvalidReply("no"), 502, "invalid_reply", NO, None, SERVER),
    (failed("rate_limited", retry_after_s=7.2), 429, "rate_limited", None, "7", RATE),
    (failed("rate_limited"), 429, "rate_limited", None, None, RATE),
    (failed("server_error"), 502, "server_error", None, None, SERVER),
    (failed("connection"), 502, "connection", None, None, SERVER),
    (failed("timeout"), 504, "timeout", None, None, ("server_error", "timeout_error")),
    (failed("circuit_open", retry_after_s=0.2), 503, "circuit_open", None, "1", OVER),
    (failed("quota", **FINAL), 503, "quota", NO, None, SERVER),
    (failed("authentication", **FINAL), 502, "authentication", NO, None, SERVER),
    (failed("bad_request", **FINAL), 400, "bad_request", NO, None, BAD),
    (failed("context_length", **FINAL), 400, "context_length", NO, None, BAD),
    (failed("content_filter", **FINAL), 400, "content_filter", NO, None, BAD),
    (failed("malformed_reply"), 502, "malformed_reply", None, None, SERVER),
    (WRONG, 400, "invalid_request", NO, None, BAD),
    (Refused("no"), 503, "not_configured", NO, None, OVER),
    (StoreError("/secret/path"), 503, "store_unavailable", None, None, OVER),
    (ZeroDivisionError("secret"), 500, "internal_error", NO, None, SERVER),
]


@pytest.mark.parametrize("row", CORE, ids=lambda row: f"{row[2]}-{row[4]}")
@pytest.mark.parametrize("path", DOORS)
def test_what_the_core_refuses(path: str, row: Row) -> None:
    error, status, code, should_retry, after, types = row
    for stream in (False, True) if path in STREAMED else (None,):
        body = DOORS[path] | ({} if stream is None else {"stream": stream})
        told = send(FakeService(error), operating(), "POST", path, json=body, headers=GOOD)
        shape = check_shape(path, told, status, code)
        assert told.headers.get("x-should-retry") == should_retry
        assert told.headers.get("retry-after") == after
        assert shape["type"] == types[path == "/v1/messages"]
        assert shape.get("rule") == getattr(error, "rule", None)
        assert "secret" not in told.text


@pytest.mark.parametrize("path", DOORS)
@pytest.mark.parametrize(
    ("headers", "change", "status", "code"),
    [
        ({}, {}, 401, "invalid_api_key"),
        ({"authorization": "Bearer bad"}, {}, 401, "invalid_api_key"),
        ({"authorization": "Basic good"}, {}, 401, "invalid_api_key"),
        ({"x-api-key": "scraper"}, {}, 403, "wrong_key"),
        (GOOD, {"model": "other", "route": "other"}, 404, "model_not_found"),
        (GOOD, {"model": "none", "route": "none"}, 404, "model_not_found"),
        (GOOD, {"user": "u2", "metadata": {"user_id": "u2"}}, 400, "invalid_request"),
        (GOOD, {"nonsense": 1}, 400, "invalid_request"),
        (GOOD | {"x-evalkit-session": "a b"}, {}, 400, "invalid_request"),
    ],
)
def test_what_the_door_refuses(
    path: str, headers: dict[str, str], change: dict[str, Any], status: int, code: str
) -> None:
    ours = "evalkit" in path
    change = {k: v for k, v in change.items() if k != ("model" if ours else "route")}
    if path == "/v1/messages":
        change.pop("user", None)
    else:
        change.pop("metadata", None)
    service = FakeService(PolicyBlocked("x", "x"))
    body = DOORS[path] | change
    told = send(service, operating(), "POST", path, json=body, headers=headers)
    check_shape(path, told, status, code)
    assert told.headers["x-should-retry"] == "false"
    assert ("www-authenticate" in told.headers) == (status == 401)


@pytest.mark.parametrize("path", DOORS)
@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff", b'{"a": NaN}', b"[" * 100_000])
def test_a_body_that_is_no_object(path: str, content: bytes) -> None:
    told = send(FakeService(), operating(), "POST", path, content=content, headers=GOOD)
    check_shape(path, told, 400, "invalid_request")


UNSOUND = {"type": 5}
_HARD = {"name": "f", "strict": True}


@pytest.mark.parametrize(
    ("path", "field", "value"),
    [
        (CHAT, "tool_choice", 5),
        (CHAT, "tool_choice", "any"),
        (CHAT, "tool_choice", {"type": "allowed_tools", "allowed_tools": {}}),
        (CHAT, "tool_choice", {"type": "function", "function": {"name": "f"}, "mode": "x"}),
        (RESPONSES, "tool_choice", "any"),
        (RESPONSES, "tool_choice", {"type": "web_search"}),
        (
            CHAT,
            "response_format",
            {"type": "json_schema", "json_schema": {"name": "x", "schema": UNSOUND}},
        ),
        (RESPONSES, "text", {"format": {"type": "json_schema", "name": "x", "schema": UNSOUND}}),
        (MESSAGES, "output_config", {"format": {"type": "json_schema", "schema": UNSOUND}}),
        (CHAT, "tools", [{"type": "function", "function": _HARD | {"parameters": UNSOUND}}]),
        (RESPONSES, "tools", [{"type": "function", **_HARD, "parameters": UNSOUND}]),
        (MESSAGES, "tools", [_HARD | {"input_schema": UNSOUND}]),
        (MESSAGES, "messages", [{"role": "user", "content": []}]),
    ],
)
def test_what_no_answer_could_meet_is_refused_by_name_before_it_is_paid_for(
    path: str, field: str, value: Any
) -> None:
    service = FakeService(PolicyBlocked("x", "a model was asked"))
    told = send(service, operating(), "POST", path, json=DOORS[path] | {field: value}, headers=GOOD)
    check_shape(path, told, 400, "invalid_request")
    assert told.json()["error"]["param"].startswith(field)


@pytest.mark.parametrize("path", DOORS)
def test_a_packed_body_is_refused_by_what_it_is_packed_with(path: str) -> None:
    packed = GOOD | {"content-encoding": "gzip"}
    told = send(FakeService(), operating(), "POST", path, json=DOORS[path], headers=packed)
    check_shape(path, told, 400, "invalid_request")
    assert told.json()["error"]["param"] == "content-encoding"


@pytest.mark.parametrize("path", DOORS)
def test_a_request_that_is_nested_too_deep_is_the_client_s_fault(path: str) -> None:
    service = FakeService(RecursionError("maximum recursion depth exceeded"))
    told = send(service, operating(), "POST", path, json=DOORS[path], headers=GOOD)
    check_shape(path, told, 400, "invalid_request")


@pytest.mark.parametrize("path", DOORS)
def test_what_the_process_refuses(path: str) -> None:
    def ask(operation: Any, service: Any = None, **request: Any) -> Any:
        request = {"json": DOORS[path], "headers": GOOD} | request
        return send(service or FakeService(), operation, "POST", path, **request)

    told = ask(operating(max_body_bytes=1024), content=b"x" * 1025, json=None)
    check_shape(path, told, 413, "request_too_large")
    assert told.headers["connection"] == "close"
    if path in STREAMED:
        told = ask(operating(request_timeout_s=0.001))
        check_shape(path, told, 504, "request_timeout")
        assert told.headers["x-should-retry"] == "false"
    full, draining = operating(max_in_flight=1), operating()
    full.in_flight = 1
    draining.drain()
    for operation, code in ((full, "too_many_requests"), (draining, "draining")):
        told = ask(operation)
        check_shape(path, told, 503, code)
        assert told.headers["retry-after"] == "1"
        assert "x-should-retry" not in told.headers
    told = ask(operating(), FakeService(broken=StoreError("/secret/path")))
    check_shape(path, told, 503, "store_unavailable")
    assert "secret" not in told.text


def check_shape(path: str, told: Any, status: int, code: str) -> dict[str, Any]:
    """The error object of a refusal in the format of the door."""
    assert (told.status_code, told.json()["error"]["code"]) == (status, code), told.text
    assert told.headers["content-type"] == "application/json"
    body = told.json()
    error: dict[str, Any] = body["error"]
    if path == "/v1/messages":
        assert body.keys() == {"type", "error", "request_id"}
        assert body["type"] == "error"
        told_id = body["request_id"]
    else:
        assert body.keys() == {"error"}
        assert error.keys() >= {"message", "type", "param", "code", "request_id"}
        told_id = error["request_id"]
    assert re.fullmatch("[0-9a-f]{24}", told_id)
    assert told.headers["x-request-id"] == told.headers["request-id"] == told_id
    return error


def test_a_line_of_the_log_tells_who_asked_and_not_what() -> None:
    lines: list[bytes] = []
    operation = operating(lines, access_log="stderr")
    service = FakeService(PolicyBlocked("policies.x", "no"))
    body = DOORS["/v1/messages"]
    send(service, operation, "POST", "/v1/messages", json=body, headers=GOOD)
    send(service, operating(lines), "POST", "/v1/messages", json=body, headers=GOOD)
    (line,) = lines
    assert b"hello" not in line
    assert b"good" not in line
    assert re.fullmatch(
        rb'\{"at":"2026-01-01T00:00:00.000\+00:00","request_id":"[0-9a-f]{24}","key":"k1",'
        rb'"method":"POST","door":"/v1/messages","route":"plain","status":403,"ms":[0-9.]+,'
        rb'"refused":"policy_blocked"\}\n',
        line,
    )
