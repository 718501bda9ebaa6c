"""One suite on a terminal: its verdict, both sides' figures, and what the gate asked."""

from collections.abc import Sequence

from evalkit.records.comparison import SuiteComparison
from evalkit.records.verdict import Outcome, PartVerdict
from evalkit.report.figures import count
from evalkit.report.headline import part_detail
from evalkit.report.marks import mark
from evalkit.report.screen import Page, styled
from evalkit.report.suite_rows import (
    SCORER_HEADER,
    SLICE_HEADER,
    drop_rows,
    scorer_cells,
    side_rows,
    slice_cells,
)
from evalkit.report.untrusted import one_line

_LABEL = 11


def put_suite_head(page: Page, suite: SuiteComparison) -> None:
    """Name, outcome, golden set and size, then both sides next to each other."""
    title = styled(one_line(suite.suite), "bold")
    if suite.verdict is not None:
        title.append("  ").append_text(mark(suite.verdict.outcome))
    owner = f", owner {suite.owner}" if suite.owner else ""
    title.append(f"  {count(suite.cases, 'case')} of {one_line(suite.golden)}{owner}", style="dim")
    page.line(title, hang=2)
    rows = [[one_line(cell) for cell in row] for row in side_rows(suite)]
    if suite.before is None:
        page.table(["", suite.after.label], [[row[0], row[2]] for row in rows], folds=True)
    else:
        header = ["", suite.before.label, suite.after.label, "change"]
        page.table(header, rows, folds=True)


def put_parts(page: Page, suite: SuiteComparison) -> None:
    """What the gate asked: the drop in figures, then each part, and what would settle it."""
    if suite.verdict is None:
        return
    page.line()
    for part in suite.verdict.parts:
        if part.kind == "drop":
            for label, words in drop_rows(part):
                page.labelled(label, words, width=_LABEL)
    for part in suite.verdict.parts:
        _put_part(page, part)
    for warning in suite.verdict.warnings:
        page.labelled("warning", one_line(warning), width=_LABEL, style="yellow")
    for note in dict.fromkeys((*suite.verdict.notes, *suite.notes)):
        page.labelled("note", one_line(note), width=_LABEL)


def _put_part(page: Page, part: PartVerdict) -> None:
    """One requirement: in full where it did not pass, unless its figures stand above already."""
    text = mark(part.outcome).append(" ")
    words = part_detail(part) if is_brief(part) else part.message
    advisory = "" if part.required else " (advisory)"
    text.append(one_line(f"{part.name}{advisory}: {words}"))
    page.labelled("gate", text, width=_LABEL)
    if part.what_would_settle and part.outcome is not Outcome.PASS:
        page.labelled("to settle", one_line(part.what_would_settle), width=_LABEL)


def is_brief(part: PartVerdict) -> bool:
    """Whether a few words do: it passed, or `drop_rows` shows it whole and nothing revised it."""
    if part.outcome is Outcome.PASS:
        return True
    shown = part.kind == "drop" and part.estimate is not None and part.best is part.worst
    return shown and part.adjusted_p is None and part.outcome is not Outcome.INCOMPLETE


def put_tables(page: Page, suite: SuiteComparison) -> None:
    """Slices and scorers."""
    if suite.slices:
        page.line(styled("Slices", "bold"), indent=2)
        rows = [slice_cells(row) for row in (suite.overall, *suite.slices)]
        page.table(SLICE_HEADER, [_clean(row) for row in rows])
        page.line(styled(legend(suite), "dim"), indent=2)
        page.line()
    if suite.scorers:
        page.line(styled("Scorers", "bold"), indent=2)
        page.table(SCORER_HEADER, [_clean(row) for row in scorer_cells(suite)])
        page.line()


def legend(suite: SuiteComparison) -> str:
    """What b, c and the question mark in the tables mean."""
    words = "b: newly failing, c: newly passing"
    if suite.overall.unknown:
        words += "; ?: no result, counted as passed before and failed after"
    return words


def _clean(cells: Sequence[str]) -> tuple[str, ...]:
    return tuple(one_line(cell) for cell in cells)
