"""What a suite of a given size can tell, before and after a run.

`flips` is d, the share of cases whose result differs between the two arms (between identical runs,
for a forecast). Drops and margins are fractions. Power is 80 % unless told.
Source of the test's sample size: Connor (1987), Biometrics 43: 207-211.
"""

import math
from collections.abc import Sequence
from fractions import Fraction

from evalkit.gate.amounts import Amount, exact
from evalkit.statistics.distributions import binomial_share, normal_quantile, sign_tail

# (trials so far, one-sided alpha) of each look of an escalating run; their sum stays below .05
ESCALATION_LOOKS = ((1, 0.010), (2, 0.015), (4, 0.025))


def minimum_cases(margin: Amount, alpha: float) -> int:
    """The fewest cases (groups) that can pass: ceil(z^2 (1 - m) / m). 88 for 0.03 at 0.05.

    Below it the interval reaches past the margin even when nothing flipped. `margin` is a
    fraction. Raises ValueError for a margin outside (0, 1).
    """
    m = _margin(margin)
    z = normal_quantile(alpha)
    return math.ceil(z * z * float((1 - m) / m))


def smallest_margin(cases: int, alpha: float) -> float:
    """The margin below which `cases` cases can never pass: z^2 / (n + z^2), as a fraction."""
    z = normal_quantile(alpha)
    return z * z / (cases + z * z)


def flip_share(churn: float, noise: float, runs_baseline: int, runs_candidate: int) -> float:
    """D = churn + noise (1/k_b + 1/k_c) / 2: the flips left after averaging over runs."""
    return churn + noise * (1 / runs_baseline + 1 / runs_candidate) / 2


def flip_rate(passes: Sequence[tuple[int, int]]) -> float | None:
    """How often two identical runs of a case differ, from repeats of one arm: the noise.

    `passes` has (passes, runs) of each case. The mean over cases of 2 k (n - k) / (n (n - 1)), the
    unbiased estimate of 2 p (1 - p); cases with fewer than two runs say nothing, and None is for
    no others.

    Raises ValueError for more passes than runs.
    """
    rates = []
    for passed, runs in passes:
        if not 0 <= passed <= runs:
            raise ValueError(f"{passed} of {runs} runs cannot have passed")
        if runs > 1:
            rates.append(2 * passed * (runs - passed) / (runs * (runs - 1)))
    return math.fsum(rates) / len(rates) if rates else None


def detectable_drop(
    cases: int,
    flips: float,
    *,
    alpha: float = 0.05,
    power: float = 0.8,
    margin: Amount | None = None,
) -> float | None:
    """The smallest true drop that FAILs with this power, as a fraction; None when none does.

    Without a margin: the `strict` rule, n = [z_a sqrt(d) + z_b sqrt(d - x^2)]^2 / x^2 solved for x.
    With one: `statistical`, which also needs the measured drop to reach the margin, so the larger
    of that and m + z_b sqrt(d / n).
    """
    if cases < 1:
        return None
    z_power = normal_quantile(1 - power)
    low, high = 0.0, 1.0
    if _strict_cases(high, flips, alpha, power) > cases:
        return None
    for _ in range(60):
        middle = (low + high) / 2
        if _strict_cases(middle, flips, alpha, power) > cases:
            low = middle
        else:
            high = middle
    if margin is None:
        return high
    with_margin = max(high, float(exact(margin)) + z_power * math.sqrt(flips / cases))
    return with_margin if with_margin <= 1 else None


def cases_needed(
    drop: float,
    flips: float,
    *,
    alpha: float = 0.05,
    power: float = 0.8,
    margin: Amount | None = None,
) -> int | None:
    """The cases for which a true `drop` FAILs with this power; inverse of `detectable_drop`.

    With a margin at or above the drop there are none: a drop of exactly the margin FAILs half the
    time at any size. Raises ValueError for a drop outside (0, 1].
    """
    if not 0 < drop <= 1:
        raise ValueError(f"a drop to detect is between 0 and 1, not {drop}")
    strict = math.ceil(_strict_cases(drop, flips, alpha, power))
    if margin is None:
        return strict
    beyond = drop - float(exact(margin))
    if beyond <= 0:
        return None
    z_power = normal_quantile(1 - power)
    return max(strict, math.ceil(z_power**2 * flips / beyond**2))


def cases_to_pass(margin: Amount, flips: float, *, alpha: float = 0.05, power: float = 0.8) -> int:
    """About the cases for which an unchanged candidate PASSes with this power.

    (z_a + z_b)^2 d / m^2, and never fewer than `minimum_cases`.
    """
    m = float(_margin(margin))
    z = normal_quantile(alpha) + normal_quantile(1 - power)
    return max(minimum_cases(margin, alpha), math.ceil(z * z * flips / (m * m)))


def simple_false_alarm(cases: int, flips: float, margin: Amount) -> float:
    """How often the rule 'drop >= margin' FAILs when nothing changed, computed exactly.

    The flips are Binomial(n, d) and each goes either way with probability 1/2.
    """
    if cases < 1 or flips <= 0:
        return 0.0
    flips = min(flips, 1.0)
    needed = max(1, math.ceil(_margin(margin) * cases))
    spread = 10 * math.sqrt(cases * flips * (1 - flips)) + 10
    first = max(needed, math.floor(cases * flips - spread))
    last = min(cases, math.ceil(cases * flips + spread))
    total = 0.0
    for k in range(first, last + 1):
        total += binomial_share(k, cases, flips) * sign_tail((k + needed + 1) // 2, k)
    return min(1.0, total)


def _strict_cases(drop: float, flips: float, alpha: float, power: float) -> float:
    # a drop of x needs at least that share of flips, however calm the suite was before
    d = max(flips, drop)
    reach = normal_quantile(alpha) * math.sqrt(d)
    reach += normal_quantile(1 - power) * math.sqrt(d - drop * drop)
    return (reach / drop) ** 2 if drop > 0 else math.inf


def _margin(margin: Amount) -> Fraction:
    m = exact(margin)
    if not 0 < m < 1:
        raise ValueError(f"a margin is a fraction between 0 and 1, not {margin}")
    return m
