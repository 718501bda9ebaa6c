"""Replies that were paid for once: a sqlite file that several processes may use at once.

History of `user_version`: 1 is the first.
"""

import hashlib
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from evalkit.errors import StoreError
from evalkit.ports import Cache
from evalkit.records.call import Reply
from evalkit.store.folder import private_folder
from evalkit.store.wal import use_wal

BUSY_TIMEOUT_S = 2.0
# The script at index n takes the file from version n to n + 1.
_MIGRATIONS = (
    """
    CREATE TABLE replies (
        key TEXT PRIMARY KEY,
        reply BLOB NOT NULL,
        digest BLOB NOT NULL,
        measured_at TEXT NOT NULL
    ) STRICT
    """,
)


class ReplyCache:
    """Implements ports.Cache in `.evalkit/cache.sqlite3`.

    A row whose digest does not fit its content (or that does not decode) is dropped and counted in
    `dropped`: the reply is asked for again. Every method raises StoreError for a cache that is
    locked for longer than `busy_timeout_s`, damaged, newer than this evalkit, or on a full disk.
    One that was locked for so long is not waited for again until it answers: the calls that a run
    has in flight would each wait in turn.
    """

    def __init__(self, root: Path, *, busy_timeout_s: float = BUSY_TIMEOUT_S) -> None:
        """Open the cache of the project at `root`, making it where there is none."""
        self.path = private_folder(root) / "cache.sqlite3"
        self.dropped = 0
        self._patience_s = busy_timeout_s
        self._gave_up = False
        self._encoder = msgspec.json.Encoder()
        self._decoder = msgspec.json.Decoder(Reply)
        with self._explained():
            self._connection = sqlite3.connect(
                self.path, timeout=busy_timeout_s, isolation_level=None
            )
        try:
            with self._explained():
                self._prepare()
        except BaseException:
            self._connection.close()
            raise

    def _prepare(self) -> None:
        execute = self._connection.execute
        execute("PRAGMA synchronous = NORMAL")
        version = self._version()
        if version > len(_MIGRATIONS):
            raise StoreError(
                f"{self.path} was written by a newer evalkit (version {version}; this one reads up "
                f"to {len(_MIGRATIONS)}); upgrade evalkit, or remove the file: it only holds "
                "replies that can be asked for again"
            )
        if version == len(_MIGRATIONS):  # nothing to write: the journal's mode is kept in the file
            return
        use_wal(self._connection, self._patience_s)
        execute("BEGIN IMMEDIATE")
        try:
            for script in _MIGRATIONS[self._version() :]:  # another process may have been first
                execute(script)
            execute(f"PRAGMA user_version = {len(_MIGRATIONS)}")
            execute("COMMIT")
        except BaseException:
            if self._connection.in_transaction:
                execute("ROLLBACK")
            raise

    def _version(self) -> int:
        return int(self._connection.execute("PRAGMA user_version").fetchone()[0])

    def get(self, key: str) -> Reply | None:
        """The reply as it was stored, or None."""
        with self._explained():
            row = self._connection.execute(
                "SELECT reply, digest FROM replies WHERE key = ?", (key,)
            ).fetchone()
            if row is None:
                return None
            raw, digest = row
            if isinstance(raw, bytes) and digest == _digest(key, raw):
                try:
                    return self._decoder.decode(raw)
                except (msgspec.MsgspecError, UnicodeDecodeError):
                    pass  # whole, but of another evalkit: worth as much as a damaged one
            self.dropped += 1
            self._connection.execute("DELETE FROM replies WHERE key = ?", (key,))
            return None

    def put(self, key: str, reply: Reply) -> None:
        """Store a reply; the later of two with one key stays."""
        raw = self._encoder.encode(reply)
        with self._explained():
            self._connection.execute(
                "INSERT OR REPLACE INTO replies VALUES (?, ?, ?, ?)",
                (key, raw, _digest(key, raw), reply.measured_at),
            )

    def prune(
        self, *, before: datetime | None, max_bytes: int | None, dry_run: bool = False
    ) -> tuple[int, int]:
        """Drop replies measured before that moment, then the oldest until the rest take at most
        `max_bytes`: how many, and how many bytes they took."""
        sizes = "SELECT key, length(reply), measured_at FROM replies ORDER BY measured_at DESC, key"
        gone: list[str] = []
        kept_bytes = gone_bytes = 0
        with self._explained():
            for key, size, measured_at in self._connection.execute(sizes).fetchall():
                old = before is not None and _moment(measured_at) < before
                if old or (max_bytes is not None and kept_bytes + size > max_bytes):
                    gone.append(key)
                    gone_bytes += size
                else:
                    kept_bytes += size
            if gone and not dry_run:
                self._connection.execute("BEGIN IMMEDIATE")
                try:
                    self._connection.executemany(
                        "DELETE FROM replies WHERE key = ?", [(key,) for key in gone]
                    )
                    self._connection.execute("COMMIT")
                except BaseException:
                    if self._connection.in_transaction:
                        self._connection.execute("ROLLBACK")
                    raise
                with suppress(sqlite3.OperationalError):  # another process reads: the file stays
                    self._connection.execute("VACUUM")
        return len(gone), gone_bytes

    def __len__(self) -> int:
        """How many replies are stored."""
        with self._explained():
            return int(self._connection.execute("SELECT count(*) FROM replies").fetchone()[0])

    def close(self) -> None:
        """Close the file. Closing twice is harmless."""
        self._connection.close()

    def __enter__(self) -> "ReplyCache":
        """The cache itself."""
        return self

    def __exit__(self, *error: object) -> None:
        """Close it."""
        self.close()

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
            if self._gave_up:
                self._wait(self._patience_s)
        except sqlite3.Error as error:
            if _is_locked(error):
                self._wait(0)
            raise StoreError(f"the reply cache {self.path}: {_advice(error)}") from error

    def _wait(self, seconds: float) -> None:
        """How long to wait for another process from now on."""
        self._gave_up = seconds == 0
        self._connection.execute(f"PRAGMA busy_timeout = {round(1000 * seconds)}")


