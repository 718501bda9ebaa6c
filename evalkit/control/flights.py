"""The live calls that are under way: whom they wait for, since when, and how they are cut off.

Whoever asks a provider gives it a time, and it is the provider's to keep. One that does not, and
that nothing comes from at all, is cut off from outside: a run may fail, but it does not hang.
"""

import asyncio
from contextlib import AbstractContextManager
from types import TracebackType

import msgspec

from evalkit.errors import ProviderError
from evalkit.ports import Clock
from evalkit.records.attempt import FailureMode

_GRACE_SHARE = 0.5
_LEAST_GRACE_S = 5.0


class Flight(msgspec.Struct, eq=False):
    """One call. `began_s` is by the clock's monotonic time; `cancels` are the requests to cancel
    its task that were there before it began."""

    provider: str
    began_s: float
    limit_s: float
    task: "asyncio.Task[object] | None"
    cancels: int
    is_cut: bool = False

    def cut(self) -> None:
        """Cancel what it waits for, once."""
        if self.task is not None and not self.is_cut:
            self.is_cut = True
            self.task.cancel()

    def take_back(self) -> bool:
        """Take the cancelling back; whether nobody else has asked for it."""
        self.is_cut = False
        return self.task is not None and self.task.uncancel() <= self.cancels


class Flights:
    """The calls of a process that are under way."""

    def __init__(self, clock: Clock) -> None:
        """None yet."""
        self._clock = clock
        self._flights: dict[Flight, None] = {}
        self._heard_s: dict[str, float] = {}

    def under_way(self, provider: str, timeout_s: float) -> AbstractContextManager[None]:
        """Around one call, which was given `timeout_s`.

        Raises ProviderError(timeout) in the place of one that was cut off.
        """
        task = asyncio.current_task()
        flight = Flight(
            provider=provider,
            began_s=self._clock.monotonic(),
            limit_s=timeout_s + max(_LEAST_GRACE_S, _GRACE_SHARE * timeout_s),
            task=task,
            cancels=0 if task is None else task.cancelling(),
        )
        return _UnderWay(self, flight, timeout_s)

    def _began(self, flight: Flight) -> None:
        self._flights[flight] = None

    def _ended(self, flight: Flight) -> float:
        """Returns how long it took, in seconds."""
        del self._flights[flight]
        now_s = self._heard_s[flight.provider] = self._clock.monotonic()
        return now_s - flight.began_s

    @property
    def heard_s(self) -> float:
        """When a call last ended, however it did, by the clock's monotonic time."""
        return max(self._heard_s.values(), default=float("-inf"))

    def oldest(self) -> dict[str, tuple[int, float]]:
        """How many calls wait for each provider, and when the oldest of them began."""
        waiting: dict[str, tuple[int, float]] = {}
        for flight in tuple(self._flights):
            number, began_s = waiting.get(flight.provider, (0, flight.began_s))
            waiting[flight.provider] = (number + 1, min(began_s, flight.began_s))
        return waiting

    def cut_overdue(self) -> int:
        """Cut off what is long past its time at a provider from which nothing came either: one
        that answers its calls one after the other is not overdue. Returns how many."""
        now = self._clock.monotonic()
        overdue = [
            flight
            for flight in tuple(self._flights)
            if not flight.is_cut
            and now - max(flight.began_s, self._heard_s.get(flight.provider, flight.began_s))
            > flight.limit_s
        ]
        for flight in overdue:
            flight.cut()
        return len(overdue)


class _UnderWay:
    """Around one call. A class, since every call is in one."""

    __slots__ = ("_flight", "_flights", "_timeout_s")

    def __init__(self, flights: Flights, flight: Flight, timeout_s: float) -> None:
        self._flights = flights
        self._flight = flight
        self._timeout_s = timeout_s

    def __enter__(self) -> None:
        self._flights._began(self._flight)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        flight = self._flight
        took_s = self._flights._ended(flight)
        if not flight.is_cut:
            return
        # it may also have ended by itself at the same moment
        nobody_else = flight.take_back()
        if nobody_else and isinstance(error, asyncio.CancelledError):
            raise ProviderError(
                FailureMode.TIMEOUT,
                f"provider {flight.provider} did not keep to {self._timeout_s:g} s and was cut off "
                f"after {took_s:.0f} s",
                retryable=True,
                may_be_billed=True,
            ) from None
