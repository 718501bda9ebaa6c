"""Sessions that span several requests, by their table."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from evalkit.gateway.exchange import Exchange
from evalkit.gateway.sessions import IDLE_S, SessionTable
from tests.unit.gateway.application import KEYS, FakeService, FakeSession


class Service(FakeService):
    """Counts the sessions that were opened and that ended."""

    def __init__(self) -> None:
        super().__init__()
        self.opened = 0
        self.ended = 0

    @asynccontextmanager
    async def session(self, route: str, holder: Any, *, end_user: str) -> Any:
        self.opened += 1
        try:
            yield FakeSession(None)
        finally:
            self.ended += 1


def request() -> Exchange:
    scope = {"method": "POST", "headers": [(b"x-evalkit-session", b"s1")]}
    unused: Callable[..., Awaitable[Any]] = asyncio.sleep
    return Exchange(scope, unused, unused, request_id="r1")


def table(service: Service, now: list[float]) -> SessionTable:
    return SessionTable(service, monotonic=lambda: now[0], heard=lambda *told: None)


async def use(sessions: SessionTable) -> None:
    async with sessions.take(request(), "plain", KEYS["good"]):
        pass


def test_one_that_nobody_uses_ends_although_no_request_comes() -> None:
    async def work() -> None:
        service, now = Service(), [0.0]
        sessions = table(service, now)
        await use(sessions)
        sweeping = asyncio.create_task(sessions.sweep(0))
        for _ in range(5):
            await asyncio.sleep(0)
        assert sessions.count == 1
        now[0] = IDLE_S + 1
        while sessions.count:
            await asyncio.sleep(0)
        sweeping.cancel()
        assert (service.opened, service.ended) == (1, 1)

    asyncio.run(work())


@pytest.mark.parametrize("reloaded", [False, True])
def test_it_goes_on_unless_the_project_was_loaded_anew(reloaded: bool) -> None:
    async def work() -> None:
        service = Service()
        sessions = table(service, [0.0])
        await use(sessions)
        service.generation += reloaded
        await use(sessions)
        assert (service.opened, service.ended) == ((2, 1) if reloaded else (1, 0))
        await sessions.end_all()
        assert service.ended == service.opened

    asyncio.run(work())
