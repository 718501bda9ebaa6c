"""A suite's figures as rows of plain text; the terminal and Markdown lay the same rows out."""

from collections.abc import Sequence

from evalkit.records.comparison import SideSummary, SliceRow, SuiteComparison
from evalkit.records.verdict import PartVerdict
from evalkit.report.amounts import relative_change
from evalkit.report.evidence import model_words, origin_words
from evalkit.report.figures import (
    change,
    count,
    p_value,
    percent,
    points,
    quantity,
    seconds,
    tokens,
    usd,
)

Row = tuple[str, str, str, str]


def side_rows(suite: SuiteComparison) -> list[Row]:
    """(what, before, after, change): pass rate, tokens, cost, latency, where answers came from."""
    before, after = suite.before, suite.after
    rate = suite.overall
    moved = ""
    if rate.before_rate is not None:
        moved = points(rate.after_rate - rate.before_rate, signed=True)
    rows = [
        _names("prompt", before, after),
        _model_row(before, after),
        ("from", "" if before is None else before.source, after.source, ""),
        ("pass rate", percent(rate.before_rate), percent(rate.after_rate), moved),
        *_amount_rows(before, after),
        (
            "replies",
            "" if before is None else origin_words(before.origins),
            origin_words(after.origins),
            "",
        ),
    ]
    if before is None:
        rows = [(what, "", value, "") for what, _, value, _ in rows]
    return [row for row in rows if _tells(row, rows)]


def _tells(row: Row, rows: Sequence[Row]) -> bool:
    """Whether a row says something: sources only where prompt and models are the same."""
    what, before, after, _ = row
    if what == "from":
        named = [each for each in rows if each[0] in ("prompt", "models")]
        return bool(before or after) and all(each[1] == each[2] for each in named)
    if what in ("latency", "latency p95"):
        return any(side not in ("", "–") for side in (before, after))
    if what == "USD/pass":
        return any(side not in ("", "$0", "no price") for side in (before, after))
    return bool(before or after)


def _names(what: str, before: SideSummary | None, after: SideSummary) -> Row:
    return what, "" if before is None else before.prompt, after.prompt, ""


def _model_row(before: SideSummary | None, after: SideSummary) -> Row:
    """Names as routes give them; what was really called where only that differs."""
    old = {} if before is None else before.models
    ids = bool(before) and list(old) == list(after.models) and old != after.models
    old_names, new_names = (
        [id_ if ids else name for name, id_ in models.items()] for models in (old, after.models)
    )
    before_words = "" if before is None else model_words(", ".join(old_names), before.origins)
    return "models", before_words, model_words(", ".join(new_names), after.origins), ""


def _amount_rows(before: SideSummary | None, after: SideSummary) -> list[Row]:
    """Averages over attempts: the sides may have run other numbers of trials."""
    old, new = None if before is None else before.amounts, after.amounts

    def row(what: str, text_old: str, text_new: str, a: float | None, b: float | None) -> Row:
        return what, text_old, text_new, change(relative_change(a, b)) if old else ""

    return [
        row(
            "tokens/case",
            tokens(None if old is None else old.tokens_per_attempt),
            tokens(new.tokens_per_attempt),
            None if old is None else old.tokens_per_attempt,
            new.tokens_per_attempt,
        ),
        row(
            "USD/case",
            "" if old is None else usd(old.cost_usd_per_attempt),
            usd(new.cost_usd_per_attempt),
            None if old is None else old.cost_usd_per_attempt,
            new.cost_usd_per_attempt,
        ),
        row(
            "USD/pass",
            "" if old is None else _per_pass(old.cost_usd, old.cost_usd_per_pass),
            _per_pass(new.cost_usd, new.cost_usd_per_pass),
            None if old is None else old.cost_usd_per_pass,
            new.cost_usd_per_pass,
        ),
        row(
            "latency",
            seconds(None if old is None else old.latency_p50_s),
            seconds(new.latency_p50_s),
            None if old is None else old.latency_p50_s,
            new.latency_p50_s,
        ),
        row(
            "latency p95",
            seconds(None if old is None else old.latency_p95_s),
            seconds(new.latency_p95_s),
            None if old is None else old.latency_p95_s,
            new.latency_p95_s,
        ),
    ]


def _per_pass(cost_usd: float | None, per_pass: float | None) -> str:
    return "none passed" if cost_usd is not None and per_pass is None else usd(per_pass)


def drop_rows(part: PartVerdict) -> list[tuple[str, str]]:
    """(what, words) of a drop: the drop with its interval, the paired table, what can be seen."""
    rows = []
    if part.estimate is not None:
        level = "" if part.alpha is None else f"{round(100 * (1 - 2 * part.alpha))} % "
        drop = part.estimate.drop
        rows.append(
            (
                "drop" if drop >= 0 else "gain",
                f"{points(abs(drop), beside=part.margin)}; {level}interval of the drop "
                f"{points(part.estimate.lower, beside=0)} to "
                f"{points(part.estimate.upper, beside=part.margin)}"
                + ("" if part.margin is None else f"; the margin is {points(part.margin)}"),
            )
        )
    table = part.counts
    if table is not None:
        words = (
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


def slice_cells(row: SliceRow) -> tuple[str, ...]:
    """A row of the slice table."""
    moved = "" if row.before_rate is None else _moved(row.before_rate, row.after_rate)
    cases = f"{row.cases:,}" + (f" ({row.unknown} ?)" if row.unknown else "")
    return (
        row.tag,
        cases,
        percent(row.before_rate),
        percent(row.after_rate),
        moved,
        quantity(row.b),
        quantity(row.c),
    )


def scorer_cells(suite: SuiteComparison) -> list[tuple[str, ...]]:
    """The rows of the scorer table; advisory scorers and errors say so."""
    rows: list[tuple[str, ...]] = []
    for row in suite.scorers:
        name = row.scorer if row.gate else f"{row.scorer} (advisory)"
        if row.errors:
            name += f" ({count(row.errors, 'error')})"
        moved = ""
        if row.before_rate is not None and row.after_rate is not None:
            moved = _moved(row.before_rate, row.after_rate)
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


def _moved(before: float, after: float) -> str:
    return points(after - before, signed=True)
