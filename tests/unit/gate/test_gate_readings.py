"""Plain values of an arm, and amounts that belong to live attempts only."""

import pytest

from evalkit.gate import (
    CaseResult,
    GateSettings,
    MetricSettings,
    TrialResult,
    decide_suite,
    measure_arm,
)
from evalkit.gate.settings import RATE_METRICS, RATIO_METRICS
from evalkit.records.verdict import Outcome, PartVerdict


def _latency(cases: list[CaseResult], name: str = "latency_s") -> PartVerdict:
    settings = GateSettings(metrics={name: MetricSettings(max_increase_pct=10)})
    return decide_suite("s", cases, settings).parts[-1]


def test_every_metric_and_the_pass_rate_have_a_value() -> None:
    assert set(measure_arm([])) == {"pass_rate", *RATIO_METRICS, *RATE_METRICS}
    assert set(measure_arm([]).values()) == {None}


def test_values_are_means_over_cases_of_the_means_over_attempts() -> None:
    often = (
        TrialResult(passed=True, cost_usd=1.0, tokens=10.0, guardrail=False, tools_correct=True),
        TrialResult(passed=False, cost_usd=3.0, tokens=30.0, guardrail=True, tools_correct=True),
    )
    once = (TrialResult(passed=True, cost_usd=4.0, tokens=40.0, guardrail=False),)
    lost = (TrialResult(passed=None),)
    values = measure_arm([often, once, lost, ()])
    assert values["pass_rate"] == values["success_rate"] == pytest.approx(0.75)
    assert values["cost_usd"] == pytest.approx(3.0)  # (2 + 4) / 2
    assert values["cost_usd_per_resolved"] == pytest.approx(4.0)  # (2 + 4) / (0.5 + 1)
    assert values["tokens_per_success"] == pytest.approx(40.0)
    assert values["guardrail_rate"] == pytest.approx(0.25)
    assert values["tool_call_accuracy"] == 1.0
    assert values["latency_s"] is values["time_to_resolution_s"] is None
    assert values["policy_compliance"] is values["judge_disagreement"] is None


def test_what_resolves_nothing_has_no_cost_per_resolved_case() -> None:
    values = measure_arm([(TrialResult(passed=False, cost_usd=1.0),)])
    assert (values["cost_usd"], values["cost_usd_per_resolved"]) == (1.0, None)


def test_the_values_are_those_that_the_gate_shows() -> None:
    def trial(i: int, k: int) -> TrialResult:
        return TrialResult(
            passed=(i + k) % 5 > 0, cost_usd=0.01 * (1 + i % 7 + k), latency_s=1.0 + i
        )

    cases = [
        CaseResult(
            case=str(i),
            baseline=tuple(trial(i, k) for k in range(2)),
            candidate=tuple(trial(i, k + 1) for k in range(3)),
        )
        for i in range(60)
    ]
    names = ("cost_usd_per_resolved", "cost_usd", "latency_s", "time_to_resolution_s")
    metrics = {name: MetricSettings(max_increase_pct=10) for name in names}
    verdict = decide_suite("s", cases, GateSettings(metrics=metrics))
    before = measure_arm([case.baseline for case in cases])
    after = measure_arm([case.candidate for case in cases])
    for part in verdict.parts[1:]:
        name = part.name.removeprefix("metric:")
        assert part.baseline_value == pytest.approx(before[name])
        assert part.candidate_value == pytest.approx(after[name])
    drop = verdict.parts[0]
    assert drop.baseline_rate == pytest.approx(before["pass_rate"])


def test_the_time_to_resolution_rises_with_what_is_not_resolved() -> None:
    def trial(passed: bool) -> tuple[TrialResult, ...]:
        return (TrialResult(passed=passed, latency_s=2.0),)

    cases = [
        CaseResult(case=str(i), baseline=trial(True), candidate=trial(i % 4 > 0))
        for i in range(200)
    ]
    assert _latency(cases).outcome is Outcome.PASS
    part = _latency(cases, "time_to_resolution_s")
    assert part.outcome is Outcome.FAIL
    assert (part.baseline_value, part.candidate_value) == (2.0, pytest.approx(8 / 3))


def test_banked_replays_beside_a_live_attempt_do_not_hide_its_latency() -> None:
    live = TrialResult(passed=True, latency_s=2.0)
    replay = TrialResult(passed=True)
    slow = TrialResult(passed=True, latency_s=3.0)
    cases = [
        CaseResult(case=str(i), baseline=(live, *[replay] * 9), candidate=(slow,))
        for i in range(100)
    ]
    part = _latency(cases)
    assert (part.baseline_value, part.outcome) == (2.0, Outcome.FAIL)
    replayed = [CaseResult(case=str(i), baseline=(replay,), candidate=(slow,)) for i in range(100)]
    assert _latency(replayed).outcome is Outcome.NOT_MEASURED


def test_an_attempt_that_broke_down_still_counts_against_the_latency() -> None:
    live, lost = TrialResult(passed=True, latency_s=2.0), TrialResult(passed=None)
    slowest = TrialResult(passed=True, latency_s=90.0)
    cases = [
        CaseResult(case=str(i), baseline=(live,), candidate=(live if i else lost,))
        for i in range(99)
    ]
    cases.append(CaseResult(case="slow", baseline=(slowest,), candidate=(slowest,)))
    part = _latency(cases)
    assert part.unknown == 1
    assert part.worst is not Outcome.PASS
    assert part.candidate_value is not None and part.candidate_value > (part.baseline_value or 0)


def test_a_case_tried_once_measures_what_it_does_with_a_second_trial_that_is_alike() -> None:
    trials = [
        TrialResult(passed=True, cost_usd=0.1, tokens=7, latency_s=0.3, guardrail=False),
        TrialResult(passed=False, cost_usd=0.7, tools_correct=False, complied=True),
        TrialResult(passed=None, guardrail=True),
    ]
    assert measure_arm([(each,) for each in trials]) == measure_arm(
        [(each,) * 2 for each in trials]
    )
