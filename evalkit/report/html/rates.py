"""Pass rates by slice and by scorer, both sides' figures, and why attempts failed."""

from collections import Counter
from collections.abc import Sequence

from evalkit.records.attempt import FAILURE_MODES
from evalkit.records.comparison import SuiteComparison
from evalkit.report.html.element import Markup, element, join
from evalkit.report.html.table import figures_table
from evalkit.report.side_rows import side_rows
from evalkit.report.suite_block import legend
from evalkit.report.suite_rows import SCORER_HEADER, SLICE_HEADER, scorer_cells, slice_cells

_FOLDED = 14


def rates(suite: SuiteComparison) -> Markup:
    """The tables of one suite."""
    return element(
        "div",
        _sides(suite),
        _slices(suite),
        _scorers(suite),
        _failure_modes(suite),
        class_="tables",
    )


def _sides(suite: SuiteComparison) -> Markup:
    rows = side_rows(suite)
    if suite.before is None:
        header: Sequence[str] = ("", suite.after.label)
        cells: list[tuple[str, ...]] = [(what, new) for what, _, new, _ in rows]
    else:
        header = ("", suite.before.label, suite.after.label, "change")
        cells = list(rows)
    title = "Both sides" if suite.before else "This run"
    return figures_table(title, header, cells, class_="both")


def _slices(suite: SuiteComparison) -> Markup | None:
    if not suite.slices:
        return None
    rates = (suite.overall, *suite.slices)
    header: tuple[str, ...] = ("slice", *SLICE_HEADER[1:], "")
    rows = [(*slice_cells(row), _bar(row.before_rate, row.after_rate)) for row in rates]
    return _foldable("Pass rate by slice", _one_sided(suite, header, rows), legend(suite))


def _scorers(suite: SuiteComparison) -> Markup | None:
    if not suite.scorers:
        return None
    header: tuple[str, ...] = (*SCORER_HEADER, "")
    rows = [
        (*cells, _bar(row.before_rate, row.after_rate))
        for row, cells in zip(suite.scorers, scorer_cells(suite), strict=True)
    ]
    return _foldable("Pass rate by scorer", _one_sided(suite, header, rows), "")


Table = tuple[tuple[str, ...], list[tuple[str, ...]]]


def _one_sided(
    suite: SuiteComparison, header: tuple[str, ...], rows: list[tuple[str, ...]]
) -> Table:
    """Without a baseline the columns that compare say nothing."""
    if suite.before is not None:
        return header, rows
    kept = (0, 1, 3, 7)
    named = {3: "pass rate"}
    return (
        tuple(named.get(column, header[column]) for column in kept),
        [tuple(row[column] for column in kept) for row in rows],
    )


def _foldable(caption: str, table: Table, foot: str) -> Markup:
    header, rows = table
    shown = figures_table(caption, header, rows[:_FOLDED], class_="with-bars")
    rest = None
    if rows[_FOLDED:]:
        more = figures_table(
            f"{caption}, the rest", header, rows[_FOLDED:], class_="with-bars", hidden_caption=True
        )
        rest = element("details", element("summary", f"{len(rows) - _FOLDED} more"), more)
    return element("div", shown, rest, element("p", foot, class_="legend") if foot else None)


def _bar(before: float | None, after: float | None) -> Markup:
    """Both rates on an axis from 0 to 100 %: a ring before, a dot after. The cells say the same."""
    shapes = [element("line", class_="rail", x1="0%", x2="100%", y1=8, y2=8)]
    if before is not None and after is not None:
        ends = {"x1": f"{100 * before:.2f}%", "x2": f"{100 * after:.2f}%"}
        shapes.append(element("line", class_="move", y1=8, y2=8, **ends))
    if before is not None:
        shapes.append(element("circle", class_="before", cx=f"{100 * before:.2f}%", cy=8, r=4))
    if after is not None:
        shapes.append(element("circle", class_="after", cx=f"{100 * after:.2f}%", cy=8, r=4))
    return element("svg", shapes, class_="rate-bar", height=16, aria_hidden="true")


def _failure_modes(suite: SuiteComparison) -> Markup | None:
    """How often attempts failed for which reason, most often first."""
    sides = [side for side in (suite.before, suite.after) if side is not None]
    names = Counter[str]()
    for side in sides:
        names.update(side.failure_modes)
    if not names:
        return None
    rows = [
        (
            _mode_name(mode),
            *(f"{side.failure_modes.get(mode, 0):,}" for side in sides),
        )
        for mode, _ in names.most_common()
    ]
    header = ("", *(side.label for side in sides))
    return figures_table("Failure modes, in attempts", header, rows)


def _mode_name(mode: str) -> Markup:
    """The code with what it means, where it is a published one."""
    known = {str(each): words for each, words in FAILURE_MODES.items()}
    meaning = known.get(mode)
    return join(element("code", mode), element("small", f" {meaning}") if meaning else None)
