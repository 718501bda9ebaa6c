"""The gateway of a run: what an application asks while it is tested belongs to its attempt.

An attempt has a token. It comes as the key, in the header `x-evalkit-attempt`, or in the path
(`/attempt/<token>/v1/…`): whichever a program can be told without a change of its code.
"""

import secrets
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager

from starlette.applications import Starlette
from starlette.routing import Route

from evalkit.gateway.asked import Asked
from evalkit.gateway.asking import Asking
from evalkit.gateway.door import Door
from evalkit.gateway.endpoint import DOORS, Endpoint
from evalkit.gateway.exchange import Exchange
from evalkit.gateway.identity import sent_key
from evalkit.gateway.refusals import Declined, Refusal
from evalkit.ports import ModelSession
from evalkit.records.asset import Tool
from evalkit.records.gateway_key import GatewayKey

HEADER = "x-evalkit-attempt"


class Attempts:
    """The attempts under way, by token."""

    def __init__(self) -> None:
        """None is."""
        self._open: dict[str, ModelSession] = {}

    @staticmethod
    def new_token() -> str:
        """A token that nobody guesses."""
        return f"ea-{secrets.token_urlsafe(24)}"

    @contextmanager
    def attempt(self, token: str, session: ModelSession) -> Iterator[None]:
        """Around an attempt."""
        self._open[token] = session
        try:
            yield
        finally:
            del self._open[token]

    def find(self, token: str) -> ModelSession | None:
        """The session of the attempt under way that has the token."""
        return self._open.get(token)


class AttemptDesk:
    """Implements desk.Desk over attempts."""

    def __init__(
        self, attempts: Attempts, known_tools: Callable[[Sequence[Tool]], tuple[Tool, ...]]
    ) -> None:
        """`known_tools` are tools as the project declares them."""
        self._attempts = attempts
        self.known_tools = known_tools

    def identify(self, exchange: Exchange) -> GatewayKey:
        """The attempt that a request is from. Raises Declined for one that is over, or unknown."""
        token = exchange.headers.get(HEADER) or sent_key(exchange)
        self._found(token)
        return GatewayKey(id=token)

    @asynccontextmanager
    async def open(
        self, exchange: Exchange, holder: GatewayKey, asked: Asked
    ) -> AsyncIterator[ModelSession]:
        """The attempt's session. Raises Declined where the attempt has ended meanwhile."""
        yield self._found(holder.id)

    def _found(self, token: str) -> ModelSession:
        session = self._attempts.find(token)
        if session is None:
            raise Declined(
                Refusal(
                    status=401,
                    kind="authentication",
                    code="invalid_api_key",
                    message="this key is of no attempt that is under way",
                )
            )
        return session

    def now_s(self) -> int:
        """Seconds since 1970."""
        return int(time.time())


def build_attempt_app(desk: AttemptDesk, doors: Sequence[Door] = DOORS) -> Starlette:
    """Every door, once by itself and once below the token of an attempt."""

    def routes(door: Door) -> list[Route]:
        asking = Asking(door, desk)

        async def serve(exchange: Exchange, at: dict[str, str]) -> None:
            if token := at.get("token"):
                exchange.headers[HEADER] = token
            await asking.serve(exchange)

        endpoint = Endpoint(serve, door.error)
        paths = (door.path, f"/attempt/{{token}}{door.path}")
        return [Route(path, endpoint, methods=["POST"]) for path in paths]

    return Starlette(routes=[route for door in doors for route in routes(door)])
