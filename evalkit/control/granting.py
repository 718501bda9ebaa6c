"""What a call asks for before it leaves, whoever grants it.

In one process the lane of its model and the ledger grant it; on the machines of a cluster they are
asked for it over the network (`workflows/runs/engines`), so that limits and budgets have one owner.
"""

from contextlib import AbstractAsyncContextManager
from typing import Protocol, runtime_checkable

from evalkit.errors import ProviderError
from evalkit.ports import Cache
from evalkit.records.call import Reply
from evalkit.records.ledger import Scopes


class Passing(Protocol):
    """One try on its way to a provider; how it ends is told to whoever let it pass."""

    def sent(self) -> None:
        """The call leaves now."""

    def answered(self, tokens: int) -> None:
        """A reply came that used so many tokens."""

    def failed(self, error: ProviderError) -> None:
        """The call ended with an infrastructure error."""


class Way(Protocol):
    """How one model of one provider is reached."""

    def pass_through(
        self, model: str, tokens: int, *, busy_after_s: float | None
    ) -> AbstractAsyncContextManager[Passing]:
        """Wait for the right to ask the model for up to so many tokens.

        Raises ProviderError(circuit_open) and Busy, as `traffic.pass_through` does.
        """


class SetAside(Protocol):
    """An amount that is set aside for one call. Exactly one of its ends counts, the first."""

    @property
    def charged_usd(self) -> float:
        """What was charged in the end; 0 while it is open."""

    def settle(self, usd: float, tokens: int) -> None:
        """Charge what the call really cost, and give the rest back."""

    def release(self) -> None:
        """Give everything back: nothing was charged."""

    def keep(self) -> None:
        """Charge all of it: the call left, and nobody knows what it cost."""


class Budgets(Protocol):
    """Where the upper bound of a call is set aside."""

    async def reserve_in_turn(
        self, max_usd: float | None, max_tokens: int, *, scopes: Scopes, degradable: bool
    ) -> SetAside:
        """Set it aside, and wait while only calls in flight stand in the way.

        Raises BudgetExhausted and StoreError.
        """


@runtime_checkable
class DistantCache(Cache, Protocol):
    """A cache that is asked over a network; `get` then only knows what is known here."""

    async def fetch(self, key: str) -> Reply | None:
        """The stored reply, or None. Raises StoreError."""
