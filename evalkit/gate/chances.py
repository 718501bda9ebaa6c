"""What happens to cases that nothing changed: how they flip, and how often that passes."""

import math

from evalkit.gate.amounts import Amount, exact
from evalkit.gate.intervals import tango_score
from evalkit.gate.power import minimum_cases
from evalkit.statistics.distributions import binomial_share, normal_quantile, sign_below


def pass_chance(cases: int, flips: float, margin: Amount, alpha: float = 0.05) -> float:
    """How often an unchanged candidate PASSes with one run an arm, summed exactly.

    The flips are Binomial(n, `flips`) and each goes either way with probability 1/2.
    """
    m, z = float(exact(margin)), normal_quantile(alpha)
    if cases < minimum_cases(margin, alpha):
        return 0.0
    flips = min(max(flips, 0.0), 1.0)
    spread = 8 * math.sqrt(cases * flips * (1 - flips)) + 10
    first = max(0, math.floor(cases * flips - spread))
    last = min(cases, math.ceil(cases * flips + spread))
    total = 0.0
    for k in range(first, last + 1):
        most = _most_against(k, cases, m, z)
        if most >= 0:
            total += binomial_share(k, cases, flips) * sign_below(most, k)
    return min(1.0, total)


def _most_against(flips: int, cases: int, margin: float, z: float) -> int:
    """The most of the flips that may go against the candidate for a PASS; -1 for none at all."""
    low, high = -1, flips + 1
    while high - low > 1:
        middle = (low + high) // 2
        if tango_score(margin, middle, flips - middle, cases) < -z:
            low = middle
        else:
            high = middle
    return low
