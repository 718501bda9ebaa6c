"""`evalkit show`: what did it do, what did it cost, why did it decide that."""

import json
import re
from typing import Any

import pytest
from msgspec.structs import replace

from evalkit.errors import UsageError
from evalkit.records.attempt import FailureMode
from evalkit.records.call import Decision, Fallback, ToolCall, Usage
from evalkit.records.case import Case, Document
from evalkit.records.run import Totals, TraceRecord
from evalkit.report.comparison import compare_run
from evalkit.report.screen import Screen
from evalkit.report.show import build_case_view, case_json, case_text, run_json, run_summary
from tests.unit.report.conftest import MakeRun

WIDE = Screen(width=100)
T, F, N = True, False, None
AT = "2026-11-24T19:33:02+00:00"


def decision(outcome: Any, rule: str, message: str, **data: Any) -> Decision:
    return Decision(act="authorize", outcome=outcome, rule=rule, message=message, at=AT, data=data)


def test_a_case_shows_what_it_did_what_it_cost_and_why(make_run: MakeRun) -> None:
    case = Case(
        id="a",
        input={"subject": "Money", "body": "Line one.\nLine two."},
        expected={"intent": "refund"},
        tags=("angry", "short"),
        documents=(Document(id="kb-1", index="kb", text="…"),),
        approvals={"refund": {"granted_by": "u-7", "team": "legal_ops"}},
    )
    place = ("routing", "candidate", "a", 1)
    run, passes = make_run(
        {"a": ((T,), (F,))},
        origin="live",
        cases={"a": case},
        attempts={
            place: {
                "model": "backup",
                "model_id": "backup-2026",
                "fallbacks": (Fallback(model="tiny", code="timeout", message="no reply"),),
                "documents": ("kb-1",),
                "citations": ("kb-1",),
                "tool_calls": (
                    ToolCall(name="refund", arguments={"order": "A-1"}),
                    ToolCall(name="send_email", arguments={}),
                ),
                "allowed_tools": ("refund",),
                "usage": Usage(input_tokens=400, output_tokens=4, cached_tokens=300),
                "billed_usd": 0.000404,
                "tries": 3,
                "finish_reason": "length",
                "measured_at": AT,
            }
        },
    )
    trace = TraceRecord(
        suite="routing",
        variant="candidate",
        case="a",
        trial=1,
        decisions=(
            decision("allowed", "approvals.on_execute", "legal_ops approved it", tool="refund"),
            decision("denied", "policies.disallow_actions", "send_email is never allowed"),
        ),
    )
    page = case_text(build_case_view(run, "a", traces=[trace], passes=passes), screen=WIDE)
    assert page == (
        """\
a  routing, run 20261124T193301Z-3f2a  goldensets/routing/v1/cases.jsonl:1
  input      subject: Money
             body: Line one.
               Line two.
  expected   intent: refund
  documents  kb-1 (kb)
  approvals  refund by u-7 (legal_ops)
  tags       angry, short

baseline, trial 1: passed
  asked      tiny, prompt routing@v1, route routing
  answer     answered: a live reply
  output     payment
  cost       1,000 tokens in, 4 out; $0.0010 list price, $0 billed, 250 ms
  why        no trace is stored
  scores     exact: pass

candidate, trial 1: failed
  asked      backup (backup-2026), prompt routing@v2, route routing
  answer     answered: a live reply, measured 2026-11-24T19:33:02+00:00, after 3 tries, finish
             reason length
  planned    tiny should have answered
  fell back  from tiny: timeout: no reply
  retrieved  kb-1
  cited      kb-1
  output     wish
  tool call  refund({"order": "A-1"}), allowed
  tool call  send_email({}), not allowed
  cost       400 tokens in (300 of them cached), 4 out; $0.000404 list price, $0.000404 billed, 250
             ms
  step by step
  1. Called the tool refund
     why        authorize allowed by approvals.on_execute: legal_ops approved it
  2. Wanted to call a tool: denied by policies.disallow_actions
     why        authorize denied by policies.disallow_actions: send_email is never allowed
  scores     exact: fail: expected "payment", found "wish"
"""
    )


