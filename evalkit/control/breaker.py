"""A circuit breaker: a model that keeps failing is left alone for a while, then probed by one call.

closed      calls pass; the share of failures among those of the last `window_s` is watched
open        no call passes for `cool_down_s`
half open   exactly one call passes, the probe: its answer closes the circuit, its failure opens it
            for as long again. A probe that ends without telling either (it was cancelled, or the
            answer was a 429) gives its place to the next call.

The window is kept in ten slices, so it costs the same at any rate of calls. Calls that began before
the circuit last opened or closed say nothing about it any more and are not counted.
"""

from collections import deque
from threading import Lock
from typing import Literal

from evalkit.config.traffic import BreakerRules
from evalkit.ports import Clock
from evalkit.records.attempt import FailureMode

CircuitState = Literal["closed", "open", "half open"]

# The provider is to blame, or the way to it. Load (429) is the limiter's business; a request, key
# or quota that is not accepted would be the same with every other call of its kind.
FAILURES = frozenset(
    {
        FailureMode.TIMEOUT,
        FailureMode.CONNECTION,
        FailureMode.SERVER_ERROR,
        FailureMode.MALFORMED_REPLY,
        FailureMode.EMPTY_REPLY,
    }
)
_SLICES = 10


class Breaker:
    """The circuit of one model of one provider. Safe between tasks and threads."""

    def __init__(self, rules: BreakerRules, clock: Clock) -> None:
        """A closed circuit."""
        self.rules = rules
        self._clock = clock
        self._lock = Lock()
        self._slices: deque[list[int]] = deque()  # [number of the slice, calls, failures]
        self._opened_s: float | None = None
        self._probing = False
        self._era = 0

    @property
    def state(self) -> CircuitState:
        """As a call would find it now."""
        with self._lock:
            return self._state()

    def wait_s(self) -> float | None:
        """How long no call passes; 0 while the probe is out, None where a call would pass."""
        with self._lock:
            return self._wait_s()

    def admit(self) -> "Admission | None":
        """Let a call pass, or None where the circuit is open. Who is admitted has to say how the
        call ended, or `forget` it."""
        with self._lock:
            if self._wait_s() is not None:
                return None
            is_probe = self._state() == "half open"
            self._probing = self._probing or is_probe
            return Admission(self, self._era, is_probe=is_probe)

    def describe(self) -> str:
        """Why no call passes, in words."""
        wait_s = self.wait_s()
        if not wait_s:
            return "one call probes it"
        return f"it is asked again in {wait_s:.1f} s"

    def _state(self) -> CircuitState:
        if self._opened_s is None:
            return "closed"
        return "open" if self._left_s(self._opened_s) > 0 else "half open"

    def _left_s(self, opened_s: float) -> float:
        """What is left of the cool-down."""
        return opened_s + self.rules.cool_down_s - self._clock.monotonic()

    def _wait_s(self) -> float | None:
        if self._opened_s is None:
            return None
        left_s = self._left_s(self._opened_s)
        if left_s > 0:
            return left_s
        return 0.0 if self._probing else None

    def _end(self, admission: "Admission", failed: bool | None) -> None:
        with self._lock:
            if admission.era != self._era:
                return
            if admission.is_probe:
                self._end_probe(failed)
            elif failed is not None:
                self._count(failed)

    def _end_probe(self, failed: bool | None) -> None:
        self._probing = False
        if failed is not None:
            self._turn(opened_s=self._clock.monotonic() if failed else None)

    def _count(self, failed: bool) -> None:
        length_s = self.rules.window_s / _SLICES
        number = int(self._clock.monotonic() // length_s)
        while self._slices and self._slices[0][0] <= number - _SLICES:
            self._slices.popleft()
        if not self._slices or self._slices[-1][0] != number:
            self._slices.append([number, 0, 0])
        self._slices[-1][1] += 1
        self._slices[-1][2] += failed
        if not failed:  # an answer opens nothing: the share only rises with a failure
            return
        calls = sum(each[1] for each in self._slices)
        failures = sum(each[2] for each in self._slices)
        if calls >= self.rules.min_calls and failures >= self.rules.failure_rate * calls:
            self._turn(opened_s=self._clock.monotonic())

    def _turn(self, *, opened_s: float | None) -> None:
        """Open or close the circuit and forget what led to it."""
        self._opened_s = opened_s
        self._slices.clear()
        self._era += 1


class Admission:
    """A call that passed. The first of its ends counts."""

    def __init__(self, breaker: Breaker, era: int, *, is_probe: bool) -> None:
        """Made by `Breaker.admit`."""
        self.era = era
        self.is_probe = is_probe
        self._breaker: Breaker | None = breaker

    def answered(self) -> None:
        """A reply came."""
        self._end(failed=False)

    def failed(self, code: str) -> None:
        """The call ended with an error of that code, which may be no failure of the provider."""
        self._end(failed=True if code in FAILURES else None)

    def forget(self) -> None:
        """The call ended in a way that tells nothing. Without effect after another end."""
        self._end(failed=None)

    def _end(self, *, failed: bool | None) -> None:
        breaker, self._breaker = self._breaker, None
        if breaker is not None:
            breaker._end(self, failed)
