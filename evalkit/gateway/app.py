"""The ASGI application: paths, request ids, and what no door expects."""

import logging
import secrets
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

from starlette.applications import Starlette
from starlette.routing import Route

from evalkit.errors import EvalkitError
from evalkit.gateway.agent_doors import AgentDoors
from evalkit.gateway.asking import Asking
from evalkit.gateway.desk import KeyDesk
from evalkit.gateway.door import Door
from evalkit.gateway.doors.anthropic_messages import Messages
from evalkit.gateway.doors.openai_chat import ChatCompletions
from evalkit.gateway.doors.openai_errors import error_body
from evalkit.gateway.doors.openai_responses import Responses
from evalkit.gateway.exchange import ErrorWriter, Exchange, Receive, Scope, Send
from evalkit.gateway.identity import identify
from evalkit.gateway.refusals import Declined, Refusal, refusal_of
from evalkit.gateway.service import Service
from evalkit.gateway.sessions import SessionTable

MAX_BODY_BYTES = 16 * 1024 * 1024
DOORS: Sequence[Door] = (ChatCompletions(), Responses(), Messages())
_BROKEN = Refusal(
    status=500,
    kind="internal",
    code="internal_error",
    message="evalkit has a bug; its log has the request id",
)
_log = logging.getLogger("evalkit.gateway")

Serve = Callable[[Exchange, dict[str, str]], Awaitable[None]]


class _Endpoint:
    """One path over ASGI: an id for each request, and an answer whatever happens."""

    def __init__(self, serve: Serve, error: ErrorWriter) -> None:
        """`serve` gets the exchange and the parameters of the path; `error` writes refusals."""
        self._serve = serve
        self._error = error

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        exchange = Exchange(scope, receive, send, request_id=new_id())
        try:
            await self._serve(exchange, scope.get("path_params") or {})
        except Exception:
            _log.exception("request %s", exchange.request_id)
            if exchange.started:
                raise  # the server breaks the connection off: half an answer must not look whole
            await exchange.refuse(_BROKEN, self._error)


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
        return Route(where, _Endpoint(serve, error), methods=[method])

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


def new_id() -> str:
    """The id of a request."""
    return secrets.token_hex(12)


def _model(route: str) -> dict[str, Any]:
    return {"id": route, "object": "model", "created": 0, "owned_by": "evalkit"}
