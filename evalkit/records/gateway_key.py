"""A key of the gateway: whose requests it stands for. The key itself is kept nowhere."""

from typing import Literal

import msgspec

from evalkit.records.ledger import Amount, KeyCaps

Purpose = Literal["calls", "metrics"]


class GatewayKey(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is known of a key. Times are ISO 8601 in UTC; empty means never.

    `id` is the part of a key that may be shown. No `routes` means all of them. A key for metrics
    opens no route, and one for calls no metrics. `caps` are budgets of the key's own.
    """

    id: str
    user: str = ""
    org: str = ""
    team: str = ""
    routes: tuple[str, ...] = ()
    note: str = ""
    created_at: str = ""
    expires_at: str = ""
    revoked_at: str = ""
    purpose: Purpose = "calls"
    caps: KeyCaps | None = None

    @property
    def identity(self) -> dict[str, str]:
        """Whom its requests are charged to."""
        return {"user": self.user, "org": self.org, "team": self.team}

    def ended(self, now: str) -> bool:
        """Whether it opens nothing (any more) at a moment, in the form of its times."""
        return bool(self.revoked_at) or bool(self.expires_at and self.expires_at <= now)

    def may_use(self, route: str) -> bool:
        """Whether a route is among those it is for."""
        return self.purpose == "calls" and (not self.routes or route in self.routes)


class KeyStanding(msgspec.Struct, frozen=True):
    """A key, and what is spent and held under its caps now; None where it has none."""

    key: GatewayKey
    taken: Amount | None = None
