"""The published JSON Schemas describe what is written, and refuse what is not."""

import json
from typing import Any

import msgspec
import pytest
from jsonschema import Draft202012Validator

from evalkit.records.approval import Approval, ApprovalAsked
from evalkit.records.attempt import FailureMode
from evalkit.records.audit import AUDIT_SCHEMA, AuditRow, JudgeAudit
from evalkit.records.audit_log import AuditEntry, line_of, with_hash
from evalkit.records.calibration import (
    CALIBRATION_SCHEMA,
    Calibration,
    Confusion,
    JudgeMeasured,
    LabelCounts,
    Share,
)
from evalkit.records.case import Case
from evalkit.records.golden import (
    AddedCase,
    Ages,
    GoldenStats,
    NearPair,
    Outcomes,
    QuotaStanding,
    SliceCoverage,
    WeekRow,
)
from evalkit.records.history import HistoryView, Trend, TrendPoint
from evalkit.records.last_run import LastRun
from evalkit.records.power import PowerRow, SuitePower
from evalkit.records.pruned import Pruned, PruneReport
from evalkit.records.run import TraceRecord
from evalkit.records.span import SessionTrace, Span
from evalkit.records.verdict import Outcome
from evalkit.report.approvals import approvals_json
from evalkit.report.comparison import compare_run
from evalkit.report.diff import diff_json
from evalkit.report.golden import added_json, stats_json
from evalkit.report.history import history_json
from evalkit.report.power import power_json
from evalkit.report.prune import prune_json
from evalkit.report.run_json import run_json
from evalkit.report.schema import bundle_schemas, run_schema
from evalkit.report.show import build_case_view, case_json
from evalkit.report.traces import trace_json
from tests.unit.report.conftest import MakeRun
from tests.unit.report.judged_run import judge_part, judged_run

T, F, N = True, False, None
HISTORY = HistoryView(
    trends=(
        Trend(
            suite="routing",
            metric="pass_rate",
            slice=None,
            points=(
                TrendPoint(
                    run="r1",
                    at="2026-11-24",
                    sha="a1",
                    branch="main",
                    value=0.5,
                    outcome=Outcome.PASS,
                ),
            ),
        ),
    ),
    runs=1,
)
POWER = SuitePower(
    suite="routing",
    cases=20,
    margin=0.03,
    alpha=0.05,
    power=0.8,
    noise=0.1,
    churn=0.0,
    minimum_cases=90,
    rows=(
        PowerRow(
            reason="to_pass",
            cases=90,
            trials=1,
            baseline_trials=0,
            flips=0.1,
            detectable_drop=None,
            pass_chance=0.2,
            fail_chance=None,
            attempts=180,
        ),
    ),
)
CALIBRATION = Calibration(
    schema=CALIBRATION_SCHEMA,
    rubric="tone@v1",
    judge="sha256:1",
    labels="sha256:2",
    asked="gpt-4.1",
    made_at="2026-11-24T19:33:01+00:00",
    evalkit="0.1.0",
    measured=JudgeMeasured(
        counts=LabelCounts(tuning_passes=10, tuning_fails=10, test_passes=60, test_fails=60),
        labelled_by=("person",),
        confusion=Confusion(true_pass=55, false_fail=5, false_pass=3, true_fail=57),
        tpr=Share(value=0.92, lower=0.82, upper=0.96, n=60),
        tnr=Share(value=0.95, lower=0.86, upper=0.98, n=60),
        youden=None,
        agreement=None,
        ceiling=None,
        abstained=0.0,
        fit=True,
    ),
    verdicts={"0123456789abcdef": True, "0123456789abcdee": None},
)
AUDIT = JudgeAudit(
    schema=AUDIT_SCHEMA,
    rubric="tone@v1",
    judge="sha256:1",
    asked="gpt-4.1",
    made_at="2026-11-24T19:33:01+00:00",
    evalkit="0.1.0",
    seed=1,
    repeats=2,
    outputs=20,
    labelled_by=("person",),
    calls=40,
    errors=0,
    billed_usd=0.02,
    rows=(AuditRow(check="repeat", name="repeat", tried="the same output again", finding="ok"),),
)
LAST = LastRun(at="2026-11-24", command=("evalkit", "run"), exit_code=2, kind="refused")

SESSION = SessionTrace(
    trace_id="a" * 32,
    at="2026-11-24T09:00:00.000+00:00",
    route="help",
    spans=(Span(operation="chat", name="tiny", start_ns=1, end_ns=2, error="timeout"),),
)
ENTRY = with_hash(
    AuditEntry(
        seq=1,
        at="2026-11-24T09:00:00.000+00:00",
        kind="approval.granted",
        actor={"user": "ada"},
        about={"tool": "refund"},
        prev="0" * 64,
    )
)
APPROVAL = Approval(
    id="ap-1",
    asked=ApprovalAsked(
        route="help",
        tool="refund",
        team="legal",
        identity="u-1",
        digest="sha256:0",
        expires_s=60.0,
        arguments={"amount": 3},
    ),
    asked_at="2026-11-24T09:00:00.000+00:00",
    state="pending",
)
PRUNED = PruneReport(dry_run=True, pruned=(Pruned(kind="runs", count=1, names=("r",)),))

