"""Results of another harness get the same verdict, and none of them vanish."""

import pytest

from evalkit.gate import GateSettings, ResultRow, SliceSettings, compare_results, pair_results
from evalkit.records.verdict import OnInconclusive, Outcome


def _rows(n: int, failures: int = 0, **more: object) -> list[ResultRow]:
    return [
        ResultRow(case=f"case-{i}", passed=i >= failures, **more)  # type: ignore[arg-type]
        for i in range(n)
    ]


def test_equal_results_pass_and_a_regression_fails() -> None:
    assert compare_results(_rows(200), _rows(200)).outcome is Outcome.PASS
    assert compare_results(_rows(200), _rows(200, 6)).exit_code == 1
    assert compare_results(_rows(200), _rows(200, 6), max_drop_pp=10).exit_code == 0


def test_rows_are_matched_by_case_and_not_by_position() -> None:
    verdict = compare_results(_rows(200, 20), list(reversed(_rows(200, 20))))
    counts = verdict.suites[0].parts[0].counts
    assert counts is not None
    assert (counts.b, counts.c, counts.both_fail) == (0, 0, 20)


@pytest.mark.parametrize("policy", ["escalate", "warn", "fail"])
def test_failing_cases_that_vanish_do_not_pass(policy: OnInconclusive) -> None:
    baseline = _rows(500, 30)
    settings = GateSettings(on_inconclusive=policy)
    verdict = compare_results(baseline, baseline[8:], settings=settings)
    assert [part.outcome for part in verdict.suites[0].parts] == [
        Outcome.INCONCLUSIVE,
        Outcome.PASS,
    ]
    assert (verdict.outcome, verdict.exit_code) == (Outcome.INCONCLUSIVE, 3)
    assert "8 cases of the baseline" in verdict.reasons[0]


def test_vanished_cases_do_not_hide_a_regression() -> None:
    assert compare_results(_rows(500), _rows(500, 60)[4:]).exit_code == 1


def test_a_case_that_only_the_candidate_has_is_unknown_and_named() -> None:
    verdict = compare_results(_rows(199), _rows(200))
    assert verdict.suites[0].unknown == 1
    assert "case-199" in verdict.suites[0].warnings[0]


def test_many_vanished_cases_make_the_run_incomplete() -> None:
    verdict = compare_results(_rows(500, 50), _rows(500)[50:])
    assert (verdict.outcome, verdict.exit_code) == (Outcome.INCOMPLETE, 4)


def test_no_matching_case_never_passes() -> None:
    other = [ResultRow(case=f"other-{i}", passed=True) for i in range(200)]
    verdict = compare_results(_rows(200), other)
    assert (verdict.outcome, verdict.exit_code) == (Outcome.INCOMPLETE, 4)
    assert verdict.suites[0].planned == 400


@pytest.mark.parametrize("sides", [([], []), (_rows(200), []), ([], _rows(200))])
def test_an_empty_side_never_passes(sides: tuple[list[ResultRow], list[ResultRow]]) -> None:
    assert compare_results(*sides).exit_code in (3, 4)


def test_a_trial_that_only_some_cases_ran_is_unknown_for_the_others() -> None:
    cases = pair_results(_rows(2), [*_rows(2), ResultRow(case="case-0", passed=False, trial=1)])
    assert [trial.passed for trial in cases[0].candidate] == [True, False]
    assert [trial.passed for trial in cases[1].candidate] == [True, None]
    assert len(cases[0].baseline) == 1


def test_repeats_are_averaged_within_their_case() -> None:
    candidate = [*_rows(88), *(ResultRow(case=r.case, passed=True, trial=1) for r in _rows(88))]
    counts = compare_results(_rows(88), candidate).suites[0].parts[0].counts
    assert counts is not None
    assert (counts.cases, counts.trials_candidate) == (88, 176)


def test_a_result_given_twice_is_refused() -> None:
    with pytest.raises(ValueError, match=r"candidate: case 'case-0', trial 0"):
        compare_results(_rows(2), _rows(2) + _rows(1))


def test_contradicting_groups_are_refused() -> None:
    with pytest.raises(ValueError, match="group"):
        compare_results(_rows(2, group="a"), _rows(2, group="b"))


def test_groups_tags_and_costs_reach_the_gate() -> None:
    rows = _rows(200, group=None, tags=("refunds",), cost_usd=0.01)
    case = pair_results(rows, rows)[0]
    assert case.tags == ("refunds",)
    assert case.candidate[0].cost_usd == 0.01
    settings = GateSettings(slices={"refunds": SliceSettings(min_pass_rate=1)})
    verdict = compare_results(rows, rows, settings=settings)
    assert [part.name for part in verdict.suites[0].parts] == ["drop", "slice:refunds floor"]


def test_a_missing_result_is_unknown() -> None:
    rows = [*_rows(199), ResultRow(case="lost", passed=None)]
    assert compare_results(_rows(199), rows).suites[0].unknown == 1


def test_the_rule_is_a_choice() -> None:
    assert compare_results(_rows(200), _rows(200, 5)).exit_code == 3
    assert compare_results(_rows(200), _rows(200, 5), rule="strict").exit_code == 1
