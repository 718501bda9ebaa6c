"""How long to wait: what a server asks for, and when a limit that is used up is filled again."""

import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

# OpenAI (and Azure) and Anthropic name what is left and when it resets.
_LIMITS = tuple(
    names
    for what in ("requests", "tokens", "input-tokens", "output-tokens")
    for names in (
        (f"x-ratelimit-remaining-{what}", f"x-ratelimit-reset-{what}"),
        (f"anthropic-ratelimit-{what}-remaining", f"anthropic-ratelimit-{what}-reset"),
    )
)
_PIECE = re.compile(r"(\d+(?:\.\d+)?)(ms|h|m|s)")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}


def reset_after(headers: Mapping[str, str], *, now: datetime) -> float | None:
    """Seconds until the last of the limits that are used up resets; None where none says so."""
    waits = [
        wait
        for remaining, reset in _LIMITS
        if headers.get(remaining, "").strip() == "0"
        and (wait := _wait(headers.get(reset, "").strip(), now)) is not None
    ]
    return max(waits, default=None)


def _wait(text: str, now: datetime) -> float | None:
    """A duration as Go writes it ("6m0s"), plain seconds, or a time of RFC 3339."""
    if re.fullmatch(r"\d+(\.\d+)?", text):
        return float(text)
    if text and _PIECE.sub("", text) == "":
        return sum(float(number) * _SECONDS[unit] for number, unit in _PIECE.findall(text))
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        return None
    at = at if at.tzinfo is not None else at.replace(tzinfo=UTC)
    return max(0.0, (at - now).total_seconds())


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
