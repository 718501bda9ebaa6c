"""What a client is told where there is no answer: one record, which each door writes its way."""

import logging
from typing import Literal

import msgspec

from evalkit.errors import (
    BudgetExhausted,
    ConfigError,
    EvalkitError,
    InvalidReply,
    PolicyBlocked,
    ProviderError,
    Refused,
    StoreError,
)
from evalkit.records.attempt import FailureMode

Kind = Literal[
    "invalid_request",
    "authentication",
    "permission",
    "not_found",
    "too_large",
    "quota",
    "rate_limit",
    "overloaded",
    "timeout",
    "upstream",
    "internal",
]


class Refusal(msgspec.Struct, frozen=True, kw_only=True):
    """Why there is no answer. `kind` is what doors map to the words of their format, `code` ours.

    `rule` is the configuration key that decided, `param` the field of the request that is meant,
    `approval` the id of the approval that the request waits for. `retry` tells whether asking again
    may help, `retry_after_s` when.
    """

    status: int
    kind: Kind
    code: str
    message: str
    rule: str | None = None
    param: str | None = None
    approval: str | None = None
    retry: bool = False
    retry_after_s: float | None = None


_log = logging.getLogger("evalkit.gateway")


class Declined(Exception):
    """A request that ends with a refusal before, or in the place of, an answer."""

    def __init__(self, refusal: Refusal) -> None:
        """Keep what the client is told."""
        self.refusal = refusal
        super().__init__(refusal.message)


def unreadable(message: str, param: str | None = None) -> Declined:
    """A request that cannot be read, or asks for what the core has no place for."""
    return Declined(
        Refusal(
            status=400, kind="invalid_request", code="invalid_request", message=message, param=param
        )
    )


TOO_DEEP = unreadable("the request is nested too deep").refusal
_UPSTREAM: dict[str, tuple[int, Kind]] = {
    FailureMode.TIMEOUT: (504, "timeout"),
    FailureMode.CONNECTION: (502, "upstream"),
    FailureMode.RATE_LIMITED: (429, "rate_limit"),
    FailureMode.SERVER_ERROR: (502, "upstream"),
    FailureMode.CIRCUIT_OPEN: (503, "overloaded"),
    FailureMode.QUOTA: (503, "upstream"),
    FailureMode.BAD_REQUEST: (400, "invalid_request"),
    FailureMode.CONTEXT_LENGTH: (400, "invalid_request"),
    FailureMode.CONTENT_FILTER: (400, "invalid_request"),
    # ours, not the client's: the key of the provider
    FailureMode.AUTHENTICATION: (502, "upstream"),
}


def refusal_of(error: EvalkitError) -> Refusal:
    """What a client is told of an error of the core."""
    message = str(error)
    if isinstance(error, PolicyBlocked):
        return Refusal(
            status=403,
            kind="permission",
            code="policy_blocked",
            message=message,
            rule=error.rule,
            approval=error.approval,
        )
    if isinstance(error, BudgetExhausted):
        return Refusal(
            status=429, kind="quota", code="insufficient_quota", message=message, rule=error.rule
        )
    if isinstance(error, InvalidReply):
        return Refusal(status=502, kind="upstream", code="invalid_reply", message=message)
    if isinstance(error, ProviderError):
        status, kind = _UPSTREAM.get(error.code, (502, "upstream"))
        return Refusal(
            status=status,
            kind=kind,
            code=str(error.code),
            message=message,
            # once output began, asking again would be a second answer
            retry=error.retryable and not error.output_began,
            retry_after_s=error.retry_after_s,
        )
    if isinstance(error, ConfigError):
        key = error.problems[0].key if error.problems else None
        return Refusal(
            status=400, kind="invalid_request", code="invalid_request", message=message, param=key
        )
    if isinstance(error, StoreError):
        # its words name files of this machine: they are for the log
        _log.error("%s", message)
        return Refusal(
            status=503,
            kind="overloaded",
            code="store_unavailable",
            message="what the gateway keeps (keys, budgets, approvals) cannot be reached now",
            retry=True,
        )
    if isinstance(error, Refused):
        return Refusal(status=503, kind="overloaded", code="not_configured", message=message)
    return Refusal(status=500, kind="internal", code="internal_error", message=message)
