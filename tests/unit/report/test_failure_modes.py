"""Failures by mode, baseline to candidate, and parts that somebody accepted."""

from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from evalkit.gate.waiving import apply_waivers, propose_waiver
from evalkit.records.attempt import FailureMode
from evalkit.records.run import StoredRun
from evalkit.records.verdict import Outcome
from evalkit.report.comparison import compare_run, compare_runs
from evalkit.report.headline import run_reason, verdict_reason
from evalkit.report.markdown import report_markdown
from evalkit.report.run_summary import run_summary
from evalkit.report.screen import Screen
from evalkit.report.terminal import run_text

MakeRun = Callable[..., tuple[StoredRun, dict[Any, bool | None]]]
T, F, N = True, False, None
WIDE = Screen(width=110)
RESULTS = {
    "a": ((T,), (F,)),
    "b": ((F,), (F,)),
    "c": ((T,), (N,)),
    "d": ((T,), (F,)),
    "e": ((F,), (T,)),
}


def modes(run: StoredRun) -> dict[Any, FailureMode]:
    """A code for every attempt that failed: each case's own."""
    by_case = {
        "a": FailureMode.WRONG_OUTPUT,
        "b": FailureMode.SCHEMA_VIOLATION,
        "c": FailureMode.TIMEOUT,
        "d": FailureMode.WRONG_OUTPUT,
        "e": FailureMode.REFUSAL,
    }
    return {
        attempt.place: by_case[attempt.case]
        for attempt in run.attempts
        if not RESULTS[attempt.case][attempt.variant == "candidate"][0]
    }


def test_each_side_counts_its_failures_by_mode(make_run: MakeRun) -> None:
    run, passes = make_run(RESULTS)
    suite = compare_run(run, passes, modes(run)).suites[0]
    assert suite.before is not None
    assert suite.before.failure_modes == {"refusal": 1, "schema_violation": 1}
    assert list(suite.after.failure_modes.items()) == [
        ("wrong_output", 2),
        ("schema_violation", 1),
        ("timeout", 1),
    ]
    found = {each.case: each.after.failure_mode for each in suite.changes}
    assert found == {
        "a": "wrong_output",
        "b": "schema_violation",
        "c": "timeout",
        "d": "wrong_output",
        "e": None,
    }


def test_the_terminal_and_markdown_show_them_from_baseline_to_candidate(make_run: MakeRun) -> None:
    run, passes = make_run(RESULTS)
    comparison = compare_run(run, passes, modes(run))
    shown = run_text(run, comparison, screen=WIDE)
    row = "failures   wrong_output 0 → 2, schema_violation 1 → 1, timeout 0 → 1, refusal 1 → 0"
    assert row in shown
    text = report_markdown(run, comparison)
    assert "Failures by mode: `wrong_output` 0 → 2, `schema_violation` 1 → 1" in text


def test_without_a_baseline_the_numbers_stand_alone(make_run: MakeRun) -> None:
    run, passes = make_run({"a": ((), (F,)), "b": ((), (T,))}, has_baseline=False)
    place = ("routing", "candidate", "a", 1)
    comparison = compare_run(run, passes, {place: FailureMode.JUDGED_BAD})
    assert "failures   judged_bad 1\n" in run_text(run, comparison, screen=WIDE)


def test_where_everything_passed_nothing_is_said_of_failures(make_run: MakeRun) -> None:
    run, passes = make_run({"a": ((T,), (T,))})
    comparison = compare_run(run, passes, {})
    assert "failures" not in run_text(run, comparison, screen=WIDE)
    assert "Failures by mode" not in report_markdown(run, comparison)


def test_a_policy_that_stopped_what_it_had_to_is_no_failure(make_run: MakeRun) -> None:
    place = ("routing", "candidate", "a", 1)
    run, passes = make_run(
        {"a": ((T,), (T,)), "b": ((T,), (F,))},
        attempts={place: {"state": "blocked", "failure_mode": FailureMode.POLICY}},
    )
    suite = compare_run(run, passes, {}).suites[0]
    assert suite.after.failure_modes == {}


def test_two_runs_count_each_by_its_own_modes(make_run: MakeRun) -> None:
    a, passes_a = make_run(RESULTS)
    b, passes_b = make_run(RESULTS, id="20261124T193302Z-3f2b")
    only_a = {("routing", "candidate", "a", 1): FailureMode.WRONG_OUTPUT}
    compared = compare_runs(a, passes_a, b, passes_b, modes_a=modes(a), modes_b=only_a)
    (suite,) = compared.suites
    assert suite.before is not None
    assert (suite.before.failure_modes["timeout"], suite.after.failure_modes) == (
        1,
        {"wrong_output": 1},
    )


def test_a_run_that_was_killed_is_counted_from_its_journal(make_run: MakeRun) -> None:
    run, passes = make_run(RESULTS, state="running")
    text = run_summary(run, compare_run(run, passes, modes(run)), screen=WIDE)
    assert "(2 wrong_output, 1 schema_violation, 1 timeout)" in text


@pytest.fixture
def accepted(make_run: MakeRun) -> tuple[StoredRun, dict[Any, bool | None]]:
    """A run whose drop fails, and is accepted."""
    run, passes = make_run({f"c{n:03}": ((T,), (n >= 12,)) for n in range(120)})
    assert run.record.verdict is not None
    suite = run.record.verdict.suites[0]
    waiver = propose_waiver(
        suite.parts[0],
        suite=suite.suite,
        id="w-1",
        reason="Fixed by *R-7*.",
        accepted_by="Ana <ana@example.org>",
        on="2026-11-24",
        until="2026-12-24",
    )
    covered = apply_waivers(suite, [waiver], "2026-11-24")
    verdict = msgspec.structs.replace(
        run.record.verdict, suites=(covered,), outcome=Outcome.PASS, exit_code=0
    )
    record = msgspec.structs.replace(run.record, verdict=verdict, exit_code=0)
    return msgspec.structs.replace(run, record=record), passes


def test_an_accepted_part_says_so_wherever_it_is_shown(
    accepted: tuple[StoredRun, dict[Any, bool | None]],
) -> None:
    run, passes = accepted
    reason = run_reason(run.record)
    assert "fell 10 pp" in reason and reason.endswith("accepted until 2026-12-24 (w-1)")
    comparison = compare_run(run, passes, {})
    shown = " ".join(run_text(run, comparison, screen=WIDE).split())
    assert "FAIL (accepted) drop: The pass rate went from 100 % to 90 %" in shown
    assert "Accepted by Ana <ana@example.org> until 2026-12-24 (w-1): Fixed by *R-7*." in shown
    assert "to settle" not in shown
    text = report_markdown(run, comparison)
    assert "- **FAIL** (accepted) `drop`: " in text
    assert "Accepted by Ana `<ana@example.org>` until 2026-12-24 (w-1): Fixed by \\*R-7\\*." in text


def test_what_decides_is_never_a_part_that_was_accepted(
    accepted: tuple[StoredRun, dict[Any, bool | None]],
) -> None:
    run, _ = accepted
    verdict = run.record.verdict
    assert verdict is not None
    (suite,) = verdict.suites
    drop = next(part for part in suite.parts if part.name == "drop")
    broken = drop.revised(name="floor", kind="floor", waiver=None, candidate_rate=0.9, floor=0.95)
    failing = suite.revised(outcome=Outcome.FAIL, parts=(drop, broken))
    whole = msgspec.structs.replace(verdict, outcome=Outcome.FAIL, exit_code=1, suites=(failing,))
    assert verdict_reason(whole) == "routing: the candidate passes 90.0 %, 95.0 % is required"
