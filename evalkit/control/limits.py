"""How fast one provider is asked: requests and tokens a minute, and a concurrency that adapts.

**A minute** is any 60 seconds, not one of the clock: what was started within the last 60 stays
below the limit. A call counts with the upper bound of its tokens until it is known what it used.

**Concurrency** follows AIMD (additive increase, multiplicative decrease; Chiu and Jain 1989), as
TCP does: a 429, and nothing else, halves the calls that may be in the air, at most once a round
trip, because all that are in the air at that moment meet the same wall; each full round of answers
brings one back. It never falls below one call, nor rises above `max_concurrency`. Without that it
has no ceiling until the first 429.

A Retry-After pauses the provider for everybody. Who waits is served in the order of arrival.
"""

import asyncio
import math
from collections import deque
from threading import Lock

import msgspec

from evalkit.config.traffic import Limits
from evalkit.ports import Clock

MINUTE_S = 60.0
# Longer pauses are a server's way to say that it is closed: it is asked whether that is still so.
MAX_PAUSE_S = 60.0
# how much one call weighs in the mean time that a call takes
_WEIGHT = 0.2


class _Started(msgspec.Struct, eq=False):
    """A call within the last minute, and the tokens that it counts with.

    Where nothing limits a minute it is not `counted`, or a fast provider would fill the memory.
    """

    at_s: float
    tokens: int
    counted: bool


class Slot:
    """The right to make one call. Exactly one of its ends counts, the first."""

    def __init__(self, limiter: "Limiter", started: _Started, round_: int) -> None:
        """Made by `Limiter.acquire`."""
        self._limiter: Limiter | None = limiter
        self.started = started
        self.round = round_

    def answered(self, tokens: int) -> None:
        """A reply came, and used so many tokens."""
        self._end(tokens=tokens, limited=False, answered=True)

    def spent_nothing(self) -> None:
        """The call failed before it used a token."""
        self._end(tokens=0)

    def limited(self, retry_after_s: float | None) -> None:
        """The provider said 429, and perhaps for how long."""
        self._end(tokens=0, limited=True, pause_s=retry_after_s)

    def unsent(self) -> None:
        """The call was never made: it counts for nothing."""
        self._end(tokens=0, sent=False)

    def release(self) -> None:
        """The call ended otherwise, and nobody knows what it used. Without effect after another
        end."""
        self._end(tokens=None)

    def _end(
        self,
        *,
        tokens: int | None,
        limited: bool = False,
        answered: bool = False,
        sent: bool = True,
        pause_s: float | None = None,
    ) -> None:
        limiter, self._limiter = self._limiter, None
        if limiter is not None:
            limiter._end(
                self, tokens=tokens, limited=limited, answered=answered, sent=sent, pause_s=pause_s
            )


class _Waiting:
    """Somebody in the queue, on a loop of its own thread."""

    def __init__(self, tokens: int) -> None:
        self.tokens = tokens
        self._loop = asyncio.get_running_loop()
        self._woken = asyncio.Event()

    def wake(self) -> None:
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._woken.set)

    async def wait(self, seconds: float, clock: Clock) -> None:
        """Until somebody wakes it, or so long; infinity is until somebody does."""
        if math.isinf(seconds):
            await self._woken.wait()
        else:
            tasks = [
                asyncio.ensure_future(self._woken.wait()),
                asyncio.ensure_future(clock.sleep(seconds)),
            ]
            try:
                await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for task in tasks:
                    task.cancel()
        self._woken.clear()


