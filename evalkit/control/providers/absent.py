"""The provider of a model that cannot be reached, for targets that may never ask it."""

from collections.abc import AsyncGenerator
from typing import Literal

from evalkit.control.providers.pieces import pieces_of
from evalkit.errors import ProviderError
from evalkit.records.attempt import FailureMode
from evalkit.records.call import Piece, Reply, Request


class AbsentProvider:
    """Answers nothing, and says why."""

    origin: Literal["live"] = "live"

    def __init__(self, name: str, reason: str) -> None:
        """`reason` is what keeps the model from being reached."""
        self.name = name
        self.identity = f"absent {name}"
        self._reason = reason

    def missing(self, request: Request) -> str | None:
        """Nothing that could be recorded."""
        return None

    async def complete(self, request: Request, *, timeout_s: float) -> Reply:
        """Raises ProviderError(authentication)."""
        raise ProviderError(FailureMode.AUTHENTICATION, self._reason)

    async def stream(self, request: Request, *, timeout_s: float) -> AsyncGenerator[Piece, None]:
        """Raises ProviderError(authentication)."""
        for piece in pieces_of(await self.complete(request, timeout_s=timeout_s)):
            yield piece

    async def close(self) -> None:
        """Nothing is held."""
