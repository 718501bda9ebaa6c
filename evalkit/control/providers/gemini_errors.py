"""Google's errors: a status by name, and details that say more than it does."""

import re
from collections.abc import Mapping
from typing import Any

import msgspec

from evalkit.control.providers.error_bodies import ErrorBody, error_in
from evalkit.ports import HttpReply


def error_of(reply: HttpReply) -> ErrorBody:
    """The error of another status."""
    try:
        data = msgspec.json.decode(reply.body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return error_in(reply.body)
    if isinstance(data, list) and len(data) == 1:
        data = data[0]
    return google_error(data.get("error", data) if isinstance(data, dict) else None)


def google_error(error: Any) -> ErrorBody:
    """An error with its status by name, and the wait that stands among its details."""
    if not isinstance(error, dict):
        return ErrorBody(message=error if isinstance(error, str) else "")
    message, code, status = error.get("message"), error.get("code"), error.get("status")
    given = error.get("details")
    details = [each for each in given if isinstance(each, dict)] if isinstance(given, list) else []
    exact = next((name for each in details if (name := _exact_name(each))), None)
    return ErrorBody(
        message=message if isinstance(message, str) else "",
        code=exact or (status if isinstance(status, str) else ""),
        kind=str(code) if isinstance(code, int | str) and not isinstance(code, bool) else "",
        retry_after_s=next((s for each in details if (s := _delay_s(each)) is not None), None),
    )


def _exact_name(detail: Mapping[str, Any]) -> str | None:
    """What a detail says that the status does not: a wrong key is an INVALID_ARGUMENT otherwise,
    and a quota of the day, which no run can wait for, looks like one of the minute."""
    if detail.get("reason") in ("API_KEY_INVALID", "API_KEY_EXPIRED"):
        return "API_KEY_INVALID"
    violations = detail.get("violations")
    for violation in violations if isinstance(violations, list) else ():
        if isinstance(violation, dict) and "PerDay" in str(violation.get("quotaId")):
            return "QUOTA_PER_DAY"
    return None


def _delay_s(detail: Mapping[str, Any]) -> float | None:
    """Seconds of a RetryInfo: `{"@type": "…/google.rpc.RetryInfo", "retryDelay": "34.5s"}`."""
    delay = detail.get("retryDelay")
    if not isinstance(delay, str):
        return None
    number = re.fullmatch(r"(\d+(?:\.\d+)?)s", delay)
    return float(number.group(1)) if number else None
