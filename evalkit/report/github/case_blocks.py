"""The cases' side of a report: what newly fails, what was repaired, why attempts failed."""

from collections import Counter
from collections.abc import Sequence

from evalkit.records.comparison import CaseChange, Comparison, SuiteComparison
from evalkit.records.run import RunRecord
from evalkit.records.verdict import Outcome
from evalkit.report.figures import count
from evalkit.report.github.budget import Budget
from evalkit.report.markdown_blocks import change_entry
from evalkit.report.markup import cells, code_span
from evalkit.report.sections import attempted_first, never_words
from evalkit.report.untrusted import clip

_SEVERITY = (
    Outcome.FAIL,
    Outcome.INCOMPLETE,
    Outcome.INCONCLUSIVE,
    Outcome.NOT_MEASURED,
    Outcome.PASS,
)
_MOST_NAMED = 10
_MOST_MODES = 15


def worst_first(comparison: Comparison) -> list[SuiteComparison]:
    """The suites, those that fail before others; in their own order among equals."""

    def rank(suite: SuiteComparison) -> int:
        return -1 if suite.verdict is None else _SEVERITY.index(suite.verdict.outcome)

    return sorted(comparison.suites, key=rank)


def broken(suite: SuiteComparison) -> Sequence[CaseChange]:
    """What newly fails; without a baseline, what fails."""
    return suite.of_kind("failing") if suite.before is None else suite.of_kind("regression")


def add_broken(budget: Budget, comparison: Comparison, *, most: int) -> None:
    """Headings and folded entries of the first `most` cases that newly fail, over all suites."""
    named = len(comparison.suites) > 1
    left = most
    for suite in worst_first(comparison):
        changes = broken(suite)
        if not changes:
            continue
        what = "Failing" if suite.before is None else "Newly failing"
        where = f" in {code_span(clip(suite.suite, 80))}" if named else ""
        heading = f"### {what}{where}: {len(changes):,}{never_words(changes)}"
        if left <= 0 or not budget.add(heading, lost="sections of cases"):
            budget.lose("cases that newly fail", len(changes))
            continue
        shown = changes[:left]
        for change in shown:
            budget.add(change_entry(change), lost="cases that newly fail")
        left -= len(shown)
        if len(changes) > len(shown):
            budget.add(
                f"{len(changes) - len(shown):,} more are not listed here.", lost="counts of cases"
            )


def other_lines(comparison: Comparison) -> str:
    """What else moved, a line a kind and suite: no result, fixes, flips; empty if nothing."""
    named = len(comparison.suites) > 1
    lines = []
    for suite in comparison.suites:
        where = f" in {code_span(clip(suite.suite, 80))}" if named else ""
        silent = attempted_first(suite.of_kind("error"))
        for changes, what in (
            (silent, "without a result"),
            (suite.of_kind("fix"), "newly passing"),
            (suite.of_kind("flip"), "flipping within their trials"),
        ):
            if changes:
                number = count(len(changes), "case")
                lines.append(f"- {number} {what}{where}: {_named(changes)}")
    return "\n".join(lines)


def _named(changes: Sequence[CaseChange]) -> str:
    names = ", ".join(code_span(clip(change.case, 80)) for change in changes[:_MOST_NAMED])
    more = len(changes) - _MOST_NAMED
    return names + (f" and {more:,} more" if more > 0 else "")


def failure_table(record: RunRecord) -> str:
    """Why attempts failed, by the published code, most frequent of the candidate first."""
    before, after = _modes(record, "baseline"), _modes(record, "candidate")
    codes = sorted(before | after, key=lambda code: (-after[code], -before[code], code))
    if not codes:
        return ""
    compared = any(suite.totals_of("baseline") for suite in record.suites)
    header = ("failure mode", "before", "after") if compared else ("failure mode", "attempts")
    rows = [cells(*header), "|:--" + "|--:" * (len(header) - 1) + "|"]
    for code in codes[:_MOST_MODES]:
        numbers = (before[code], after[code]) if compared else (after[code],)
        rows.append(cells(code_span(clip(code, 80)), *(f"{number:,}" for number in numbers)))
    if len(codes) > _MOST_MODES:
        rows += ["", f"{len(codes) - _MOST_MODES:,} more failure modes are in the run."]
    return "\n".join(["### Why attempts failed", "", *rows])


def _modes(record: RunRecord, variant: str) -> Counter[str]:
    modes: Counter[str] = Counter()
    for suite in record.suites:
        totals = suite.totals_of(variant)
        if totals is not None:
            modes.update(totals.failure_modes)
    return modes
