"""What the gateway needs of the project behind it."""

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from evalkit.ports import Session
from evalkit.records.gateway_key import GatewayKey


class Service(Protocol):
    """The project behind the doors."""

    @property
    def routes(self) -> Sequence[str]:
        """The names of its routes."""

    def holder(self, key: str) -> GatewayKey | None:
        """Whose key it is; None for one that opens nothing. Raises StoreError."""

    def session(
        self, route: str, holder: GatewayKey, *, end_user: str
    ) -> AbstractAsyncContextManager[Session]:
        """A session on a route. Raises Refused and ConfigError."""

    def now_s(self) -> int:
        """Seconds since 1970."""
