"""Pass rates by slice and by scorer, over the compared cases of two sides."""

import math
from array import array
from collections.abc import Mapping, Sequence

import msgspec

from evalkit.records.comparison import ScorerRow, SliceRow
from evalkit.report.arms import Arm
from evalkit.report.pairing import Results, Rows

ALL_CASES = "all cases"


def slice_rows(rows: Rows) -> tuple[SliceRow, tuple[SliceRow, ...]]:
    """The row of every case, and a row for each tag, largest loss first."""
    overall = _Slice(rows)
    tagged: dict[str, _Slice] = {}
    cases = rows.after.snapshot.cases
    for row in range(len(rows)):
        before, after = rows.results_before(row), rows.results_after(row)
        overall.add(before, after)
        for tag in cases[rows.after_at[row]].tags:
            if tag not in tagged:
                tagged[tag] = _Slice(rows)
            tagged[tag].add(before, after)
    found = [each.told(tag) for tag, each in tagged.items()]
    return overall.told(ALL_CASES), tuple(sorted(found, key=_loss))


def _loss(row: SliceRow) -> tuple[float, float, str]:
    after = 1.0 if row.after_rate is None else row.after_rate
    drop = 0.0
    if row.before_rate is not None and row.after_rate is not None:
        drop = row.before_rate - row.after_rate
    return -drop, after, row.tag


class _Slice:
    """Adds up the cases of a slice."""

    def __init__(self, rows: Rows) -> None:
        self.cases = self.unknown = 0
        self.old, self.new = _Known(), _Known()
        self._paired = rows.before is not None
        # by how much a case passes less often than before, where that is anything
        self._moves = array("d")

    def add(self, before: Results, after: Results) -> None:
        self.cases += 1
        self.unknown += None in before or None in after
        self.old.add(before)
        self.new.add(after)
        was, now = _rate(before), _rate(after)
        if self._paired and was is not None and now is not None and was != now:
            self._moves.append(was - now)

    def told(self, tag: str) -> SliceRow:
        return SliceRow(
            tag=tag,
            cases=self.cases,
            unknown=self.unknown,
            before_rate=self.old.rate,
            after_rate=self.new.rate,
            b=math.fsum(each for each in self._moves if each > 0),
            c=math.fsum(-each for each in self._moves if each < 0),
            before_known=self.old.known,
            before_planned=self.old.planned,
            after_known=self.new.known,
            after_planned=self.new.planned,
        )


class _Known(msgspec.Struct):
    """Attempts of one side: how many were planned, have a result, and passed."""

    planned: int = 0
    known: int = 0
    passed: int = 0

    def add(self, results: Results) -> None:
        self.planned += len(results)
        self.known += len(results) - results.count(None)
        self.passed += results.count(True)

    @property
    def rate(self) -> float | None:
        return self.passed / self.known if self.known else None


class _Tally(msgspec.Struct):
    """One scorer on one side, by row: passed, failed and applied; and its errors."""

    kind: str
    gate: bool
    passed: "array[int]"
    applied: "array[int]"
    failed: "array[int]"
    errors: int = 0

    def rate(self, row: int) -> float:
        return self.passed[row] / self.applied[row]

    @property
    def total_rate(self) -> float | None:
        applied = sum(self.applied)
        return sum(self.passed) / applied if applied else None


def scorer_rows(rows: Rows) -> tuple[ScorerRow, ...]:
    """A row for each scorer of either side, in the order in which they score."""
    before, after = rows.before, rows.after
    olds = {} if before is None else _tallies(rows, before, rows.before_at)
    news = _tallies(rows, after, rows.after_at)
    judges = {judge.scorer: judge for judge in after.snapshot.judges}
    found = []
    for name in dict.fromkeys((*news, *olds)):
        row = _scorer_row(name, olds, news)
        judge = judges.get(name)
        if judge is not None:
            row = msgspec.structs.replace(
                row,
                judge=f"{judge.rubric.ref} by {judge.asked}",
                apart=after.decides_apart(name),
                newly_failing=_newly_failing(
                    rows,
                    None if judge.rubric.compare == "pair" else olds.get(name),
                    news.get(name),
                    pair=judge.rubric.compare == "pair",
                ),
            )
        found.append(row)
    return tuple(found)


def _newly_failing(
    rows: Rows, old: _Tally | None, new: _Tally | None, *, pair: bool
) -> tuple[str, ...]:
    """The cases that a judge passes less often than before, the largest loss first.

    What it has no verdict on fails nothing. Of a pair those in which the candidate is the worse.
    """
    if new is None or (old is None and not pair):
        return ()
    lost = {}
    for row in range(len(rows)):
        failed = new.failed[row] / new.applied[row] if new.applied[row] else 0.0
        if pair:
            loss = failed
        elif failed and old is not None and old.applied[row]:
            loss = old.rate(row) - new.rate(row)
        else:
            continue
        if loss > 0:
            lost[row] = loss
    worse = sorted(lost, key=lambda row: -lost[row])
    return tuple(rows.after.case(rows.after_at[row]).id for row in worse)


def _tallies(rows: Rows, arm: Arm, at: Sequence[int]) -> dict[str, _Tally]:
    """What each scorer said on one side; `at` are the positions of the rows."""
    every = len(at) == len(arm.cases)
    row_of = {} if every else {position: row for row, position in enumerate(at)}
    tallies: dict[str, _Tally] = {}
    for score, position in arm.all_scores():
        row = position if every else row_of.get(position)
        if row is None:
            continue
        tally = tallies.get(score.scorer)
        if tally is None:
            empty = array("i", [0]) * len(at)
            tally = _Tally(score.kind, score.gate, empty, empty[:], empty[:])
            tallies[score.scorer] = tally
        if score.state == "not_applicable":
            continue
        tally.applied[row] += 1
        tally.passed[row] += score.passed is True
        tally.failed[row] += score.passed is False
        tally.errors += score.state == "error"
    return tallies


def _scorer_row(name: str, olds: Mapping[str, _Tally], news: Mapping[str, _Tally]) -> ScorerRow:
    old, new = olds.get(name), news.get(name)
    known = new or old
    assert known is not None  # the name comes from one of the two
    b = c = 0.0
    if old is not None and new is not None:
        moves = array("d")
        for row, (applied_before, applied) in enumerate(zip(old.applied, new.applied, strict=True)):
            if applied_before and applied and (move := old.rate(row) - new.rate(row)):
                moves.append(move)
        b = math.fsum(each for each in moves if each > 0)
        c = math.fsum(-each for each in moves if each < 0)
    return ScorerRow(
        scorer=name,
        kind=known.kind,
        gate=known.gate,
        before_applied=0 if old is None else sum(old.applied),
        after_applied=0 if new is None else sum(new.applied),
        before_rate=None if old is None else old.total_rate,
        after_rate=None if new is None else new.total_rate,
        b=b,
        c=c,
        errors=(0 if old is None else old.errors) + (0 if new is None else new.errors),
    )


def _rate(results: Results) -> float | None:
    """The share that passed of the trials with a result; None where none has one."""
    known = len(results) - results.count(None)
    return results.count(True) / known if known else None
