"""What was decided about a suite, its slices and its scorers, as rows of plain text.

The terminal and Markdown lay the same rows out.
"""

from evalkit.records.comparison import SliceRow, SuiteComparison
from evalkit.records.verdict import Outcome, PartVerdict
from evalkit.report.figures import count, p_value, percent, points, quantity


def suite_notes(suite: SuiteComparison) -> tuple[str, ...]:
    """What the run and the gate note; of no baseline only the run's note, which says why."""
    if suite.verdict is None or (suite.before is None and suite.notes):
        return suite.notes
    return tuple(dict.fromkeys((*suite.verdict.notes, *suite.notes)))


def drop_rows(part: PartVerdict, *, unknown: int = 0) -> list[tuple[str, str]]:
    """(what, words) of a drop: the drop with its interval, the paired table, what can be seen.

    With `unknown` cases without a result the figures are the gate's worst case, and say so; of an
    incomplete part there are none, because they would show a regression that nobody measured.
    """
    if part.outcome is Outcome.INCOMPLETE:
        return []
    worst = " at worst, counting what has no result against the candidate" if unknown else ""
    rows = []
    if part.estimate is not None:
        level = "" if part.alpha is None else f"{round(100 * (1 - 2 * part.alpha))} % "
        drop = part.estimate.drop
        rows.append(
            (
                "drop" if drop >= 0 else "gain",
                f"{points(abs(drop), beside=part.margin)}{worst}; {level}interval of the drop "
                f"{points(part.estimate.lower, beside=0)} to "
                f"{points(part.estimate.upper, beside=part.margin)}"
                + ("" if part.margin is None else f"; the margin is {points(part.margin)}"),
            )
        )
    table = part.counts
    if table is not None:
        words = "at worst " if unknown else ""
        words += (
            f"b = {quantity(table.b)} newly failing, c = {quantity(table.c)} newly passing, "
            f"n = {count(table.cases, 'case')}"
        )
        if table.groups != table.cases:
            words += f" in {count(table.groups, 'group')}"
        if part.mcnemar_p is not None:
            words += f"; exact {p_value(part.mcnemar_p)}"
        elif part.p_value is not None:
            words += f"; {p_value(part.p_value)}"
        rows.append(("cases", words))
    if part.detectable_drop is not None:
        rows.append(
            ("can see", f"a true drop of {points(part.detectable_drop)} or more, in 80 % of runs")
        )
    return rows


SLICE_HEADER = ("slice", "cases", "before", "after", "change", "b", "c")
SCORER_HEADER = ("scorer", "applied", "before", "after", "change", "b", "c")


def failure_rows(suite: SuiteComparison) -> list[tuple[str, str]]:
    """(code, '3 → 15') of every failure mode that an attempt of either side has, worst first.

    Attempts are counted, errors included; without a baseline the number stands alone.
    """
    after = suite.after.failure_modes
    if suite.before is None:
        return [(mode, f"{number:,}") for mode, number in after.items()]
    before = suite.before.failure_modes
    modes = sorted(
        {*before, *after}, key=lambda mode: (-after.get(mode, 0), -before.get(mode, 0), mode)
    )
    return [(mode, f"{before.get(mode, 0):,} → {after.get(mode, 0):,}") for mode in modes]


def slice_cells(row: SliceRow) -> tuple[str, ...]:
    """A row of the slice table."""
    cases = f"{row.cases:,}" + (f" ({row.unknown} ?)" if row.unknown else "")
    return (row.tag, cases, *rate_cells(row), quantity(row.b), quantity(row.c))


def rate_cells(row: SliceRow) -> tuple[str, str, str]:
    """The pass rate before, after, and the change, which there is where no result is unknown.

    A rate that is not over every attempt says over how many it is: '95.0 % of 20'.
    """
    moved = ""
    if row.before_rate is not None and row.after_rate is not None and row.whole:
        moved = points(row.after_rate - row.before_rate, signed=True)
    return (
        _rate_words(row.before_rate, row.before_known, row.before_planned),
        _rate_words(row.after_rate, row.after_known, row.after_planned),
        moved,
    )


def _rate_words(rate: float | None, known: int, planned: int) -> str:
    return percent(rate) + (f" of {known:,}" if rate is not None and known != planned else "")


def scorer_cells(suite: SuiteComparison) -> list[tuple[str, ...]]:
    """The rows of the scorer table; judges, advisory scorers and errors say so.

    A judge's rates are as it sees them: its part of the verdict corrects them.
    """
    rows: list[tuple[str, ...]] = []
    for row in suite.scorers:
        name = row.scorer
        if row.kind == "judge":
            name += " (judge, decides apart)" if row.apart else " (judge, advisory)"
        elif not row.gate:
            name += " (advisory)"
        if row.errors:
            name += f" ({count(row.errors, 'error')})"
        moved = ""
        if row.before_rate is not None and row.after_rate is not None and suite.overall.whole:
            moved = points(row.after_rate - row.before_rate, signed=True)
        rows.append(
            (
                name,
                f"{row.after_applied:,}",
                percent(row.before_rate),
                percent(row.after_rate),
                moved,
                quantity(row.b),
                quantity(row.c),
            )
        )
    return rows
