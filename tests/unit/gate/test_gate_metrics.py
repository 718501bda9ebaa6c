"""Metrics: what each pass costs may not rise, and what was not measured does not pass."""

import math
import random
from collections.abc import Sequence

import numpy as np
import pytest

from evalkit.gate import (
    CaseResult,
    GateSettings,
    MetricSettings,
    Rule,
    TrialResult,
    decide_suite,
    suite_exit_code,
)
from evalkit.gate.ratios import Arm, log_ratio_error
from evalkit.records.verdict import Outcome, PartVerdict


def _cases(
    baseline: Sequence[float | None],
    candidate: Sequence[float | None],
    passed: Sequence[tuple[bool, bool]] | None = None,
    per_group: int | None = None,
) -> list[CaseResult]:
    return [
        CaseResult(
            case=f"case-{i}",
            baseline=(TrialResult(passed=p[0], cost_usd=base),),
            candidate=(TrialResult(passed=p[1], cost_usd=cand),),
            group=None if per_group is None else f"group-{i // per_group}",
        )
        for i, (base, cand, p) in enumerate(
            zip(baseline, candidate, passed or [(True, True)] * len(baseline), strict=True)
        )
    ]


def _metric(
    cases: list[CaseResult],
    name: str = "cost_usd_per_resolved",
    limit: MetricSettings | None = None,
    rule: str = "statistical",
) -> PartVerdict:
    limits = limit or MetricSettings(max_increase_pct=10)
    settings = GateSettings(metrics={name: limits}, rule=Rule(rule))
    return decide_suite("support", cases, settings).parts[-1]


def _noisy(n: int, seed: int, factor: float = 1.0) -> list[float]:
    rng = random.Random(seed)
    return [0.01 * factor * rng.lognormvariate(0, 0.4) for _ in range(n)]


@pytest.mark.parametrize(
    ("factor", "outcome"),
    [(1.0, Outcome.PASS), (1.1, Outcome.INCONCLUSIVE), (1.3, Outcome.FAIL), (0.5, Outcome.PASS)],
)
def test_an_increase_is_judged_by_its_interval(factor: float, outcome: Outcome) -> None:
    before = _noisy(400, 1)
    after = [factor * cost for cost in _noisy(400, 2)]
    assert _metric(_cases(before, after)).outcome is outcome


@pytest.mark.parametrize(
    ("rule", "factor", "spread", "n"), [("strict", 1.09, 0.4, 400), ("simple", 1.12, 0.9, 30)]
)
def test_the_other_rules_fail_earlier(rule: str, factor: float, spread: float, n: int) -> None:
    before = _noisy(n, 1)
    after = [factor * cost * (1 + spread * (-1) ** i) for i, cost in enumerate(before)]
    total = factor * sum(before) / sum(after)
    cases = _cases(before, [cost * total for cost in after])
    assert _metric(cases).outcome is Outcome.INCONCLUSIVE
    assert _metric(cases, rule=rule).outcome is Outcome.FAIL


def test_resolving_fewer_cases_at_the_same_cost_costs_more_per_resolved_case() -> None:
    passed = [(True, i % 3 > 0) for i in range(300)]
    part = _metric(_cases([0.01] * 300, [0.01] * 300, passed))
    assert part.outcome is Outcome.FAIL
    assert part.estimate is not None
    assert part.estimate.drop == pytest.approx(0.5)


def test_the_interval_of_the_log_ratio_is_that_of_the_bootstrap() -> None:
    rng = np.random.default_rng(5)
    before, after = _noisy(250, 3), _noisy(250, 4)
    passed = [(bool(x), bool(y)) for x, y in rng.random((250, 2)) < 0.8]
    part = _metric(_cases(before, after, passed))
    draws = []
    costs, wins = np.array([before, after]).T, np.array(passed, dtype=float)
    for _ in range(4000):
        pick = rng.integers(0, 250, 250)
        value = costs[pick].sum(0) / wins[pick].sum(0)
        draws.append(math.log(value[1] / value[0]))
    low, high = np.expm1(np.quantile(draws, [0.05, 0.95]))
    assert part.estimate is not None
    assert part.estimate.lower == pytest.approx(low, abs=0.01)
    assert part.estimate.upper == pytest.approx(high, abs=0.01)


