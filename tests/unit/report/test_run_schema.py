"""The published JSON Schemas describe what is written, and refuse what is not."""

import json
from typing import Any

import msgspec
import pytest
from jsonschema import Draft202012Validator

from evalkit.records.attempt import FailureMode
from evalkit.records.run import TraceRecord
from evalkit.report.comparison import compare_run
from evalkit.report.diff import diff_json
from evalkit.report.run_json import run_json
from evalkit.report.schema import bundle_schemas, run_schema
from evalkit.report.show import build_case_view, case_json
from tests.unit.report.conftest import MakeRun

T, F, N = True, False, None


@pytest.mark.parametrize("name", sorted(bundle_schemas()))
def test_every_schema_is_one(name: str) -> None:
    Draft202012Validator.check_schema(bundle_schemas()[name])


def test_what_is_written_meets_its_schema(make_run: MakeRun) -> None:
    run, passes = make_run({"a": ((T, T), (F, T)), "b": ((T, T), (N, T))})
    trace = TraceRecord(suite="routing", variant="candidate", case="a", trial=1, decisions=())
    written: dict[str, list[Any]] = {
        "run": [json.loads(run_json(run.record))],
        "attempt": [json.loads(msgspec.json.encode(each)) for each in run.attempts],
        "score": [json.loads(msgspec.json.encode(each)) for each in run.scores],
        "trace": [json.loads(msgspec.json.encode(trace))],
        "diff": [json.loads(diff_json(compare_run(run, passes)))],
        "case-view": [json.loads(case_json(build_case_view(run, "a", passes=passes)))],
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