def test_without_a_trace_the_journals_policy_events_are_shown_as_such(make_run: MakeRun) -> None:
    kept = decision("denied", "policies.disallow_actions", "send_email is never allowed")
    run, passes = make_run(
        {"a": ((T,), (F,))}, attempts={("routing", "candidate", "a", 1): {"decisions": (kept,)}}
    )
    page = case_text(build_case_view(run, "a", passes=passes), screen=WIDE)
    assert "why        authorize denied by policies.disallow_actions" in page
    assert "(only what a policy denied or changed is stored)" in page


def test_a_scripted_reply_is_called_scripted(make_run: MakeRun) -> None:
    run, passes = make_run({"a": ((T,), (F,))}, origin="scripted")
    page = case_text(build_case_view(run, "a", passes=passes), screen=WIDE)
    assert "answer     answered: a scripted reply, written by hand" in page
    assert "measure no model" in " ".join(page.split())


def test_an_error_is_shown_with_its_failure_mode(make_run: MakeRun) -> None:
    run, passes = make_run({"a": ((T,), (N,))})
    page = case_text(build_case_view(run, "a", passes=passes), screen=WIDE)
    assert "candidate, trial 1: no result\n" in page
    assert "  answer     error, timeout: no reply\n  error      no reply within 60 s\n" in page


def test_an_unknown_case_is_refused_with_what_was_meant(make_run: MakeRun) -> None:
    run, passes = make_run({"case-001": ((T,), (T,)), "other": ((T,), (T,))})
    with pytest.raises(UsageError, match=r"no case 'case-01'; did you mean case-001\?"):
        build_case_view(run, "case-01", passes=passes)


def test_a_case_that_was_never_tried_says_so(make_run: MakeRun) -> None:
    gone = frozenset({("routing", variant, "a", 1) for variant in ("baseline", "candidate")})
    run, passes = make_run({"a": ((T,), (T,))}, missing=gone)
    page = case_text(build_case_view(run, "a", passes=passes), screen=WIDE)
    assert "No attempt at it was made." in page


def test_control_characters_in_outputs_and_decisions_are_written_out(make_run: MakeRun) -> None:
    bad = "\x1b]0;title\x07 \r \u202e"
    kept = decision("denied", bad, bad, tool=bad)
    run, passes = make_run(
        {"a": ((T,), (N,))},
        attempts={("routing", "candidate", "a", 1): {"error": bad, "decisions": (kept,)}},
        outputs={"a": (bad, bad)},
    )
    page = case_text(build_case_view(run, "a", passes=passes), screen=WIDE)
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]", page)


def test_a_case_as_json_holds_attempts_scores_and_decisions(make_run: MakeRun) -> None:
    run, passes = make_run({"a": ((T,), (F,))})
    value = json.loads(case_json(build_case_view(run, "a", passes=passes)))
    assert value["schema"] == "evalkit.case/1"
    attempts = value["suites"][0]["attempts"]
    assert [each["passed"] for each in attempts] == [True, False]
    assert attempts[1]["scores"][0]["message"] == 'expected "payment", found "wish"'


def test_a_run_shows_what_was_asked_for_and_why_it_came_out_so(make_run: MakeRun) -> None:
    run, passes = make_run(
        {"a": ((T,), (F,)), "b": ((T,), (N,))},
        record={"changes": {"suites.routing.target.prompt": "routing@v2"}, "warnings": ("Look.",)},
    )
    page = run_summary(run, compare_run(run, passes), screen=WIDE)
    assert "  command    evalkit run routing\n" in page
    assert "  commit     3f2a1c9d5e6f on fewer-shots\n" in page
    assert '  changes    suites.routing.target.prompt="routing@v2"\n' in page
    assert "    asked      tiny (tiny-135m-q4), prompt routing@v1, route routing\n" in page
    assert "    cost       400 tokens in, 4 out; $0.000404 list price, $0 billed\n" in page
    assert "Why it came out so\n  - routing: drop: The pass rate went from 100 % to 0 %" in page
    assert "  warning    Look.\n" in page


