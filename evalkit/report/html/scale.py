"""From values to places on an axis, in percent of its width."""

import math
from collections.abc import Iterable

import msgspec

_STEPS = (1.0, 2.0, 2.5, 5.0, 10.0)
_ROOM = 0.08


class Scale(msgspec.Struct, frozen=True):
    """A linear axis from `low` to `high`, which differ."""

    low: float
    high: float

    def at(self, value: float) -> float:
        """Where a value stands, 0 to 100; what is outside stands at the end."""
        share = (value - self.low) / (self.high - self.low)
        return round(100 * min(1.0, max(0.0, share)), 3)

    def ticks(self, about: int = 6) -> list[float]:
        """Round values inside, about so many, none so near an end that its label is cut."""
        step = _round_step((self.high - self.low) / about)
        first = math.ceil(self.low / step)
        values = [number * step for number in range(first, math.floor(self.high / step) + 1)]
        return [value + 0.0 for value in values if 3 <= self.at(value) <= 97]


def scale_over(values: Iterable[float], *, within: tuple[float, float] | None = None) -> Scale:
    """An axis with a little room on both sides of the values, which stays `within` bounds.

    Values that are all the same get an axis of some width around them.
    """
    known = list(values)
    low, high = min(known, default=0.0), max(known, default=0.0)
    room = (high - low) * _ROOM or abs(high) * 0.1 or 0.01
    low, high = low - room, high + room
    if within is not None:
        low, high = max(low, within[0]), min(high, within[1])
    return Scale(low, high)


def _round_step(rough: float) -> float:
    power = 10.0 ** math.floor(math.log10(rough))
    return next(step * power for step in _STEPS if rough <= step * power * (1 + 1e-9))