@pytest.mark.parametrize("per_group", [None, 1, 5])
def test_its_error_is_that_of_leaving_out_a_group_at_a_time(per_group: int | None) -> None:
    rng = np.random.default_rng(6)
    n = 60
    keys = None if per_group is None else [i // per_group for i in range(n)]
    amounts = rng.lognormal(0, 1, (2, n))
    units = rng.random((2, n)) < 0.7
    of_group = np.array(range(n) if keys is None else keys)
    without = []
    for group in range(of_group.max() + 1):
        kept = of_group != group
        before, after = amounts[:, kept].sum(1) / units[:, kept].sum(1)
        without.append(math.log(after / before))
    expected = math.sqrt((len(without) - 1) * np.var(without))
    arms = (
        Arm(tuple(a.tolist()), tuple(map(float, u))) for a, u in zip(amounts, units, strict=True)
    )
    assert log_ratio_error(*arms, keys) == pytest.approx(expected, rel=1e-9)


def test_an_arm_that_rests_on_one_case_settles_nothing() -> None:
    only_one = [(True, i == 0) for i in range(100)]
    for passed in (only_one, [(after, before) for before, after in only_one]):
        part = _metric(_cases([0.01] * 100, [0.01] * 100, passed))
        assert part.outcome is Outcome.INCONCLUSIVE
        assert part.estimate is not None
        assert part.estimate.lower == -1
        assert math.isfinite(part.estimate.upper)


def test_clustering_widens_the_interval() -> None:
    before = [0.01] * 400
    after = [0.01 * (1.4 if (i // 10) % 2 else 0.7) for i in range(400)]
    alone, grouped = _metric(_cases(before, after)), _metric(_cases(before, after, per_group=10))
    assert alone.estimate is not None and grouped.estimate is not None
    assert grouped.estimate.upper > alone.estimate.upper


def test_a_candidate_that_resolves_nothing_does_not_pass() -> None:
    part = _metric(_cases([0.01] * 100, [0.0] * 100, [(True, False)] * 100))
    assert part.outcome is Outcome.NOT_MEASURED  # which `on_inconclusive` never maps to a pass
    assert part.candidate_value is None
    assert part.what_would_settle is not None


def test_a_baseline_that_resolved_nothing_cannot_be_compared_with() -> None:
    part = _metric(_cases([0.01] * 100, [0.01] * 100, [(False, True)] * 100))
    assert part.outcome is Outcome.INCONCLUSIVE


def test_free_on_both_sides_passes_and_free_before_fails() -> None:
    assert _metric(_cases([0.0] * 100, [0.0] * 100)).outcome is Outcome.PASS
    assert _metric(_cases([0.0] * 100, [0.01] * 100)).outcome is Outcome.FAIL
    assert _metric(_cases([0.01] * 100, [0.0] * 100)).outcome is Outcome.PASS


def test_too_few_cases_cannot_tell() -> None:
    assert _metric(_cases([0.01] * 19, [0.01] * 19)).outcome is Outcome.INCONCLUSIVE
    assert _metric(_cases([0.01] * 20, [0.01] * 20)).outcome is Outcome.PASS
    assert _metric(_cases([0.01] * 100, [0.01] * 100, per_group=100)).outcome is (
        Outcome.INCONCLUSIVE
    )


def test_what_would_settle_a_metric_is_what_it_lacks() -> None:
    few = _metric(_cases([0.01] * 19, [0.01] * 19))
    assert few.what_would_settle == "At least 20 independent cases."
    unresolved = _metric(_cases([0.01] * 100, [0.01] * 100, [(False, True)] * 100))
    assert "A baseline that resolves" in (unresolved.what_would_settle or "")
    wide = _metric(_cases(_noisy(60, 1), _noisy(60, 2)))
    assert wide.outcome is Outcome.INCONCLUSIVE
    assert "cases (or more trials) pass in 80 %" in (wide.what_would_settle or "")


@pytest.mark.parametrize(
    ("costs", "held"),
    [
        ((2.1, 1.9), True),  # twice as dear in every case
        ((1.08, 1.04), False),  # within the limit
        ((2.5, 0.3), False),  # past it, and as noisy
    ],
)
def test_too_few_cases_that_all_cost_more_are_not_waved_through(
    costs: tuple[float, float], held: bool
) -> None:
    cases = _cases([1.0] * 12, costs * 6)
    settings = GateSettings(
        max_drop_pp=None,
        metrics={"cost_usd": MetricSettings(max_increase_pct=10)},
        on_inconclusive="warn",
    )
    verdict = decide_suite("support", cases, settings)
    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert verdict.parts[0].held is held
    assert suite_exit_code(verdict) == (3 if held else 0)


def test_amounts_too_small_to_average_raise_nothing() -> None:
    tiny = 5e-324
    part = _metric(_cases([tiny] * 30, [1e6] * 30), "cost_usd")
    assert part.outcome is Outcome.FAIL
    assert part.estimate is not None and math.isfinite(part.estimate.drop)


def test_costs_that_were_not_measured_do_not_pass() -> None:
    none: list[float | None] = [None] * 100
    assert _metric(_cases(none, none)).outcome is Outcome.NOT_MEASURED
    some: list[float | None] = [*[0.01] * 97, *[None] * 3]
    few: list[float | None] = [*[0.01] * 98, *[None] * 2]
    ones: list[float | None] = [0.01] * 100
    assert _metric(_cases(ones, none)).outcome is Outcome.NOT_MEASURED
    assert _metric(_cases(some, some)).outcome is Outcome.NOT_MEASURED
    assert _metric(_cases(few, few)).outcome is Outcome.PASS


def test_a_missing_cost_counts_as_the_largest_seen() -> None:
    costs: list[float | None] = [*[0.01] * 99, 0.4]
    lost: list[float | None] = [*[0.01] * 98, None, 0.4]
    part = _metric(_cases(costs, lost))
    assert part.worst is not Outcome.PASS
    assert part.outcome is Outcome.INCONCLUSIVE


@pytest.mark.parametrize("name", ["tokens_per_success", "tokens", "latency_s"])
def test_tokens_and_latency_gate_like_cost(name: str) -> None:
    def trial(amount: float) -> tuple[TrialResult, ...]:
        return (TrialResult(passed=True, tokens=amount, latency_s=amount),)

    def cases(factor: float) -> list[CaseResult]:
        return [
            CaseResult(case=str(i), baseline=trial(50.0 + i), candidate=trial(factor * (50 + i)))
            for i in range(100)
        ]

    assert _metric(cases(1.0), name).outcome is Outcome.PASS
    assert _metric(cases(1.2), name).outcome is Outcome.FAIL


def test_the_guardrail_rate_meets_the_rule_of_a_drop() -> None:
    def cases(triggers: int) -> list[CaseResult]:
        return [
            CaseResult(
                case=str(i),
                baseline=(TrialResult(passed=True, guardrail=False),),
                candidate=(TrialResult(passed=True, guardrail=i < triggers),),
            )
            for i in range(200)
        ]

    limit = MetricSettings(max_increase_pp=3)
    assert _metric(cases(0), "guardrail_rate", limit).outcome is Outcome.PASS
    assert _metric(cases(4), "guardrail_rate", limit).outcome is Outcome.INCONCLUSIVE
    assert _metric(cases(6), "guardrail_rate", limit).outcome is Outcome.FAIL
    unmeasured = _cases([0.01] * 200, [0.01] * 200)
    assert _metric(unmeasured, "guardrail_rate", limit).outcome is Outcome.NOT_MEASURED


@pytest.mark.parametrize("amount", [-0.01, math.nan, math.inf])
def test_an_impossible_amount_is_refused(amount: float) -> None:
    with pytest.raises(ValueError, match="cost_usd"):
        TrialResult(passed=True, cost_usd=amount)
