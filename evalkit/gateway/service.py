"""What the gateway needs of the project behind it."""

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from typing import Literal, Protocol

import msgspec

from evalkit.gateway.standing import Standing
from evalkit.ports import Session
from evalkit.records.approval import Approval
from evalkit.records.asset import Tool
from evalkit.records.gateway_key import GatewayKey


class Decide(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody says of a call that waits. A denial has its `reason`."""

    says: Literal["grant", "deny"]
    reason: str = ""
    expires_s: float | None = None
    any_arguments: bool = False


class Service(Protocol):
    """The project behind the doors."""

    @property
    def routes(self) -> Sequence[str]:
        """The names of its routes."""

    @property
    def generation(self) -> int:
        """Another number once the project was loaded anew: sessions that go on begin anew."""

    def holder(self, key: str) -> GatewayKey | None:
        """Whose key it is; None for one that opens nothing. Raises StoreError."""

    def problem(self) -> str | None:
        """What keeps it from serving, in a word that tells no path and no name; None: nothing.

        May wait for a disk.
        """

    def standing(self) -> Standing:
        """How it stands, for who watches. May wait for a disk. Raises StoreError."""

    def session(
        self, route: str, holder: GatewayKey, *, end_user: str
    ) -> AbstractAsyncContextManager[Session]:
        """A session on a route. Raises Refused and ConfigError."""

    def known_tools(self, tools: Sequence[Tool]) -> tuple[Tool, ...]:
        """The tools with the effect that the project declares for those that it knows by name."""

    def approvals(self, holder: GatewayKey) -> Sequence[Approval]:
        """What waits for the decision of the key's team. Raises StoreError."""

    def decide(self, id_: str, holder: GatewayKey, decision: Decide) -> Approval:
        """Grant or deny, as the key's user and for its team.

        Raises UsageError where that is not theirs to say, StoreError.
        """

    def now_s(self) -> int:
        """Seconds since 1970."""
