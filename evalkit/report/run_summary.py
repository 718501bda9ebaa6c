"""`evalkit show RUN`: one stored run, from what was asked for to why it came out so."""

import sys
from collections.abc import Mapping

from evalkit.records.comparison import Comparison, SideSummary
from evalkit.records.run import RunRecord, StoredRun, SuiteRecord, Totals, VariantRecord
from evalkit.report.evidence import (
    SCRIPTED_NOTE,
    model_words,
    origin_words,
    origins_of,
    scripted_words,
)
from evalkit.report.figures import count, duration, percent, seconds, usd
from evalkit.report.screen import Page, Screen, screen_of, styled
from evalkit.report.structures import encode
from evalkit.report.terminal import put_next, put_verdict
from evalkit.report.untrusted import one_line

_LABEL = 11


def run_summary(run: StoredRun, comparison: Comparison, *, screen: Screen | None = None) -> str:
    """What did it do, what did it cost, why did it decide that; and what to type next."""
    page = Page(screen or screen_of(sys.stdout))
    record = run.record
    put_verdict(page, record, comparison)
    _put_request(page, record)
    sides = {
        (suite.suite, variant): side
        for suite in comparison.suites
        for variant, side in (("baseline", suite.before), ("candidate", suite.after))
    }
    for suite in record.suites:
        page.line()
        _put_suite(page, suite, sides)
    if scripted_words(origins_of(comparison)):
        page.line()
        page.labelled("scripted", SCRIPTED_NOTE, indent=0, style="yellow")
    page.line()
    page.line(styled("Why it came out so", "bold"))
    for reason in record.why or ("Nothing was decided.",):
        page.line(f"- {one_line(reason)}", indent=2, hang=2)
    for warning in record.warnings:
        page.labelled("warning", one_line(warning), width=_LABEL, style="yellow")
    page.line()
    put_next(page, run, comparison)
    return page.text()


def _put_request(page: Page, record: RunRecord) -> None:
    git = "no git"
    if record.git.sha:
        branch = f" on {record.git.branch}" if record.git.branch else ""
        dirty = ", with uncommitted changes" if record.git.dirty else ""
        git = f"{record.git.sha[:12]}{branch}{dirty}"
    rows = [
        ("run", f"{record.id}, {record.state}, evalkit {record.evalkit}"),
        ("started", f"{record.started_at}, took {duration(record.duration_s)}"),
        ("command", "evalkit " + " ".join(record.command) if record.command else ""),
        ("commit", git),
        ("changes", ", ".join(f"{key}={encode(value)}" for key, value in record.changes.items())),
        ("baseline", record.baseline or ""),
    ]
    for label, text in rows:
        if text:
            page.labelled(label, one_line(text), width=_LABEL)


def _put_suite(
    page: Page, suite: SuiteRecord, sides: Mapping[tuple[str, str], SideSummary | None]
) -> None:
    title = styled(one_line(suite.suite), "bold")
    owner = f", owner {suite.owner}" if suite.owner else ""
    trials = f", {count(suite.trials, 'trial')} each" if suite.trials > 1 else ""
    words = one_line(f"{count(suite.cases, 'case')} of {suite.golden}{trials}{owner}")
    page.line(title.append(f"  {words}", style="dim"), hang=2)
    for variant in suite.variants:
        page.line(styled(variant.variant, "bold"), indent=2)
        for label, text in _variant_rows(variant):
            page.labelled(label, one_line(text), indent=4, width=_LABEL)
        side = sides.get((suite.suite, variant.variant))
        for label, text in _did_rows(suite.totals_of(variant.variant), side):
            page.labelled(label, one_line(text), indent=4, width=_LABEL)


def _variant_rows(variant: VariantRecord) -> list[tuple[str, str]]:
    models = ", ".join(
        name if name == id_ else f"{name} ({id_})" for name, id_ in variant.models.items()
    )
    asked = model_words(models, variant.origins) or "no model"
    return [
        ("from", variant.source),
        ("asked", f"{asked}, prompt {variant.prompt}, route {variant.route}"),
    ]


def _did_rows(totals: Totals | None, side: SideSummary | None) -> list[tuple[str, str]]:
    rows = []
    if totals is not None:
        states = ", ".join(f"{number:,} {state}" for state, number in totals.states.items())
        modes = ", ".join(f"{number:,} {mode}" for mode, number in totals.failure_modes.items())
        rows.append(("attempts", f"{totals.attempts:,}: {states}" + (f" ({modes})" * bool(modes))))
        rate = totals.passed / totals.cases if totals.cases else None
        rows.append(("passed", f"{percent(rate)} of {count(totals.cases, 'case')}"))
        if totals.fallbacks or totals.guardrails:
            rows.append(
                ("policy", f"{totals.guardrails:,} guardrails, {totals.fallbacks:,} fallbacks")
            )
    if side is None:
        return rows
    amounts = side.amounts
    rows.append(("replies", origin_words(side.origins)))
    price = f"{usd(amounts.cost_usd)} list price, {usd(amounts.billed_usd)} billed"
    rows.append(
        ("cost", f"{amounts.input_tokens:,} tokens in, {amounts.output_tokens:,} out; {price}")
    )
    if amounts.latency_p50_s is not None:
        p95 = seconds(amounts.latency_p95_s)
        rows.append(("latency", f"{seconds(amounts.latency_p50_s)} median, {p95} p95"))
    return rows
