"""What holds for every table of results, however odd."""

from collections.abc import Sequence

import msgspec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from evalkit.gate import (
    CaseResult,
    GateSettings,
    MetricSettings,
    Rule,
    SliceSettings,
    TrialResult,
    apply_waivers,
    decide_looks,
    decide_suite,
    decide_verdict,
    more_trials_help,
    plan_looks,
    suite_exit_code,
)
from evalkit.gate.intervals import drop_interval, tango
from evalkit.records.verdict import OnInconclusive, Outcome, Quarantined, Verdict, Waiver

# a result is bad news in this order
BADNESS = {
    Outcome.PASS: 0,
    Outcome.INCONCLUSIVE: 1,
    Outcome.NOT_MEASURED: 1,
    Outcome.INCOMPLETE: 1,
    Outcome.FAIL: 2,
}
RULES = st.sampled_from(Rule)
LOOKS = plan_looks(trials=1, alpha=0.05, max_trials=4)
many = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True
)


@st.composite
def counts(draw: st.DrawFn) -> tuple[int, int, int]:
    """b, c, n of a paired table."""
    n = draw(st.integers(1, 3000))
    b = draw(st.integers(0, n))
    return b, draw(st.integers(0, n - b)), n


@st.composite
def trials(draw: st.DrawFn) -> tuple[TrialResult, ...]:
    """An arm of a case: up to three attempts of any kind."""
    amount = st.none() | st.floats(0, 1e6)
    attempt = st.builds(
        TrialResult,
        passed=st.sampled_from([True, True, False, None]),
        cost_usd=amount,
        tokens=amount,
        latency_s=amount,
        guardrail=st.sampled_from([None, False, True]),
        tools_correct=st.sampled_from([None, None, False, True]),
        complied=st.sampled_from([None, False, True]),
        judges_disagree=st.sampled_from([None, False, True]),
        violations=st.sampled_from([(), (), ("pii",)]),
    )
    return tuple(draw(st.lists(attempt, max_size=3)))


@st.composite
def suites(draw: st.DrawFn) -> list[CaseResult]:
    """A handful of odd cases, some of them many times over."""
    cases = []
    for i in range(draw(st.integers(0, 6))):
        case = CaseResult(
            case=str(i),
            baseline=draw(trials()),
            candidate=draw(trials()),
            anchor=draw(trials()),
            group=draw(st.sampled_from([None, "a", "b"])),
            tags=draw(st.sampled_from([(), ("x",), ("x", "y")])),
        )
        copies = draw(st.sampled_from([1, 1, 100]))
        cases += [replace(case, case=f"{i}-{k}") for k in range(copies)]
    return cases


@st.composite
def single_runs(draw: st.DrawFn) -> list[CaseResult]:
    """One run per arm, no groups, near the sizes where verdicts turn; at most a few unknown."""
    b, c = draw(st.integers(0, 9)), draw(st.integers(0, 9))
    both, neither = draw(st.integers(60, 220)), draw(st.integers(0, 40))
    lost = draw(st.integers(0, 3))
    kinds: list[tuple[bool | None, bool | None]] = [
        *[(True, True)] * both,
        *[(True, False)] * b,
        *[(False, True)] * c,
        *[(False, False)] * neither,
        *[(True, None)] * lost,
        *[(None, True)] * draw(st.integers(0, 2)),
    ]
    return [
        CaseResult(
            case=str(i),
            baseline=(TrialResult(passed=base),),
            candidate=(TrialResult(passed=cand),),
        )
        for i, (base, cand) in enumerate(kinds)
    ]


def _decide(cases: Sequence[CaseResult], rule: Rule, floor: str | None = None) -> Outcome:
    gate = GateSettings(rule=rule, min_pass_rate=floor, max_error_share="0.1")
    return decide_suite("s", cases, gate).outcome


def _with_candidate(
    cases: Sequence[CaseResult], index: int, passed: bool | None
) -> list[CaseResult]:
    changed = list(cases)
    changed[index] = replace(cases[index], candidate=(TrialResult(passed=passed),))
    return changed


@many
@given(counts(), st.sampled_from([0.05, 0.01, 0.025, 0.2]))
def test_tango_holds_the_drop_and_mirrors_when_the_arms_swap(
    table: tuple[int, int, int], alpha: float
) -> None:
    b, c, n = table
    lower, upper = tango(b, c, n, alpha)
    assert -1 <= lower <= (b - c) / n <= upper <= 1
    assert tango(c, b, n, alpha) == (-upper, -lower)


@many
@given(st.lists(st.tuples(st.sampled_from([-1, -0.5, 0, 0.25, 1]), st.integers(0, 5)), min_size=1))
def test_a_clustered_interval_holds_the_drop_and_mirrors(rows: list[tuple[float, int]]) -> None:
    differences, groups = [float(d) for d, _ in rows], [g for _, g in rows]
    interval = drop_interval(differences, groups, 0.05, one_run=False)
    mirrored = drop_interval([-d for d in differences], groups, 0.05, one_run=False)
    assert -1 <= interval.lower <= interval.drop <= interval.upper <= 1
    assert (mirrored.lower, mirrored.upper) == (-interval.upper, -interval.lower)


