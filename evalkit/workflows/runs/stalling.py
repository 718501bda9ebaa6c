"""A watchdog over a run: it tells what is stuck, and cuts off what does not keep to its time."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

from evalkit.control.flights import Flights
from evalkit.ports import Clock, EventSink
from evalkit.records.event import Event, RunNoted

_LOOK_PAUSE_S = 1.0
_TELL_PAUSE_S = 60.0
_QUIET_SHARE = 0.5
_QUIET_S = (10.0, 60.0)


class StallWatch:
    """Hands events on, and tells in one where for long none came and no call ended."""

    def __init__(self, emit: EventSink, *, clock: Clock, flights: Flights) -> None:
        """Nothing is watched before `running`."""
        self._emit = emit
        self._clock = clock
        self._flights = flights
        self._heard_s = clock.monotonic()
        self._told_s = float("-inf")

    def __call__(self, event: Event) -> None:
        """Take one event."""
        self._heard_s = self._clock.monotonic()
        self._emit(event)

    @asynccontextmanager
    async def running(self, *, timeout_s: float) -> AsyncIterator[None]:
        """Look once a second; `timeout_s` is what a call may take."""
        self._heard_s = self._clock.monotonic()
        looking = asyncio.create_task(self._keep_looking(timeout_s))
        try:
            yield
        finally:
            looking.cancel()
            await asyncio.gather(looking, return_exceptions=True)

    async def _keep_looking(self, timeout_s: float) -> None:
        while True:
            # the loop's own time: a clock that is not the machine's may never let it pass
            await asyncio.sleep(_LOOK_PAUSE_S)
            self.look(timeout_s=timeout_s)

    def look(self, *, timeout_s: float) -> None:
        """Cut off what is overdue, and tell what is stuck, at most once a minute."""
        now = self._clock.monotonic()
        quiet_s = now - max(self._heard_s, self._flights.heard_s)
        least_s, most_s = _QUIET_S
        told_lately = now - self._told_s < _TELL_PAUSE_S
        if quiet_s >= max(least_s, min(most_s, _QUIET_SHARE * timeout_s)) and not told_lately:
            self._told_s = now
            # not through this object: that nothing happens is no event
            self._emit(RunNoted(message=self._stuck_words(now, quiet_s, timeout_s)))
        self._flights.cut_overdue()

    def _stuck_words(self, now: float, quiet_s: float, timeout_s: float) -> str:
        waiting = sorted(self._flights.oldest().items(), key=lambda each: each[1][1])
        head = f"nothing finished for {quiet_s:.0f} s"
        if not waiting:
            return (
                f"{head}, and no call is at a provider: what is under way waits for limits, for a "
                "budget, for its next try, or for a program that is tested"
            )
        told = [
            f"{number:,} {'call waits' if number == 1 else 'calls wait'} for {provider}, "
            f"{'since' if number == 1 else 'the oldest since'} {self._time_of(now - began_s)} "
            f"({now - began_s:.0f} s)"
            for provider, (number, began_s) in waiting
        ]
        return f"{head}: {'; '.join(told)}; a call may take {timeout_s:g} s"

    def _time_of(self, ago_s: float) -> str:
        return f"{self._clock.now() - timedelta(seconds=ago_s):%H:%M:%S} UTC"
