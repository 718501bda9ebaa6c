"""A provider that fails on purpose, so that a route's fallback is taken while nothing is broken.

Every call ends as it would with a provider that is down, too slow or over its rate limit, and no
call leaves the process: nothing can be billed, and a timeout is not waited for.
"""

from collections.abc import AsyncGenerator
from typing import Literal

from evalkit.errors import ProviderError
from evalkit.records.attempt import FailureMode
from evalkit.records.call import Piece, Reply, Request

Fault = Literal["down", "slow", "429"]
FAULTS: tuple[Fault, ...] = ("down", "slow", "429")
FAULT_WORDS: dict[Fault, str] = {
    "down": "a connection error",
    "slow": "a timeout",
    "429": "429, too many requests",
}


class FaultyProvider:
    """Stands in the place of a provider, under its name and identity, and never answers.

    `origin` is that of the provider it stands for: calls of a live one are tried again after a
    fault, replays are not.
    """

    def __init__(
        self,
        fault: Fault,
        *,
        name: str,
        identity: str,
        origin: Literal["live", "recording", "scripted"],
    ) -> None:
        """Nothing is opened."""
        self.name = name
        self.identity = identity
        self.origin = origin
        self._fault = fault

    def missing(self, request: Request) -> str | None:
        """Nothing: no reply is looked for."""
        return None

    async def complete(self, request: Request, *, timeout_s: float) -> Reply:
        """Raises ProviderError with the code of the fault, always."""
        code, meaning = self._told(timeout_s)
        raise ProviderError(
            code, f"provider {self.name}: {meaning} (a drill: it was not asked)", retryable=True
        )

    async def stream(self, request: Request, *, timeout_s: float) -> AsyncGenerator[Piece, None]:
        """Raises as `complete` does, before any piece."""
        yield Piece(reply=await self.complete(request, timeout_s=timeout_s))

    async def close(self) -> None:
        """Nothing is open."""

    def _told(self, timeout_s: float) -> tuple[FailureMode, str]:
        if self._fault == "down":
            return FailureMode.CONNECTION, "no connection"
        if self._fault == "slow":
            return FailureMode.TIMEOUT, f"no whole reply within {timeout_s:g} s"
        return FailureMode.RATE_LIMITED, "429, too many requests"
