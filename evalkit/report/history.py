"""`evalkit history`: how the figures of a suite moved, and what changed when they did."""

import sys
from collections.abc import Sequence
from itertools import groupby
from typing import TYPE_CHECKING

import msgspec

from evalkit.records.history import HistoryView, Trend, TrendPoint
from evalkit.report import figures
from evalkit.report.marks import mark
from evalkit.report.screen import Page, Screen, screen_of, styled
from evalkit.report.sparkline import Glyphs, glyphs_of, sparkline
from evalkit.report.untrusted import clip, one_line

if TYPE_CHECKING:
    from rich.text import Text

# rates, which are shown in percent; of the others only amounts are left
RATES = frozenset(
    {
        "pass_rate",
        "success_rate",
        "guardrail_rate",
        "tool_call_accuracy",
        "policy_compliance",
        "judge_disagreement",
    }
)
_LESS_IS_BETTER = frozenset({"guardrail_rate", "judge_disagreement"})
_DASH = "–"
_WIDE = 88
_LONGEST_BRANCH = 16
_MOST_CHANGES = 300


def history_json(view: HistoryView) -> str:
    """The view as indented JSON (`evalkit.history/1`)."""
    return msgspec.json.format(msgspec.json.encode(view), indent=2).decode()


def history_text(
    view: HistoryView,
    *,
    suite: str | None = None,
    branch: str | None = None,
    screen: Screen | None = None,
    glyphs: Glyphs | None = None,
) -> str:
    """Every series as a line; of a single suite also the runs behind the first series.

    `suite` and `branch` are what was asked for, for the words where there is none.
    """
    page = Page(screen or screen_of(sys.stdout))
    glyphs = glyphs or glyphs_of(sys.stdout)
    if not view.trends:
        where = f" of suite {one_line(suite)}" if suite else ""
        where += f" on branch {one_line(branch)}" if branch else ""
        page.line(
            f"No finished run{where} is stored yet, so there is no trend. `evalkit run` makes one; "
            "runs of selected cases and runs that were stopped do not count."
        )
    by_suite = [list(trends) for _, trends in groupby(view.trends, key=lambda each: each.suite)]
    for trends in by_suite:
        _put_series(page, trends, view.runs if len(by_suite) == 1 else 0, glyphs)
        if len(by_suite) == 1:
            page.line()
            _put_runs(page, trends[0])
    if len(by_suite) > 1:
        page.literal(styled("evalkit history SUITE", "bold cyan").append("  its runs", style="dim"))
    return glyphs.shown(page.text())


def _put_series(page: Page, trends: Sequence[Trend], runs: int, glyphs: Glyphs) -> None:
    """The series of one suite. `runs` is how many there are, 0 where that is not known."""
    points = trends[0].points
    number = figures.count(len(points), "run")
    if len(points) < runs:
        number = f"the last {len(points):,} of {figures.count(runs, 'run')}"
    title = styled(one_line(trends[0].suite), "bold").append(f"  {number}", style="dim")
    page.line(title, hang=2)
    known = [trend for trend in trends if any(point.value is not None for point in trend.points)]
    if known:
        _put_lines(page, known, glyphs)
    if missing := [_name(trend) for trend in trends if trend not in known]:
        page.labelled("not measured", ", ".join(missing), width=14, hang=2)


def _put_lines(page: Page, trends: Sequence[Trend], glyphs: Glyphs) -> None:
    names = [_name(trend) for trend in trends]
    wide = page.screen.width >= _WIDE
    columns = ("last", "lowest", "highest") if wide else ("last",)
    room = page.screen.width - max(len(name) for name in names) - len(columns) * 12 - 8
    rows = []
    for name, trend in zip(names, trends, strict=True):
        values = [point.value for point in trend.points]
        known = [value for value in values if value is not None]
        figures_of = [values[-1], min(known), max(known)][: len(columns)]
        line = sparkline(values, width=max(8, room), glyphs=glyphs)
        rows.append((name, line, *(_value(trend.metric, value) for value in figures_of)))
    page.table(("", "oldest to newest", *columns), rows)


