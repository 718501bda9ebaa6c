"""Users' regular expressions, in RE2 syntax: linear in the text, whatever pattern and text are."""

from functools import lru_cache
from typing import Any


class PatternError(ValueError):
    """RE2 does not take a pattern; `reason` says why, in its words."""

    def __init__(self, pattern: str, reason: str) -> None:
        """Keep the reason for messages that show the pattern themselves."""
        self.reason = reason
        super().__init__(
            f"the pattern {pattern!r} is not RE2 syntax: {reason} (backreferences and lookarounds "
            "are not part of it)"
        )


@lru_cache(maxsize=1_000)
def compile_pattern(pattern: str) -> Any:
    """The compiled pattern. Raises PatternError."""
    import re2

    options = re2.Options()
    options.log_errors = False  # it would write to stderr what is raised here
    try:
        return re2.compile(pattern, options)
    except (re2.error, UnicodeError) as error:
        reason = error.args[0] if error.args else "it cannot be parsed"
        if isinstance(reason, bytes):
            reason = reason.decode("utf-8", "replace")
        raise PatternError(pattern, str(reason)) from None


def pattern_error(pattern: str) -> str | None:
    """Why RE2 refuses a pattern, or None for one that it takes."""
    try:
        compile_pattern(pattern)
    except PatternError as error:
        return f"the pattern is not in RE2 syntax: {error.reason}"
    return None
