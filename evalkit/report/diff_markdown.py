"""`evalkit diff --md`."""

from evalkit.records.comparison import Comparison, SuiteComparison
from evalkit.report.evidence import SCRIPTED_NOTE, alone, origins_of, scripted_words
from evalkit.report.headline import verdict_reason
from evalkit.report.markdown_blocks import (
    change_entry,
    only_lines,
    scorer_table,
    slice_table,
    suite_head,
)
from evalkit.report.marks import MARKS
from evalkit.report.markup import code_span, prose
from evalkit.report.sections import never_words, sections_of


def diff_markdown(comparison: Comparison, *, all_cases: bool = False) -> str:
    """The comparison as Markdown; `all_cases` shows every case instead of the first few."""
    blocks = [_head(comparison)]
    for suite in comparison.suites:
        blocks.append(suite_head(suite))
        blocks += _changes(suite, all_cases=all_cases)
        blocks += [slice_table(suite), scorer_table(suite), only_lines(suite)]
    return "\n\n".join(block for block in blocks if block) + "\n"


def _head(comparison: Comparison) -> str:
    sides = f"{code_span(comparison.before)} → {code_span(comparison.after)}"
    if alone(comparison):
        sides = f"{code_span(comparison.after)}, without a baseline"
    lines = [f"## evalkit diff {sides}"]
    if comparison.verdict is not None:
        verdict = comparison.verdict
        lines += [
            "",
            f"**{MARKS[verdict.outcome]} (exit {verdict.exit_code})** "
            f"{prose(verdict_reason(verdict))}",
        ]
    notes = list(comparison.notes)
    if scripted_words(origins_of(comparison)):
        notes.append(SCRIPTED_NOTE)
    for words, suites in (("before", comparison.only_before), ("after", comparison.only_after)):
        notes += [f"Suite {suite} is only {words}." for suite in suites]
    if notes:
        lines += ["", *(f"- {prose(note)}" for note in notes)]
    return "\n".join(lines)


def _changes(suite: SuiteComparison, *, all_cases: bool) -> list[str]:
    blocks = []
    for title, changes, limit in sections_of(suite, all_cases=all_cases):
        blocks.append(f"#### {title}: {len(changes):,}{never_words(changes)}")
        blocks += [change_entry(change) for change in changes[:limit]]
        if limit < len(changes):
            blocks.append(f"{len(changes) - limit:,} more: `evalkit diff --all` shows them.")
    if suite.before is not None:
        same = suite.counts.get("same", 0)
        blocks.append(f"Unchanged: {same:,} of {suite.cases:,} cases pass on both sides.")
    return blocks
