"""What an endpoint's refusals mean, whatever format it speaks: status and code to FailureMode.

The one table for every status and every vendor's codes. A code in the body is more exact than the
status and wins where it is known; `x-should-retry` says more than either and decides about retries.
"""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import msgspec

from evalkit.control.providers.rate_limits import reset_after
from evalkit.errors import ProviderError
from evalkit.ports import HttpReply
from evalkit.records.attempt import FailureMode

MAX_MESSAGE = 300


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a status or code stands for. `may_be_billed`: work may have been done all the same."""

    mode: FailureMode
    retryable: bool = False
    may_be_billed: bool = False


RATE_LIMITED = Meaning(FailureMode.RATE_LIMITED, retryable=True)
SERVER_ERROR = Meaning(FailureMode.SERVER_ERROR, retryable=True)
SLOW = Meaning(FailureMode.TIMEOUT, retryable=True, may_be_billed=True)
QUOTA = Meaning(FailureMode.QUOTA)
BAD_REQUEST = Meaning(FailureMode.BAD_REQUEST)
AUTHENTICATION = Meaning(FailureMode.AUTHENTICATION)
CONTEXT_LENGTH = Meaning(FailureMode.CONTEXT_LENGTH)
CONTENT_FILTER = Meaning(FailureMode.CONTENT_FILTER)

# Statuses that say something else than their hundred does.
STATUSES: Mapping[int, Meaning] = {
    401: AUTHENTICATION,
    402: QUOTA,
    403: AUTHENTICATION,
    407: AUTHENTICATION,
    408: SLOW,
    409: SERVER_ERROR,
    423: SERVER_ERROR,
    425: SERVER_ERROR,
    429: RATE_LIMITED,
    501: Meaning(FailureMode.SERVER_ERROR),
    504: SLOW,
    505: Meaning(FailureMode.SERVER_ERROR),
    524: SLOW,
}

# `error.code`, else `error.type`, as OpenAI, Azure, Anthropic and llama.cpp write them; Google's
# `error.status`, or what `gemini.google_error` reads from its details; Amazon's exceptions.
CODES: Mapping[str, Meaning] = {
    "insufficient_quota": QUOTA,
    "billing_hard_limit_reached": QUOTA,
    "billing_not_active": QUOTA,
    "billing_error": QUOTA,
    "rate_limit_exceeded": RATE_LIMITED,
    "rate_limit_error": RATE_LIMITED,
    "context_length_exceeded": CONTEXT_LENGTH,
    "exceed_context_size_error": CONTEXT_LENGTH,
    "string_above_max_length": CONTEXT_LENGTH,
    "content_filter": CONTENT_FILTER,
    "content_policy_violation": CONTENT_FILTER,
    "invalid_api_key": AUTHENTICATION,
    "authentication_error": AUTHENTICATION,
    "permission_error": AUTHENTICATION,
    "model_not_found": BAD_REQUEST,
    "not_found_error": BAD_REQUEST,
    "server_error": SERVER_ERROR,
    "api_error": SERVER_ERROR,
    "overloaded_error": SERVER_ERROR,
    "engine_overloaded": SERVER_ERROR,
    "unavailable_error": SERVER_ERROR,
    "timeout_error": SLOW,
    "invalid_prompt": BAD_REQUEST,
    "RESOURCE_EXHAUSTED": RATE_LIMITED,
    "QUOTA_PER_DAY": QUOTA,
    "API_KEY_INVALID": AUTHENTICATION,
    "UNAUTHENTICATED": AUTHENTICATION,
    "PERMISSION_DENIED": AUTHENTICATION,
    "INVALID_ARGUMENT": BAD_REQUEST,
    "FAILED_PRECONDITION": BAD_REQUEST,
    "NOT_FOUND": BAD_REQUEST,
    "INTERNAL": SERVER_ERROR,
    "UNAVAILABLE": SERVER_ERROR,
    "DEADLINE_EXCEEDED": SLOW,
    "ThrottlingException": RATE_LIMITED,
    "TooManyRequestsException": RATE_LIMITED,
    "ServiceQuotaExceededException": QUOTA,
    "ModelNotReadyException": SERVER_ERROR,
    "ModelErrorException": SERVER_ERROR,
    "ModelTimeoutException": SLOW,
    "InternalServerException": SERVER_ERROR,
    "ServiceUnavailableException": SERVER_ERROR,
    "ValidationException": BAD_REQUEST,
    "ResourceNotFoundException": BAD_REQUEST,
    "UnknownOperationException": BAD_REQUEST,
    "AccessDeniedException": AUTHENTICATION,
    "ExpiredTokenException": AUTHENTICATION,
    "InvalidSignatureException": AUTHENTICATION,
    "MissingAuthenticationTokenException": AUTHENTICATION,
    "UnrecognizedClientException": AUTHENTICATION,
}


@dataclass(frozen=True, slots=True)
class ErrorBody:
    """The error that a body carries: its words, its code and its type, as far as there are any.

    `retry_after_s` is a wait that the body asks for, where a vendor writes it there.
    """

    message: str = ""
    code: str = ""
    kind: str = ""
    retry_after_s: float | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """Code, then type."""
        return tuple(name for name in (self.code, self.kind) if name)


def meaning_of(status: int, error: ErrorBody) -> Meaning:
    """What the status and the error's code stand for together. Every integer has a meaning."""
    for name in error.names:
        if name in CODES:
            return CODES[name]
    if 200 <= status < 300 and error.code.isdigit() and 400 <= int(error.code) <= 599:
        status = int(error.code)
    if status in STATUSES:
        return STATUSES[status]
    if 300 <= status < 500:
        return BAD_REQUEST
    if 200 <= status < 300:
        if "invalid_request_error" in error.names:
            return BAD_REQUEST
        # An error in a success: nobody says which, so the work may have been done and charged.
        return Meaning(FailureMode.SERVER_ERROR, retryable=True, may_be_billed=True)
    return SERVER_ERROR


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
    )


