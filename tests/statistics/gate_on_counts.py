"""The gate's own functions, asked about counts and remembering what they said.

Simulations meet the same table again and again; deciding each distinct one once is what makes
200,000 draws a matter of a second.
"""

from collections.abc import Sequence
from fractions import Fraction
from functools import cache

from evalkit.gate.intervals import DropInterval, drop_interval, tango
from evalkit.gate.rules import judge_drop
from evalkit.gate.settings import Rule
from evalkit.records.verdict import Outcome

ALPHA = 0.05
AT_THREE = Fraction(3, 100)
# The design's figures were drawn for rules that fail above the margin; the gate fails at it.
ABOVE_THREE = AT_THREE + Fraction(1, 10**9)


@cache
def interval_of(b: int, c: int, n: int, alpha: float = ALPHA) -> DropInterval:
    """Of one run an arm: the interval and its p-value."""
    return drop_interval([1.0] * b + [-1.0] * c + [0.0] * (n - b - c), None, alpha, one_run=True)


@cache
def ends_of(b: int, c: int, n: int, alpha: float = ALPHA) -> DropInterval:
    """The same without its p-value, much faster where n is large."""
    return DropInterval((b - c) / n, *tango(b, c, n, alpha), 1.0, n)


@cache
def decide(
    b: int,
    c: int,
    n: int,
    *,
    margin: Fraction = AT_THREE,
    rule: Rule = Rule.STATISTICAL,
    alpha: float = ALPHA,
) -> Outcome:
    """The outcome of one run an arm."""
    return judge_drop(Fraction(b - c, n), ends_of(b, c, n, alpha), margin, alpha, rule)


def decide_passes(
    baseline: Sequence[int],
    candidate: Sequence[int],
    trials: tuple[int, int],
    *,
    margin: Fraction = AT_THREE,
    rule: Rule = Rule.STATISTICAL,
    alpha: float = ALPHA,
) -> Outcome:
    """The outcome of repeated runs: per case how many of an arm's `trials` passed."""
    k_b, k_c = trials
    differences = [b / k_b - c / k_c for b, c in zip(baseline, candidate, strict=True)]
    interval = drop_interval(differences, None, alpha, one_run=k_b == k_c == 1)
    drop = Fraction(sum(baseline) * k_c - sum(candidate) * k_b, k_b * k_c * len(differences))
    return judge_drop(drop, interval, margin, alpha, rule)