def _put_runs(page: Page, trend: Trend) -> None:
    """The runs of a series, newest last, each with what changed since the one before."""
    wide = page.screen.width >= _WIDE
    before = (None, *trend.points[:-1])
    rows = [
        _cells(trend.metric, point, old, wide=wide)
        for point, old in zip(trend.points, before, strict=True)
    ]
    where = ("date", "commit", "branch") if wide else ()
    header = tuple(styled(name) for name in ("run", *where, "outcome", _name(trend), "change"))
    widths = [max(cell.cell_len for cell in column) for column in zip(header, *rows, strict=True)]
    page.literal(styled(_row(page, header, widths), "dim"), indent=2)
    for row, point in zip(rows, trend.points, strict=True):
        page.literal(_row(page, row, widths), indent=2)
        if not wide:
            page.line(styled(_place(point), "dim"), indent=4, hang=2)
        changed = [one_line(each) for each in point.changed if not each.startswith("commit ")]
        if changed:
            page.line(clip("; ".join(changed), _MOST_CHANGES), indent=4, hang=2)
    if any(point.dirty for point in trend.points):
        page.line(styled("+ with uncommitted changes, or with --set", "dim"), indent=2)


def _cells(
    metric: str, point: TrendPoint, before: TrendPoint | None, *, wide: bool
) -> "tuple[Text, ...]":
    where: tuple[Text, ...] = ()
    if wide:
        moved = before is None or before.sha != point.sha
        commit = styled(_commit(point), "bold" if moved else "dim")
        where = (styled(point.at[:10]), commit, styled(_branch(point)))
    outcome = styled(_DASH) if point.outcome is None else mark(point.outcome)
    old = None if before is None else before.value
    return (
        styled(one_line(point.run)),
        *where,
        outcome,
        styled(_value(metric, point.value)),
        _change(metric, old, point.value),
    )


def _row(page: Page, cells: "Sequence[Text]", widths: Sequence[int]) -> "Text":
    """Cells side by side: words to the left of their columns, the two figures to the right."""
    row = styled("")
    for number, (cell, width) in enumerate(zip(cells, widths, strict=True)):
        blanks = " " * (width - cell.cell_len)
        row.append(" " * page.screen.gap if number else "")
        if number < len(cells) - 2:
            row.append_text(cell).append(blanks)
        else:
            row.append(blanks).append_text(cell)
    return row


def _place(point: TrendPoint) -> str:
    return "  ".join(each for each in (point.at[:10], _commit(point), _branch(point)) if each)


def _commit(point: TrendPoint) -> str:
    return (point.sha or "no git")[:7] + ("+" if point.dirty else "")


def _branch(point: TrendPoint) -> str:
    branch = one_line(point.branch or "")
    return branch if len(branch) <= _LONGEST_BRANCH else f"{branch[: _LONGEST_BRANCH - 1]}…"


def _name(trend: Trend) -> str:
    return trend.metric if trend.slice is None else f"slice {one_line(trend.slice)}"


def _value(metric: str, value: float | None) -> str:
    if value is None:
        return _DASH
    return figures.percent(value) if metric in RATES else figures.metric(metric, value)


def _change(metric: str, before: float | None, after: float | None) -> "Text":
    """Against the run before: in points for a rate, in percent for an amount."""
    if before is None or after is None:
        return styled("")
    if before == after:
        return styled("=", "dim")
    if metric in RATES:
        text = figures.points(after - before, signed=True)
    elif before == 0:
        return styled("")
    else:
        text = figures.change((after - before) / before)
    less_is_better = metric in _LESS_IS_BETTER or metric not in RATES
    better = (after < before) is less_is_better
    return styled(text, "green" if better else "red")
