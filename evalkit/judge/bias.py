"""What moves a judge's verdicts that should not: shares, shifts and differences, with intervals.

Verdicts are True, False, or None where the judge gave none (abstained, refused, unreadable, a tie):
None is an outcome of its own, never left out. Only where nobody could be asked is there no entry.
Intervals are 95 % ones.
"""

import math
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from evalkit.judge.differential import differing
from evalkit.judge.errors import EACH_END, error_rates, rate_shares, share_of
from evalkit.judge.items import ErrorRates, JudgedItem
from evalkit.records.calibration import Share
from evalkit.statistics.exact import mcnemar_two_sided
from evalkit.statistics.proportions import wilson

Verdict = bool | None
SIGNIFICANT_BELOW = 0.05
"""The two-sided p below which a difference is taken for one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """How many of `n` outputs did something."""

    n: int
    moved: int

    @property
    def share(self) -> Share | None:
        """Their share with Wilson's interval; None of none."""
        return share_of(self.moved / self.n, float(self.n)) if self.n else None


class Shift:
    """Verdicts on the same outputs before and after a change."""

    def __init__(self, pairs: Iterable[tuple[Verdict, Verdict]]) -> None:
        """(verdict before, verdict after) of each output."""
        self._cells = Counter(pairs)

    @property
    def n(self) -> int:
        """Outputs that were asked about both times."""
        return self._cells.total()

    @property
    def to_pass(self) -> Counted:
        """Of the outputs that failed before, those that passed after."""
        return Counted(n=self._before(False), moved=self._cells[False, True])

    @property
    def to_fail(self) -> Counted:
        """Of the outputs that passed before, those that failed after."""
        return Counted(n=self._before(True), moved=self._cells[True, False])

    @property
    def lost(self) -> int:
        """Outputs that had a verdict before and none after."""
        return self._cells[True, None] + self._cells[False, None]

    @property
    def p(self) -> float:
        """Exact two-sided McNemar p that the change moves as many one way as the other.

        A judge that is merely unsteady moves as many each way, so that it shows none.
        """
        return mcnemar_two_sided(self.to_pass.moved, self.to_fail.moved)

    @property
    def share(self) -> Share | None:
        """By how much the pass rate moved, -1..1, over the outputs with a verdict both times.

        The interval is Newcombe's for paired proportions (1998, Statistics in Medicine 17:2635,
        method 10): it joins the Wilson intervals of both pass rates by their correlation, so that
        it has a width even where nothing moved. None without such outputs.
        """
        cells = self._cells
        stayed, gained = cells[True, True], cells[False, True]
        lost, failed = cells[True, False], cells[False, False]
        n = stayed + gained + lost + failed
        if not n:
            return None
        moved = (gained - lost) / n
        after, before = (stayed + gained) / n, (stayed + lost) / n
        after_low, after_high = wilson(stayed + gained, n, EACH_END)
        before_low, before_high = wilson(stayed + lost, n, EACH_END)
        phi = _correlation(stayed, gained, lost, failed)
        down, up = after - after_low, before_high - before
        lower = moved - math.sqrt(down**2 - 2 * phi * down * up + up**2)
        up, down = after_high - after, before - before_low
        upper = moved + math.sqrt(up**2 - 2 * phi * up * down + down**2)
        return Share(value=moved, lower=max(-1.0, lower), upper=min(1.0, upper), n=float(n))

    def _before(self, verdict: bool) -> int:
        return sum(self._cells[verdict, after] for after in (True, False, None))


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderEffect:
    """Pairs asked in both orders. `to_first` preferred whichever output came first, `to_second`
    whichever came second."""

    inconsistent: Counted
    to_first: int
    to_second: int

    @property
    def p(self) -> float:
        """Exact two-sided McNemar p that neither place is favoured."""
        return mcnemar_two_sided(self.to_first, self.to_second)


@dataclass(frozen=True, slots=True, kw_only=True)
class Preference:
    """A judge on outputs of its own model and on those of others.

    `own` and `others` are its pass rates, `kinder` is how much more often it passes its own among
    outputs of one label (-1..1, the mean of the differences in TPR and in FPR), `youden` J on its
    own minus J on the others'. `p` is the smaller of Fisher's for TPR and TNR, doubled for looking
    twice: given the label, so that a model whose outputs are better is not taken for a favoured
    one. The last three are None where labels of a kind are missing on a side.
    """

    own: Share
    others: Share
    kinder: Share | None = None
    youden: float | None = None
    p: float | None = None

    @property
    def favours_own(self) -> bool:
        """Whether it passes its own model's outputs too often for chance."""
        kinder = 0.0 if self.kinder is None else self.kinder.value
        return self.p is not None and self.p < SIGNIFICANT_BELOW and kinder > 0