@many
@given(
    suites(),
    RULES,
    st.sampled_from(["escalate", "warn", "fail"]),
    st.sampled_from([0, "0.02", 1]),
    st.booleans(),
    st.sampled_from([None, 5]),
)
def test_no_table_raises_and_every_verdict_is_json(
    cases: list[CaseResult],
    rule: Rule,
    policy: OnInconclusive,
    share: str | int,
    has_baseline: bool,
    anchor: int | None,
) -> None:
    gate = GateSettings(
        rule=rule,
        on_inconclusive=policy,
        min_pass_rate="0.8",
        invariants=("pii",),
        slices={
            "x": SliceSettings(),
            "y": SliceSettings(required=False, max_drop_pp=5, min_pass_rate=1),
            "z": SliceSettings(min_pass_rate="0.5"),
        },
        metrics={
            "cost_usd_per_resolved": MetricSettings(max_increase_pct=10),
            "tokens": MetricSettings(max_increase_pct=10, required=False),
            "latency_s": MetricSettings(max_increase_pct="0.1"),
            "time_to_resolution_s": MetricSettings(max_increase_pct=10),
            "guardrail_rate": MetricSettings(max_increase_pp=2),
            "judge_disagreement": MetricSettings(max_increase_pp=2),
            "success_rate": MetricSettings(max_drop_pp=2),
            "tool_call_accuracy": MetricSettings(max_drop_pp=2),
            "policy_compliance": MetricSettings(max_drop_pp=2, required=False),
        },
        max_error_share=share,
        has_baseline=has_baseline,
        anchor_margin_pp=anchor,
        quarantined=(Quarantined(case="0-0", until="2026-01-01", reason="flaky"),),
    )
    verdict = decide_verdict([decide_suite("s", cases, gate), decide_suite("t", cases, gate)])
    assert verdict.exit_code in (0, 1, 3, 4)
    encoded = msgspec.json.encode(verdict)
    assert msgspec.json.decode(encoded, type=Verdict) == verdict
    if not cases:
        assert verdict.exit_code == 3
    for part in (part for suite in verdict.suites for part in suite.parts):
        if part.outcome not in (Outcome.PASS, Outcome.FAIL):
            assert part.what_would_settle
        if part.kind in ("drop", "anchor", "slice_drop") and part.counts and part.counts.cases:
            assert part.estimate is not None and part.p_value is not None
    looked = decide_looks("s", lambda _: cases, gate, LOOKS, 4)
    assert [look.trials for look in looked.looks] == [1, 2, 4][: len(looked.looks)]
    assert more_trials_help(looked, LOOKS) is False or len(looked.looks) < 3


@many
@given(suites(), st.sampled_from(["escalate", "warn", "fail"]), st.data())
def test_a_quarantine_or_an_expired_waiver_never_turns_a_suite_green(
    cases: list[CaseResult], policy: OnInconclusive, data: st.DataObject
) -> None:
    gate = GateSettings(on_inconclusive=policy, invariants=("pii",), max_drop_pp=None)
    everything = tuple(
        Quarantined(case=case.case, until="2026-01-01", reason="flaky") for case in cases
    )
    assert suite_exit_code(decide_suite("s", cases, replace(gate, quarantined=everything))) != 0
    part = data.draw(st.sampled_from(["invariant:pii", "drop"]))
    expired = Waiver(
        id="w",
        suite="s",
        part=part,
        reason="known",
        accepted_by="Ada",
        on="2026-01-01",
        until="2026-01-31",
        up_to=100.0,
        cases=tuple(case.case for case in cases),
    )
    verdict = apply_waivers(decide_suite("s", cases, gate), [expired], "2026-02-01")
    assert suite_exit_code(verdict) != 0


@many
@given(single_runs(), RULES, st.sampled_from([None, "0.9"]), st.data())
def test_a_worse_candidate_is_never_judged_better(
    cases: list[CaseResult], rule: Rule, floor: str | None, data: st.DataObject
) -> None:
    passing = [i for i, case in enumerate(cases) if case.candidate[0].passed]
    index = data.draw(st.sampled_from(passing))
    worse = _with_candidate(cases, index, False)
    before, after = _decide(cases, rule, floor), _decide(worse, rule, floor)
    assert BADNESS[after] >= BADNESS[before]


@many
@given(single_runs(), RULES, st.sampled_from([None, "0.9"]), st.data())
def test_losing_a_result_never_makes_a_verdict_greener(
    cases: list[CaseResult], rule: Rule, floor: str | None, data: st.DataObject
) -> None:
    index = data.draw(st.integers(0, len(cases) - 1))
    lost = _with_candidate(cases, index, None)
    if _decide(cases, rule, floor) is not Outcome.PASS:
        assert _decide(lost, rule, floor) is not Outcome.PASS


@many
@given(single_runs(), st.sampled_from(["escalate", "warn", "fail"]), st.data())
def test_losing_a_result_never_turns_a_blocked_run_green(
    cases: list[CaseResult], policy: OnInconclusive, data: st.DataObject
) -> None:
    gate = GateSettings(on_inconclusive=policy, max_error_share="0.1", min_pass_rate="0.85")
    index = data.draw(st.integers(0, len(cases) - 1))
    before = suite_exit_code(decide_suite("s", cases, gate))
    after = suite_exit_code(decide_suite("s", _with_candidate(cases, index, None), gate))
    if before:
        assert after


@many
@given(single_runs(), RULES)
def test_the_order_of_the_cases_does_not_matter(cases: list[CaseResult], rule: Rule) -> None:
    assert _decide(cases, rule) is _decide(cases[::-1], rule)


@many
@given(single_runs())
def test_strict_and_simple_pass_no_more_and_fail_no_less(cases: list[CaseResult]) -> None:
    statistical = _decide(cases, Rule.STATISTICAL)
    for rule in (Rule.STRICT, Rule.SIMPLE):
        other = _decide(cases, rule)
        assert (other is Outcome.PASS) == (statistical is Outcome.PASS)
        assert other is Outcome.FAIL or statistical is not Outcome.FAIL
