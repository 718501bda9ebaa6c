"""Keys of the gateway as people handle them: made for routes that there are, listed, revoked."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from evalkit.errors import UsageError
from evalkit.records.gateway_key import GatewayKey
from evalkit.store.gateway_keys import GatewayKeys
from evalkit.workflows.auditing import open_audit, whoever_runs
from evalkit.workflows.project import Project


class KeyDesk:
    """The keys of one project. What is made and ended is audited."""

    def __init__(self, project: Project) -> None:
        """Nothing is read yet."""
        self._routes = [route.name for route in project.assets.config.routes]
        self._keys = GatewayKeys(project.root, now=lambda: datetime.now(UTC))
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
    ) -> tuple[str, GatewayKey]:
        """A new key, which can be had here and never again, and what is kept of it.

        Raises UsageError for a route that there is not, StoreError.
        """
        for route in routes:
            if route not in self._routes:
                known = ", ".join(self._routes) or "none"
                raise UsageError(f"there is no route {route!r}; there is {known}")
        key, known_key = self._keys.add(
            user=user, org=org, team=team, routes=routes, note=note, expires_in=expires_in
        )
        self._note("key.added", known_key)
        return key, known_key

    def all(self) -> list[GatewayKey]:
        """Every key, the oldest first. Raises StoreError."""
        return self._keys.all()

    def revoke(self, key_id: str) -> GatewayKey:
        """End a key. Raises UsageError for one that there is not, StoreError."""
        known = self._keys.revoke(key_id)
        self._note("key.revoked", known)
        return known

    def _note(self, kind: str, key: GatewayKey) -> None:
        about = {"key": key.id, "team": key.team, "routes": ", ".join(key.routes) or "all"}
        self._audit.note(kind, whoever_runs(), about)
