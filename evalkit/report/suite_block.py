"""One suite on a terminal: its verdict, both sides' figures, and what the gate asked."""

from collections.abc import Sequence

from evalkit.records.comparison import SuiteComparison
from evalkit.records.verdict import Outcome, PartVerdict, SuiteVerdict
from evalkit.report.figures import count
from evalkit.report.headline import part_detail
from evalkit.report.judges import JudgeRow, is_blocked, judge_rows, suite_judge_rows
from evalkit.report.marks import mark
from evalkit.report.screen import Page, styled
from evalkit.report.side_rows import side_rows
from evalkit.report.suite_rows import (
    SCORER_HEADER,
    SLICE_HEADER,
    drop_rows,
    failure_rows,
    scorer_cells,
    slice_cells,
    suite_notes,
)
from evalkit.report.untrusted import one_line

_LABEL = 11


def put_suite_head(page: Page, suite: SuiteComparison) -> None:
    """Name, outcome, golden set and size, both sides next to each other, failures by mode."""
    title = styled(one_line(suite.suite), "bold")
    if suite.verdict is not None:
        title.append("  ").append_text(mark(suite.verdict.outcome))
    owner = f", owner {one_line(suite.owner)}" if suite.owner else ""
    title.append(f"  {count(suite.cases, 'case')} of {one_line(suite.golden)}{owner}", style="dim")
    page.line(title, hang=2)
    rows = [[one_line(cell) for cell in row] for row in side_rows(suite, brief=True)]
    header = ["", "" if suite.before is None else suite.before.label, suite.after.label, "change"]
    columns = [0, 2] if suite.before is None else [0, 1, 2, 3]
    room = _room(page, [[row[0], row[3]] for row in rows], max(1, len(columns) - 2))
    cut = [[_cut_words(row[column], room) for column in columns] for row in (header, *rows)]
    page.table(cut[0], cut[1:], folds=True)
    failures = failure_rows(suite)
    if failures:
        words = ", ".join(f"{one_line(mode)} {numbers}" for mode, numbers in failures)
        page.labelled("failures", words, width=_LABEL)


def _room(page: Page, outer: Sequence[Sequence[str]], sides: int) -> int:
    """The columns that each side's figures have between the names and the changes."""
    label = max((len(name) for name, _ in outer), default=0)
    moved = max((len(change) for _, change in outer), default=0)
    return max(
        8,
        (page.screen.width - 2 - label - max(moved, len("change")) - 3 * page.screen.gap) // sides,
    )


def _cut_words(text: str, room: int) -> str:
    """The text with words that are longer than `room` cut in their middle; others may wrap."""
    return " ".join(
        word if len(word) <= room else f"{word[: room // 2]}…{word[room // 2 + 1 - room :]}"
        for word in text.split(" ")
    )


def put_parts(page: Page, suite: SuiteComparison) -> None:
    """What the gate asked: the drop in figures, then each part, and what would settle it."""
    judges = suite_judge_rows(suite)
    if suite.verdict is None:
        _put_rows(page, judges)
        return
    page.line()
    put_verdict_parts(page, suite.verdict, notes=suite_notes(suite), judges=judges)


def put_verdict_parts(
    page: Page,
    verdict: SuiteVerdict,
    *,
    notes: Sequence[str],
    judges: Sequence[JudgeRow] | None = None,
) -> None:
    """The same of a verdict that stands alone, followed by `notes`.

    `judges` are rows about its judges, else those that its parts tell.
    """
    for part in verdict.parts:
        if part.kind == "drop":
            for label, words in drop_rows(part, unknown=verdict.unknown):
                page.labelled(label, words, width=_LABEL)
    _put_rows(page, judge_rows(verdict.parts) if judges is None else judges)
    for part in verdict.parts:
        _put_part(page, part)
    for warning in verdict.warnings:
        page.labelled("warning", one_line(warning), width=_LABEL, style="yellow")
    for note in notes:
        page.labelled("note", one_line(note), width=_LABEL)


def _put_rows(page: Page, rows: Sequence[JudgeRow]) -> None:
    for label, words, _ in rows:
        page.labelled(label, one_line(words), width=_LABEL)


def _put_part(page: Page, part: PartVerdict) -> None:
    """One requirement: in full where it did not pass, unless its figures stand above already."""
    text = mark(part.outcome).append(" " if part.waiver is None else " (accepted) ")
    words = part_detail(part) if is_brief(part) else part.message
    advisory = "" if part.required else " (advisory)"
    text.append(one_line(f"{part.name}{advisory}: {words}"))
    page.labelled("gate", text, width=_LABEL)
    if part.what_would_settle and part.outcome is not Outcome.PASS and part.waiver is None:
        page.labelled("to settle", one_line(part.what_would_settle), width=_LABEL)


def is_brief(part: PartVerdict) -> bool:
    """Whether a few words do: it passed, or rows show it whole and nothing revised it."""
    if part.outcome is Outcome.PASS:
        return True
    if part.waiver is not None:  # who accepted it stands in its message
        return False
    if part.judged is not None:  # `judge_rows` show it
        return not is_blocked(part) and part.best is part.worst
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
        words += "; ?: no result on a side; rates are over what has one"
    return words


def _clean(cells: Sequence[str]) -> tuple[str, ...]:
    return tuple(one_line(cell) for cell in cells)
