"""A case as the list shows it: what it is, and what became of it."""

from collections.abc import Iterator
from dataclasses import dataclass

from evalkit.records.case import Case
from evalkit.records.comparison import CaseChange, ChangeKind, Comparison, SuiteComparison
from evalkit.records.run import StoredRun, SuiteSnapshot
from evalkit.report.case_block import trial_words
from evalkit.report.html.kinds import KIND_ORDER
from evalkit.report.untrusted import clip, one_line

_MOST_EXCERPT = 150


@dataclass(frozen=True, slots=True)
class ListedCase:
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
        line = self.snapshot.lines.get(self.case.id)
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


def list_cases(run: StoredRun, comparison: Comparison) -> list[ListedCase]:
    """Every case of every compared suite: what broke first, then as the comparison has it."""
    listed = (
        each
        for number, suite in enumerate(comparison.suites)
        for each in _of_suite(number, suite, run.snapshot(suite.suite))
    )
    return sorted(listed, key=lambda each: KIND_ORDER.index(each.kind))


def _of_suite(
    number: int, suite: SuiteComparison, snapshot: SuiteSnapshot | None
) -> Iterator[ListedCase]:
    if snapshot is None:
        return
    order = {case.id: position for position, case in enumerate(snapshot.cases)}
    changed = {change.case: change for change in suite.changes}
    for name, change in changed.items():
        position = order[name]
        yield ListedCase(number, suite, snapshot, position, snapshot.cases[position], change)
    for position, case in enumerate(snapshot.cases):
        if case.id not in changed:
            yield ListedCase(number, suite, snapshot, position, case, None)
