"""`evalkit show RUN`: one stored run, from what was asked for to why it came out so."""

import sys
from collections import Counter, defaultdict
from collections.abc import Mapping

from evalkit.records.comparison import Comparison, SideSummary, SuiteComparison
from evalkit.records.run import RunRecord, StoredRun, SuiteRecord, Totals, VariantRecord
from evalkit.report.evidence import (
    SCRIPTED_NOTE,
    model_words,
    origin_words,
    origins_of,
    scripted_words,
)
from evalkit.report.figures import count, duration, percent, seconds, usd
from evalkit.report.judges import JudgeRow, suite_judge_rows
from evalkit.report.judging import judging_words
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
    compared = {suite.suite: suite for suite in comparison.suites}
    states: defaultdict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    for attempt in run.attempts:
        states[attempt.suite, attempt.variant][attempt.state] += 1
    for suite in record.suites:
        page.line()
        made = {each.variant: states[suite.suite, each.variant] for each in suite.variants}
        _put_suite(page, suite, made, compared.get(suite.suite))
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
    page: Page,
    suite: SuiteRecord,
    states: Mapping[str, Counter[str]],
    compared: SuiteComparison | None,
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
        made = states[variant.variant]
        totals = suite.totals_of(variant.variant)
        # the record of a run that was killed is as old as its start: its journal knows more
        told = totals if totals is not None and totals.attempts >= made.total() else None
        side = None if compared is None else _side_of(compared, variant.variant)
        rows = [*_attempt_rows(made, told, side), *_side_rows(compared, variant.variant)]
        for label, text in rows:
            page.labelled(label, one_line(text), indent=4, width=_LABEL)
    _put_judges(page, suite, compared)


def _put_judges(page: Page, suite: SuiteRecord, compared: SuiteComparison | None) -> None:
    """What judges said, and what they took apart from both sides."""
    rows = [] if compared is None else suite_judge_rows(compared)
    if compared is None and suite.judging is not None:
        rows = [JudgeRow("judging", judging_words(suite.judging))]
    if rows:
        page.line(styled("judges", "bold"), indent=2)
    for label, text, _ in rows:
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


def _side_of(compared: SuiteComparison, variant: str) -> SideSummary | None:
    return {"baseline": compared.before, "candidate": compared.after}.get(variant)


def _attempt_rows(
    made: Counter[str], totals: Totals | None, side: SideSummary | None
) -> list[tuple[str, str]]:
    """How attempts ended, from the record's `totals` or, without them, from the attempts."""
    states, modes = Counter[str](), Counter[str]()
    if totals is not None:
        states.update(totals.states)
        modes.update(totals.failure_modes)
    else:
        states.update(made)
        modes.update({} if side is None else side.failure_modes)
    ended = ", ".join(f"{number:,} {state}" for state, number in states.items())
    failed = ", ".join(f"{number:,} {mode}" for mode, number in modes.items())
    words = f"{states.total():,}: {ended}" if ended else "none was made"
    rows = [("attempts", words + (f" ({failed})" if failed else ""))]
    if totals is not None and (totals.fallbacks or totals.guardrails):
        words = f"{count(totals.guardrails, 'guardrail')}, {count(totals.fallbacks, 'fallback')}"
        rows.append(("policy", words))
    for rule, number in ({} if totals is None else totals.warned).items():
        rows.append(("shadow", f"{rule} would have acted on {count(number, 'attempt')}"))
    return rows


def _side_rows(compared: SuiteComparison | None, variant: str) -> list[tuple[str, str]]:
    """What passed, where replies came from, and what they cost."""
    if compared is None:
        return []
    rate = compared.overall
    side, share, known, planned = (
        (compared.before, rate.before_rate, rate.before_known, rate.before_planned)
        if variant == "baseline"
        else (compared.after, rate.after_rate, rate.after_known, rate.after_planned)
    )
    if side is None:
        return []
    of = f"{known:,} attempts with a result, of {planned:,}"
    if known == planned:
        of = count(planned, "attempt")
    amounts = side.amounts
    passed = f"{percent(share)} of {of}"
    if not known:
        passed = "not scored" if amounts.measured else "nothing has a result"
    price = f"{usd(amounts.cost_usd)} list price, {usd(amounts.billed_usd)} billed"
    rows = [
        ("passed", passed),
        ("replies", origin_words(side.origins)),
        ("cost", f"{amounts.input_tokens:,} tokens in, {amounts.output_tokens:,} out; {price}"),
    ]
    if amounts.latency_p50_s is not None:
        p95 = seconds(amounts.latency_p95_s)
        rows.append(("latency", f"{seconds(amounts.latency_p50_s)} median, {p95} p95"))
    return rows
