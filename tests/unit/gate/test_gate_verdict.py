"""All suites together: which outcome wins, and which exit code it gets."""

import math
from collections.abc import Callable

import pytest
from scipy import stats

from evalkit.gate import (
    CaseResult,
    GateSettings,
    Rule,
    SliceSettings,
    TrialResult,
    add_parts,
    decide_suite,
    decide_verdict,
    suite_exit_code,
)
from evalkit.records.verdict import OnInconclusive, Outcome, PartVerdict, SuiteVerdict

Table = Callable[..., list[CaseResult]]


@pytest.fixture
def passing(table: Table) -> SuiteVerdict:
    """A suite that passes."""
    return decide_suite("passing", table(200), GateSettings())


@pytest.fixture
def failing(table: Table) -> SuiteVerdict:
    """A suite that fails beyond any correction."""
    return decide_suite("failing", table(150, 50), GateSettings())


@pytest.fixture
def inconclusive(table: Table) -> SuiteVerdict:
    """A suite that is too small."""
    return decide_suite("inconclusive", table(40), GateSettings())


@pytest.fixture
def incomplete(table: Table) -> SuiteVerdict:
    """A suite that lost half its results."""
    return decide_suite("incomplete", table(100, lost=100), GateSettings())


def test_the_first_of_1_4_3_0_wins(
    passing: SuiteVerdict,
    failing: SuiteVerdict,
    inconclusive: SuiteVerdict,
    incomplete: SuiteVerdict,
) -> None:
    everything = [passing, inconclusive, incomplete, failing]
    codes = [decide_verdict(everything[:k]).exit_code for k in (1, 2, 3, 4)]
    outcomes = [decide_verdict(everything[:k]).outcome for k in (1, 2, 3, 4)]
    assert codes == [0, 3, 4, 1]
    assert outcomes == [
        Outcome.PASS,
        Outcome.INCONCLUSIVE,
        Outcome.INCOMPLETE,
        Outcome.FAIL,
    ]


@pytest.mark.parametrize(("policy", "code"), [("escalate", 3), ("warn", 0), ("fail", 1)])
def test_on_inconclusive_maps_what_the_statistics_left_open(
    table: Table, policy: OnInconclusive, code: int
) -> None:
    suite = decide_suite("s", table(40), GateSettings(on_inconclusive=policy))
    verdict = decide_verdict([suite])
    assert verdict.exit_code == code
    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert any(policy in reason for reason in verdict.reasons) == (policy != "escalate")


@pytest.mark.parametrize("policy", ["warn", "fail"])
def test_on_inconclusive_does_not_map_what_errors_decide(
    table: Table, policy: OnInconclusive
) -> None:
    settings = GateSettings(on_inconclusive=policy, max_drop_pp="1.4", invariants=("pii",))
    suite = decide_suite("s", table(491, lost=9), settings)
    assert suite.outcome is Outcome.INCONCLUSIVE
    assert suite_exit_code(suite) == 3


@pytest.mark.parametrize("policy", ["warn", "fail", "escalate"])
def test_errors_above_the_share_are_4_under_every_policy(
    table: Table, policy: OnInconclusive
) -> None:
    suite = decide_suite("s", table(400, lost=100), GateSettings(on_inconclusive=policy))
    assert suite_exit_code(suite) == 4


@pytest.mark.parametrize("policy", ["warn", "fail"])
@pytest.mark.parametrize("lost", [1, 40])
def test_on_inconclusive_maps_nothing_while_attempts_lack_a_result(
    table: Table, policy: OnInconclusive, lost: int
) -> None:
    settings = GateSettings(on_inconclusive=policy, max_error_share=1)
    suite = decide_suite("s", table(40, lost=lost), settings)
    assert suite.outcome is Outcome.INCONCLUSIVE  # at any result: forty cases are too few
    assert suite_exit_code(suite) == 3


@pytest.mark.parametrize("policy", ["warn", "fail"])
def test_on_inconclusive_does_not_map_what_was_not_measured(
    table: Table, policy: OnInconclusive
) -> None:
    empty_slice = {"typo": SliceSettings(min_pass_rate="0.9")}
    settings = GateSettings(on_inconclusive=policy, slices=empty_slice)
    assert suite_exit_code(decide_suite("s", table(200), settings)) == 3
    assert suite_exit_code(decide_suite("s", [], GateSettings(on_inconclusive=policy))) == 3


def test_on_inconclusive_does_not_wave_a_held_guard_through(table: Table) -> None:
    guard = PartVerdict(
        name="gate_change",
        kind="guard",
        outcome=Outcome.INCONCLUSIVE,
        best=Outcome.INCONCLUSIVE,
        worst=Outcome.INCONCLUSIVE,
        required=True,
        held=True,
        message="on_inconclusive became warn.",
    )
    suite = decide_suite("s", table(200), GateSettings(on_inconclusive="warn"))
    assert suite_exit_code(suite) == 0
    assert suite_exit_code(add_parts(suite, [guard])) == 3


