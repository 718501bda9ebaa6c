"""`evalkit plan --power`: what suites of other sizes could tell, as text and as JSON."""

import sys
from collections.abc import Sequence

import msgspec

from evalkit.records.power import PowerForecast, PowerRow, SuitePower
from evalkit.report.figures import count, percent, points, usd
from evalkit.report.screen import Page, Screen, screen_of, styled
from evalkit.report.untrusted import one_line

_WIDTHS = (8, 6, 9, 9, 9, 10)


def power_json(suites: Sequence[SuitePower]) -> str:
    """The forecasts as indented JSON: `evalkit.power/1`, a list under `suites`."""
    value = msgspec.json.encode(PowerForecast(suites=tuple(suites)))
    return msgspec.json.format(value, indent=2).decode()


def power_text(suites: Sequence[SuitePower], *, screen: Screen | None = None) -> str:
    """For each suite its flip rate and a table of sizes; nothing was called."""
    page = Page(screen or screen_of(sys.stdout))
    for number, suite in enumerate(suites):
        if number:
            page.line()
        _put_suite(page, suite)
    return page.text()


def _put_suite(page: Page, suite: SuitePower) -> None:
    margin, power = points(suite.margin), percent(suite.power)
    title = styled(one_line(suite.suite), "bold")
    cases = count(suite.cases, "independent case")
    page.line(title.append(f"  {cases}, margin {margin}, alpha {suite.alpha:g} an end"), hang=2)
    flips = (
        f"{percent(suite.noise)} of cases between identical runs, {one_line(suite.noise_source)}"
    )
    page.labelled("flips", flips, indent=2)
    page.line()
    drop = "" if suite.drop is None else f"FAIL at {points(suite.drop)}"
    page.line(_row(("cases", "trials", "sees", "PASS", drop, "cost")), indent=2)
    for row in suite.rows:
        page.line(_row(_cells(row)) + f"  {_why(row, suite)}".rstrip(), indent=2, hang=4)
    page.line()
    page.labelled(
        "sees",
        f"the smallest true drop that fails in {power} of runs. PASS is the chance that an "
        "unchanged candidate passes. Cost is the expected list price of one run of both arms.",
        indent=2,
    )
    if any(row.trials != suite.rows[0].trials for row in suite.rows):
        page.labelled(
            "trials",
            "more of them need a live model: a recording or a script that is replayed is never a "
            "new trial.",
            indent=2,
        )
    page.labelled(
        "needs",
        f"{suite.minimum_cases:,} cases to pass at all; a true drop of just {margin} stays "
        "undecided at any size.",
        indent=2,
    )


def _cells(row: PowerRow) -> tuple[str, ...]:
    return (
        f"{row.cases:,}",
        f"{row.trials}",
        "nothing" if row.detectable_drop is None else points(row.detectable_drop),
        percent(row.pass_chance),
        "" if row.fail_chance is None else percent(row.fail_chance),
        "no price" if row.cost_usd is None else usd(row.cost_usd),
    )


def _row(cells: Sequence[str]) -> str:
    return " ".join(
        cell.rjust(width) for cell, width in zip(cells, _WIDTHS, strict=True) if cell or width > 9
    )


def _why(row: PowerRow, suite: SuitePower) -> str:
    power = percent(suite.power)
    if row.reason == "now":
        return "as it is" if row.trials == suite.rows[0].trials else "with the cases it has"
    if row.reason == "to_pass":
        return f"to pass in {power} if nothing changed"
    return f"to fail in {power} at {points(suite.drop or 0.0)}"
