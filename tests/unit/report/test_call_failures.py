"""Errors of calls in a line a kind."""

from msgspec.structs import replace

from evalkit.records.run import CallFailures
from evalkit.report.call_failures import failure_lines
from tests.unit.report.conftest import MakeRun


def lines(make_run: MakeRun, *groups: CallFailures) -> list[str]:
    run, _ = make_run({"c1": ((True,), (True,))})
    return failure_lines(replace(run.record, failures=groups))


def test_a_group_tells_how_often_what_from_whom_and_what_became_of_it(make_run: MakeRun) -> None:
    assert lines(
        make_run,
        CallFailures(provider="openai", code="rate_limited", status=429, failed=4120, gave_up=3),
        CallFailures(provider="openai", code="connection", failed=2),
        CallFailures(provider="vllm", code="timeout", failed=2, gave_up=2),
        CallFailures(provider="vllm", code="bad_request", status=400, failed=1, gave_up=1),
    ) == [
        "4,120 × 429 (rate limited) from openai: tried again, 3 given up",
        "2 × connection from openai: all tried again",
        "2 × timeout from vllm: all given up",
        "1 × 400 (bad request) from vllm: given up",
    ]


def test_many_kinds_are_cut_and_counted(make_run: MakeRun) -> None:
    kinds = [
        CallFailures(provider="p", code="server_error", status=500 + number, failed=2)
        for number in range(30)
    ]
    told = lines(make_run, *kinds)
    assert len(told) == 9
    assert told[-1] == "44 × 22 more kinds, which are in run.json"
    assert lines(make_run) == []
