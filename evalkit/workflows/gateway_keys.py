"""Keys of the gateway as people handle them: made for routes that there are, listed, revoked."""

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from evalkit.control.ledger.book import Ledger
from evalkit.errors import UsageError
from evalkit.records.gateway_key import GatewayKey, KeyStanding, Purpose
from evalkit.records.ledger import Amount, KeyCaps, Scopes
from evalkit.store.gateway_keys import GatewayKeys
from evalkit.store.ledger import SqliteAccounts
from evalkit.workflows.auditing import open_audit, whoever_runs
from evalkit.workflows.project import Project
from evalkit.workflows.wiring import SystemClock


class KeyDesk:
    """The keys of one project. What is made and ended is audited."""

    def __init__(self, project: Project) -> None:
        """Nothing is read yet."""
        self._routes = [route.name for route in project.assets.config.routes]
        self._keys = GatewayKeys(project.root, now=lambda: datetime.now(UTC))
        self._root = project.root
        self._audit = open_audit(project.root, now=lambda: datetime.now(UTC))

    def add(
        self,
        *,
        user: str,
        org: str,
        team: str,
        routes: Sequence[str],
        note: str,
        expires_in: timedelta | None = None,
        purpose: Purpose = "calls",
        caps: KeyCaps | None = None,
    ) -> tuple[str, GatewayKey]:
        """A new key, which can be had here and never again, and what is kept of it.

        Raises UsageError for a route that there is not or stands twice, and for a key for metrics
        that has what only calls need; StoreError.
        """
        if purpose == "metrics" and (routes or caps is not None):
            raise UsageError("a key for metrics opens no route and spends nothing: leave these out")
        for route, times in Counter(routes).items():
            if times > 1:
                raise UsageError(f"route {route!r} is given {times} times")
        for route in routes:
            if route not in self._routes:
                known = ", ".join(self._routes) or "none"
                raise UsageError(f"there is no route {route!r}; there is {known}")
        key, known_key = self._keys.add(
            user=user,
            org=org,
            team=team,
            routes=routes,
            note=note,
            expires_in=expires_in,
            purpose=purpose,
            caps=caps,
        )
        self._note("key.added", known_key)
        return key, known_key

    def all(self) -> list[KeyStanding]:
        """Every key with what it has spent, the oldest first. Raises StoreError."""
        clock = SystemClock()
        accounts = SqliteAccounts(self._root, clock=clock, run="keys")
        ledger = Ledger((), accounts=accounts, clock=clock)
        try:
            return [KeyStanding(key, _taken(key, ledger)) for key in self._keys.all()]
        finally:
            ledger.close()

    def revoke(self, key_id: str) -> GatewayKey:
        """End a key. Raises UsageError for one that there is not, StoreError."""
        known = self._keys.revoke(key_id)
        self._note("key.revoked", known)
        return known

    def _note(self, kind: str, key: GatewayKey) -> None:
        about = {
            "key": key.id,
            "team": key.team,
            "routes": ", ".join(key.routes) or "all",
            "for": key.purpose,
        }
        self._audit.note(kind, whoever_runs(), about)


def _taken(key: GatewayKey, ledger: Ledger) -> Amount | None:
    """What is spent or held under the key's caps in their window; None for a key without any."""
    if key.caps is None:
        return None
    ((_, balance),) = ledger.standing(Scopes(key=key.id, caps=key.caps))
    return balance.spent + balance.held
