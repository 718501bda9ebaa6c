"""JSON Schemas of what a bundle holds, made from the records themselves."""

from inspect import cleandoc
from typing import Any

import msgspec

from evalkit.records.approval import ApprovalsListed
from evalkit.records.asset import JSON_SCHEMA_DIALECT
from evalkit.records.attempt import FAILURE_MODES, Attempt
from evalkit.records.audit import AUDIT_SCHEMA, JudgeAudit
from evalkit.records.audit_log import AuditEntry
from evalkit.records.calibration import CALIBRATION_SCHEMA, Calibration
from evalkit.records.case_view import CaseView
from evalkit.records.comparison import Comparison
from evalkit.records.golden import AddedCase, GoldenStats
from evalkit.records.history import HistoryView
from evalkit.records.judgment import Judgment
from evalkit.records.last_run import LastRun
from evalkit.records.power import PowerForecast
from evalkit.records.pruned import PruneReport
from evalkit.records.run import SCHEMA, RunRecord, TraceRecord
from evalkit.records.score import Score
from evalkit.records.span import SessionTrace


def run_schema() -> dict[str, Any]:
    """Of `run.json`, `evalkit.run/1`. It also publishes the list of failure modes."""
    schema = _schema(RunRecord, SCHEMA)
    schema["$defs"]["FailureMode"] = {
        "title": "FailureMode",
        "description": "Why an attempt failed or has no result: the keys of `failure_modes`. "
        + " ".join(f"{mode}: {words}" for mode, words in FAILURE_MODES.items()),
        "enum": [str(mode) for mode in FAILURE_MODES],
    }
    modes = schema["$defs"]["Totals"]["properties"]["failure_modes"]
    modes["propertyNames"] = {"$ref": "#/$defs/FailureMode"}
    return schema


def bundle_schemas() -> dict[str, dict[str, Any]]:
    """Of everything that programs read: run.json, lines of the journals, what is stored beside a
    rubric, `--json` of verbs."""
    return {
        "run": run_schema(),
        "attempt": _schema(Attempt, "evalkit.attempt/1"),
        "score": _schema(Score, "evalkit.score/1"),
        "judgment": _schema(Judgment, "evalkit.judgment/1"),
        "calibration": _schema(Calibration, CALIBRATION_SCHEMA),
        "audit": _schema(JudgeAudit, AUDIT_SCHEMA),
        "trace": _schema(TraceRecord, "evalkit.trace/1"),
        "diff": _schema(Comparison, "evalkit.diff/1"),
        "case-view": _schema(CaseView, "evalkit.case/1"),
        "history": _schema(HistoryView, "evalkit.history/1"),
        "power": _schema(PowerForecast, "evalkit.power/1"),
        "session-trace": _schema(SessionTrace, "evalkit.session_trace/1"),
        "audit-entry": _schema(AuditEntry, "evalkit.audit_log/1"),
        "approvals": _schema(ApprovalsListed, "evalkit.approvals/1"),
        "prune": _schema(PruneReport, "evalkit.prune/1"),
        "golden-add": _schema(AddedCase, "evalkit.golden_add/1"),
        "golden-stats": _schema(GoldenStats, "evalkit.golden_stats/1"),
        "last": _schema(LastRun, "evalkit.last/1"),
    }


def _schema(record: type, title: str) -> dict[str, Any]:
    (reference,), components = msgspec.json.schema_components(
        [record], ref_template="#/$defs/{name}"
    )
    for component in components.values():
        # Python 3.13 takes the indentation out of docstrings by itself
        if "description" in component:
            component["description"] = cleandoc(component["description"])
    return {"$schema": JSON_SCHEMA_DIALECT, "title": title, **reference, "$defs": components}
