"""What a set of attempts took: tokens, USD and time."""

import heapq
import math
from array import array
from collections.abc import Sequence

from evalkit.records.attempt import Attempt
from evalkit.records.comparison import Amounts

# so many numbers are objects at a time while all of them are sorted
_SORTED_AT_ONCE = 50_000


class InOrder:
    """Numbers that come one after the other and are read in order, 8 bytes each: no list of a
    million floats is made on the way."""

    def __init__(self) -> None:
        """None yet."""
        self._sorted: list[array[float]] = []
        self._new = array("d")

    def append(self, value: float) -> None:
        """One more."""
        self._new.append(value)
        if len(self._new) == _SORTED_AT_ONCE:
            self._sorted.append(array("d", sorted(self._new)))
            self._new = array("d")

    def all(self) -> "array[float]":
        """All of them, smallest first."""
        if self._new or not self._sorted:
            self._sorted.append(array("d", sorted(self._new)))
            self._new = array("d")
        self._sorted = [merged(self._sorted)]
        return self._sorted[0]


def merged(ordered: Sequence["array[float]"]) -> "array[float]":
    """Sorted numbers of several sources, smallest first."""
    return ordered[0] if len(ordered) == 1 else array("d", heapq.merge(*ordered))


class Sums:
    """Adds attempts up, one after the other."""

    def __init__(self) -> None:
        """Of nothing."""
        self.attempts = self.measured = self.passed = self.unknown = 0
        self.input_tokens = self.output_tokens = 0
        self._unpriced = False
        self._cost_usd = array("d")
        self._billed_usd = array("d")
        self._live_s = InOrder()

    def add(self, attempt: Attempt) -> None:
        """Add what an attempt took."""
        self.attempts += 1
        self.measured += attempt.has_result
        self.input_tokens += attempt.usage.input_tokens
        self.output_tokens += attempt.usage.output_tokens
        self._unpriced = self._unpriced or attempt.is_unpriced
        self._cost_usd.append(attempt.cost_usd or 0.0)
        self._billed_usd.append(attempt.billed_usd)
        if attempt.origin == "live" and attempt.latency_s is not None:
            self._live_s.append(attempt.latency_s)

    def count(self, passed: bool | None) -> None:
        """Count a planned attempt; None is one without a result."""
        self.passed += passed is True
        self.unknown += passed is None

    def amounts(self) -> Amounts:
        """The sums."""
        live = self._live_s.all()
        half = len(live) // 2
        return Amounts(
            attempts=self.attempts,
            measured=self.measured,
            passed=self.passed,
            unknown=self.unknown,
            input_tokens=self.input_tokens,
            output_tokens=self.output_tokens,
            cost_usd=None if self._unpriced else math.fsum(self._cost_usd),
            billed_usd=math.fsum(self._billed_usd),
            latency_p50_s=(live[half] + live[~half]) / 2 if live else None,
            latency_p95_s=nearest_rank(live, 95),
        )


def nearest_rank(ordered: Sequence[float], percentile: int) -> float | None:
    """The smallest of the sorted values that `percentile` % of them do not exceed; None of none."""
    if not ordered:
        return None
    return ordered[-(-percentile * len(ordered) // 100) - 1]


def relative_change(before: float | None, after: float | None) -> float | None:
    """(after - before) / before as a fraction; None where there is nothing to divide by."""
    if before is None or after is None or before == 0:
        return None
    return (after - before) / before