def test_no_suites_pass_nothing() -> None:
    verdict = decide_verdict([])
    assert (verdict.outcome, verdict.exit_code) == (Outcome.NOT_MEASURED, 3)
    assert verdict.reasons


def test_among_many_suites_a_weak_failure_is_chance(table: Table) -> None:
    # z = 7 / sqrt(11), p = .017
    weak = decide_suite("weak", table(189, 9, 2), GateSettings())
    others = [decide_suite(f"s{i}", table(200), GateSettings()) for i in range(9)]
    assert decide_verdict([weak]).exit_code == 1
    verdict = decide_verdict([weak, *others])
    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert verdict.exit_code == 3
    assert "Holm" in verdict.suites[0].parts[0].message


def test_a_failure_that_the_correction_takes_back_says_how_many_cases_would_bear_it_out(
    table: Table,
) -> None:
    weak = decide_suite("weak", table(189, 9, 2), GateSettings())
    others = [decide_suite(f"s{i}", table(200), GateSettings()) for i in range(9)]
    part = decide_verdict([weak, *others]).suites[0].parts[0]
    assert part.adjusted_p == pytest.approx(10 * (part.p_value or 0))
    # z = 7 / sqrt(11) at 200 cases; needed is z(.05 / 10) + z(.2)
    z = 7 / 11**0.5
    needed = 200 * ((stats.norm.isf(0.005) + stats.norm.isf(0.2)) / z) ** 2
    assert f"About {math.ceil(needed)} cases (now 200" in (part.what_would_settle or "")


def test_suites_at_different_looks_are_corrected_by_their_share_of_alpha(table: Table) -> None:
    # p = .0038 at alpha .005 and .017 at .025, as shares .76 and .70; twice the least is past 1
    early = decide_suite("early", table(286, 12, 2), GateSettings(alpha=0.005))
    late = decide_suite("late", table(189, 9, 2), GateSettings(alpha=0.025))
    assert [suite.outcome for suite in (early, late)] == [Outcome.FAIL, Outcome.FAIL]
    both = decide_verdict([early, late])
    assert [suite.outcome for suite in both.suites] == [Outcome.INCONCLUSIVE] * 2
    # the raw p-values in order would have let the later one stand behind the earlier
    assert decide_verdict([late]).exit_code == 1
    strong = decide_suite("strong", table(170, 30), GateSettings(alpha=0.01))
    assert [s.outcome for s in decide_verdict([strong, late]).suites] == [Outcome.FAIL] * 2


def test_among_many_suites_a_strong_failure_stands(
    failing: SuiteVerdict, passing: SuiteVerdict
) -> None:
    others = [passing.revised(suite=f"s{i}") for i in range(30)]
    assert decide_verdict([failing, *others]).exit_code == 1


def test_a_missed_floor_needs_no_statistics_and_is_not_corrected(table: Table) -> None:
    floored = decide_suite("floored", table(189, 9, 2), GateSettings(min_pass_rate="0.99"))
    others = [decide_suite(f"s{i}", table(200), GateSettings()) for i in range(9)]
    verdict = decide_verdict([floored, *others])
    assert verdict.exit_code == 1
    assert [part.outcome for part in verdict.suites[0].parts] == [
        Outcome.INCONCLUSIVE,
        Outcome.FAIL,
    ]


def test_the_simple_rule_is_not_corrected(table: Table) -> None:
    settings = GateSettings(rule=Rule.SIMPLE)
    suites = [decide_suite(f"s{i}", table(189, 9, 2), settings) for i in range(10)]
    assert decide_verdict(suites).exit_code == 1


def test_a_correction_does_not_let_errors_through_a_warning(table: Table) -> None:
    settings = GateSettings(on_inconclusive="warn")
    weak = decide_suite("weak", table(187, 10, 2, lost=1), settings)
    others = [decide_suite(f"s{i}", table(200), settings) for i in range(9)]
    assert weak.outcome is Outcome.FAIL
    verdict = decide_verdict([weak, *others])
    assert verdict.suites[0].outcome is Outcome.INCONCLUSIVE
    assert verdict.exit_code == 3


def test_reasons_name_suite_and_part(failing: SuiteVerdict, passing: SuiteVerdict) -> None:
    assert decide_verdict([passing, failing]).reasons[0].startswith("failing: drop: ")
    assert decide_verdict([passing]).reasons[0].startswith("passing: drop: ")


def test_an_infrastructure_error_alone_is_never_a_failure() -> None:
    lost = TrialResult(passed=None)
    cases = [CaseResult(case=str(i), baseline=(lost,), candidate=(lost,)) for i in range(100)]
    settings = GateSettings(
        min_pass_rate="0.9", on_inconclusive="fail", invariants=("pii",), max_error_share=1
    )
    assert decide_verdict([decide_suite("s", cases, settings)]).exit_code == 3
