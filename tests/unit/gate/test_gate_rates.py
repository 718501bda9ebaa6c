"""Metrics that are rates: by the rule of a drop, over the cases they apply to."""

from collections.abc import Sequence

import pytest

from evalkit.gate import CaseResult, GateSettings, MetricSettings, TrialResult, decide_suite
from evalkit.records.verdict import Outcome, PartVerdict

FALLING = {
    "success_rate": "passed",
    "tool_call_accuracy": "tools_correct",
    "policy_compliance": "complied",
}
RISING = {"guardrail_rate": "guardrail", "judge_disagreement": "judges_disagree"}
Values = Sequence[bool | None]


def _trial(field: str, value: bool | None, passed: bool | None = True) -> TrialResult:
    given = {"passed": passed, field: value}
    return TrialResult(**given)  # type: ignore[arg-type]


def _cases(field: str, baseline: Values, candidate: Values) -> list[CaseResult]:
    return [
        CaseResult(
            case=str(i),
            baseline=(_trial(field, before),),
            candidate=(_trial(field, after),),
        )
        for i, (before, after) in enumerate(zip(baseline, candidate, strict=True))
    ]


def _metric(
    name: str, cases: list[CaseResult], limit: float = 3, policy: str = "escalate"
) -> PartVerdict:
    rising = name in RISING
    metric = MetricSettings(
        max_increase_pp=limit if rising else None, max_drop_pp=None if rising else limit
    )
    settings = GateSettings(
        max_drop_pp=None,
        min_pass_rate="0.001",
        metrics={name: metric},
        on_inconclusive=policy,  # type: ignore[arg-type]
    )
    return next(part for part in decide_suite("s", cases, settings).parts if part.kind == "metric")


@pytest.mark.parametrize(("name", "field"), [*FALLING.items(), *RISING.items()])
@pytest.mark.parametrize(
    ("bad", "outcome"),
    [(0, Outcome.PASS), (2, Outcome.PASS), (5, Outcome.INCONCLUSIVE), (6, Outcome.FAIL)],
)
def test_getting_worse_by_the_limit_fails_and_not_getting_worse_passes(
    name: str, field: str, bad: int, outcome: Outcome
) -> None:
    good = name in FALLING
    before = [good] * 200
    after = [not good] * bad + [good] * (200 - bad)
    part = _metric(name, _cases(field, before, after))
    assert part.outcome is outcome
    assert part.counts is not None and part.counts.b == bad
    # and getting better by as much passes
    assert _metric(name, _cases(field, after, before)).outcome is Outcome.PASS


@pytest.mark.parametrize("name", ["tool_call_accuracy", "policy_compliance", "judge_disagreement"])
def test_cases_to_which_a_rate_does_not_apply_are_left_out(name: str) -> None:
    field = {**FALLING, **RISING}[name]
    good = name in FALLING
    applying = _cases(field, [good] * 200, [not good] * 6 + [good] * 194)
    others = [
        CaseResult(
            case=f"other-{i}", baseline=(_trial(field, None),), candidate=(_trial(field, None),)
        )
        for i in range(800)
    ]
    part = _metric(name, applying + others)
    assert part.counts is not None
    assert (part.counts.cases, part.outcome) == (200, Outcome.FAIL)


def test_a_rate_that_applies_to_no_case_is_not_measured() -> None:
    none: list[bool | None] = [None] * 200
    part = _metric("tool_call_accuracy", _cases("tools_correct", none, none))
    assert part.outcome is Outcome.NOT_MEASURED
    assert "applies to no case" in part.message
    assert part.what_would_settle


def test_a_value_that_only_one_arm_has_is_unknown() -> None:
    before: list[bool | None] = [True] * 300
    after: list[bool | None] = [None] * 3 + [True] * 297
    part = _metric("tool_call_accuracy", _cases("tools_correct", before, after))
    assert part.counts is not None and part.counts.cases == 300
    assert part.unknown == 3
    assert (part.best, part.worst) == (Outcome.PASS, Outcome.PASS)
    assert part.counts.b == 3  # at worst


def test_an_arm_that_stopped_reporting_is_not_measured() -> None:
    before: list[bool | None] = [True] * 300
    part = _metric("tool_call_accuracy", _cases("tools_correct", before, [None] * 300))
    assert part.outcome is Outcome.NOT_MEASURED


def test_a_case_that_broke_down_in_both_arms_is_not_taken_for_one_that_does_not_apply() -> None:
    good: list[bool | None] = [True] * 200
    broken = CaseResult(
        case="broken",
        baseline=(TrialResult(passed=None),),
        candidate=(TrialResult(passed=None),),
    )
    part = _metric("tool_call_accuracy", [*_cases("tools_correct", good, good), broken])
    assert part.counts is not None
    assert (part.counts.cases, part.unknown) == (201, 2)


def test_success_rate_counts_what_passes() -> None:
    cases = [
        CaseResult(
            case=str(i),
            baseline=(TrialResult(passed=True),),
            candidate=(TrialResult(passed=i >= 10),),
        )
        for i in range(200)
    ]
    part = _metric("success_rate", cases)
    assert part.outcome is Outcome.FAIL
    assert part.message.startswith("The share of attempts that succeed went from 100 % to 95 %")


@pytest.mark.parametrize("name", ["success_rate", "guardrail_rate"])
def test_a_rate_that_could_not_get_worse_does_not_pass(name: str) -> None:
    field = {**FALLING, **RISING}[name]
    bad = name in RISING
    cases = _cases(field, [bad] * 300, [bad] * 300)
    rate = MetricSettings(max_increase_pp=3 if bad else None, max_drop_pp=None if bad else 3)
    settings = GateSettings(max_drop_pp=None, metrics={name: rate}, on_inconclusive="warn")
    verdict = decide_suite("s", cases, settings)
    assert [part.name for part in verdict.parts] == ["headroom", f"metric:{name}"]
    assert f"metric:{name}: the baseline passes 0 %" in verdict.parts[0].message
    assert verdict.outcome is Outcome.INCONCLUSIVE


def test_an_advisory_rate_without_headroom_does_not_gate() -> None:
    cases = _cases("complied", [False] * 300, [False] * 300)
    rate = MetricSettings(max_drop_pp=3, required=False)
    verdict = decide_suite("s", cases, GateSettings(metrics={"policy_compliance": rate}))
    assert verdict.outcome is Outcome.PASS
