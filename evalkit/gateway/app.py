"""The ASGI application: paths, request ids, and what no door expects."""

import logging
import secrets
from collections.abc import Sequence
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route
from starlette.types import Lifespan

from evalkit.gateway.asking import Asking, Exchange, Receive, Scope, Send, identify
from evalkit.gateway.door import Door
from evalkit.gateway.doors.anthropic_messages import Messages
from evalkit.gateway.doors.openai_chat import ChatCompletions
from evalkit.gateway.doors.openai_responses import Responses
from evalkit.gateway.refusals import Declined, Refusal
from evalkit.gateway.service import Service

MAX_BODY_BYTES = 16 * 1024 * 1024
DOORS: Sequence[Door] = (ChatCompletions(), Responses(), Messages())
_BROKEN = Refusal(
    status=500,
    kind="internal",
    code="internal_error",
    message="evalkit has a bug; its log has the request id",
)
_log = logging.getLogger("evalkit.gateway")


class _Ask:
    """A door as an endpoint."""

    def __init__(self, door: Door, service: Service) -> None:
        self._door = door
        self._asking = Asking(door, service, max_bytes=MAX_BODY_BYTES)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        exchange = Exchange(scope, receive, send, request_id=new_id())
        try:
            await self._asking.serve(exchange)
        except Exception:
            _log.exception("request %s", exchange.request_id)
            if exchange.started:
                raise  # the server breaks the connection off: half an answer must not look whole
            await exchange.refuse(self._door, _BROKEN)


def build_app(
    service: Service, *, doors: Sequence[Door] = DOORS, lifespan: Lifespan[Starlette] | None = None
) -> Starlette:
    """The gateway over a project; `lifespan` is around the time in which it serves."""
    chat = ChatCompletions()

    async def models(request: Request) -> JSONResponse:
        exchange = Exchange(request.scope, request.receive, request._send, request_id=new_id())
        try:
            holder = identify(exchange, service)
        except Declined as declined:
            body = chat.error(declined.refusal, exchange.request_id)
            return JSONResponse(body, declined.refusal.status)
        known = [_model(name) for name in service.routes if holder.may_use(name)]
        return JSONResponse({"object": "list", "data": known})

    return Starlette(
        lifespan=lifespan,
        routes=[
            *(Route(door.path, _Ask(door, service), methods=["POST"]) for door in doors),
            Route("/v1/models", models, methods=["GET"]),
        ],
    )


def new_id() -> str:
    """The id of a request."""
    return secrets.token_hex(12)


def _model(route: str) -> dict[str, Any]:
    return {"id": route, "object": "model", "created": 0, "owned_by": "evalkit"}
