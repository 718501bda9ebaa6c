"""OpenAI's error object, for chat completions and Responses alike."""

from typing import Any

from evalkit.gateway.refusals import Kind, Refusal

_TYPES: dict[Kind, str] = {
    "invalid_request": "invalid_request_error",
    "authentication": "authentication_error",
    "permission": "permission_error",
    "not_found": "invalid_request_error",
    "too_large": "invalid_request_error",
    "quota": "insufficient_quota",
    "rate_limit": "rate_limit_error",
}


def error_body(refusal: Refusal, request_id: str) -> dict[str, Any]:
    """The body: the format's four keys, and what decided."""
    error: dict[str, Any] = {
        "message": refusal.message,
        "type": _TYPES.get(refusal.kind, "server_error"),
        "param": refusal.param,
        "code": refusal.code,
    }
    if refusal.rule is not None:
        error["rule"] = refusal.rule
    if refusal.approval is not None:
        error["approval"] = refusal.approval
    return {"error": error | {"request_id": request_id}}
