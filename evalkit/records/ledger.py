"""What a ledger counts: amounts, and the accounts that they are counted on."""

from typing import Literal

import msgspec


class KeyCaps(msgspec.Struct, frozen=True):
    """What one key of the gateway may spend in a window of the calendar. None: no cap."""

    max_usd: float | None = None
    max_tokens: int | None = None
    window: Literal["hour", "day", "month"] = "day"


class Scopes(msgspec.Struct, frozen=True, kw_only=True):
    """Whose call it is, by plain names; empty where that is nobody.

    `shared` tells that calls of nobody share one cap, as if nobody were one user, org or team: a
    service must not escape a cap by leaving the name out. In a run a case without an identity is
    nobody's call, and its scopes of run, route and workflow cap it. `run` is the run that the call
    is of, where one ledger serves several; by default the ledger's. `key` is the id of the
    gateway's key that it came with, `caps` are that key's own.
    """

    user: str = ""
    org: str = ""
    team: str = ""
    route: str = ""
    workflow: str = ""
    shared: bool = False
    run: str = ""
    key: str = ""
    caps: KeyCaps | None = None


class Amount(msgspec.Struct, frozen=True):
    """Money in nano-USD and tokens."""

    nano: int = 0
    tokens: int = 0

    def __add__(self, other: "Amount") -> "Amount":
        """Both together."""
        return Amount(self.nano + other.nano, self.tokens + other.tokens)

    def __sub__(self, other: "Amount") -> "Amount":
        """What is left."""
        return Amount(self.nano - other.nano, self.tokens - other.tokens)


class Account(msgspec.Struct, frozen=True):
    """One scope's spending in one window: `day user u-1234 2026-11-29`.

    `key` holds pseudonyms, never names. `keep_until` is a moment in seconds since 1970 after which
    nobody asks for it any more.
    """

    key: str
    keep_until: int


class Limit(msgspec.Struct, frozen=True):
    """What may be spent and held on an account together, for the call that asks. None: no cap."""

    account: Account
    max_nano: int | None = None
    max_tokens: int | None = None

    def fits(self, after: Amount) -> bool:
        """Whether that much may be taken."""
        return (self.max_nano is None or after.nano <= self.max_nano) and (
            self.max_tokens is None or after.tokens <= self.max_tokens
        )


class Balance(msgspec.Struct, frozen=True):
    """What was spent on an account, and what is held for calls in flight."""

    spent: Amount = Amount()
    held: Amount = Amount()


class Held(msgspec.Struct, frozen=True):
    """An amount that is set aside on several accounts at once."""

    id: int
    amount: Amount
    accounts: tuple[Account, ...]


class Refusal(msgspec.Struct, frozen=True):
    """A hold that did not fit: the balances of its accounts, in the order they were asked about."""

    balances: tuple[Balance, ...]
