"""The three distributions the gate needs, from `math` and `statistics` alone.

Student's t comes from the regularised incomplete beta function, evaluated by its continued
fraction (Abramowitz & Stegun 26.5.8, modified Lentz), and is inverted by safeguarded Newton steps.
"""

import math
from statistics import NormalDist

_STANDARD_NORMAL = NormalDist()
_TINY = 1e-300


def normal_quantile(tail: float) -> float:
    """The z with P(Z > z) = tail, 0 < tail < 1: 1.645 for 0.05."""
    return -_STANDARD_NORMAL.inv_cdf(tail)


def normal_tail(z: float) -> float:
    """P(Z > z)."""
    return 0.5 * math.erfc(z / math.sqrt(2.0))


def student_tail(t: float, df: int) -> float:
    """P(T > t) for Student's t with `df` >= 1 degrees of freedom."""
    if t < 0:
        return 1.0 - student_tail(-t, df)
    return 0.5 * _incomplete_beta(df / 2.0, 0.5, df / (df + t * t))


def student_quantile(tail: float, df: int) -> float:
    """The t with P(T > t) = tail, 0 < tail < 1, for Student's t with `df` >= 1."""
    if tail > 0.5:
        return -student_quantile(1.0 - tail, df)
    if tail == 0.5:
        return 0.0
    if df == 1:
        return 1.0 / math.tan(math.pi * tail)
    if df == 2:
        return (1.0 - 2.0 * tail) / math.sqrt(2.0 * tail * (1.0 - tail))
    z = normal_quantile(tail)
    t = z + (z**3 + z) / (4 * df) + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * df**2)
    low, high = 0.0, math.inf
    log_norm = math.lgamma((df + 1) / 2) - math.lgamma(df / 2) - 0.5 * math.log(df * math.pi)
    for _ in range(100):
        excess = student_tail(t, df) - tail
        low, high = (t, high) if excess > 0 else (low, t)
        density = math.exp(log_norm - (df + 1) / 2 * math.log1p(t * t / df))
        step = excess / density if density > 0 else math.inf
        following = t + step
        if not low <= following <= high:
            following = 2 * t if math.isinf(high) else (low + high) / 2
        if abs(following - t) <= 1e-14 * max(1.0, abs(t)):
            return following
        t = following
    return t


def sign_tail(successes: int, trials: int) -> float:
    """P(X >= successes) for X ~ Binomial(trials, 1/2), summed exactly."""
    if successes <= 0:
        return 1.0
    if successes > trials:
        return 0.0
    term = math.comb(trials, successes)
    total = 0
    for k in range(successes, trials + 1):
        total += term
        term = term * (trials - k) // (k + 1)
    # integers of any size divide to the nearest float; 2.0 ** trials would overflow
    return total / (1 << trials)


def sign_below(most: int, trials: int) -> float:
    """P(X <= most) for X ~ Binomial(trials, 1/2), by the incomplete beta function."""
    if most < 0:
        return 0.0
    if most >= trials:
        return 1.0
    return _incomplete_beta(float(trials - most), float(most + 1), 0.5)


def binomial_share(k: int, n: int, p: float) -> float:
    """P(X = k) for X ~ Binomial(n, p)."""
    if p <= 0 or p >= 1:
        return 1.0 if k == (n if p >= 1 else 0) else 0.0
    log_ways = math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)
    return math.exp(log_ways + k * math.log(p) + (n - k) * math.log1p(-p))


def _incomplete_beta(a: float, b: float, x: float) -> float:
    if x <= 0.0:
        return 0.0
    if x >= 1.0:
        return 1.0
    log_front = (
        math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log1p(-x)
    )
    front = math.exp(log_front)
    # the fraction converges fast on this side of the mean, so reflect on the other
    if x < (a + 1.0) / (a + b + 2.0):
        return front * _beta_fraction(a, b, x) / a
    return 1.0 - front * _beta_fraction(b, a, 1.0 - x) / b


def _beta_fraction(a: float, b: float, x: float) -> float:
    c = 1.0
    d = 1.0 / _nonzero(1.0 - (a + b) * x / (a + 1.0))
    value = d
    for m in range(1, 1000):
        even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        d = 1.0 / _nonzero(1.0 + even * d)
        c = _nonzero(1.0 + even / c)
        value *= d * c
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        d = 1.0 / _nonzero(1.0 + odd * d)
        c = _nonzero(1.0 + odd / c)
        value *= d * c
        if abs(d * c - 1.0) < 1e-15:
            break
    return value


def _nonzero(number: float) -> float:
    return number if abs(number) > _TINY else _TINY
