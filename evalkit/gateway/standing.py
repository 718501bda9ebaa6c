"""How a gateway stands at one moment, for who watches it."""

from collections.abc import Sequence

import msgspec


class Circuit(msgspec.Struct, frozen=True, kw_only=True):
    """The circuit of one model; `state` is closed, half open or open."""

    provider: str
    model: str
    state: str


class ProviderLoad(msgspec.Struct, frozen=True, kw_only=True):
    """Calls to one provider, now and at most; infinity where nothing limits them."""

    provider: str
    in_flight: int
    allowed: float


class BudgetLeft(msgspec.Struct, frozen=True, kw_only=True):
    """What is neither spent nor held of one budget in its window now; None: it has no such cap.

    `who` is a pseudonym, or the name of a route or a key's id.
    """

    scope: str
    who: str
    window: str
    usd: float | None = None
    tokens: int | None = None


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """All of it. What the process counts itself is 0 until it is filled in."""

    circuits: Sequence[Circuit] = ()
    providers: Sequence[ProviderLoad] = ()
    budgets: Sequence[BudgetLeft] = ()
    lost_traces: int = 0
    in_flight: int = 0
    sessions: int = 0
    draining: bool = False
