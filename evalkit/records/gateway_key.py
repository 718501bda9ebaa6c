"""A key of the gateway: whose requests it stands for. The key itself is kept nowhere."""

import msgspec


class GatewayKey(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is known of a key. Times are ISO 8601 in UTC; empty means never.

    `id` is the part of a key that may be shown. No `routes` means all of them.
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

    @property
    def identity(self) -> dict[str, str]:
        """Whom its requests are charged to."""
        return {"user": self.user, "org": self.org, "team": self.team}

    def may_use(self, route: str) -> bool:
        """Whether a route is among those it is for."""
        return not self.routes or route in self.routes