def _name(value: Any) -> str:
    is_name = isinstance(value, str | int) and not isinstance(value, bool)
    return str(value) if is_name else ""


def as_provider_error(
    provider: str,
    reply: HttpReply,
    *,
    error: ErrorBody,
    secret: str | None,
    now: datetime,
) -> ProviderError:
    """The error for a reply that carries none of the model's words.

    `secret` is cut out of what the server wrote; a server's words about a key are left out whole,
    because they quote parts of it.
    """
    meaning = meaning_of(reply.status, error)
    retryable = meaning.retryable
    wish = reply.headers.get("x-should-retry", "").lower()
    if wish in ("true", "false"):
        retryable = wish == "true"
    label = ", ".join(dict.fromkeys((str(reply.status), *error.names)))
    text = f"provider {provider} answered {shown(label, secret=secret)}"
    if reply.status == 407:
        text += ": the proxy wants a login"
    elif meaning.mode is FailureMode.AUTHENTICATION:
        text += ": it does not accept the key, or the key may not use this model"
    elif 300 <= reply.status < 400:
        text += ": the endpoint has moved, and redirects are not followed; correct base_url"
    elif words := shown(error.message, secret=secret):
        text += f": {words}"
    return ProviderError(
        meaning.mode,
        text,
        retryable=retryable,
        retry_after_s=_wait_s(reply, error, meaning, now),
        may_be_billed=meaning.may_be_billed,
    )


def _wait_s(reply: HttpReply, error: ErrorBody, meaning: Meaning, now: datetime) -> float | None:
    """What the server asks for, else (of a rate limit) when the limit resets."""
    asked = retry_after(reply.headers, now=now)
    if asked is None:
        asked = error.retry_after_s
    if asked is None and meaning is RATE_LIMITED:
        asked = reset_after(reply.headers, now=now)
    return asked


def shown(text: str, *, secret: str | None) -> str:
    """A server's words in one line without control characters, of bounded length, without a key."""
    if secret:
        text = text.replace(secret, "[key]")
        if len(secret) >= 12:  # servers quote a key's beginning
            text = re.sub(re.escape(secret[:6]) + r"\S*", "[key]", text)
    text = re.sub(r"\b(sk|key|pk)-[\w*.\-]{6,}", "[key]", text)
    text = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return text if len(text) <= MAX_MESSAGE else text[: MAX_MESSAGE - 1] + "…"


def retry_after(headers: Mapping[str, str], *, now: datetime) -> float | None:
    """How many seconds the server asks to wait: `retry-after-ms`, else `retry-after`."""
    milliseconds = _seconds(headers.get("retry-after-ms"))
    if milliseconds is not None:
        return milliseconds / 1000
    value = headers.get("retry-after")
    if value is None:
        return None
    seconds = _seconds(value)
    if seconds is not None:
        return seconds
    try:
        date = parsedate_to_datetime(value)
    except ValueError:
        return None
    if date.tzinfo is None:
        date = date.replace(tzinfo=UTC)
    return max(0.0, (date - now).total_seconds())


def _seconds(value: str | None) -> float | None:
    try:
        number = float(value) if value is not None else math.nan
    except ValueError:
        return None
    return max(0.0, number) if math.isfinite(number) else None
