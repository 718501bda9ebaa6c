"""What calls met, of one run and of several."""

from evalkit.records.event import CallFailed, Event
from evalkit.records.run import CallFailures
from evalkit.workflows.runs.call_failures import FailureCount, sum_failures


def failed(code: str, status: int | None = None, *, retried: bool = True) -> CallFailed:
    return CallFailed(provider="p", code=code, status=status, retried=retried)


def test_calls_are_counted_by_provider_kind_and_status_and_handed_on() -> None:
    heard: list[Event] = []
    count = FailureCount(heard.append, [CallFailures(provider="p", code="timeout", failed=1)])
    events = [
        failed("server_error", 500),
        failed("server_error", 503),
        failed("server_error", 503, retried=False),
        failed("timeout", retried=False),
    ]
    for event in events:
        count(event)
    assert heard == events
    assert count.failures == (
        CallFailures(provider="p", code="server_error", status=503, failed=2, gave_up=1),
        CallFailures(provider="p", code="timeout", failed=2, gave_up=1),
        CallFailures(provider="p", code="server_error", status=500, failed=1),
    )


def test_those_of_several_runs_add_up() -> None:
    one = CallFailures(provider="p", code="timeout", failed=3, gave_up=1)
    other = CallFailures(provider="q", code="timeout", failed=4)
    assert sum_failures([one, other, one]) == (
        CallFailures(provider="p", code="timeout", failed=6, gave_up=2),
        other,
    )
