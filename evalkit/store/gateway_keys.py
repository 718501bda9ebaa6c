"""`.evalkit/keys.db`: keys of the gateway, as digests.

A key is `ek-<id>-<secret>`. The secret has 256 random bits, so one round of SHA-256 keeps it: a
slow hash protects what people choose. History of `user_version`: 1 is the first; since 2 a key has
a purpose and caps.
"""

import hashlib
import hmac
import re
import secrets
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec

from evalkit.errors import StoreError, UsageError
from evalkit.records.gateway_key import GatewayKey, Purpose
from evalkit.records.ledger import KeyCaps
from evalkit.store.files import explained
from evalkit.store.folder import PRIVATE, private_folder
from evalkit.store.wal import use_wal

FILE = "keys.db"
_KEY = re.compile(r"ek-([0-9a-f]{10})-([A-Za-z0-9_-]{43})")
_BUSY_S = 5.0
_SOON_S = 0.1
_VERSION = 2
_TABLE = """
    CREATE TABLE IF NOT EXISTS keys (
        id TEXT PRIMARY KEY,
        digest BLOB NOT NULL,
        about BLOB NOT NULL
    ) STRICT
"""


class GatewayKeys:
    """The keys of one project. The file is opened for each call and made by the first `add`.

    Every method raises StoreError for a file that is damaged, locked for long, or newer.
    """

    def __init__(self, root: Path, *, now: Callable[[], datetime]) -> None:
        """The keys of the project at `root`; `now` is the time of day."""
        self.path = root / PRIVATE / FILE
        self._root = root
        self._now = now

    def add(
        self,
        *,
        user: str = "",
        org: str = "",
        team: str = "",
        routes: Sequence[str] = (),
        note: str = "",
        expires_in: timedelta | None = None,
        purpose: Purpose = "calls",
        caps: KeyCaps | None = None,
    ) -> tuple[str, GatewayKey]:
        """A new key and what is kept of it. The key can be had here and never again."""
        now = self._now().astimezone(UTC)
        key_id, secret = secrets.token_hex(5), secrets.token_urlsafe(32)
        known = GatewayKey(
            id=key_id,
            user=user,
            org=org,
            team=team,
            routes=tuple(routes),
            note=note,
            created_at=now.isoformat(timespec="seconds"),
            expires_at=""
            if expires_in is None
            else (now + expires_in).isoformat(timespec="seconds"),
            purpose=purpose,
            caps=caps,
        )
        with self._open(make=True) as connection:
            connection.execute(
                "INSERT INTO keys VALUES (?, ?, ?)",
                (key_id, _digest(secret), msgspec.json.encode(known)),
            )
        return f"ek-{key_id}-{secret}", known

    def all(self) -> list[GatewayKey]:
        """Every key, the oldest first."""
        if not self.path.exists():
            return []
        with self._open() as connection:
            rows = connection.execute("SELECT about FROM keys").fetchall()
        found = [msgspec.json.decode(about, type=GatewayKey) for (about,) in rows]
        return sorted(found, key=lambda key: (key.created_at, key.id))

    def revoke(self, key_id: str) -> GatewayKey:
        """From now on the key opens nothing. Raises UsageError for one that there is not."""
        matches = [each for each in self.all() if each.id.startswith(key_id)] if key_id else []
        if len(matches) != 1:
            what = "no key" if not matches else f"{len(matches)} keys"
            raise UsageError(f"{what} with an id that begins with {key_id!r}; see evalkit key list")
        (known,) = matches
        if known.revoked_at:
            return known
        now = self._now().astimezone(UTC).isoformat(timespec="seconds")
        known = msgspec.structs.replace(known, revoked_at=now)
        with self._open(make=True) as connection:
            connection.execute(
                "UPDATE keys SET about = ? WHERE id = ?", (msgspec.json.encode(known), known.id)
            )
        return known

    def find(self, key: str) -> GatewayKey | None:
        """What a key that was sent stands for; None for one that is unknown, expired or revoked.

        It is for the loop of a server: it gives up soon where the file is locked.
        """
        parts = _KEY.fullmatch(key)
        if parts is None or not self.path.exists():
            return None
        key_id, secret = parts.groups()
        with self._open(patience_s=_SOON_S) as connection:
            row = connection.execute(
                "SELECT digest, about FROM keys WHERE id = ?", (key_id,)
            ).fetchone()
        if row is None or not hmac.compare_digest(row[0], _digest(secret)):
            return None
        known = msgspec.json.decode(row[1], type=GatewayKey)
        now = self._now().astimezone(UTC).isoformat(timespec="seconds")
        return None if known.ended(now) else known

    def check(self) -> None:
        """Raise where the file cannot be read now."""
        if self.path.exists():
            with self._open(patience_s=_SOON_S) as connection:
                connection.execute("SELECT id FROM keys LIMIT 1").fetchone()

    @contextmanager
    def _open(
        self, *, make: bool = False, patience_s: float = _BUSY_S
    ) -> Iterator[sqlite3.Connection]:
        """The file, in a transaction; without `make` only where there is one."""
        if make:
            private_folder(self._root)
        with explained("open", self.path):
            connection = sqlite3.connect(self.path, timeout=patience_s)
            self.path.chmod(0o600)
        try:
            with connection:
                if make:
                    use_wal(connection, _BUSY_S)
                version = connection.execute("PRAGMA user_version").fetchone()[0]
                if version > _VERSION:
                    raise StoreError(f"{self.path} was written by a newer evalkit; upgrade evalkit")
                if make:
                    connection.execute(_TABLE)
                    connection.execute(f"PRAGMA user_version = {_VERSION}")
                yield connection
        except (sqlite3.Error, msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise StoreError(f"{self.path}: {error}") from error
        finally:
            connection.close()


def _digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()
