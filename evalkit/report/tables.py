"""Pass rates by slice and by scorer, over the compared cases of two sides."""

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from evalkit.records.comparison import ScorerRow, SliceRow
from evalkit.report.arms import Arm
from evalkit.report.pairing import Results

ALL_CASES = "all cases"


def slice_rows(
    cases: Sequence[str], before: Arm | None, after: Arm
) -> tuple[SliceRow, tuple[SliceRow, ...]]:
    """The row of every case, and a row for each tag, largest loss first."""
    overall = _slice_row(ALL_CASES, cases, before, after)
    tagged: defaultdict[str, list[str]] = defaultdict(list)
    for case in cases:
        for tag in after.cases[case].tags:
            tagged[tag].append(case)
    rows = [_slice_row(tag, members, before, after) for tag, members in tagged.items()]
    return overall, tuple(sorted(rows, key=_loss))


def _loss(row: SliceRow) -> tuple[float, float, str]:
    drop = 0.0 if row.before_rate is None else row.before_rate - row.after_rate
    return -drop, row.after_rate, row.tag


def _slice_row(tag: str, cases: Sequence[str], before: Arm | None, after: Arm) -> SliceRow:
    after_rates = [_rate(after.passed[case], unknown=False) for case in cases]
    unknown = {case for case in cases if None in after.passed[case]}
    before_rate: float | None = None
    b = c = 0.0
    if before is not None:
        before_rates = [_rate(before.passed[case], unknown=True) for case in cases]
        unknown |= {case for case in cases if None in before.passed[case]}
        differences = [old - new for old, new in zip(before_rates, after_rates, strict=True)]
        b = math.fsum(each for each in differences if each > 0)
        c = math.fsum(-each for each in differences if each < 0)
        before_rate = _mean(before_rates)
    return SliceRow(
        tag=tag,
        cases=len(cases),
        unknown=len(unknown),
        before_rate=before_rate,
        after_rate=_mean(after_rates) or 0.0,
        b=b,
        c=c,
    )


@dataclass(slots=True)
class _Tally:
    """One scorer on one side: passed and applied by case, and its errors."""

    kind: str
    gate: bool
    passed: defaultdict[str, int] = field(default_factory=lambda: defaultdict(int))
    applied: defaultdict[str, int] = field(default_factory=lambda: defaultdict(int))
    errors: int = 0

    def rate(self, case: str) -> float:
        return self.passed[case] / self.applied[case]

    @property
    def total_rate(self) -> float | None:
        applied = sum(self.applied.values())
        return sum(self.passed.values()) / applied if applied else None


def scorer_rows(cases: Sequence[str], before: Arm | None, after: Arm) -> tuple[ScorerRow, ...]:
    """A row for each scorer of either side, in the order in which they score."""
    olds = {} if before is None else _tallies(cases, before)
    news = _tallies(cases, after)
    return tuple(_scorer_row(name, olds, news) for name in dict.fromkeys((*news, *olds)))


def _tallies(cases: Iterable[str], arm: Arm) -> dict[str, _Tally]:
    tallies: dict[str, _Tally] = {}
    for case in cases:
        for trial in range(1, arm.trials + 1):
            for score in arm.scores.get((case, trial), ()):
                tally = tallies.get(score.scorer)
                if tally is None:
                    tally = tallies[score.scorer] = _Tally(score.kind, score.gate)
                if score.state == "not_applicable":
                    continue
                tally.applied[case] += 1
                tally.passed[case] += score.passed is True
                tally.errors += score.state == "error"
    return tallies


def _scorer_row(name: str, olds: Mapping[str, _Tally], news: Mapping[str, _Tally]) -> ScorerRow:
    old, new = olds.get(name), news.get(name)
    known = new or old
    assert known is not None  # the name comes from one of the two
    b = c = 0.0
    if old is not None and new is not None:
        shared = [case for case in new.applied if case in old.applied]
        differences = [old.rate(case) - new.rate(case) for case in shared]
        b = math.fsum(each for each in differences if each > 0)
        c = math.fsum(-each for each in differences if each < 0)
    return ScorerRow(
        scorer=name,
        kind=known.kind,
        gate=known.gate,
        before_applied=0 if old is None else sum(old.applied.values()),
        after_applied=0 if new is None else sum(new.applied.values()),
        before_rate=None if old is None else old.total_rate,
        after_rate=None if new is None else new.total_rate,
        b=b,
        c=c,
        errors=(0 if old is None else old.errors) + (0 if new is None else new.errors),
    )


def _rate(results: Results, *, unknown: bool) -> float:
    passes = sum(unknown if result is None else result for result in results)
    return passes / len(results) if results else 0.0


def _mean(rates: Sequence[float]) -> float | None:
    return math.fsum(rates) / len(rates) if rates else None