def test_a_run_counts_states_and_failure_modes(make_run: MakeRun) -> None:
    run, passes = make_run({"a": ((T,), (F,))})
    totals = Totals(
        variant="candidate",
        cases=4,
        attempts=4,
        passed=1.0,
        errors=1,
        states={"answered": 2, "blocked": 1, "error": 1},
        failure_modes={"timeout": 1},
        input_tokens=1,
        output_tokens=1,
        cost_usd=None,
        billed_usd=0.0,
        fallbacks=2,
        guardrails=3,
    )
    suite = replace(run.record.suites[0], totals=(totals,))
    stored = replace(run, record=replace(run.record, suites=(suite,)))
    page = run_summary(stored, compare_run(stored, passes), screen=WIDE)
    assert "    attempts   4: 2 answered, 1 blocked, 1 error (1 timeout)\n" in page
    assert "    passed     0.0 % of 1 attempt\n" in page
    assert "    policy     3 guardrails, 2 fallbacks\n" in page


def test_a_run_that_was_killed_is_told_from_its_journal(make_run: MakeRun) -> None:
    gone = {("routing", variant, "b", 1) for variant in ("baseline", "candidate")}
    run, passes = make_run(
        {"a": ((T,), (F,)), "b": ((T,), (T,)), "c": ((T,), (N,))},
        state="running",
        missing=frozenset(gone),
    )
    started = Totals(
        variant="candidate",
        cases=0,
        attempts=0,
        passed=0.0,
        errors=0,
        states={},
        failure_modes={},
        input_tokens=0,
        output_tokens=0,
        cost_usd=0.0,
        billed_usd=0.0,
        fallbacks=0,
        guardrails=0,
    )
    suite = replace(run.record.suites[0], totals=(started,))
    stored = replace(run, record=replace(run.record, suites=(suite,)))
    page = run_summary(stored, compare_run(stored, passes), screen=WIDE)
    assert page.startswith("RUNNING  it is under way, or it was killed; what was done is kept\n")
    assert "    attempts   2: 2 answered\n    passed     100.0 % of 2 attempts with a" in page
    assert "    attempts   2: 1 answered, 1 error (1 timeout)\n" in page
    assert "    passed     0.0 % of 1 attempts with a result, of 3\n" in page
    assert "report  " not in page


def test_a_run_that_has_no_attempt_has_no_rate(make_run: MakeRun) -> None:
    gone = {("routing", variant, "a", 1) for variant in ("baseline", "candidate")}
    run, passes = make_run({"a": ((T,), (F,))}, state="running", missing=frozenset(gone))
    page = run_summary(run, compare_run(run, passes), screen=WIDE)
    assert page.count("    attempts   none was made\n    passed     nothing has a result\n") == 2


def test_a_run_as_json_is_its_record(make_run: MakeRun) -> None:
    run, _ = make_run({"a": ((T,), (F,))})
    value = json.loads(run_json(run.record))
    assert (value["schema"], value["id"]) == ("evalkit.run/1", run.record.id)


def test_what_a_policy_blocked_names_its_rule_and_nothing_twice(make_run: MakeRun) -> None:
    blocked = {
        "state": "blocked",
        "failure_mode": FailureMode.POLICY,
        "rule": "require_citations",
    }
    run, passes = make_run(
        {"a": ((T,), (F,))}, attempts={("routing", "candidate", "a", 1): blocked}
    )
    page = case_text(build_case_view(run, "a", passes=passes), screen=WIDE)
    assert "  answer     blocked by require_citations: a recorded reply\n" in page
