"""Regular expressions in RE2 syntax: linear in the text, whatever the pattern and the text are."""

from functools import lru_cache
from typing import Any


@lru_cache(maxsize=1_000)
def compile_pattern(pattern: str) -> Any:
    """The compiled pattern. Raises ValueError that says what RE2 does not take."""
    import re2

    options = re2.Options()
    options.log_errors = False  # it would write to stderr what is raised here
    try:
        return re2.compile(pattern, options)
    except (re2.error, UnicodeError) as error:
        detail = error.args[0] if error.args else error
        if isinstance(detail, bytes):
            detail = detail.decode("utf-8", "replace")
        raise ValueError(
            f"the pattern {pattern!r} is not RE2 syntax: {detail} (backreferences and lookarounds "
            "are not part of it)"
        ) from None
