"""The gateway's application in this process, over a service that says what a test wants."""

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import httpx

from evalkit.config.gateway import GatewayRules
from evalkit.gateway.access_log import AccessLog
from evalkit.gateway.app import build_app
from evalkit.gateway.metrics import Metrics
from evalkit.gateway.operation import Operation
from evalkit.gateway.standing import Standing
from evalkit.records.gateway_key import GatewayKey

KEYS = {
    "good": GatewayKey(id="k1", user="u1", team="t1", routes=("plain",)),
    "scraper": GatewayKey(id="k2", purpose="metrics"),
}


class FakeSession:
    """Every act of it ends with an error."""

    decisions = ()
    billed_usd = 0.0
    trace_id = ""

    def __init__(self, error: BaseException | None) -> None:
        self._error = error

    def enter(self, step: str) -> None:
        """Any step begins."""

    def declare(self, tools: Sequence[Any]) -> None:
        """Any tool is known."""

    def authorize(self, call: Any) -> None:
        self._fail()

    async def complete(self, *asked: Any, **more: Any) -> Any:
        self._fail()
        await asyncio.Event().wait()  # for ever

    async def stream(self, *asked: Any, **more: Any) -> AsyncIterator[Any]:
        self._fail()
        yield None

    def _fail(self) -> None:
        if self._error is not None:
            raise self._error


class FakeService:
    """Implements gateway.service.Service. `error` is what acts end with, None for one that never
    ends; `broken` is what looking for a key ends with."""

    routes = ("plain", "other")
    generation = 1

    def __init__(
        self, error: BaseException | None = None, broken: BaseException | None = None
    ) -> None:
        self._error = error
        self._broken = broken

    def holder(self, key: str) -> GatewayKey | None:
        if self._broken is not None:
            raise self._broken
        return KEYS.get(key)

    def problem(self) -> str | None:
        return None

    def standing(self) -> Standing:
        return Standing()

    @asynccontextmanager
    async def session(self, route: str, holder: GatewayKey, *, end_user: str) -> Any:
        yield FakeSession(self._error)

    def known_tools(self, tools: Sequence[Any]) -> tuple[Any, ...]:
        return tuple(tools)

    def approvals(self, holder: GatewayKey) -> Sequence[Any]:
        return ()

    def now_s(self) -> int:
        return 0


def operating(lines: list[bytes] | None = None, **rules: Any) -> Operation:
    """The state of a process with these limits, whose log goes into `lines`."""
    told = [] if lines is None else lines
    log = AccessLog(told.append, now=lambda: datetime(2026, 1, 1, tzinfo=UTC))
    return Operation(GatewayRules(**rules), metrics=Metrics(), log=log)


def send(
    service: Any, operation: Operation, method: str, path: str, **request: Any
) -> httpx.Response:
    """One request to the application."""

    @asynccontextmanager
    async def around() -> AsyncIterator[None]:
        yield

    async def ask() -> httpx.Response:
        app = build_app(service, operation, around=around)
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as client:
            return await client.request(method, path, **request)

    logging.getLogger("evalkit.gateway").disabled = True
    try:
        return asyncio.run(ask())
    finally:
        logging.getLogger("evalkit.gateway").disabled = False