def _digest(key: str, raw: bytes) -> bytes:
    """Over the key too: a reply under another request's key is as wrong as a damaged one."""
    return hashlib.sha256(key.encode() + b"\0" + raw).digest()


def _moment(text: str) -> datetime:
    """A time as replies have it; one that cannot be read is older than any."""
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        return datetime.min.replace(tzinfo=UTC)
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def _code(error: sqlite3.Error) -> int:
    return (error.sqlite_errorcode or 0) & 0xFF if hasattr(error, "sqlite_errorcode") else 0


def _is_locked(error: sqlite3.Error) -> bool:
    return _code(error) in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}


def _advice(error: sqlite3.Error) -> str:
    code = _code(error)
    if _is_locked(error):
        return "another process keeps it locked; wait for it to end, or run without the cache"
    if code in {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}:
        return f"is damaged ({error}); remove it: it only holds replies that can be asked for again"
    if code in {sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR}:
        # A quota shows itself as an I/O error, and so does a disk that is about to die.
        return f"{error}; free some room on its disk and go on with `evalkit run --resume`"
    if code in {sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM}:
        return f"cannot be written ({error}); make it writable, or run without the cache"
    return f"{error}; look at the disk it is on, or run without the cache"


class ForgetfulCache:
    """A cache that has nothing and keeps everything: all is asked anew, for later to read."""

    def __init__(self, cache: Cache) -> None:
        """`cache` keeps the replies."""
        self._cache = cache

    def get(self, key: str) -> Reply | None:
        """Nothing."""
        return None

    def put(self, key: str, reply: Reply) -> None:
        """Store a reply, in place of an older one."""
        self._cache.put(key, reply)
