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
