"""The journal: whole lines, the whole trace apart, one writer."""

import os
import re
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
import pytest

from evalkit.errors import StoreError
from evalkit.records.attempt import Attempt
from evalkit.records.call_log import attempt_work
from evalkit.store.bundle import Bundle
from evalkit.store.calls import RunCalls
from evalkit.store.journal import LineFile

Build = Callable[..., Any]


def lines_of(path: Path) -> list[bytes]:
    return path.read_bytes().splitlines(keepends=True)


def test_an_appended_attempt_is_on_disk_before_append_returns(
    bundle: Bundle, attempt: Build
) -> None:
    with bundle.journal() as journal:
        journal.append(attempt())
        (line,) = lines_of(bundle.path / "attempts.jsonl")
        assert msgspec.json.decode(line, type=Attempt) == attempt()
        assert line.endswith(b"\n")


def test_attempts_keep_policy_events_and_traces_keep_every_decision(
    bundle: Bundle, attempt: Build, decision: Build
) -> None:
    outcomes = ("allowed", "changed", "failed", "denied", "answered")
    decisions = tuple(decision(outcome) for outcome in outcomes)
    with bundle.journal() as journal:
        journal.append(attempt(decisions=decisions))
    (stored,) = bundle.attempts()
    assert [each.outcome for each in stored.decisions] == ["changed", "denied"]
    (trace,) = bundle.traces()
    assert trace.decisions == decisions
    assert (trace.suite, trace.variant, trace.case, trace.trial) == stored.place


def test_traces_are_found_by_suite_and_case_and_the_last_one_counts(
    bundle: Bundle, attempt: Build, decision: Build
) -> None:
    with bundle.journal() as journal:
        journal.append(attempt(decisions=(decision("failed"),)))
        journal.append(attempt(case="t-2", decisions=(decision("allowed"),)))
        journal.append(attempt(decisions=(decision("answered"),)))
    assert [trace.case for trace in bundle.traces()] == ["t-1", "t-2"]
    (trace,) = bundle.traces(suite="triage", case="t-1")
    assert [each.outcome for each in trace.decisions] == ["answered"]
    assert bundle.traces(suite="other") == ()


def test_of_one_place_the_last_line_counts_and_the_first_sets_the_order(
    bundle: Bundle, attempt: Build
) -> None:
    with bundle.journal() as journal:
        journal.append(attempt(state="error"))
        journal.append(attempt(case="t-2"))
        journal.append(attempt(state="answered", output="billing"))
    assert [(each.case, each.output) for each in bundle.attempts()] == [
        ("t-1", "billing"),
        ("t-2", None),
    ]


def test_variants_and_trials_are_places_of_their_own(bundle: Bundle, attempt: Build) -> None:
    with bundle.journal() as journal:
        for changes in ({}, {"variant": "baseline"}, {"trial": 2}, {"suite": "other"}):
            journal.append(attempt(**changes))
    assert len(bundle.attempts()) == 4


def test_a_trace_is_found_whatever_stands_in_its_texts(
    bundle: Bundle, attempt: Build, decision: Build
) -> None:
    odd = 'c,"decisions":[{'
    told = msgspec.structs.replace(decision("denied"), message=odd)
    with bundle.journal() as journal:
        for case in (odd, "t-1", odd + "}"):
            journal.append(attempt(case=case, decisions=(told,)))
    (trace,) = bundle.traces(case=odd)
    assert (trace.case, trace.decisions) == (odd, (told,))
    place = attempt(case=odd).place
    assert bundle.decisions_at({(place[0], odd)}) == {place: (told,)}


def test_errors_alone_have_no_result(bundle: Bundle, attempt: Build) -> None:
    states = ("answered", "blocked", "refused", "invalid", "error")
    with bundle.journal() as journal:
        for state in states:
            journal.append(attempt(case=state, state=state))
    assert [each.case for each in bundle.attempts() if each.has_result] == list(states[:-1])


def test_what_was_spent_counts_lines_that_were_made_again(bundle: Bundle, attempt: Build) -> None:
    with bundle.journal() as journal:
        journal.append(attempt(state="error", billed_usd=0.25))
        journal.append(attempt(origin="live", billed_usd=0.5))
        journal.append(attempt(case="t-2", origin="cache"))
    assert bundle.spent()[0] == 0.75


