"""Users' regular expressions, in RE2 syntax: linear in the length of what they are matched with."""


def pattern_error(pattern: str) -> str | None:
    """Why RE2 refuses a pattern, or None for one that it takes."""
    import re2

    options = re2.Options()
    options.log_errors = False
    try:
        re2.compile(pattern, options)
    except re2.error as error:
        reason = error.args[0] if error.args else "it cannot be parsed"
        words = reason.decode(errors="replace") if isinstance(reason, bytes) else str(reason)
        return f"the pattern is not in RE2 syntax: {words}"
    return None
