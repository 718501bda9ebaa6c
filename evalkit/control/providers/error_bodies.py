"""The error that a body carries, in whatever shape an endpoint or a proxy before it writes one."""

import re
from typing import Any

import msgspec

from evalkit.control.providers.guardrails import azure_filters
from evalkit.records.call import Guardrail


class ErrorBody(msgspec.Struct, frozen=True):
    """The error that a body carries: its words, its code and its type, as far as there are any.

    `retry_after_s` is a wait that the body asks for, where a vendor writes it there; `guardrails`
    are what stopped the prompt, where it says so.
    """

    message: str = ""
    code: str = ""
    kind: str = ""
    retry_after_s: float | None = None
    guardrails: tuple[Guardrail, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """Code, then type."""
        return tuple(name for name in (self.code, self.kind) if name)


def error_in(body: bytes) -> ErrorBody:
    """The error in a body of whatever shape; the start of the text where it is no JSON."""
    try:
        data = msgspec.json.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        # A proxy's HTML page: its title says most.
        text = body[:4000].decode("utf-8", "replace")
        title = re.search(r"<title>(.*?)</title>", text, re.DOTALL | re.IGNORECASE)
        return ErrorBody(message=title.group(1) if title else text)
    if isinstance(data, list) and len(data) == 1:  # Google's endpoint wraps it in a list
        data = data[0]
    if not isinstance(data, dict):
        return ErrorBody()
    return error_from(data.get("error", data))


def error_from(error: Any) -> ErrorBody:
    """The error from its JSON: an object, or just a text."""
    if isinstance(error, str):
        return ErrorBody(message=error)
    if not isinstance(error, dict):
        return ErrorBody()
    words = error.get("message") or error.get("detail") or ""
    return ErrorBody(
        message=words if isinstance(words, str) else msgspec.json.encode(words).decode(),
        code=_name(error.get("code")),
        kind=_name(error.get("type")),
        guardrails=_filters(error.get("innererror")),
    )


def _filters(inner: Any) -> tuple[Guardrail, ...]:
    """What Azure's filters found in a prompt that they stopped."""
    found = inner.get("content_filter_result") if isinstance(inner, dict) else None
    return tuple(azure_filters(found, "request"))


def _name(value: Any) -> str:
    is_name = isinstance(value, str | int) and not isinstance(value, bool)
    return str(value) if is_name else ""
