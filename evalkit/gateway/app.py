"""The ASGI application: which door is at which path."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext

from starlette.applications import Starlette
from starlette.routing import Route

from evalkit.gateway.agent_doors import AgentDoors
from evalkit.gateway.asking import Asking
from evalkit.gateway.desk import KeyDesk
from evalkit.gateway.door import Door
from evalkit.gateway.doors.openai_errors import error_body
from evalkit.gateway.endpoint import DOORS, Around, Endpoint, Serve
from evalkit.gateway.exchange import ErrorWriter, Exchange
from evalkit.gateway.models_door import ModelsDoor
from evalkit.gateway.nowhere import Nowhere
from evalkit.gateway.openapi.document import openapi_document
from evalkit.gateway.operation import Operation
from evalkit.gateway.service import Service
from evalkit.gateway.sessions import SessionTable
from evalkit.gateway.watching import WatchDoors
from evalkit.gateway.worker_metrics import Siblings

OURS = "/v1/evalkit"
_SWEEP_S = 30.0


def build_app(
    service: Service,
    operation: Operation,
    *,
    doors: Sequence[Door] = DOORS,
    around: Callable[[], AbstractAsyncContextManager[None]],
    siblings: Siblings | None = None,
) -> Starlette:
    """The gateway over a project; `around` is entered while it serves. `siblings` are the workers
    behind its port, where it is not alone there."""
    sessions = SessionTable(
        service, monotonic=time.monotonic, heard=operation.heard, alone=siblings is None
    )
    watch = WatchDoors(service, sessions, operation, siblings)
    telling = nullcontext() if siblings is None else siblings.telling(watch.figures)

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        async with around(), telling:
            sweeping = asyncio.create_task(sessions.sweep(_SWEEP_S))
            try:
                yield
            finally:
                sweeping.cancel()
                await operation.ended()
                await sessions.end_all()

    serving = _Paths(operation)
    _add_doors(serving, service, sessions, doors)
    _add_agent_doors(serving, AgentDoors(service, sessions))
    serving.watch("/healthz", lambda exchange, _: watch.alive(exchange))
    serving.watch("/readyz", lambda exchange, _: watch.ready(exchange))
    serving.watch("/metrics", lambda exchange, _: watch.metrics(exchange))
    description = openapi_document()
    serving.watch("/openapi.json", lambda exchange, _: exchange.answer(200, description, {}))
    nowhere = Nowhere(serving.routes)
    other = Endpoint(
        lambda exchange, at: nowhere.serve(exchange, f"/{at['path']}" if at else "*"),
        error_body,
        around=lambda exchange, work: operation.watched(exchange, "", work),
    )
    app = Starlette(lifespan=lifespan, routes=[*serving.routes, Route("/{path:path}", other)])
    app.router.default = other  # for what is no path at all: OPTIONS *
    return app


class _Paths:
    """Routes that are made one after the other."""

    def __init__(self, operation: Operation) -> None:
        self.routes: list[Route] = []
        self._operation = operation

    def serve(self, method: str, where: str, serve: Serve, error: ErrorWriter = error_body) -> None:
        """A path whose requests count."""
        operation = self._operation
        self._add(
            method,
            where,
            serve,
            error,
            lambda exchange, work: operation.serve(exchange, where, work, error),
        )

    def watch(self, where: str, serve: Serve) -> None:
        """A path for who watches."""
        operation = self._operation
        self._add(
            "GET",
            where,
            serve,
            error_body,
            lambda exchange, work: operation.watched(exchange, where, work),
        )

    def _add(
        self, method: str, where: str, serve: Serve, error: ErrorWriter, around: Around
    ) -> None:
        rules = self._operation
        endpoint = Endpoint(serve, error, rules=lambda: rules.rules, around=around)
        self.routes.append(Route(where, endpoint, methods=[method]))


def _add_doors(
    paths: _Paths, service: Service, sessions: SessionTable, doors: Sequence[Door]
) -> None:
    desk = KeyDesk(service, sessions)

    def ask(door: Door) -> Serve:
        asking = Asking(door, desk)
        return lambda exchange, _: asking.serve(exchange)

    for door in doors:
        paths.serve("POST", door.path, ask(door), door.error)
    models = ModelsDoor(service)
    paths.serve("GET", "/v1/models", lambda exchange, _: models.all(exchange))
    paths.serve("GET", "/v1/models/{id}", lambda exchange, at: models.one(exchange, at["id"]))


def _add_agent_doors(paths: _Paths, agents: AgentDoors) -> None:
    for where, serve in (
        ("tools/authorize", agents.authorize),
        ("tools/result", agents.tool_result),
        ("retrieve", agents.retrieve),
        ("retrieve/check", agents.check_documents),
    ):
        paths.serve("POST", f"{OURS}/{where}", _without_parameters(serve))
    paths.serve("DELETE", f"{OURS}/session", lambda ex, _: agents.end_session(ex))
    paths.serve("GET", f"{OURS}/approvals", lambda ex, _: agents.approvals(ex))
    one = f"{OURS}/approvals/{{id}}"
    paths.serve("POST", f"{one}/grant", lambda ex, at: agents.decide(ex, at["id"], "grant"))
    paths.serve("POST", f"{one}/deny", lambda ex, at: agents.decide(ex, at["id"], "deny"))


def _without_parameters(serve: Callable[[Exchange], Awaitable[None]]) -> Serve:
    return lambda exchange, _: serve(exchange)
