"""Intervals of one rate, by the score of its own hypothesis rather than by Wald's."""

import math

from evalkit.statistics.distributions import normal_quantile


def wilson(passes: float, n: float, alpha: float) -> tuple[float, float]:
    """Wilson's (1927) score interval for a rate; alpha=0.025 gives the usual 95 %.

    `passes` may be fractional (means over trials), and `n` too (the effective number of a weighted
    sample). No cases say nothing: (0, 1).

    Raises ValueError for passes outside 0..n, an infinite n, or alpha outside (0, 0.5).
    """
    check_alpha(alpha)
    if not (0 <= passes <= n and math.isfinite(n)):
        raise ValueError(f"{passes} passes of {n} is no rate")
    if n == 0:
        return 0.0, 1.0
    z = normal_quantile(alpha)
    rate, weight = passes / n, z * z / n
    centre = (rate + weight / 2) / (1 + weight)
    half = z * math.sqrt(rate * (1 - rate) / n + weight / (4 * n)) / (1 + weight)
    lower = 0.0 if passes == 0 else max(0.0, centre - half)
    upper = 1.0 if passes == n else min(1.0, centre + half)
    return lower, upper


def check_alpha(alpha: float) -> None:
    """Raise ValueError for an error at each end outside (0, 0.5)."""
    if not 0 < alpha < 0.5:
        raise ValueError(f"alpha is the error at each end, between 0 and 0.5, not {alpha}")
