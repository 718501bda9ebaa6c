"""Invariants fail on one attempt and are not shown to hold by what is missing."""

from collections.abc import Callable

from evalkit.gate import CaseResult, TrialResult
from evalkit.gate.invariants import decide_invariant
from evalkit.records.verdict import Outcome

Table = Callable[..., list[CaseResult]]
BROKEN = ("forbidden_tools",)


def test_one_violation_in_one_trial_fails(table: Table) -> None:
    good = TrialResult(passed=True)
    bad = TrialResult(passed=True, violations=BROKEN)
    case = CaseResult(case="refund", baseline=(good,), candidate=(good, good, bad))
    part = decide_invariant("forbidden_tools", [*table(2000), case])
    assert part.outcome is Outcome.FAIL
    assert "refund" in part.message


def test_a_violation_by_an_attempt_that_then_broke_down_counts(table: Table) -> None:
    broken = TrialResult(passed=None, violations=BROKEN)
    case = CaseResult(case="refund", candidate=(broken,))
    assert decide_invariant("forbidden_tools", [case]).outcome is Outcome.FAIL


def test_a_violation_of_the_baseline_or_of_another_invariant_does_not_count() -> None:
    case = CaseResult(
        case="a",
        baseline=(TrialResult(passed=True, violations=BROKEN),),
        candidate=(TrialResult(passed=True, violations=("pii",)),),
    )
    assert decide_invariant("forbidden_tools", [case]).outcome is Outcome.PASS


def test_an_attempt_without_a_result_leaves_it_open(table: Table) -> None:
    part = decide_invariant("forbidden_tools", table(199, lost=1))
    assert part.outcome is Outcome.INCONCLUSIVE
    assert (part.best, part.worst) == (Outcome.PASS, Outcome.FAIL)


def test_nothing_checked_is_not_measured() -> None:
    assert decide_invariant("forbidden_tools", []).outcome is Outcome.NOT_MEASURED


def test_many_offenders_are_named_up_to_a_few() -> None:
    bad = (TrialResult(passed=False, violations=BROKEN),)
    cases = [CaseResult(case=f"case-{i}", candidate=bad) for i in range(9)]
    assert "and 4 more" in decide_invariant("forbidden_tools", cases).message