def count_flips(series: Iterable[Sequence[Verdict]]) -> Counted:
    """Outputs whose verdict was not the same every time; those asked once say nothing."""
    repeated = [each for each in series if len(each) > 1]
    return Counted(n=len(repeated), moved=sum(len(set(each)) > 1 for each in repeated))


def count_splits(panels: Iterable[Sequence[Verdict]]) -> Counted:
    """Outputs on which the members of a panel differ, where at least two have a verdict."""
    spoken = [[each for each in panel if each is not None] for panel in panels]
    enough = [panel for panel in spoken if len(panel) > 1]
    return Counted(n=len(enough), moved=sum(len(set(panel)) > 1 for panel in enough))


def count_any(rows: Iterable[Sequence[bool]]) -> Counted:
    """Outputs that at least one of several attempts moved; `rows` hold an output's attempts.

    What moves an output once moves it easily again, so outputs are counted and not attempts.
    """
    tried = [each for each in rows if each]
    return Counted(n=len(tried), moved=sum(any(each) for each in tried))


def order_effect(pairs: Iterable[tuple[Verdict, Verdict]]) -> OrderEffect:
    """(verdict with the output first, verdict with it second), both about that same output.

    A verdict in one order and none in the other (a tie, for one) is inconsistent as well.
    """
    asked = Counter(pairs)
    same = sum(asked[each, each] for each in (True, False, None))
    return OrderEffect(
        inconsistent=Counted(n=asked.total(), moved=asked.total() - same),
        to_first=asked[True, False],
        to_second=asked[False, True],
    )


def self_preference(items: Iterable[JudgedItem], own: Collection[str]) -> Preference | None:
    """How the judge treats outputs whose `arm` is among the names of its `own` model.

    Items without an arm or a verdict say nothing. None unless both kinds of output are there.
    """
    known = [item for item in items if item.arm is not None and item.verdict is not None]
    mine = [item for item in known if item.arm in own]
    theirs = [item for item in known if item.arm not in own]
    if not mine or not theirs:
        return None
    own_share, other_share = _pass_share(mine), _pass_share(theirs)
    own_rates, other_rates = error_rates(mine), error_rates(theirs)
    if own_rates is None or other_rates is None:
        return Preference(own=own_share, others=other_share)
    return Preference(
        own=own_share,
        others=other_share,
        kinder=_kinder(own_rates, other_rates),
        youden=own_rates.youden - other_rates.youden,
        p=min(1.0, 2 * min(differing(mine, theirs))),
    )


def _kinder(own: ErrorRates, others: ErrorRates) -> Share:
    """The mean of the differences in TPR and FPR; its interval joins the Wilson intervals of the
    four rates by their distances (Newcombe 1998, Statistics in Medicine 17:873, method 10)."""
    tpr, tnr, _ = rate_shares(own)
    other_tpr, other_tnr, _ = rate_shares(others)
    value = (tpr.value - other_tpr.value + other_tnr.value - tnr.value) / 2
    raised, lowered = (tpr, other_tnr), (other_tpr, tnr)
    below = [each.value - each.lower for each in raised]
    below += [each.upper - each.value for each in lowered]
    above = [each.upper - each.value for each in raised]
    above += [each.value - each.lower for each in lowered]
    n = own.n_pass + own.n_fail + others.n_pass + others.n_fail
    return Share(
        value=value,
        lower=max(-1.0, value - math.hypot(*below) / 2),
        upper=min(1.0, value + math.hypot(*above) / 2),
        n=n,
    )


def _pass_share(items: Sequence[JudgedItem]) -> Share:
    return share_of(sum(item.verdict is True for item in items) / len(items), float(len(items)))


def _correlation(a: int, b: int, c: int, d: int) -> float:
    """Phi of a two-by-two table, corrected for continuity where positive; 0 with an empty margin.

    a and d are the agreeing cells.
    """
    margins = (a + b) * (c + d) * (a + c) * (b + d)
    if not margins:
        return 0.0
    excess = float(a * d - b * c)
    if excess > 0:
        excess = max(0.0, excess - (a + b + c + d) / 2)
    return excess / math.sqrt(margins)
