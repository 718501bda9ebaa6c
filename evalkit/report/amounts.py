"""What a set of attempts took: tokens, USD and time."""

import math
import statistics
from collections.abc import Sequence

from evalkit.records.attempt import Attempt
from evalkit.records.comparison import Amounts


def measure(attempts: Sequence[Attempt], passed: Sequence[bool | None]) -> Amounts:
    """The sums over `attempts`; `passed` has a result for every planned one, None for unknown."""
    live = sorted(
        attempt.latency_s
        for attempt in attempts
        if attempt.origin == "live" and attempt.latency_s is not None
    )
    unpriced = any(attempt.is_unpriced for attempt in attempts)
    return Amounts(
        attempts=len(attempts),
        measured=sum(attempt.has_result for attempt in attempts),
        passed=sum(result is True for result in passed),
        unknown=sum(result is None for result in passed),
        input_tokens=sum(attempt.usage.input_tokens for attempt in attempts),
        output_tokens=sum(attempt.usage.output_tokens for attempt in attempts),
        cost_usd=None if unpriced else math.fsum(attempt.cost_usd or 0.0 for attempt in attempts),
        billed_usd=math.fsum(attempt.billed_usd for attempt in attempts),
        latency_p50_s=statistics.median(live) if live else None,
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
