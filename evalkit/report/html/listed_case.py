"""The cases that the list of a page shows, and how many of which kind it leaves out.

A page with every case of a large run would be too large to open, and most of it would tell of cases
that passed as before. So a run of more than `WHOLE` cases is shown by those that broke or changed,
or that are flaky, quarantined, or failed by a judge; the page says what is not on it.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice

import msgspec

from evalkit.records.case import Case
from evalkit.records.change_list import ChangeList
from evalkit.records.comparison import CaseChange, ChangeKind, Comparison, SuiteComparison
from evalkit.records.run import StoredRun, SuiteSnapshot
from evalkit.report.case_block import trial_words
from evalkit.report.html.kinds import KIND_ORDER
from evalkit.report.untrusted import clip, one_line

WHOLE = 500
"""A run of so many cases is shown whole; of a larger one at least so many."""

MOST_LISTED = 2_000
"""The most cases on a page, whatever became of them."""

_MOST_EXCERPT = 150


class Listing(msgspec.Struct, frozen=True):
    """The cases of a page in the order of its list; `left_out` counts the others by outcome."""

    cases: list["ListedCase"]
    left_out: Mapping[ChangeKind, int]


class ListedCase(msgspec.Struct, frozen=True):
    """One case of one suite. `order` is its position in the golden set.

    `change` is None for a case that passed in every trial on every side.
    """

    number: int
    suite: SuiteComparison
    snapshot: SuiteSnapshot
    order: int
    case: Case
    change: CaseChange | None

    @property
    def kind(self) -> ChangeKind:
        """What became of it."""
        return "same" if self.change is None else self.change.kind

    @property
    def words(self) -> str:
        """How often it passed on each side."""
        if self.change is not None:
            return trial_words(self.change)
        return "passes" if self.suite.before is None else "passes as before"

    @property
    def place(self) -> str:
        """`file:line` in its golden set, or the file alone."""
        line = self.snapshot.cases.line_of(self.case.id)
        path = self.snapshot.golden_path
        return path if line is None else f"{path}:{line}"

    @property
    def excerpt(self) -> str:
        """The start of what was asked, on one line."""
        asked = self.case.input.values()
        texts = [each for each in asked if isinstance(each, str) and each.strip()]
        shown = one_line(" · ".join(text[:_MOST_EXCERPT] for text in texts))
        return clip(shown, _MOST_EXCERPT)

    @property
    def flags(self) -> list[str]:
        """What else is known of it: that it is flaky, or does not count."""
        verdict = self.suite.verdict
        flags = []
        if verdict is not None and any(q.case == self.case.id for q in verdict.quarantined):
            flags.append("quarantined")
        if any(flake.case == self.case.id for flake in self.snapshot.flaky):
            flags.append("flaky")
        return flags


def list_cases(run: StoredRun, comparison: Comparison) -> Listing:
    """The cases to show: what broke first, then as the comparison has it."""
    suites = [
        (number, suite, snapshot)
        for number, suite in enumerate(comparison.suites)
        if (snapshot := run.snapshot(suite.suite)) is not None
    ]
    telling = [each for suite in suites for each in _telling(*suite)]
    telling.sort(key=lambda each: KIND_ORDER.index(each.kind))
    shown = telling[:MOST_LISTED]
    taken = {(each.number, each.case.id) for each in shown}
    passing = (each for suite in suites for each in _passing(*suite, taken))
    shown += islice(passing, max(0, WHOLE - len(shown)))
    counts: Counter[ChangeKind] = Counter()
    for _, suite, _ in suites:
        counts.update({kind: suite.counts.get(kind, 0) for kind in KIND_ORDER})
    counts.subtract(each.kind for each in shown)
    return Listing(shown, {kind: counts[kind] for kind in KIND_ORDER if counts[kind] > 0})


def _telling(number: int, suite: SuiteComparison, snapshot: SuiteSnapshot) -> Iterator[ListedCase]:
    """The cases that tell something: what changed, then what passed and still needs a look."""
    positions = _positions(suite)
    for change, position in zip(suite.changes, islice(positions, MOST_LISTED), strict=False):
        yield ListedCase(number, suite, snapshot, position, snapshot.cases[position], change)
    flagged = dict.fromkeys(_flagged(suite, snapshot))
    if not flagged:
        return
    changed = _marked(positions, snapshot)
    for name in flagged:
        at = snapshot.cases.position(name)
        if at is not None and not changed[at]:
            yield ListedCase(number, suite, snapshot, at, snapshot.cases[at], None)


def _positions(suite: SuiteComparison) -> Sequence[int]:
    """The positions of what changed, in the order of the changes: a run is compared row by row."""
    assert isinstance(suite.changes, ChangeList), "the page is of a run's own comparison"
    return suite.changes.rows


def _marked(positions: Sequence[int], snapshot: SuiteSnapshot) -> bytearray:
    marks = bytearray(len(snapshot.cases))
    for position in positions:
        marks[position] = True
    return marks


def _flagged(suite: SuiteComparison, snapshot: SuiteSnapshot) -> Iterator[str]:
    """Cases that broke an invariant, are flaky, in quarantine, or newly failed by a judge."""
    if suite.verdict is not None:
        yield from (case for part in suite.verdict.parts for case in part.cases)
        yield from (quarantined.case for quarantined in suite.verdict.quarantined)
    yield from (flake.case for flake in snapshot.flaky)
    yield from (case for row in suite.scorers for case in row.newly_failing)


def _passing(
    number: int, suite: SuiteComparison, snapshot: SuiteSnapshot, taken: set[tuple[int, str]]
) -> Iterator[ListedCase]:
    """The cases that passed in every trial on every side, but those `taken`."""
    changed = _marked(_positions(suite), snapshot)
    for position, case in enumerate(snapshot.cases):
        if not changed[position] and (number, case.id) not in taken:
            yield ListedCase(number, suite, snapshot, position, case, None)
