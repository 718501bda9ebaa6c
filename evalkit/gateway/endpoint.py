"""A path over ASGI: an id for each request, and an answer whatever happens."""

import logging
import secrets
from collections.abc import Awaitable, Callable, Sequence

from evalkit.config.gateway import GatewayRules
from evalkit.gateway.door import Door
from evalkit.gateway.doors.anthropic_messages import Messages
from evalkit.gateway.doors.openai_chat import ChatCompletions
from evalkit.gateway.doors.openai_responses import Responses
from evalkit.gateway.exchange import ErrorWriter, Exchange, Receive, Scope, Send
from evalkit.gateway.refusals import Refusal

DOORS: Sequence[Door] = (ChatCompletions(), Responses(), Messages())
_BROKEN = Refusal(
    status=500,
    kind="internal",
    code="internal_error",
    message="evalkit has a bug; its log has the request id",
)
_log = logging.getLogger("evalkit.gateway")

Serve = Callable[[Exchange, dict[str, str]], Awaitable[None]]
Around = Callable[[Exchange, Callable[[], Awaitable[None]]], Awaitable[None]]


class Endpoint:
    """Serves one path."""

    def __init__(
        self,
        serve: Serve,
        error: ErrorWriter,
        *,
        rules: Callable[[], GatewayRules] = GatewayRules,
        around: Around | None = None,
    ) -> None:
        """`serve` gets the exchange and the parameters of the path; `error` writes refusals.

        `rules` are the limits of a request that comes now; `around` is called in the place of the
        work, which it is given.
        """
        self._serve = serve
        self._error = error
        self._rules = rules
        self._around = around or _alone

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        exchange = Exchange(scope, receive, send, request_id=new_id(), rules=self._rules())
        at = scope.get("path_params") or {}
        await self._around(exchange, lambda: self._answer(exchange, at))

    async def _answer(self, exchange: Exchange, at: dict[str, str]) -> None:
        try:
            await self._serve(exchange, at)
        except Exception:
            _log.exception("request %s", exchange.request_id)
            if exchange.started:
                raise  # the server breaks the connection off: half an answer must not look whole
            await exchange.refuse(_BROKEN, self._error)


async def _alone(exchange: Exchange, work: Callable[[], Awaitable[None]]) -> None:
    await work()


def new_id() -> str:
    """The id of a request."""
    return secrets.token_hex(12)
