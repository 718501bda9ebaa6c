"""Pass rates by slice and by scorer, over the compared cases of two sides."""

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import msgspec

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
    after = 1.0 if row.after_rate is None else row.after_rate
    drop = 0.0
    if row.before_rate is not None and row.after_rate is not None:
        drop = row.before_rate - row.after_rate
    return -drop, after, row.tag


def _slice_row(tag: str, cases: Sequence[str], before: Arm | None, after: Arm) -> SliceRow:
    sides = [arm for arm in (before, after) if arm is not None]
    old = _Known() if before is None else _known(cases, before)
    new = _known(cases, after)
    b = c = 0.0
    if before is not None:
        rates = [(_rate(before.passed[case]), _rate(after.passed[case])) for case in cases]
        differences = [was - now for was, now in rates if was is not None and now is not None]
        b = math.fsum(each for each in differences if each > 0)
        c = math.fsum(-each for each in differences if each < 0)
    return SliceRow(
        tag=tag,
        cases=len(cases),
        unknown=sum(any(None in arm.passed[case] for arm in sides) for case in cases),
        before_rate=old.rate,
        after_rate=new.rate,
        b=b,
        c=c,
        before_known=old.known,
        before_planned=old.planned,
        after_known=new.known,
        after_planned=new.planned,
    )


@dataclass(frozen=True, slots=True)
class _Known:
    """Attempts of one side: how many were planned, have a result, and passed."""

    planned: int = 0
    known: int = 0
    passed: int = 0

    @property
    def rate(self) -> float | None:
        return self.passed / self.known if self.known else None


def _known(cases: Sequence[str], arm: Arm) -> _Known:
    results = [result for case in cases for result in arm.passed[case]]
    known = [result for result in results if result is not None]
    return _Known(planned=len(results), known=len(known), passed=sum(known))


@dataclass(slots=True)
class _Tally:
    """One scorer on one side: passed, failed and applied by case, and its errors."""

    kind: str
    gate: bool
    passed: defaultdict[str, int] = field(default_factory=lambda: defaultdict(int))
    applied: defaultdict[str, int] = field(default_factory=lambda: defaultdict(int))
    failed: defaultdict[str, int] = field(default_factory=lambda: defaultdict(int))
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
    judges = {judge.scorer: judge for judge in after.snapshot.judges}
    rows = []
    for name in dict.fromkeys((*news, *olds)):
        row = _scorer_row(name, olds, news)
        judge = judges.get(name)
        if judge is not None:
            row = msgspec.structs.replace(
                row,
                judge=f"{judge.rubric.ref} by {judge.asked}",
                apart=after.decides_apart(name),
                newly_failing=_newly_failing(
                    cases,
                    None if judge.rubric.compare == "pair" else olds.get(name),
                    news.get(name),
                    pair=judge.rubric.compare == "pair",
                ),
            )
        rows.append(row)
    return tuple(rows)


def _newly_failing(
    cases: Sequence[str], old: _Tally | None, new: _Tally | None, *, pair: bool
) -> tuple[str, ...]:
    """The cases that a judge passes less often than before, the largest loss first.

    What it has no verdict on fails nothing. Of a pair those in which the candidate is the worse.
    """
    if new is None or (old is None and not pair):
        return ()
    lost = {}
    for case in cases:
        failed = new.failed.get(case, 0) / new.applied[case] if case in new.applied else 0.0
        if pair:
            lost[case] = failed
        elif failed and old is not None and case in old.applied:
            lost[case] = old.rate(case) - new.rate(case)
    worse = sorted((case for case in lost if lost[case] > 0), key=lambda case: -lost[case])
    return tuple(worse)


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
                tally.failed[case] += score.passed is False
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


def _rate(results: Results) -> float | None:
    """The share that passed of the trials with a result; None where none has one."""
    known = [result for result in results if result is not None]
    return sum(known) / len(known) if known else None