ADDED = AddedCase(
    golden="asks@v2",
    path="goldensets/asks/v2/cases.jsonl",
    new_version=True,
    case=Case(id="trace-1", input={"text": "x"}, source={"kind": "trace"}),
    lines=("+{}",),
    review=("expected: empty",),
    pinned=("asks",),
    written=False,
)
GOLDEN = GoldenStats(
    reference="asks@v1",
    digest="sha256:0",
    frozen=True,
    cases=2,
    groups=2,
    tags={"a": 1},
    untagged=1,
    expected_keys={"output": 2},
    flip_share=0.1,
    detectable_drop=None,
    cases_to_pass=88,
    quota=QuotaStanding(
        start=200,
        per_week=20,
        owed=198,
        weeks=(WeekRow(week="2026-W49", added=2, total=2, wanted=200),),
    ),
    slices=(SliceCoverage(suite="asks", tag="a", groups=1, needed=29, required=True),),
    ages=Ages(
        dated=2, undated=0, median_days=1.5, oldest_days=2, oldest="a", bound_days=180, old=0
    ),
    outcomes=Outcomes(runs=1, fewest=5, measured=1, never_failed=("a",), always_failed=()),
    near=(NearPair(one="a", other="b", alike=1.0),),
    sources={"trace": 2},
    drafts=0,
)


@pytest.mark.parametrize("name", sorted(bundle_schemas()))
def test_every_schema_is_one(name: str) -> None:
    Draft202012Validator.check_schema(bundle_schemas()[name])


def test_what_is_written_meets_its_schema(make_run: MakeRun) -> None:
    run, passes = make_run({"a": ((T, T), (F, T)), "b": ((T, T), (N, T))})
    judged, judged_passes = judged_run(make_run, {"a": (True, False)}, judge_part())
    trace = TraceRecord(suite="routing", variant="candidate", case="a", trial=1, decisions=())
    written: dict[str, list[Any]] = {
        "run": [json.loads(run_json(run.record)), json.loads(run_json(judged.record))],
        "attempt": [json.loads(msgspec.json.encode(each)) for each in run.attempts],
        "score": [json.loads(msgspec.json.encode(each)) for each in run.scores],
        "judgment": [json.loads(msgspec.json.encode(each)) for each in judged.judgments],
        "calibration": [json.loads(msgspec.json.encode(CALIBRATION))],
        "audit": [json.loads(msgspec.json.encode(AUDIT))],
        "trace": [json.loads(msgspec.json.encode(trace))],
        "diff": [
            json.loads(diff_json(compare_run(run, passes))),
            json.loads(diff_json(compare_run(judged, judged_passes))),
        ],
        "case-view": [
            json.loads(case_json(build_case_view(run, "a", passes=passes))),
            json.loads(case_json(build_case_view(judged, "a", passes=judged_passes))),
        ],
        "history": [json.loads(history_json(HISTORY))],
        "power": [json.loads(power_json([POWER]))],
        "session-trace": [json.loads(trace_json(SESSION))],
        "audit-entry": [json.loads(line_of(ENTRY))],
        "approvals": [json.loads(approvals_json([APPROVAL])), json.loads(approvals_json([]))],
        "prune": [json.loads(prune_json(PRUNED))],
        "golden-add": [json.loads(added_json(ADDED))],
        "golden-stats": [json.loads(stats_json(GOLDEN))],
        "last": [json.loads(msgspec.json.encode(LAST))],
    }
    schemas = bundle_schemas()
    assert set(written) == set(schemas)
    for name, values in written.items():
        for value in values:
            Draft202012Validator(schemas[name]).validate(value)


@pytest.mark.parametrize(
    "change",
    [{"schema": "evalkit.run/2"}, {"state": "fine"}, {"exit_code": "1"}, {"unknown": 1}],
)
def test_a_run_that_is_none_is_refused(make_run: MakeRun, change: dict[str, Any]) -> None:
    run, _ = make_run({"a": ((T,), (F,))})
    value = {**json.loads(run_json(run.record)), **change}
    assert not Draft202012Validator(run_schema()).is_valid(value)


def test_the_runs_schema_publishes_every_failure_mode() -> None:
    assert run_schema()["$defs"]["FailureMode"]["enum"] == [mode.value for mode in FailureMode]
