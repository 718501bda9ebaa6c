"""Amounts as people write them, held exactly.

A margin of 3 pp and a floor of 0.95 are decimal strings in a configuration. As binary floats they
are slightly off, and a gate that compares at its boundary would decide by that error.
"""

from decimal import Decimal
from fractions import Fraction

Amount = Fraction | Decimal | str | float | int


def exact(amount: Amount) -> Fraction:
    """The fraction that the decimal notation of `amount` names: 0.95 gives 19/20.

    Raises ValueError for NaN, an infinity, a boolean, or text that is no number.
    """
    if isinstance(amount, bool):
        raise ValueError(f"expected a number, not {amount}")
    try:
        # repr of a float is the shortest decimal that reads back as it: what the user wrote
        return Fraction(repr(amount)) if isinstance(amount, float) else Fraction(amount)
    except (ValueError, OverflowError, ZeroDivisionError):
        raise ValueError(f"expected a finite number, not {amount!r}") from None


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


def _short(number: float) -> str:
    # + 0.0 turns a rounded -0.0 into 0.0
    return f"{round(number, 2) + 0.0:.2f}".rstrip("0").rstrip(".")
