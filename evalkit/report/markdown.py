"""`report.md`: a run as one comment on a pull request."""

from collections.abc import Sequence

import msgspec

from evalkit.records.comparison import CaseChange, Comparison, SuiteComparison
from evalkit.records.run import RunRecord, StoredRun
from evalkit.report.call_failures import failure_lines
from evalkit.report.evidence import SCRIPTED_NOTE, origins_of, scripted_words
from evalkit.report.figures import count, duration, quantity, usd
from evalkit.report.headline import run_mark, run_reason
from evalkit.report.judging import judges_share
from evalkit.report.markdown_blocks import change_entry, scorer_table, slice_table, suite_head
from evalkit.report.marks import MARKS
from evalkit.report.markup import cells, code_span, prose
from evalkit.report.sections import never_words, sections_of
from evalkit.report.suite_rows import rate_cells
from evalkit.report.terminal import next_commands

COMMENT_LIMIT = 65_536
"""The most characters that a comment on GitHub may have."""

MARKER = "<!-- evalkit:report -->"
"""Hidden; by it the comment is found again and updated in place."""

_RESERVED = 1_500
_MOST_CHANGES = 25


def report_markdown(run: StoredRun, comparison: Comparison, *, limit: int = COMMENT_LIMIT) -> str:
    """The report, of at most `limit` characters (as UTF-16 counts them, the strictest count).

    Verdict and figures of every suite come first, then the cases that changed, worst first; what
    does not fit is counted in a note at the end. `limit` is at least 4,000.
    """
    body = _Body(limit - _RESERVED)
    body.add(_head(run.record, comparison))
    if len(comparison.suites) > 1:
        _add_overview(body, comparison)
    for suite in comparison.suites:
        body.add(suite_head(suite), lost="the figures of suites")
    for suite in comparison.suites:
        _add_changes(body, suite, named=len(comparison.suites) > 1)
    for suite in comparison.suites:
        for table in (slice_table(suite), scorer_table(suite)):
            if table:
                name = f"{code_span(suite.suite)}\n\n" if len(comparison.suites) > 1 else ""
                body.add(name + table, lost="tables")
    failures = failure_lines(run.record)
    if failures:
        lines = "\n".join(f"- {prose(line)}" for line in failures)
        body.add(f"#### Errors of calls\n\n{lines}", lost="errors of calls")
    return (
        "\n\n".join([*body.blocks, *_truncation(body, run.record), _foot(run, comparison)]) + "\n"
    )


class _Body(msgspec.Struct):
    """Blocks up to a size; what did not fit is counted by what it was."""

    limit: int
    blocks: list[str] = msgspec.field(default_factory=list)
    lost: dict[str, int] = msgspec.field(default_factory=dict)
    _size: int = 0

    def add(self, block: str, *, lost: str = "notes") -> bool:
        """Add a block if it fits."""
        size = len(block.encode("utf-16-le")) // 2 + 2
        if self._size + size > self.limit:
            self.lost[lost] = self.lost.get(lost, 0) + 1
            return False
        self.blocks.append(block)
        self._size += size
        return True


def _head(record: RunRecord, comparison: Comparison) -> str:
    scripted = scripted_words(origins_of(comparison))
    reason = run_reason(record)
    lines = [
        MARKER,
        f"## evalkit: {run_mark(record)} (exit {record.exit_code})"
        + (f" {scripted}" if scripted else ""),
        "",
        prose(reason) + ".",
    ]
    notes = [*comparison.notes, *record.warnings]
    if scripted:
        notes.append(SCRIPTED_NOTE)
    if notes:
        lines += ["", *(f"- {prose(note[:1_000])}" for note in notes[:20])]
        if len(notes) > 20:
            lines.append(f"- {len(notes) - 20} more notes are in run.json")
    return "\n".join(lines)


def _add_overview(body: _Body, comparison: Comparison) -> None:
    header = cells("suite", "verdict", "before", "after", "change", "b", "c", "cases")
    rows = [header, "|:--|:--|--:|--:|--:|--:|--:|--:|"]
    for suite in comparison.suites[:200]:
        rate = suite.overall
        rows.append(
            cells(
                code_span(suite.suite),
                "" if suite.verdict is None else MARKS[suite.verdict.outcome],
                *rate_cells(rate),
                quantity(rate.b),
                quantity(rate.c),
                f"{suite.cases:,}",
            )
        )
    body.add("\n".join(rows), lost="the overview of suites")


def _add_changes(body: _Body, suite: SuiteComparison, *, named: bool) -> None:
    for title, changes, limit in sections_of(suite, all_cases=False):
        wanted = min(len(changes), _MOST_CHANGES) if title == "Regressions" else limit
        where = f" of {code_span(suite.suite)}" if named else ""
        if not body.add(
            f"#### {title}{where}: {len(changes):,}{never_words(changes)}", lost="sections of cases"
        ):
            continue
        shown = _add_entries(body, changes[:wanted], title)
        left = len(changes) - wanted
        if left > 0 and shown == wanted:
            body.add(f"{left:,} more are not listed here.")


def _add_entries(body: _Body, changes: Sequence[CaseChange], title: str) -> int:
    """Add entries until one does not fit; the rest is counted as lost, so none is skipped over."""
    for number, change in enumerate(changes):
        what = f"cases of “{title}”"
        if not body.add(change_entry(change), lost=what):
            body.lost[what] += len(changes) - number - 1
            return number
    return len(changes)


def _truncation(body: _Body, record: RunRecord) -> list[str]:
    if not body.lost:
        return []
    lost = ", ".join(f"{what} ({number:,})" for what, number in body.lost.items())
    return [
        f"> **Cut to fit into a comment.** Left out: {lost}. "
        f"`evalkit diff {record.id} --all` shows everything."
    ]


def _foot(run: StoredRun, comparison: Comparison) -> str:
    record = run.record
    git = ""
    if record.git.sha:
        dirty = " with uncommitted changes" if record.git.dirty else ""
        git = f", commit {code_span(record.git.sha[:12])}{dirty}"
    commands = " · ".join(code_span(command) for command, _ in next_commands(record, comparison))
    return (
        f"Run {code_span(record.id)}{git}, {count(run.made, 'attempt')} in "
        f"{duration(record.duration_s)}, {prose(usd(record.billed_usd))} spent"
        f"{prose(judges_share(record))}. Next: {commands}"
    )
