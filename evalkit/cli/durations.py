"""Lengths of time as flags give them."""

import re

from evalkit.errors import UsageError

_UNITS_S = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}
_DURATION = re.compile(r"([0-9]{1,6})([smhd])")


def seconds_of(flag: str, text: str) -> float:
    """The seconds of a length such as 30m or 7d. Raises UsageError, which names the flag."""
    match = _DURATION.fullmatch(text.strip())
    seconds = 0.0 if match is None else int(match[1]) * _UNITS_S[match[2]]
    if not seconds:
        raise UsageError(f"{flag} {text} is no time: give a number with s, m, h or d, as in 1h")
    return seconds