def test_what_a_process_knows_of_its_calls_is_what_the_files_tell(
    bundle: Bundle, attempt: Build
) -> None:
    for _ in ("a new run", "one that is gone on with"):
        calls = RunCalls()
        with bundle.journal(calls) as journal, closing(calls):
            bundle.open_calls(calls)
            attempts = bundle.attempts()
            for case in ("t-1", "t-2"):
                made = attempt(case=case, origin="live", billed_usd=0.5)
                work = calls.of(attempt_work(made.place))
                assert work is not None
                number = work.asked("key", usd=2.0, tokens=20)
                attempts.refresh()
                # in flight: at its upper bound
                before = bundle.spent()
                assert bundle.spent(attempts, calls) == before
                work.ended(number, usd=0.5, tokens=5)
                journal.append(made)
                attempts.refresh()
                assert bundle.spent(attempts, calls) == bundle.spent()
                assert bundle.spent()[0] == before[0] - 2.0 + 0.5
            left = calls.of(attempt_work(attempt(case="t-3").place))
            assert left is not None
            left.ended(left.asked("key", usd=1.0, tokens=10), usd=0.25, tokens=3)
            assert bundle.spent(attempts, calls) == bundle.spent()


@pytest.mark.parametrize("cut", range(1, 60, 7))
def test_a_torn_last_line_is_left_out_and_cut_by_the_next_writer(
    bundle: Bundle, attempt: Build, cut: int
) -> None:
    with bundle.journal() as journal:
        journal.append(attempt(case="t-1"))
        journal.append(attempt(case="t-2"))
    path = bundle.path / "attempts.jsonl"
    os.truncate(path, path.stat().st_size - cut)
    assert [each.case for each in bundle.attempts()] == ["t-1"]
    with bundle.journal() as journal:
        journal.append(attempt(case="t-3"))
    assert [each.case for each in bundle.attempts()] == ["t-1", "t-3"]
    assert all(line.endswith(b"\n") for line in lines_of(path))


def test_a_torn_line_longer_than_a_block_is_cut(bundle: Bundle) -> None:
    path = bundle.path / "lines"
    path.write_bytes(b"whole\n" + b"x" * 200_000)
    LineFile(path).close()
    assert path.read_bytes() == b"whole\n"
    path.write_bytes(b"y" * 200_000)
    LineFile(path).close()
    assert path.read_bytes() == b""


def test_zeroes_of_a_power_cut_are_cut(bundle: Bundle, attempt: Build) -> None:
    with bundle.journal() as journal:
        journal.append(attempt())
    path = bundle.path / "attempts.jsonl"
    with open(path, "ab") as file:
        file.write(b"\0" * 512)
    assert len(bundle.attempts()) == 1
    with bundle.journal() as journal:
        journal.append(attempt(case="t-2"))
    assert len(bundle.attempts()) == 2


def test_a_damaged_line_within_is_an_error_with_its_number(bundle: Bundle, attempt: Build) -> None:
    with bundle.journal() as journal:
        journal.append(attempt())
    path = bundle.path / "attempts.jsonl"
    good = path.read_bytes()
    path.write_bytes(good + b"{broken\n" + good)
    with pytest.raises(StoreError, match=re.escape(f"{path}:2:")):
        bundle.attempts()


def test_an_attempt_with_an_unknown_key_is_an_error(bundle: Bundle) -> None:
    (bundle.path / "attempts.jsonl").write_bytes(b'{"at":"","surprise":1}\n')
    with pytest.raises(StoreError, match=r"attempts\.jsonl:1:"):
        bundle.attempts()


def test_a_run_without_a_journal_has_no_attempts(bundle: Bundle) -> None:
    assert bundle.attempts() == ()
    assert bundle.traces() == ()
    assert bundle.spent() == (0.0, 0)


def test_a_second_writer_is_told_who_the_first_one_is(bundle: Bundle) -> None:
    with (
        bundle.journal(),
        pytest.raises(StoreError, match=rf"{bundle.id} .* another process \(pid {os.getpid()}\)"),
    ):
        bundle.journal()


def test_a_closed_journal_lets_the_next_one_in(bundle: Bundle, attempt: Build) -> None:
    first = bundle.journal()
    first.close()
    first.close()
    with bundle.journal() as second:
        second.append(attempt())
    assert len(bundle.attempts()) == 1


def test_a_refused_journal_leaves_the_holder_s_lock_alone(bundle: Bundle) -> None:
    with bundle.journal():
        for _ in range(2):
            with pytest.raises(StoreError, match="another process"):
                bundle.journal()


def test_a_lock_that_an_ended_process_left_behind_is_no_obstacle(bundle: Bundle) -> None:
    (bundle.path / "run.lock").write_text("999999\n")
    bundle.journal().close()


def test_an_error_inside_is_not_replaced_by_closing(bundle: Bundle, attempt: Build) -> None:
    with pytest.raises(ZeroDivisionError), bundle.journal() as journal:
        journal.append(attempt())
        raise ZeroDivisionError
    assert len(bundle.attempts()) == 1
