"""A suite is as good as the worst thing it requires."""

from collections.abc import Callable

import msgspec
import pytest

from evalkit.gate import (
    CaseResult,
    GateSettings,
    MetricSettings,
    SliceSettings,
    TrialResult,
    add_parts,
    decide_suite,
    suite_exit_code,
)
from evalkit.gate.suite import combine_outcomes
from evalkit.records.verdict import OnInconclusive, Outcome, PartVerdict, SuiteVerdict

Table = Callable[..., list[CaseResult]]


def test_the_default_gate_asks_about_the_drop_alone(table: Table) -> None:
    verdict = decide_suite("support", table(150, 3, 3, 44), GateSettings())
    assert [part.name for part in verdict.parts] == ["drop"]
    assert verdict.outcome is Outcome.PASS


def test_a_verdict_prints_every_figure_it_rests_on(table: Table) -> None:
    part = decide_suite("support", table(160, 12, 2, 26), GateSettings()).parts[0]
    assert part.counts is not None and part.estimate is not None
    assert (part.counts.b, part.counts.c, part.counts.cases) == (12, 2, 200)
    assert (part.counts.both_pass, part.counts.both_fail) == (160, 26)
    assert part.estimate.drop == 0.05
    assert part.mcnemar_p == pytest.approx(0.0064697265625)
    assert (part.margin, part.alpha) == (0.03, 0.05)
    assert (part.baseline_rate, part.candidate_rate) == (0.86, 0.81)
    assert part.detectable_drop is not None
    for figure in ("86 %", "81 %", "12 newly failing", "2 newly passing", "5 pp", "200 cases"):
        assert figure in part.message


def test_an_inconclusive_part_says_what_would_settle_it(table: Table) -> None:
    part = decide_suite("support", table(160, 10, 10, 20), GateSettings()).parts[0]
    assert part.outcome is Outcome.INCONCLUSIVE
    assert "687 cases" in (part.what_would_settle or "")


def test_a_drop_just_past_the_margin_in_floats_alone_is_still_described(table: Table) -> None:
    # 9 of 450 is the margin of 2 pp, and as a float a little more
    part = decide_suite("support", table(431, 14, 5), GateSettings(max_drop_pp=2)).parts[0]
    assert part.outcome is Outcome.FAIL
    many = decide_suite("support", table(341, 59, 50), GateSettings(max_drop_pp=2)).parts[0]
    assert many.outcome is Outcome.INCONCLUSIVE
    assert "fail in 80 %" not in (many.what_would_settle or "")


@pytest.mark.parametrize(("policy", "code"), [("escalate", 3), ("warn", 3), ("fail", 1)])
def test_too_few_cases_that_newly_fail_beyond_chance_are_not_waved_through(
    table: Table, policy: OnInconclusive, code: int
) -> None:
    settings = GateSettings(on_inconclusive=policy, slices={"x": SliceSettings()})
    verdict = decide_suite("s", table(20, 20, tags=("x",)), settings)
    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert [part.held for part in verdict.parts] == [policy == "warn"] * 2
    assert suite_exit_code(verdict) == code
    if policy == "warn":
        assert "does not wave through" in verdict.parts[0].message


@pytest.mark.parametrize(
    "flips",
    [
        (40, 0, 0),  # nothing flipped
        (38, 2, 0),  # may be chance
        (20, 0, 20),  # a gain
    ],
)
def test_too_few_cases_without_a_regression_are_a_matter_of_policy(
    table: Table, flips: tuple[int, int, int]
) -> None:
    verdict = decide_suite("s", table(*flips), GateSettings(on_inconclusive="warn"))
    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert suite_exit_code(verdict) == 0


def test_a_regression_that_one_missing_result_could_undo_is_open_for_that(table: Table) -> None:
    settings = GateSettings(on_inconclusive="warn", max_error_share="0.1")
    verdict = decide_suite("s", table(36, 2, lost=2), settings)
    assert not verdict.parts[0].held  # with them in its favour it may be chance
    assert suite_exit_code(verdict) == 3


def test_a_passing_drop_does_not_outweigh_a_missed_floor(table: Table) -> None:
    verdict = decide_suite("support", table(400, 0, 0, 100), GateSettings(min_pass_rate="0.95"))
    assert [part.outcome for part in verdict.parts] == [Outcome.PASS, Outcome.FAIL]
    assert verdict.outcome is Outcome.FAIL


def test_a_suite_without_a_baseline_rests_on_its_floor() -> None:
    cases = [CaseResult(case=str(i), candidate=(TrialResult(passed=True),)) for i in range(20)]
    settings = GateSettings(
        has_baseline=False,
        min_pass_rate="0.95",
        slices={"x": SliceSettings(), "y": SliceSettings(min_pass_rate=1, required=False)},
        metrics={"tokens": MetricSettings(max_increase_pct=5)},
    )
    verdict = decide_suite("support", cases, settings)
    assert [part.name for part in verdict.parts] == ["floor", "slice:y floor"]
    assert verdict.outcome is Outcome.PASS
    assert verdict.unknown == 0
    assert "no baseline" in verdict.notes[0]


def test_no_cases_are_not_measured_whatever_is_required() -> None:
    settings = GateSettings(
        min_pass_rate="0.5",
        invariants=("forbidden_tools",),
        slices={"x": SliceSettings()},
        metrics={"tokens": MetricSettings(max_increase_pct=5)},
    )
    verdict = decide_suite("support", [], settings)
    assert {part.outcome for part in verdict.parts} == {Outcome.NOT_MEASURED}
    assert verdict.outcome is Outcome.NOT_MEASURED


