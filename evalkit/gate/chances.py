"""What happens to cases that nothing changed: how they flip, and how often that passes."""

import math

from evalkit.gate.amounts import Amount, exact
from evalkit.gate.distributions import binomial_share, normal_quantile, sign_below
from evalkit.gate.intervals import tango_score
from evalkit.gate.power import minimum_cases


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


def mean_difference(
    noise: float, runs_baseline: int, runs_candidate: int, pass_rate: float
) -> float:
    """E|mean of one arm - mean of the other| of a case, between identical versions.

    Cases have Beta distributed pass rates with mean `pass_rate`, as flaky as it takes for two runs
    to differ with probability `noise`; where no mixture of cases is that flaky, each passes half of
    the time.
    """
    if noise <= 0:
        return 0.0
    if runs_baseline == runs_candidate == 1:
        return noise
    # noise = 2 E[p(1-p)] <= 2 mean (1 - mean): a suite that flips more often has a mean nearer 1/2
    room = pass_rate * (1 - pass_rate) - noise / 2
    if room <= 0.0:
        pass_rate, room = 0.5, 0.25 - min(noise, 0.5) / 2
    concentration = math.inf if room <= 1e-9 else pass_rate * (1 - pass_rate) / room - 1
    a, b = concentration * pass_rate, concentration * (1 - pass_rate)
    total = 0.0
    for x in range(runs_baseline + 1):
        for y in range(runs_candidate + 1):
            distance = abs(x / runs_baseline - y / runs_candidate)
            if distance:
                ways = math.comb(runs_baseline, x) * math.comb(runs_candidate, y)
                passes, runs = x + y, runs_baseline + runs_candidate
                total += distance * ways * _beta_moment(passes, runs - passes, a, b, pass_rate)
    return total


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


def _beta_moment(passes: int, failures: int, a: float, b: float, mean: float) -> float:
    """E[p^passes (1-p)^failures] for p ~ Beta(a, b); p is `mean` where they are infinite."""
    if math.isinf(a):
        return mean**passes * (1 - mean) ** failures
    log = math.lgamma(a + passes) - math.lgamma(a) + math.lgamma(b + failures) - math.lgamma(b)
    return math.exp(log + math.lgamma(a + b) - math.lgamma(a + b + passes + failures))
