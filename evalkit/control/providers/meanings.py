"""What an endpoint's refusals mean, whatever format it speaks: status and code to FailureMode.

The one table for every status and every vendor's codes. A code in the body is more exact than the
status and wins where it is known.
"""

import re
from collections.abc import Mapping

import msgspec

from evalkit.control.providers.error_bodies import ErrorBody
from evalkit.records.attempt import FailureMode


class Meaning(msgspec.Struct, frozen=True):
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
    "request_too_large": CONTEXT_LENGTH,
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
    "ModelStreamErrorException": Meaning(
        FailureMode.SERVER_ERROR, retryable=True, may_be_billed=True
    ),
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


# Anthropic, Google, Amazon and many compatible servers have no code for a prompt that is too long;
# their words for it are all there is.
_ERROR_STATUS = re.compile("[45][0-9]{2}")
_TOO_LONG = re.compile(
    r"prompt is too long"
    r"|input length and .{1,20} exceed context limit"
    r"|input token count .{0,60}(exceeds the maximum|only supports up to)"
    r"|input is too long for requested model"
    r"|too many input tokens"
    r"|number of input tokens exceeds"
    r"|maximum context length",
    re.IGNORECASE,
)


def meaning_of(status: int, error: ErrorBody) -> Meaning:
    """What the status and the error's code stand for together. Every integer has a meaning."""
    meaning = _told(status, error)
    if meaning == BAD_REQUEST and _TOO_LONG.search(error.message):
        return CONTEXT_LENGTH
    return meaning


def status_in(code: str) -> int | None:
    """The status of an HTTP error that a code is, where it is one."""
    return int(code) if _ERROR_STATUS.fullmatch(code) else None


def _told(status: int, error: ErrorBody) -> Meaning:
    for name in error.names:
        if name in CODES:
            return CODES[name]
    if 200 <= status < 300 and (told := status_in(error.code)) is not None:
        status = told
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
