"""The ASGI application: paths, request ids, and what no door expects."""

import time
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

from starlette.applications import Starlette
from starlette.routing import Route

from evalkit.errors import EvalkitError
from evalkit.gateway.agent_doors import AgentDoors
from evalkit.gateway.asking import Asking
from evalkit.gateway.desk import KeyDesk
from evalkit.gateway.door import Door
from evalkit.gateway.doors.openai_errors import error_body
from evalkit.gateway.endpoint import DOORS, MAX_BODY_BYTES, Endpoint, Serve
from evalkit.gateway.exchange import ErrorWriter, Exchange
from evalkit.gateway.identity import identify
from evalkit.gateway.refusals import Declined, refusal_of
from evalkit.gateway.service import Service
from evalkit.gateway.sessions import SessionTable


def build_app(
    service: Service,
    *,
    doors: Sequence[Door] = DOORS,
    around: Callable[[], AbstractAsyncContextManager[None]],
) -> Starlette:
    """The gateway over a project; `around` is entered while it serves."""
    sessions = SessionTable(service, monotonic=time.monotonic)
    desk = KeyDesk(service, sessions)
    agents = AgentDoors(service, sessions, max_bytes=MAX_BODY_BYTES)

    @asynccontextmanager
    async def lifespan(app: Starlette) -> Any:
        async with around():
            try:
                yield
            finally:
                await sessions.end_all()

    def path(method: str, where: str, serve: Serve, error: ErrorWriter = error_body) -> Route:
        return Route(where, Endpoint(serve, error), methods=[method])

    def ask(door: Door) -> Route:
        asking = Asking(door, desk, max_bytes=MAX_BODY_BYTES)
        return path("POST", door.path, lambda exchange, _: asking.serve(exchange), door.error)

    ours = "/v1/evalkit"
    return Starlette(
        lifespan=lifespan,
        routes=[
            *map(ask, doors),
            path("GET", "/v1/models", lambda ex, _: _models(ex, service)),
            path("POST", f"{ours}/tools/authorize", lambda ex, _: agents.authorize(ex)),
            path("POST", f"{ours}/tools/result", lambda ex, _: agents.tool_result(ex)),
            path("POST", f"{ours}/retrieve", lambda ex, _: agents.retrieve(ex)),
            path("POST", f"{ours}/retrieve/check", lambda ex, _: agents.check_documents(ex)),
            path("DELETE", f"{ours}/session", lambda ex, _: agents.end_session(ex)),
            path("GET", f"{ours}/approvals", lambda ex, _: agents.approvals(ex)),
            path(
                "POST",
                f"{ours}/approvals/{{id}}/grant",
                lambda ex, at: agents.decide(ex, at["id"], "grant"),
            ),
            path(
                "POST",
                f"{ours}/approvals/{{id}}/deny",
                lambda ex, at: agents.decide(ex, at["id"], "deny"),
            ),
        ],
    )


async def _models(exchange: Exchange, service: Service) -> None:
    """The routes that the key opens, as OpenAI lists models."""
    try:
        holder = identify(exchange, service)
    except Declined as declined:
        await exchange.refuse(declined.refusal, error_body)
        return
    except EvalkitError as error:
        await exchange.refuse(refusal_of(error), error_body)
        return
    known = [_model(name) for name in service.routes if holder.may_use(name)]
    await exchange.answer(200, {"object": "list", "data": known}, {})


def _model(route: str) -> dict[str, Any]:
    return {"id": route, "object": "model", "created": 0, "owned_by": "evalkit"}
