"""What a gateway process does around every request: admits it, times it, counts it, logs it."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Literal

from evalkit.config.gateway import GatewayRules
from evalkit.gateway.access_log import AccessLog
from evalkit.gateway.exchange import ErrorWriter, Exchange
from evalkit.gateway.metrics import Metrics
from evalkit.gateway.refusals import Refusal
from evalkit.records.call import Decision

RETRY_S = 1.0
_CUT_OFF_S = 5.0
State = Literal["serving", "draining"]


class Operation:
    """The state of one process, for all its endpoints."""

    def __init__(
        self,
        rules: GatewayRules,
        *,
        metrics: Metrics,
        log: AccessLog,
    ) -> None:
        """`rules` may be replaced while it serves."""
        self.rules = rules
        self.metrics = metrics
        self.state: State = "serving"
        self.in_flight = 0
        self._log = log
        self._idle = asyncio.Event()
        self._idle.set()

    def drain(self) -> None:
        """Take no further request."""
        self.state = "draining"

    async def ended(self) -> None:
        """Give requests that were cut off the time to end their sessions."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self.drained(), _CUT_OFF_S)

    async def drained(self) -> None:
        """Until no request is under way."""
        await self._idle.wait()

    async def serve(
        self, exchange: Exchange, door: str, work: Callable[[], Awaitable[None]], error: ErrorWriter
    ) -> None:
        """Answer a request by `work`, or refuse it: too many are under way, or it takes too long.

        `door` is the template of its path. What `work` raises is raised.
        """
        refusal = self._refused()
        if refusal is not None:
            await exchange.refuse(refusal, error)
            self._note(exchange, door)
            return
        self.in_flight += 1
        self._idle.clear()
        limit_s = self.rules.request_timeout_s
        try:
            async with asyncio.timeout(limit_s) as timer:
                await work()
        except TimeoutError:
            if not timer.expired():
                raise
            refusal = _too_long(limit_s)
            if not exchange.started:
                await exchange.refuse(refusal, error)
            elif not await exchange.break_off():
                raise
            exchange.refused = refusal.code
        finally:
            self.in_flight -= 1
            if not self.in_flight:
                self._idle.set()
            self._note(exchange, door)

    async def watched(
        self, exchange: Exchange, door: str, work: Callable[[], Awaitable[None]]
    ) -> None:
        """Answer who watches, which is always possible."""
        try:
            await work()
        finally:
            self._note(exchange, door)

    def heard(self, route: str, decisions: Sequence[Decision], usd: float) -> None:
        """What the session of a request decided, and what its calls cost."""
        self.metrics.session(route, decisions, usd)

    def _refused(self) -> Refusal | None:
        if self.state == "draining":
            return _busy("draining", "the gateway is about to stop; ask another one, or again soon")
        if self.in_flight >= self.rules.max_in_flight:
            return _busy("too_many_requests", f"{self.in_flight} requests are under way")
        return None

    def _note(self, exchange: Exchange, door: str) -> None:
        began_s = exchange.began_s
        took_s = exchange.monotonic() - began_s
        first_s = None if exchange.first_s is None else exchange.first_s - began_s
        self.metrics.request(exchange, door, took_s, first_s)
        if self.rules.access_log != "none":
            self._log.write(exchange, door, took_s, first_s)


def _busy(code: str, message: str) -> Refusal:
    return Refusal(
        status=503,
        kind="overloaded",
        code=code,
        message=message,
        retry=True,
        retry_after_s=RETRY_S,
    )


def _too_long(limit_s: float) -> Refusal:
    return Refusal(
        status=504,
        kind="timeout",
        code="request_timeout",
        message=f"the request took longer than the {limit_s:g} s that the gateway gives it",
    )
