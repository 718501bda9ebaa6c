"""How far two raters agree: judge and label, or two labellers (the ceiling of any judge).

Reported, never gated on: kappa of one and the same judge falls from .70 to .21 as the pass rate
moves from .5 to .98, because it sets the agreement against what the rate alone brings about.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass

from evalkit.judge.errors import EACH_END, kish
from evalkit.judge.items import JudgedItem
from evalkit.records.calibration import Agreement
from evalkit.statistics.distributions import normal_quantile, student_quantile

_NOTHING = 1e-12  # what rounding leaves of a variance or a chance of disagreeing that is 0


@dataclass(frozen=True, slots=True, kw_only=True)
class PairTable:
    """Two raters' verdicts as shares that add up to 1, over `n` items, effectively `effective`."""

    both_pass: float
    first_only: float
    second_only: float
    both_fail: float
    n: int
    effective: float

    @property
    def raw(self) -> float:
        """The share on which they agree."""
        return self.both_pass + self.both_fail

    @property
    def first(self) -> float:
        """The first rater's pass rate."""
        return self.both_pass + self.first_only

    @property
    def second(self) -> float:
        """The second rater's pass rate."""
        return self.both_pass + self.second_only

    @property
    def mean(self) -> float:
        """The pass rate over both raters."""
        return self.both_pass + (self.first_only + self.second_only) / 2


def judge_agreement(items: Iterable[JudgedItem]) -> Agreement | None:
    """Label against verdict, over the items with a verdict; None without any."""
    rated = [(item.truth, item.verdict, item.weight) for item in items if item.verdict is not None]
    table = tabulate(rated)
    return None if table is None else agreement_of(table)


def labeller_agreement(items: Iterable[JudgedItem], disputed: int = 0) -> Agreement | None:
    """First against second labeller, over the items that both labelled; None without any.

    `disputed` items were labelled differently and await adjudication, so they are not among
    `items`. They are disagreements all the same: left out, the ceiling would be too high by just
    the cases that are hard. Who said pass is not known of them, so each counts half either way
    (exact for raw, AC1 and alpha, which do not tell the raters apart), with the mean weight.
    """
    rated: list[tuple[bool, bool, float]] = [
        (item.first, item.second, item.weight)
        for item in items
        if item.first is not None and item.second is not None
    ]
    weight = math.fsum(w for _, _, w in rated) / len(rated) if rated else 1.0
    table = tabulate(rated, disputed=disputed, disputed_weight=weight)
    return None if table is None else agreement_of(table)


def tabulate(
    rated: Iterable[tuple[bool, bool, float]], *, disputed: int = 0, disputed_weight: float = 1.0
) -> PairTable | None:
    """The table of (first, second, weight); `disputed` further items differ, half either way."""
    cells: dict[tuple[bool, bool], list[float]] = {
        (a, b): [] for a in (True, False) for b in (True, False)
    }
    for first, second, weight in rated:
        cells[first, second].append(weight)
    weights = [w for cell in cells.values() for w in cell] + [disputed_weight] * disputed
    if not weights:
        return None
    total = math.fsum(weights)
    half = disputed * disputed_weight / 2
    return PairTable(
        both_pass=math.fsum(cells[True, True]) / total,
        first_only=(math.fsum(cells[True, False]) + half) / total,
        second_only=(math.fsum(cells[False, True]) + half) / total,
        both_fail=math.fsum(cells[False, False]) / total,
        n=len(weights),
        effective=kish(weights),
    )


def agreement_of(table: PairTable) -> Agreement:
    """Every coefficient of a table, with 95 % intervals; None where one is not defined."""
    kappa = cohens_kappa(table)
    ac1 = gwets_ac1(table)
    return Agreement(
        n=table.n,
        raw=table.raw,
        kappa=None if kappa is None else kappa[0],
        kappa_interval=None if kappa is None else kappa[1],
        ac1=ac1[0],
        ac1_interval=ac1[1],
        alpha=krippendorffs_alpha(table),
    )


def cohens_kappa(table: PairTable) -> tuple[float, tuple[float, float] | None] | None:
    """Cohen's (1960) kappa and its large-sample interval (Fleiss, Cohen & Everitt 1969).

    None where both raters know one and the same class only. The interval is None where the
    large-sample variance is 0 (full agreement, a rater of one class): no sample proves so much.
    """
    first, second = table.first, table.second
    by_chance = first * second + (1 - first) * (1 - second)
    if 1 - by_chance <= _NOTHING:
        return None
    kappa = (table.raw - by_chance) / (1 - by_chance)
    off = 1 - kappa
    agreeing = table.both_pass * (1 - (first + second) * off) ** 2
    agreeing += table.both_fail * (1 - (2 - first - second) * off) ** 2
    # of a cell (i, j): the second rater's share of i plus the first rater's of j
    differing = table.first_only * (second + 1 - first) ** 2
    differing += table.second_only * (1 - second + first) ** 2
    spread = agreeing + off**2 * differing - (kappa - by_chance * off) ** 2
    variance = spread / (table.effective * (1 - by_chance) ** 2)
    return kappa, _interval(kappa, variance, normal_quantile(EACH_END))


def gwets_ac1(table: PairTable) -> tuple[float, tuple[float, float] | None]:
    """Gwet's (2008) AC1 and its interval, by Student's t as its author has it.

    Chance is 2 p (1 - p) of the mean pass rate p, so AC1 is defined for one class, too. The
    interval is None where all items agree, for its variance is then 0.
    """
    p = table.mean
    by_chance = 2 * p * (1 - p)
    ac1 = (table.raw - by_chance) / (1 - by_chance)

    def squared(share: float, agrees: float, passes: float) -> float:
        # passes: the share of the two raters who pass the item
        own_chance = p * (1 - passes) + (1 - p) * passes
        value = (agrees - by_chance) / (1 - by_chance)
        value -= 2 * (1 - ac1) * (own_chance - by_chance) / (1 - by_chance)
        return share * (value - ac1) ** 2

    spread = squared(table.both_pass, 1.0, 1.0) + squared(table.both_fail, 1.0, 0.0)
    spread += squared(table.first_only + table.second_only, 0.0, 0.5)
    if table.effective <= 1:
        return ac1, None
    t = student_quantile(EACH_END, max(1, math.floor(table.effective - 1)))
    return ac1, _interval(ac1, spread / (table.effective - 1), t)


def krippendorffs_alpha(table: PairTable) -> float | None:
    """Krippendorff's alpha for nominal data of two raters; None where there is one class only."""
    values = 2 * table.effective
    expected = 2 * table.mean * (1 - table.mean) * values / (values - 1)
    if expected <= _NOTHING:
        return None
    return 1 - (1 - table.raw) / expected


def _interval(value: float, variance: float, reach: float) -> tuple[float, float] | None:
    if variance <= _NOTHING**1.5:
        return None
    half = reach * math.sqrt(variance)
    return max(-1.0, value - half), min(1.0, value + half)
