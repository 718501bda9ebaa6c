"""What the sessions of a process share about the providers they ask: limits and circuits.

A model is reached through a lane: its provider's limiter, which all models of the provider share,
and a circuit breaker of its own. Replays have no lane: nothing that was written down is overloaded
or fails.
"""

from contextlib import AbstractAsyncContextManager
from threading import Lock

import msgspec

from evalkit.config.traffic import BreakerRules, Limits
from evalkit.control.breaker import Admission, Breaker
from evalkit.control.limits import Limiter, Slot
from evalkit.errors import ProviderError
from evalkit.ports import Clock
from evalkit.records.attempt import FailureMode


class Busy(Exception):
    """A call would wait longer than its route allows before it asks another model."""


class Lane(msgspec.Struct, frozen=True):
    """How one model of one provider is reached; without a breaker it is never left alone."""

    limiter: Limiter
    breaker: Breaker | None

    def pass_through(
        self, model: str, tokens: int, *, busy_after_s: float | None
    ) -> AbstractAsyncContextManager["Passage"]:
        """Wait for the right to ask the model for up to so many tokens.

        Raises ProviderError(circuit_open) at once where the circuit is open, and Busy where the
        wait would be longer than `busy_after_s`; without one it waits its turn.
        """
        return _Passing(self, model, tokens, busy_after_s)


class Traffic:
    """The lanes of a process. Safe between tasks, loops and threads."""

    def __init__(self, clock: Clock) -> None:
        """Nothing has been asked yet."""
        self._clock = clock
        self._lock = Lock()
        self._limiters: dict[tuple[str, str], Limiter] = {}
        self._breakers: dict[tuple[str, str, str, BreakerRules], Breaker] = {}

    def lane(
        self,
        provider: str,
        identity: str,
        model: str,
        *,
        limits: Limits | None,
        breaker: BreakerRules | None,
    ) -> Lane:
        """The lane to a model, by the provider's name, kind and address, and the model's id.

        Where two configurations limit one provider, the tighter of each limit holds.
        """
        limits = limits or Limits.model_construct()
        with self._lock:
            limiter = self._limiters.setdefault((provider, identity), Limiter(limits, self._clock))
            limiter.tighten(limits)
            if breaker is None:
                return Lane(limiter, None)
            place = (provider, identity, model, breaker)
            return Lane(limiter, self._breakers.setdefault(place, Breaker(breaker, self._clock)))

    def forget_limits(self) -> None:
        """Let the next configuration say what the limits are; who waits and what was used stays."""
        with self._lock:
            for each in self._limiters.values():
                each.forget_limits()

    def limiters(self) -> list[tuple[str, Limiter]]:
        """The limiter of each provider, by its name."""
        with self._lock:
            return [(provider, each) for (provider, _), each in self._limiters.items()]

    def breakers(self) -> list[tuple[str, str, Breaker]]:
        """The circuit of each model, by the names of its provider and its id."""
        with self._lock:
            return [
                (provider, model, each) for (provider, _, model, _), each in self._breakers.items()
            ]


class Passage:
    """One try on its way through a lane; how it ends is told to the limiter and the breaker."""

    def __init__(self, slot: Slot, admission: Admission | None) -> None:
        """Made by `pass_through`."""
        self._slot = slot
        self._admission = admission
        self._sent = False

    def sent(self) -> None:
        """The call leaves now."""
        self._sent = True

    def answered(self, tokens: int) -> None:
        """A reply came that used so many tokens."""
        self._slot.answered(tokens)
        if self._admission is not None:
            self._admission.answered()

    def failed(self, error: ProviderError) -> None:
        """The call ended with an infrastructure error."""
        if error.code == FailureMode.RATE_LIMITED:
            self._slot.limited(error.retry_after_s)
        elif not error.may_be_billed:
            self._slot.spent_nothing()
        if self._admission is not None:
            self._admission.failed(error.code)

    def leave(self) -> None:
        """Give back what no end has; a call that was cut off may have used all of it."""
        if self._sent:
            self._slot.release()
        else:
            self._slot.unsent()
        if self._admission is not None:
            self._admission.forget()


class _Passing:
    """The way through a lane. A class, since every call goes it: a generator takes several times
    as long."""

    __slots__ = ("_busy_after_s", "_lane", "_model", "_passage", "_tokens")

    def __init__(self, lane: Lane, model: str, tokens: int, busy_after_s: float | None) -> None:
        self._lane = lane
        self._model = model
        self._tokens = tokens
        self._busy_after_s = busy_after_s

    async def __aenter__(self) -> Passage:
        lane, model, tokens = self._lane, self._model, self._tokens
        _refuse_open(lane, model)  # before the queue: to wait for nothing helps nobody
        if self._busy_after_s is not None:
            wait_s = lane.limiter.expected_wait_s(tokens)
            if wait_s > self._busy_after_s:
                raise Busy(
                    f"{model}: the call would wait {wait_s:.1f} s for its provider's limits, more "
                    f"than {self._busy_after_s:g} s"
                )
        slot = await lane.limiter.acquire(tokens)
        try:
            admission = None if lane.breaker is None else lane.breaker.admit()
            if lane.breaker is not None and admission is None:
                raise _open(lane.breaker, model)
        except BaseException:
            slot.unsent()
            raise
        self._passage = Passage(slot, admission)
        return self._passage

    async def __aexit__(self, *raised: object) -> None:
        self._passage.leave()


def _refuse_open(lane: Lane, model: str) -> None:
    if lane.breaker is not None and lane.breaker.wait_s() is not None:
        raise _open(lane.breaker, model)


def _open(breaker: Breaker, model: str) -> ProviderError:
    """An open circuit as an error. To try again helps only where no other model can be asked."""
    wait_s = breaker.wait_s()
    return ProviderError(
        FailureMode.CIRCUIT_OPEN,
        f"the circuit of {model} is open, so it was not asked; {breaker.describe()}",
        retryable=True,
        # while the probe is out: until it would be open again if the probe fails
        retry_after_s=wait_s or breaker.rules.cool_down_s,
    )
