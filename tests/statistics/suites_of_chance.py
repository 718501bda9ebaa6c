"""Suites drawn by chance: what two arms show when we know what is true of them.

Two models. In *tables*, one run an arm is drawn as its paired counts: a share `flips` of the cases
differs between identical runs, half of them each way, and a true drop turns that share of the
candidate's passes into failures. In *cases*, every case has a pass probability of its own, so that
it can be run again and again; 2 p (1 - p), averaged over the cases, is the share that flips.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy import stats

BASE = 0.85
Matrix = np.ndarray


@dataclass(frozen=True)
class Table:
    """Discordant counts (`b` against the candidate) and how many draws came out so."""

    b: int
    c: int
    times: int


def shares(flips: float, drop: float) -> tuple[float, float]:
    """P(only the baseline passes), P(only the candidate passes); all arguments fractions."""
    broken = drop / BASE
    return flips / 2 + (BASE - flips / 2) * broken, flips / 2 * (1 - broken)


def draw_tables(n: int, flips: float, drop: float, draws: int, seed: int) -> Iterator[Table]:
    """The distinct tables among `draws` suites of `n` cases."""
    against, towards = shares(flips, drop)
    return draw_counts(n, against, towards, draws, seed)


def draw_counts(n: int, against: float, towards: float, draws: int, seed: int) -> Iterator[Table]:
    """The distinct tables where each case flips with these probabilities."""
    rng = np.random.default_rng(seed)
    cells = rng.multinomial(n, [against, towards, 1 - against - towards], size=draws)
    tables, times = np.unique(cells[:, :2], axis=0, return_counts=True)
    for (b, c), seen in zip(tables.tolist(), times.tolist(), strict=True):
        yield Table(b, c, seen)


def beta_cases(n: int, flips: float) -> Matrix:
    """Pass probabilities spread as a Beta distribution, with mean .85 and this share of flips."""
    spread = BASE * (1 - BASE) - flips / 2
    weight = BASE * (1 - BASE) / spread - 1
    quantiles = (np.arange(n) + 0.5) / n
    return np.asarray(stats.beta(BASE * weight, (1 - BASE) * weight).ppf(quantiles))


def coin_cases(n: int, flips: float) -> Matrix:
    """Cases that always pass, never pass, or are a coin toss; only the last ones flip."""
    tosses = round(2 * flips * n)
    rates = np.zeros(n)
    rates[:tosses] = 0.5
    rates[tosses : tosses + round(BASE * n - tosses / 2)] = 1
    return rates


def lowered(rates: Matrix, drop: float) -> Matrix:
    """The cases after a true drop that takes the same part of every pass probability."""
    return rates * (1 - drop / BASE)


def broken(rng: np.random.Generator, rates: Matrix, drop: float) -> Matrix:
    """The cases after a true drop (on average) that fails some of them for good."""
    return np.where(rng.random(len(rates)) < drop / rates.mean(), 0, rates)


def play(rng: np.random.Generator, rates: Matrix, trials: int) -> Matrix:
    """Whether each case (rows) passed in each trial (columns)."""
    return rng.random((len(rates), trials)) < rates[:, None]


def play_documents(
    rng: np.random.Generator, documents: int, size: int, flips: float, together: float
) -> Matrix:
    """Per document and case the difference between two unchanged arms: 1, 0 or -1.

    A case goes with its document with probability `together`, else its own way, so two cases of a
    document correlate by the square of that.
    """
    ways, shares_of = [-1, 0, 1], [flips / 2, 1 - flips, flips / 2]
    common = rng.choice(ways, documents, p=shares_of)
    own = rng.choice(ways, (documents, size), p=shares_of)
    return np.where(rng.random((documents, size)) < together, common[:, None], own)