@pytest.mark.parametrize(
    ("lost", "outcome"),
    [
        (0, Outcome.PASS),
        (2, Outcome.PASS),  # the bounds agree
        (9, Outcome.INCONCLUSIVE),  # within the allowed 2 %, but they decide
        (11, Outcome.INCOMPLETE),  # above it
        (500, Outcome.INCOMPLETE),
    ],
)
def test_unknown_attempts_against_the_allowed_share(
    table: Table, lost: int, outcome: Outcome
) -> None:
    cases = table(500 - lost, lost=lost)
    settings = GateSettings(max_drop_pp="1.4")
    verdict = decide_suite("support", cases, settings)
    assert verdict.outcome is outcome
    assert (verdict.unknown, verdict.planned) == (lost, 500)


def test_exactly_the_allowed_share_is_not_above_it(table: Table) -> None:
    settings = GateSettings(max_error_share=0.07)
    assert decide_suite("s", table(93, lost=7), settings).outcome is Outcome.INCONCLUSIVE
    assert decide_suite("s", table(92, lost=8), settings).outcome is Outcome.INCOMPLETE


def test_a_regression_that_no_unknown_attempt_could_undo_fails(table: Table) -> None:
    verdict = decide_suite("s", table(450, 46, lost=4), GateSettings())
    assert verdict.outcome is Outcome.FAIL
    assert verdict.warnings


def test_an_unknown_baseline_attempt_counts_as_much_as_one_of_the_candidate() -> None:
    lost = TrialResult(passed=None)
    known = TrialResult(passed=True)
    cases = [
        CaseResult(case=str(i), baseline=(lost if i < 5 else known,), candidate=(known,))
        for i in range(100)
    ]
    verdict = decide_suite("s", cases, GateSettings())
    assert verdict.outcome is Outcome.INCOMPLETE
    assert verdict.unknown == 5


def test_a_long_banked_baseline_does_not_dilute_the_errors() -> None:
    known = TrialResult(passed=True)
    cases = [
        CaseResult(
            case=str(i),
            baseline=(known,) * 10,
            candidate=(TrialResult(passed=None if i < 5 else True),),
        )
        for i in range(100)
    ]
    assert decide_suite("s", cases, GateSettings()).outcome is Outcome.INCOMPLETE


def test_too_many_errors_do_not_hide_a_broken_invariant(table: Table) -> None:
    bad = CaseResult(
        case="bad",
        baseline=(TrialResult(passed=True),),
        candidate=(TrialResult(passed=True, violations=("forbidden_tools",)),),
    )
    settings = GateSettings(invariants=("forbidden_tools", "pii"))
    verdict = decide_suite("s", [*table(50, lost=50), bad], settings)
    assert verdict.outcome is Outcome.FAIL
    outcomes = {part.name: part.outcome for part in verdict.parts}
    assert outcomes["invariant:pii"] is Outcome.INCOMPLETE
    assert outcomes["drop"] is Outcome.INCOMPLETE


def test_a_case_given_twice_is_refused(table: Table) -> None:
    with pytest.raises(ValueError, match="case-0"):
        decide_suite("s", [*table(3), *table(1)], GateSettings())


def test_the_simple_rule_warns_of_its_false_alarms(table: Table) -> None:
    verdict = decide_suite("s", table(170, 12, 8, 10), GateSettings(rule="simple"))  # type: ignore[arg-type]
    assert "10.84 % of runs in which nothing changed" in verdict.warnings[0]


def test_a_guard_in_front_makes_a_passing_suite_inconclusive(table: Table) -> None:
    guard = PartVerdict(
        name="gate_change",
        kind="guard",
        outcome=Outcome.INCONCLUSIVE,
        best=Outcome.INCONCLUSIVE,
        worst=Outcome.INCONCLUSIVE,
        required=True,
        held=True,
        message="The margin was raised from 3 pp to 10 pp.",
    )
    verdict = add_parts(decide_suite("s", table(200), GateSettings()), [guard])
    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert verdict.parts[0].name == "gate_change"


def test_the_worst_outcome_is_the_outcome() -> None:
    fail, incomplete, open_, unmeasured, passed = (
        Outcome.FAIL,
        Outcome.INCOMPLETE,
        Outcome.INCONCLUSIVE,
        Outcome.NOT_MEASURED,
        Outcome.PASS,
    )
    assert combine_outcomes([passed, open_, incomplete, fail]) is fail
    assert combine_outcomes([passed, open_, incomplete]) is incomplete
    assert combine_outcomes([passed, unmeasured]) is open_
    assert combine_outcomes([unmeasured, unmeasured]) is unmeasured
    assert combine_outcomes([passed, passed]) is passed
    assert combine_outcomes([]) is unmeasured


def test_a_verdict_survives_json_unchanged(table: Table) -> None:
    settings = GateSettings(
        min_pass_rate="0.9",
        invariants=("pii",),
        slices={"none": SliceSettings()},
        metrics={"tokens": MetricSettings(max_increase_pct=5)},
        owner="support-team",
    )
    verdict = decide_suite("s", table(100, 4, 1, lost=1), settings)
    assert msgspec.json.decode(msgspec.json.encode(verdict), type=SuiteVerdict) == verdict
    assert all(part.owner == "support-team" for part in verdict.parts)
