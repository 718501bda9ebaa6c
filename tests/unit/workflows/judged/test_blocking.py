"""Why a judge cannot gate in a run: whole sentences, and what would settle each."""

from typing import Any

import pytest

from evalkit.judge.items import ErrorRates
from evalkit.records.asset import CalibrationFloor
from evalkit.records.calibration import Drift, JudgeStanding
from evalkit.records.verdict import JudgedArm
from evalkit.workflows.judged.blocking import Against, reasons_against
from evalkit.workflows.judged.equality import RunLabels
from evalkit.workflows.judged.tallying import JudgeTally
from tests.unit.workflows.judged.judged_suites import setting

RATES = ErrorRates(tpr=0.9, fpr=0.2, n_pass=100, n_fail=100)


def tally(candidate: JudgedArm, baseline: JudgedArm | None = None) -> JudgeTally:
    """Counts without their cases."""
    return JudgeTally(cases=(), baseline=baseline, candidate=candidate, judged_excess=0.0, shared=0)


def labels(equal_errors: Any = "assumed", **changes: Any) -> RunLabels:
    """What the labels of the run tell."""
    return RunLabels(**{"by_arm": {}, "pairs": {}, "equal_errors": equal_errors, **changes})


def against(
    candidate: JudgedArm | None = None,
    baseline: JudgedArm | None = None,
    run_labels: RunLabels | None = None,
    *,
    drop: bool = True,
    rates: ErrorRates | None = RATES,
    **judge: Any,
) -> Against:
    """What stands against a judge; by default nothing does."""
    return reasons_against(
        setting(**judge),
        tally(candidate or JudgedArm(judged=100, passed=80), baseline),
        run_labels or labels(),
        drop=drop,
        rates=rates,
    )


def test_nothing_stands_against_a_fit_judge_that_answered() -> None:
    assert against() == Against()


@pytest.mark.parametrize("standing", ["uncalibrated", "stale", "unfit"])
def test_a_judge_that_is_not_fit_cannot_gate_and_its_own_words_say_why(standing: Any) -> None:
    found = against(standing=JudgeStanding(standing=standing, why=("One.", "Two.")))
    assert found.why == ("One.", "Two.")
    assert "evalkit judge calibrate tone@v1" in str(found.settle)
    assert "`gate: false`" in str(found.settle)
    assert ("better judge" in str(found.settle)) is (standing == "unfit")


def test_a_fit_judge_without_error_rates_cannot_gate() -> None:
    found = against(rates=None)
    assert found.why == ("It has no error rates to correct it with.",)


def test_a_judge_that_errs_otherwise_on_the_runs_own_labels_cannot_gate() -> None:
    drift = Drift(test="fisher", n=40, changed=20, p=0.0001, at="2026-05-04")
    found = against(run_labels=labels(drift=drift))
    assert "20 of 40 verdicts are wrong (p = 0.0001)" in found.why[0]
    assert "evalkit judge calibrate" in str(found.settle)
    mild = Drift(test="fisher", n=40, changed=6, p=0.01, at="2026-05-04")
    assert against(run_labels=labels(drift=mild)) == Against()


@pytest.mark.parametrize(
    ("limit", "silent", "judged", "blocked"),
    [
        (0.1, 10, 90, False),
        (0.1, 11, 89, True),
        (0.29, 29, 71, False),  # as a float .29 of 100 is less than 29
        (0.29, 30, 70, True),
        (0.0, 0, 5, False),
        (0.0, 1, 999, True),
    ],
)
@pytest.mark.parametrize("state", ["abstained", "unparseable", "refused"])
def test_a_judge_may_be_silent_on_so_many_outputs_and_no_more(
    state: str, limit: float, silent: int, judged: int, blocked: bool
) -> None:
    counts: dict[str, Any] = {state: silent}
    arm = JudgedArm(judged=judged, passed=judged, **counts)
    found = against(arm, floor_of=CalibrationFloor(max_abstained=limit))
    assert bool(found.why) is blocked
    if blocked:
        assert found.why[0].startswith(
            f"It gave no verdict on {silent} of {judged + silent} outputs"
        )


def test_silence_is_counted_over_both_arms() -> None:
    silent = JudgedArm(judged=40, passed=40, abstained=10)
    assert against(silent).why
    assert against(silent, JudgedArm(judged=100, passed=80)).why == ()
    assert against(JudgedArm(judged=100, passed=80), silent).why == ()


def test_what_infrastructure_lost_is_not_the_judges_silence() -> None:
    assert against(JudgedArm(judged=50, passed=40, errors=50)) == Against()


def test_a_judge_that_got_no_answer_at_all_asks_to_be_reached() -> None:
    found = against(JudgedArm(judged=0, passed=0, errors=3))
    assert found.why == ("None of its 3 questions got an answer.",)
    assert "resume the run" in str(found.settle)


def test_a_judge_that_had_nothing_to_judge_cannot_gate() -> None:
    empty = JudgedArm(judged=0, passed=0, known_fails=5)
    assert "nothing that it could judge" in against(empty).why[0]
    assert "No output was compared" in against(empty, compare="pair").why[0]


@pytest.mark.parametrize("found", ["same", "assumed", "verified", "paired"])
def test_equal_errors_that_are_known_or_granted_are_no_reason(found: str) -> None:
    assert against(run_labels=labels(found)) == Against()


def test_errors_that_nobody_compared_block_a_drop_and_no_floor() -> None:
    told = labels("unverified", told="3 labels on the baseline's outputs, p = 1")
    found = against(run_labels=told)
    assert "nobody has checked that it errs alike on both versions (3 labels" in found.why[0]
    assert "`assume_equal_errors: true`" in str(found.settle)
    assert "evalkit judge label tone@v1 --run latest" in str(found.settle)
    assert against(run_labels=told, drop=False) == Against()


def test_errors_that_differ_block_a_drop_and_cannot_be_assumed_away() -> None:
    found = against(run_labels=labels("differ", told="p = 0.001"), assume_equal_errors=True)
    assert "errs differently on baseline and candidate (p = 0.001)" in found.why[0]
    assert "assume_equal_errors" not in str(found.settle)
    assert against(run_labels=labels("differ"), drop=False) == Against()
