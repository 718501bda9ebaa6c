"""Both sides of a suite as rows of plain text: what they were, what passed, what they took."""

import re
from collections.abc import Sequence

from evalkit.records.comparison import Amounts, SideSummary, SuiteComparison
from evalkit.report.amounts import relative_change
from evalkit.report.evidence import model_words, origin_words
from evalkit.report.figures import change, percent, seconds, tokens, usd
from evalkit.report.suite_rows import rate_cells

Row = tuple[str, str, str, str]
PRODUCTION = "run production"  # what a replay holds a candidate against


def side_rows(suite: SuiteComparison, *, brief: bool = False) -> list[Row]:
    """(what, before, after, change): pass rate, tokens, cost, latency, where answers came from.

    `brief` is for a screen: sources short, and of the models only the one that was to answer where
    no other did. There is no change where an attempt has no result: the sides would be averages
    over other cases.
    """
    before, after = suite.before, suite.after
    source_of = _brief_source if brief else _source
    rows = [
        _names(_kind_of(before, after), before, after),
        _model_row(before, after, brief=brief),
        ("from", "" if before is None else source_of(before), source_of(after), ""),
        ("pass rate", *rate_cells(suite.overall)),
        *_amount_rows(before, after, whole=suite.overall.whole),
        (
            "replies",
            "" if before is None else _replies(before),
            origin_words(after.origins),
            "",
        ),
    ]
    if before is None:
        rows = [(what, "", value, "") for what, _, value, _ in rows]
    return [row for row in rows if _tells(row, rows)]


def _replies(side: SideSummary) -> str:
    """Where the answers came from: production's were given to its users."""
    if side.source == PRODUCTION:
        return f"{sum(side.origins.values()):,} in stored sessions"
    return origin_words(side.origins)


def _tells(row: Row, rows: Sequence[Row]) -> bool:
    """Whether a row says something: sources only where prompt and models are the same."""
    what, before, after, _ = row
    if what == "from":
        named = [each for each in rows if each[0] in ("prompt", "target", "models")]
        return bool(before or after) and all(each[1] == each[2] for each in named)
    if what in ("latency", "latency p95"):
        return any(side not in ("", "–") for side in (before, after))
    if what == "USD/pass":
        return any(side not in ("", "–", "$0", "no price") for side in (before, after))
    return bool(before or after)


def _names(what: str, before: SideSummary | None, after: SideSummary) -> Row:
    return what, "" if before is None else before.prompt, after.prompt, ""


def _kind_of(before: SideSummary | None, after: SideSummary) -> str:
    """A program is named by its words, a version of a prompt or an agent by `name@vN`."""
    names = [side.prompt for side in (before, after) if side is not None and side.prompt]
    return "prompt" if all(" " not in name for name in names) else "target"


def _source(side: SideSummary) -> str:
    return side.source


def _brief_source(side: SideSummary) -> str:
    """'working tree, target.prompt=…@v1' instead of the whole key and a name said above."""
    words = re.sub(r"^working tree with ", "working tree, ", side.source)
    words = re.sub(r"\bsuites\.[^.=\s]+\.", "", words)
    return words.replace(f"={side.prompt.partition('@')[0]}@", "=…@")


def _model_row(before: SideSummary | None, after: SideSummary, *, brief: bool) -> Row:
    """Names as routes give them; what was really called where only that differs."""
    old, new = {} if before is None else before.models, after.models
    ids = bool(before) and list(old) == list(new) and old != new
    if brief and not ids and not any(side.fallbacks for side in (before, after) if side):
        firsts = [dict(list(models.items())[:1]) for models in (old, new)]
        if before is None or (firsts[0] == firsts[1]) == (old == new):
            old, new = firsts
    old_names, new_names = (
        [id_ if ids else name for name, id_ in models.items()] for models in (old, new)
    )
    before_words = "" if before is None else model_words(", ".join(old_names), before.origins)
    return "models", before_words, model_words(", ".join(new_names), after.origins), ""


def _amount_rows(before: SideSummary | None, after: SideSummary, *, whole: bool) -> list[Row]:
    """Averages over attempts: the sides may have run other numbers of trials."""
    old, new = None if before is None else before.amounts, after.amounts

    def row(what: str, text_old: str, text_new: str, a: float | None, b: float | None) -> Row:
        return what, text_old, text_new, change(relative_change(a, b)) if old and whole else ""

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
            "" if old is None else _per_case(old),
            _per_case(new),
            None if old is None else old.cost_usd_per_attempt,
            new.cost_usd_per_attempt,
        ),
        row(
            "USD/pass",
            "" if old is None else _per_pass(old),
            _per_pass(new),
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


def _per_case(amounts: Amounts) -> str:
    return usd(amounts.cost_usd_per_attempt) if amounts.measured else percent(None)


def _per_pass(amounts: Amounts) -> str:
    if not amounts.measured:
        return percent(None)
    nothing = amounts.cost_usd is not None and not amounts.passed
    return "none passed" if nothing else usd(amounts.cost_usd_per_pass)
