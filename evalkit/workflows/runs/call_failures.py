"""What the live calls of a run met, grouped by provider and kind."""

from collections.abc import Iterable, Mapping

from evalkit.ports import EventSink
from evalkit.records.event import CallFailed, Event
from evalkit.records.run import CallFailures

_Kind = tuple[str, str, int | None]


class FailureCount:
    """Hands events on and counts the calls among them that failed. `before` are those of an
    earlier part of the run."""

    def __init__(self, emit: EventSink, before: Iterable[CallFailures] = ()) -> None:
        """Nothing has failed yet but what failed before."""
        self._emit = emit
        self._counts = _counted(before)

    def __call__(self, event: Event) -> None:
        """Take one event."""
        if isinstance(event, CallFailed):
            kind = (event.provider, event.code, event.status)
            failed, gave_up = self._counts.get(kind, (0, 0))
            self._counts[kind] = (failed + 1, gave_up + (not event.retried))
        self._emit(event)

    @property
    def failures(self) -> tuple[CallFailures, ...]:
        """The groups, the largest first."""
        return _grouped(self._counts)


def sum_failures(groups: Iterable[CallFailures]) -> tuple[CallFailures, ...]:
    """Those of several runs as those of one, the largest group first."""
    return _grouped(_counted(groups))


def _counted(groups: Iterable[CallFailures]) -> dict[_Kind, tuple[int, int]]:
    counts: dict[_Kind, tuple[int, int]] = {}
    for each in groups:
        kind = (each.provider, each.code, each.status)
        failed, gave_up = counts.get(kind, (0, 0))
        counts[kind] = (failed + each.failed, gave_up + each.gave_up)
    return counts


def _grouped(counts: Mapping[_Kind, tuple[int, int]]) -> tuple[CallFailures, ...]:
    groups = (
        CallFailures(provider=provider, code=code, status=status, failed=failed, gave_up=last)
        for (provider, code, status), (failed, last) in counts.items()
    )
    return tuple(sorted(groups, key=lambda each: (-each.failed, each.provider, each.code)))
