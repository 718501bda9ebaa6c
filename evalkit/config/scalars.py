"""What a plain YAML scalar means: the core schema of YAML 1.2, minus its surprises.

`on`, `yes`, `1_000`, `1:30`, `010` and dates are texts: YAML 1.1 reads them as something else, and
nobody who writes them in a case means that.
"""

import math
import re

_NULL = frozenset(("", "~", "null", "Null", "NULL"))
_TRUE = frozenset(("true", "True", "TRUE"))
_FALSE = frozenset(("false", "False", "FALSE"))
_INTEGER = re.compile(r"[-+]?(0|[1-9][0-9]*)")
_BASED = re.compile(r"0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|(0|[1-9][0-9]*)(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_NOT_FINITE = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
_MAX_DIGITS = 400

Scalar = str | int | float | bool | None


def resolve_plain(text: str) -> Scalar:
    """The value of an unquoted scalar.

    Raises ValueError, with the reason as its text, for a number that is none: NaN, Infinity, or
    one that no float can hold.
    """
    if text in _NULL:
        return None
    if text in _TRUE:
        return True
    if text in _FALSE:
        return False
    if text[0] not in "+-.0123456789":
        return text
    if _NOT_FINITE.fullmatch(text):
        raise ValueError("NaN and Infinity are not values that can be compared")
    if _INTEGER.fullmatch(text):
        if len(text) > _MAX_DIGITS:
            raise ValueError("the number has too many digits")
        return int(text)
    if _BASED.fullmatch(text):
        return int(text, 0)
    if _FLOAT.fullmatch(text):
        return finite(text)
    return text


def finite(text: str) -> float:
    """The float that `text` writes. Raises ValueError where it is too large for one."""
    number = float(text)
    if not math.isfinite(number):
        raise ValueError("the number is too large")
    return number