class Limiter:
    """The limits of one provider. Safe between tasks, loops and threads.

    Only the first in the queue may take a slot, so nobody is overtaken, a large call least of all.
    """

    def __init__(self, limits: Limits, clock: Clock) -> None:
        """Nothing has been asked yet."""
        self._limits = limits
        self._clock = clock
        self._lock = Lock()
        self._queue: deque[_Waiting] = deque()
        self._calls: deque[_Started] = deque()  # of the last minute
        self._tokens = 0  # theirs
        self._in_flight = 0
        self._ceiling = math.inf if limits.max_concurrency is None else limits.max_concurrency
        self._allowed: float = self._ceiling
        self._paused_until_s = -math.inf
        self._full_at_s = -math.inf
        self._round = 0
        self._mean_call_s = 0.0

    @property
    def limits(self) -> Limits:
        """What is enforced."""
        return self._limits

    @property
    def in_flight(self) -> int:
        """Calls in the air."""
        return self._in_flight

    @property
    def allowed(self) -> float:
        """How many calls may be in the air now; infinity where nothing limits them yet."""
        return self._allowed if math.isinf(self._allowed) else int(self._allowed)

    def tighten(self, limits: Limits) -> None:
        """Hold to these limits as well: two configurations share the provider."""
        with self._lock:
            self._limits = Limits(
                requests_per_minute=_least(
                    self._limits.requests_per_minute, limits.requests_per_minute
                ),
                tokens_per_minute=_least(self._limits.tokens_per_minute, limits.tokens_per_minute),
                max_concurrency=_least(self._limits.max_concurrency, limits.max_concurrency),
            )
            if limits.max_concurrency is not None:
                self._ceiling = min(self._ceiling, limits.max_concurrency)
                self._allowed = min(self._allowed, self._ceiling)

    def forget_limits(self) -> None:
        """Hold to none, until `tighten` is told of some. A concurrency that a 429 took back comes
        back answer by answer."""
        with self._lock:
            if self._allowed >= self._ceiling:
                self._allowed = math.inf
            self._limits, self._ceiling = Limits(), math.inf

    def expected_wait_s(self, tokens: int) -> float:
        """How long a call that comes now would wait: exactly for pauses and for the limits of a
        minute, by the mean time of a call for those before it."""
        with self._lock:
            ahead = len(self._queue)
            known_s = max(
                self._paused_until_s - self._clock.monotonic(),
                self._minute_wait_s(
                    ahead + 1, tokens + sum(waiting.tokens for waiting in self._queue)
                ),
                0.0,
            )
            over = self._in_flight + ahead + 1 - self.allowed
            rounds = 0 if over <= 0 else math.ceil(over / self.allowed)
            return known_s + rounds * self._mean_call_s

    async def acquire(self, tokens: int) -> Slot:
        """Wait for the right to make a call that uses up to so many tokens."""
        with self._lock:
            if not self._queue and self._delay_s(tokens) <= 0:
                return self._take(tokens)
            waiting = _Waiting(tokens)
            self._queue.append(waiting)
        try:
            while True:
                with self._lock:
                    delay_s = math.inf
                    if self._queue[0] is waiting:
                        delay_s = self._delay_s(tokens)
                    if delay_s <= 0:
                        return self._take(tokens)
                await waiting.wait(delay_s, self._clock)
        finally:
            with self._lock:
                self._queue.remove(waiting)
                self._wake_first()

    def _take(self, tokens: int) -> Slot:
        limits = self._limits
        counted = limits.requests_per_minute is not None or limits.tokens_per_minute is not None
        started = _Started(self._clock.monotonic(), tokens, counted)
        if counted:
            self._calls.append(started)
            self._tokens += tokens
        self._in_flight += 1
        if self._in_flight >= self.allowed:
            self._full_at_s = started.at_s
        return Slot(self, started, self._round)

    def _delay_s(self, tokens: int) -> float:
        """How long the first in the queue waits; infinity is until a call ends."""
        if self._in_flight >= self.allowed:
            return math.inf
        pause_s = self._paused_until_s - self._clock.monotonic()
        return max(pause_s, self._minute_wait_s(1, tokens), 0.0)

    def _minute_wait_s(self, requests: int, tokens: int) -> float:
        """Until so many more would be within the limits of a minute."""
        now_s = self._clock.monotonic()
        while self._calls and self._calls[0].at_s <= now_s - MINUTE_S:
            self._tokens -= self._calls.popleft().tokens
        request_cap, token_cap = self._limits.requests_per_minute, self._limits.tokens_per_minute
        if request_cap is None and token_cap is None:
            return 0.0
        over = 0 if request_cap is None else len(self._calls) + min(requests, request_cap)
        over -= request_cap or 0
        excess = 0 if token_cap is None else self._tokens + min(tokens, token_cap) - token_cap
        wait_s = 0.0
        for each in self._calls:
            if over <= 0 and excess <= 0:
                break
            over -= 1
            excess -= each.tokens
            wait_s = each.at_s + MINUTE_S - now_s
        return wait_s

    def _end(
        self,
        slot: Slot,
        *,
        tokens: int | None,
        limited: bool,
        answered: bool,
        sent: bool,
        pause_s: float | None,
    ) -> None:
        with self._lock:
            now_s = self._clock.monotonic()
            self._in_flight -= 1
            self._correct(slot.started, tokens, now_s, sent=sent)
            if limited:
                self._shrink(slot)
                pause_s = min(pause_s or 0.0, MAX_PAUSE_S)
                self._paused_until_s = max(self._paused_until_s, now_s + pause_s)
            elif answered:
                took_s = now_s - slot.started.at_s
                weight = _WEIGHT if self._mean_call_s else 1.0
                self._mean_call_s += weight * (took_s - self._mean_call_s)
                self._grow(slot)
            self._wake_first()

    def _correct(self, started: _Started, tokens: int | None, now_s: float, *, sent: bool) -> None:
        """Count with what was used, where the call is still within the minute."""
        if not started.counted or started.at_s <= now_s - MINUTE_S:
            return
        if tokens is not None:
            self._tokens += tokens - started.tokens
            started.tokens = tokens
        if not sent:
            self._calls.remove(started)

    def _shrink(self, slot: Slot) -> None:
        if slot.round < self._round:
            return  # it left before the last 429 was known
        self._round += 1
        used = min(self._allowed, self._in_flight + 1)
        self._allowed = max(1.0, used // 2)

    def _grow(self, slot: Slot) -> None:
        # what nobody needed says nothing about how much more the provider bears
        was_full = self._full_at_s >= slot.started.at_s
        if was_full and self._allowed < self._ceiling:
            self._allowed = min(self._ceiling, self._allowed + 1 / self.allowed)

    def _wake_first(self) -> None:
        if self._queue:
            self._queue[0].wake()


def _least(one: int | None, other: int | None) -> int | None:
    return min((each for each in (one, other) if each is not None), default=None)
