"""Figures in a sentence: rounded for reading, never for deciding."""

from collections.abc import Sequence
from fractions import Fraction

_NAMED = 5


def points(share: Fraction | float) -> str:
    """A fraction as percentage points, for a sentence: 0.03 gives '3 pp'."""
    return f"{_short(100 * float(share))} pp"


def percent(share: Fraction | float) -> str:
    """A fraction as a percentage, for a sentence: 0.855 gives '85.5 %'."""
    return f"{_short(100 * float(share))} %"


def count(number: int, noun: str) -> str:
    """A count with its noun: '1 case', '88 cases'."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def quantity(number: float) -> str:
    """A count that may be fractional, without needless decimals: '6', '6.25'."""
    return _short(number)


def named(names: Sequence[str]) -> str:
    """The first few distinct names, and how many more there are."""
    distinct = list(dict.fromkeys(names))
    more = len(distinct) - _NAMED
    shown = ", ".join(distinct[:_NAMED])
    return f"{shown} and {more} more" if more > 0 else shown


def _short(number: float) -> str:
    # + 0.0 turns a rounded -0.0 into 0.0
    return f"{round(number, 2) + 0.0:.2f}".rstrip("0").rstrip(".")
