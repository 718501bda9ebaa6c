"""Quarantine: flaky cases count for invariants only, in the open, and never make a suite green."""

from collections.abc import Callable

import pytest

from evalkit.gate import (
    CaseResult,
    GateSettings,
    MetricSettings,
    SliceSettings,
    TrialResult,
    decide_suite,
    suite_exit_code,
)
from evalkit.records.verdict import Outcome, Quarantined

Table = Callable[..., list[CaseResult]]


def _quarantined(*cases: str) -> tuple[Quarantined, ...]:
    return tuple(Quarantined(case=case, until="2026-07-01", reason="flaky") for case in cases)


def test_a_quarantined_case_counts_in_no_drop_floor_slice_or_metric(table: Table) -> None:
    cases = (
        table(299) + table(0, 1, tags=("x",), prefix="flaky") + table(100, tags=("x",), prefix="x")
    )
    settings = GateSettings(
        min_pass_rate=1,
        slices={"x": SliceSettings(max_drop_pp=3, min_pass_rate=1)},
        metrics={"success_rate": MetricSettings(max_drop_pp=3)},
        quarantined=_quarantined("flaky-0"),
    )
    verdict = decide_suite("s", cases, settings)
    assert verdict.outcome is Outcome.PASS
    assert [part.counts.b for part in verdict.parts if part.counts] == [0, 0, 0]
    assert (verdict.planned, len(verdict.quarantined)) == (399, 1)
    assert verdict.quarantined == _quarantined("flaky-0")
    assert verdict.warnings[0] == (
        "1 case is in quarantine and counted for invariants only: flaky-0 until 2026-07-01 (flaky)."
    )
    counted = decide_suite("s", cases, GateSettings(min_pass_rate=1))
    assert counted.outcome is Outcome.FAIL


def test_a_quarantined_case_still_breaks_an_invariant(table: Table) -> None:
    bad = CaseResult(
        case="bad",
        baseline=(TrialResult(passed=True),),
        candidate=(TrialResult(passed=False, violations=("policy",)),),
    )
    settings = GateSettings(invariants=("policy",), quarantined=_quarantined("bad"))
    verdict = decide_suite("s", [*table(300), bad], settings)
    assert [part.outcome for part in verdict.parts] == [Outcome.PASS, Outcome.FAIL]
    assert verdict.outcome is Outcome.FAIL


def test_a_lost_result_of_a_quarantined_case_leaves_only_invariants_open(table: Table) -> None:
    cases = [*table(300), CaseResult(case="lost", candidate=(), baseline=())]
    quarantined = _quarantined("lost")
    without = decide_suite("s", cases, GateSettings(quarantined=quarantined))
    assert (without.outcome, without.unknown) == (Outcome.PASS, 0)
    invariant = GateSettings(
        invariants=("policy",), quarantined=quarantined, on_inconclusive="warn"
    )
    held = decide_suite("s", cases, invariant)
    assert held.outcome is Outcome.INCONCLUSIVE
    assert suite_exit_code(held) == 3


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"max_drop_pp": None, "invariants": ("policy",)},
        {"max_drop_pp": None, "min_pass_rate": "0.5", "has_baseline": False},
        {"on_inconclusive": "warn", "invariants": ("policy",)},
    ],
)
def test_a_suite_in_quarantine_as_a_whole_is_never_green(
    table: Table, settings: dict[str, object]
) -> None:
    cases = table(20)
    everything = _quarantined(*(case.case for case in cases))
    verdict = decide_suite("s", cases, GateSettings(quarantined=everything, **settings))  # type: ignore[arg-type]
    assert verdict.outcome in (Outcome.NOT_MEASURED, Outcome.INCONCLUSIVE)
    assert suite_exit_code(verdict) == 3
    assert verdict.planned == 0


def test_too_few_remaining_cases_do_not_pass(table: Table) -> None:
    settings = GateSettings(quarantined=_quarantined("case-0"))
    assert decide_suite("s", table(88), GateSettings()).outcome is Outcome.PASS
    assert decide_suite("s", table(88), settings).outcome is Outcome.INCONCLUSIVE


def test_a_quarantine_of_cases_that_are_not_there_is_not_shown(table: Table) -> None:
    verdict = decide_suite("s", table(300), GateSettings(quarantined=_quarantined("gone")))
    assert (verdict.quarantined, verdict.warnings, verdict.planned) == ((), (), 300)


def test_many_quarantined_cases_are_named_up_to_a_few(table: Table) -> None:
    settings = GateSettings(quarantined=_quarantined(*(f"case-{i}" for i in range(7))))
    warning = decide_suite("s", table(300), settings).warnings[0]
    assert "7 cases are in quarantine" in warning
    assert "case-4 until" in warning and "case-5" not in warning and "and 2 more" in warning
