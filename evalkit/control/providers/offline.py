"""A live provider that is not asked: whatever the cache does not have is missing."""

from collections.abc import AsyncGenerator
from typing import Literal

from evalkit.control.providers.pieces import pieces_of
from evalkit.errors import ProviderError
from evalkit.ports import Provider
from evalkit.records.attempt import FailureMode
from evalkit.records.call import Piece, Reply, Request


class OfflineProvider:
    """Stands in a provider's place under its identity, so that what it once said is found."""

    origin: Literal["live"] = "live"

    def __init__(self, provider: Provider, *, model: str) -> None:
        """`model` is the configured name, for messages. `provider` is closed with this one."""
        self.name = provider.name
        self.identity = provider.identity
        self._provider = provider
        self._model = model

    def missing(self, request: Request) -> str | None:
        """What the cache lacks; asked only of what it lacks. Raises what the provider raises."""
        self._provider.missing(request)
        asked = request.attribution
        about = f"case {asked.case}" if asked.case else f"request {request.key[:20]}"
        if asked.prompt:
            about += f" under prompt {asked.prompt}"
        if request.trial > 1:
            about += f" (trial {request.trial})"
        return (
            f"the cache has no reply of model {self._model} to {about} that is young enough; a run "
            "without --offline asks for it"
        )

    async def complete(self, request: Request, *, timeout_s: float) -> Reply:
        """Raises ProviderError(not_recorded)."""
        raise ProviderError(FailureMode.NOT_RECORDED, self.missing(request) or "")

    async def stream(self, request: Request, *, timeout_s: float) -> AsyncGenerator[Piece, None]:
        """Raises ProviderError(not_recorded)."""
        for piece in pieces_of(await self.complete(request, timeout_s=timeout_s)):
            yield piece

    async def close(self) -> None:
        """Close the provider."""
        await self._provider.close()
