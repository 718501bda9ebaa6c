"""`evalkit plan`: a run before it runs, as text and as JSON."""

import sys
from collections import Counter
from collections.abc import Iterable, Sequence

import msgspec

from evalkit.records.plan import PlannedAttempt, PlannedJudging, PlannedSuite, RunPlan
from evalkit.records.planned import lacking
from evalkit.report.evidence import SCRIPTED_NOTE, origin_words
from evalkit.report.figures import count, percent, points, usd
from evalkit.report.screen import Page, Screen, screen_of, styled
from evalkit.report.untrusted import clip, one_line

PARTS = ("system", "examples", "documents", "tools", "input", "output")
_LABEL = 11
_MOST_MISSING = 5


def plan_json(plan: RunPlan, *, budget_usd: float | None = None, notes: Sequence[str] = ()) -> str:
    """The sums of every suite as indented JSON (`evalkit.plan/1`), without the single attempts."""
    value = {
        "schema": "evalkit.plan/1",
        "attempts": len(plan.attempts),
        "missing": len(lacking(plan.attempts)),
        "calls": sum(suite.calls for suite in plan.suites),
        "max_cost_usd": _sum([suite.max_cost_usd for suite in plan.suites]),
        "expected_cost_usd": _sum([suite.expected_cost_usd for suite in plan.suites]),
        "budget_usd": budget_usd,
        "drill": list(plan.drill),
        "notes": list(notes),
        "suites": [
            {
                **msgspec.to_builtins(suite),
                "tokens_by_variant": {
                    variant: suite.tokens_by_variant.get(variant, {}) for variant in suite.variants
                },
            }
            for suite in plan.suites
        ],
    }
    return msgspec.json.format(msgspec.json.encode(value), indent=2).decode()


def plan_text(
    plan: RunPlan,
    *,
    budget_usd: float | None = None,
    notes: Sequence[str] = (),
    recordable: bool = True,
    screen: Screen | None = None,
) -> str:
    """What a run would do, what it may cost, and what it could see; nothing was called.

    `recordable` tells that replies which are missing could be recorded.
    """
    page = Page(screen or screen_of(sys.stdout))
    calls = sum(suite.calls for suite in plan.suites)
    replayed = sum(suite.replayed for suite in plan.suites)
    title = styled(f"{count(len(plan.attempts), 'attempt')}", "bold")
    words = f": {count(calls, 'call')} to a provider, {replayed:,} replayed"
    if programs := sum(suite.programs for suite in plan.suites):
        words += f", {programs:,} by programs that make their own calls"
    missing = lacking(plan.attempts)
    if missing:
        _put_refusal(page, missing, recordable=recordable)
        words += f", {len(missing):,} missing"
    page.line(title.append(words))
    page.line(_usd_words(plan.suites, budget_usd))
    for suite in plan.suites:
        page.line()
        _put_suite(page, suite)
        _put_missing(page, [each for each in missing if each.suite == suite.suite])
    if notes:
        page.line()
    for words in notes:
        page.labelled("note", one_line(words), indent=0)
    for words in plan.drill:
        page.line()
        page.labelled("drill", one_line(words), indent=0, style="yellow")
    if any(suite.origins.get("scripted") for suite in plan.suites):
        page.line()
        page.labelled("scripted", SCRIPTED_NOTE, indent=0, style="yellow")
    return page.text()


def _put_refusal(page: Page, missing: Sequence[PlannedAttempt], *, recordable: bool) -> None:
    """What `evalkit run` would say instead of running, and what there is to do about it."""
    one = len(missing) == 1
    replies = "1 reply is not recorded" if one else f"{len(missing):,} replies are not recorded"
    line = styled("not measured: ", "bold red")
    verb, them = "run" if recordable else "replay", "it" if one else "them"
    line.append(f"{replies}, and `evalkit {verb}` refuses to start without {them}")
    page.line(line, hang=2)
    scripted = _suites_of(each for each in missing if each.origin == "scripted")
    recorded = _suites_of(each for each in missing if each.origin != "scripted")
    if recorded and recordable:
        words = f"evalkit record {recorded}; --prompt NAME@vN for a version that only --set names"
        page.labelled("record", words, indent=2)
    if scripted:
        words = (
            f"the replies to {scripted} by hand, into the scripts that are named below: a line "
            '{"case": …, "prompt": …, "reply": {"content": …}} each'
        )
        page.labelled("write", words, indent=2)
    page.labelled("or ask", "the model itself, with --live", indent=2)
    page.line()


def _suites_of(attempts: Iterable[PlannedAttempt]) -> str:
    return one_line(" ".join(dict.fromkeys(attempt.suite for attempt in attempts)))


