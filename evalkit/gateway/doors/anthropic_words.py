"""What Anthropic calls the end of an answer, its tokens and its errors."""

from collections.abc import Mapping
from typing import Any

from evalkit.gateway.refusals import Kind, Refusal
from evalkit.records.call import Reply, Usage

_STOPS: Mapping[str, str] = {
    "stop": "end_turn",
    "tool_calls": "tool_use",
    "length": "max_tokens",
    "content_filter": "refusal",
}
_TYPES: Mapping[Kind, str] = {
    "invalid_request": "invalid_request_error",
    "authentication": "authentication_error",
    "permission": "permission_error",
    "not_found": "not_found_error",
    "too_large": "request_too_large",
    "quota": "billing_error",
    "rate_limit": "rate_limit_error",
    "overloaded": "overloaded_error",
    "timeout": "timeout_error",
}


def stop_reason_of(reply: Reply) -> str:
    """Why it ended."""
    return "refusal" if reply.refusal is not None else _STOPS.get(reply.finish_reason, "end_turn")


def usage_body(usage: Usage) -> dict[str, Any]:
    """Tokens as this format counts them: those of the cache are apart from the input's."""
    return {
        "input_tokens": usage.input_tokens - usage.cached_tokens - usage.cache_write_tokens,
        "cache_creation_input_tokens": usage.cache_write_tokens,
        "cache_read_input_tokens": usage.cached_tokens,
        "output_tokens": usage.output_tokens,
    }


def error_body(refusal: Refusal, request_id: str) -> dict[str, Any]:
    """The error object, and what decided."""
    error: dict[str, Any] = {
        "type": _TYPES.get(refusal.kind, "api_error"),
        "message": refusal.message,
        "code": refusal.code,
    }
    for name in ("rule", "param", "approval"):
        if (value := getattr(refusal, name)) is not None:
            error[name] = value
    return {"type": "error", "error": error, "request_id": request_id}
