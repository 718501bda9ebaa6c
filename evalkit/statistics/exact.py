"""Exact tests of two-by-two tables."""

import math

from evalkit.statistics.distributions import sign_tail

_AS_LIKELY = 1 + 1e-7
"""Tables that are equally likely may differ by rounding, so that a little above counts as equal."""


def fisher_exact(a: int, b: int, c: int, d: int, *, odds: float = 1.0) -> float:
    """Fisher's exact test that two rates, a of a + b and c of c + d, are the same: two-sided p.

    The sum over all tables of these margins that are no likelier than the one seen, as in R and
    scipy. `odds` is the ratio of the odds a:b to c:d that the hypothesis expects: other than 1
    where the two samples were drawn by outcome at different shares (Fisher's noncentral
    hypergeometric distribution). A table with an empty margin tells nothing: 1.

    Raises ValueError for negative counts or odds that are not positive and finite.
    """
    if min(a, b, c, d) < 0:
        raise ValueError(f"no table has a={a}, b={b}, c={c}, d={d}")
    if not 0 < odds < math.inf:
        raise ValueError(f"odds are positive, not {odds}")
    row, passes, total = a + b, a + c, a + b + c + d
    fewest, most = max(0, passes - (total - row)), min(row, passes)
    if fewest == most:
        return 1.0

    def ratio(x: int) -> float:
        """P(x + 1) / P(x)."""
        return odds * (row - x) * (passes - x) / ((x + 1) * (total - row - passes + x + 1))

    # from the likeliest table outwards every share is at most 1, so that nothing overflows
    low, high = fewest, most
    while low < high:
        middle = (low + high) // 2
        low, high = (middle + 1, high) if ratio(middle) > 1 else (low, middle)
    shares = {low: 1.0}
    for x in range(low, most):
        shares[x + 1] = shares[x] * ratio(x)
    for x in range(low, fewest, -1):
        shares[x - 1] = shares[x] / ratio(x - 1)
    limit = shares[a] * _AS_LIKELY
    unlikely = math.fsum([share for share in shares.values() if share <= limit])
    return min(1.0, unlikely / math.fsum(shares.values()))


def mcnemar_two_sided(b: int, c: int) -> float:
    """Exact two-sided McNemar p of `b` flips one way and `c` the other; 1 where nothing flipped.

    Twice the binomial tail at one half, as usual for this test.
    """
    if min(b, c) < 0:
        raise ValueError(f"no table has b={b}, c={c}")
    return min(1.0, 2 * sign_tail(max(b, c), b + c))