def _usd_words(suites: Sequence[PlannedSuite], budget_usd: float | None) -> str:
    most = _sum([suite.max_cost_usd for suite in suites])
    if most is None:
        names = sorted({name for suite in suites for name in suite.unpriced_models})
        if not names:
            return "No one knows what it costs: programs make calls of their own"
        return f"No one knows what it costs: no price for {one_line(', '.join(names))}"
    expected = _sum([suite.expected_cost_usd for suite in suites])
    words = f"At most {usd(most)}, about {usd(expected)} expected"
    judging = [each.judging.max_cost_usd for each in suites if each.judging and each.judging.calls]
    if len(suites) > 1 or budget_usd is not None:
        known = _sum(judging)
        if judging:
            words += (
                f", and judging {'of unknown price' if known is None else f'{usd(known)} at most'}"
            )
    return words if budget_usd is None else f"{words}; the budget is {usd(budget_usd)}"


def _put_suite(page: Page, suite: PlannedSuite) -> None:
    title = styled(one_line(suite.suite), "bold")
    variants = len(suite.variants)
    words = (
        f"  {count(suite.cases, 'case')} × {count(variants, 'variant')} × "
        f"{count(suite.trials, 'trial')} = {suite.cases * variants * suite.trials:,} attempts"
    )
    page.line(title.append(words), hang=2)
    most = f", {suite.max_calls:,} at most in their loops" if suite.max_calls > suite.calls else ""
    by_programs = f", {suite.programs:,} attempts by a program" if suite.programs else ""
    page.labelled("calls", f"{suite.calls:,} to a provider{most}{by_programs}", width=_LABEL)
    there = origin_words(suite.origins) + (f", {suite.missing:,} missing" if suite.missing else "")
    page.labelled("replies", there, width=_LABEL)
    if suite.refused:
        words = f"{count(suite.refused, 'attempt')} stopped before any call"
        page.labelled("policy", words, width=_LABEL)
    page.labelled("USD", _usd_words([suite], None), width=_LABEL)
    if suite.judging is not None:
        page.labelled("judging", _judging_words(suite.judging), width=_LABEL)
    for label, words in _power(suite):
        page.labelled(label, words, width=_LABEL)
    _put_tokens(page, suite)


def _judging_words(judging: PlannedJudging) -> str:
    """What comes on top for judges; recorded ones are not asked."""
    if not judging.calls:
        return "by recorded verdicts: nobody is asked"
    most = (
        f"no price for {one_line(', '.join(judging.unpriced_models))}"
        if judging.max_cost_usd is None
        else f"about {usd(judging.max_cost_usd)} at most, beside the above"
    )
    return f"up to {judging.calls:,} questions, one for equal outputs; {most}"


def _power(suite: PlannedSuite) -> list[tuple[str, str]]:
    """What the suite can tell, and whether it has the cases that any pass needs."""
    rows = []
    if suite.max_trials is not None:
        more = "no price is known" if suite.escalation_usd is None else usd(suite.escalation_usd)
        rows.append(
            (
                "looks",
                f"again while it is open, up to {count(suite.max_trials, 'trial')} a case, inside "
                f"the budget (expected: {more} more)",
            )
        )
    if suite.detectable_drop is not None:
        flips = "" if suite.flip_share is None else percent(suite.flip_share)
        condition = f", if {flips} of cases flip by chance" if flips else ""
        rows.append(
            (
                "can see",
                f"a true drop of {points(suite.detectable_drop)} or more, in 80 % of runs"
                f"{condition}",
            )
        )
    elif suite.flip_share is not None:
        rows.append(("can see", "no drop, of any size: it has too few cases"))
    if suite.cases_to_pass is not None and suite.cases < suite.cases_to_pass:
        rows.append(
            (
                "cannot",
                f"pass: its margin needs at least {count(suite.cases_to_pass, 'case')}, even when "
                "nothing changed",
            )
        )
    return rows


def _put_tokens(page: Page, suite: PlannedSuite) -> None:
    """Upper bounds by part of the request, a column a variant."""
    columns = [Counter(suite.tokens_by_variant.get(each, {})) for each in suite.variants]
    names = list(dict.fromkeys([*PARTS, *(part for column in columns for part in column)]))
    rows = [
        [part, *(f"{column[part]:,}" for column in columns)]
        for part in names
        if any(column[part] for column in columns)
    ]
    if rows:
        rows.append(["together", *(f"{column.total():,}" for column in columns)])
        page.table(["tokens, at most", *suite.variants], rows)


def _put_missing(page: Page, attempts: Sequence[PlannedAttempt]) -> None:
    missing = sorted(attempts, key=lambda attempt: attempt.place)
    for number, attempt in enumerate(missing[:_MOST_MISSING]):
        # what there is to do about it stands after the semicolon, and once for all at the top
        lacking = (attempt.missing or "").partition("; ")[0]
        words = f"{attempt.variant} {attempt.case}: {clip(lacking, 200)}"
        page.labelled("" if number else "missing", one_line(words), width=_LABEL, style="red")
    if len(missing) > _MOST_MISSING:
        more = f"and {len(missing) - _MOST_MISSING:,} more replies that are not recorded"
        page.labelled("", more, width=_LABEL)


def _sum(costs: Sequence[float | None]) -> float | None:
    """The sum, None as soon as one part is not known."""
    known = [cost for cost in costs if cost is not None]
    return sum(known) if len(known) == len(costs) else None
