"""Replies that were paid for once: a sqlite file that several processes may use at once.

History of `user_version`: 1 is the first; 2 has the form of a stored reply and when it was used.
"""

import fcntl
import hashlib
import os
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from evalkit.errors import StoreError
from evalkit.records.call import Reply
from evalkit.store.cache_errors import TROUBLE, cache_error, is_locked
from evalkit.store.files import explained
from evalkit.store.folder import PRIVATE, private_folder
from evalkit.store.wal import use_wal

BUSY_TIMEOUT_S = 2.0
MAX_BYTES = 2_000_000_000
FORM = 1
"""The form of a stored reply: one of another form is worth as much as none."""

# a reply that was used within the hour is among the latest whatever is written of it
_USES_PAUSE_S = 3600
_USES_KEPT = 500
_PUTS_A_LOOK = 32
# what is evicted at a time, so that not every reply that is stored costs another one
_ROOM_SHARE = 0.1
# beside its reply a row has its key twice (in the index too), a digest, times and the file's own
_WEIGHT = "length(reply) + 2 * length(key) + 100"
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
    f"""
    ALTER TABLE replies ADD COLUMN form INTEGER NOT NULL DEFAULT {FORM};
    ALTER TABLE replies ADD COLUMN used_at INTEGER NOT NULL DEFAULT 0;
    CREATE INDEX replies_by_use ON replies (used_at)
    """,
)


class ReplyCache:
    """Implements ports.Cache in `.evalkit/cache.sqlite3`.

    A row whose digest does not fit its content (or that is of another form, or does not decode) is
    dropped and counted in `dropped`: the reply is asked for again. The replies that were not used
    for longest make room for new ones where the file holds more than `max_bytes`. Every method
    raises StoreError for a cache that is locked for longer than `busy_timeout_s`, newer than this
    evalkit, or on a full disk, and CacheDamaged for one that cannot be read. One that was locked
    for so long is not waited for again until it answers: the calls that a run has in flight would
    each wait in turn.
    """

    def __init__(
        self,
        root: Path,
        *,
        busy_timeout_s: float = BUSY_TIMEOUT_S,
        max_bytes: int = MAX_BYTES,
        now: Callable[[], float] = time.time,
    ) -> None:
        """Open the cache of the project at `root`, making it where there is none. `now` is the
        time in seconds, by which the last use of a reply is told."""
        self.path = private_folder(root) / "cache.sqlite3"
        self.max_bytes = max_bytes
        self._now = now
        self._dropped: set[str] = set()
        self._used: dict[str, int] = {}
        self._puts = 0
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
        execute("PRAGMA trusted_schema = OFF")  # the file may have come from another machine
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
                for statement in script.split(";"):
                    execute(statement)
            execute(f"PRAGMA user_version = {len(_MIGRATIONS)}")
            execute("COMMIT")
        except BaseException:
            if self._connection.in_transaction:
                execute("ROLLBACK")
            raise

    def _version(self) -> int:
        return int(self._connection.execute("PRAGMA user_version").fetchone()[0])

    @property
    def dropped(self) -> int:
        """How many stored replies were no good."""
        return len(self._dropped)

    def get(self, key: str) -> Reply | None:
        """The reply as it was stored, or None."""
        with self._explained():
            row = self._connection.execute(
                "SELECT reply, digest, form, used_at FROM replies WHERE key = ?", (key,)
            ).fetchone()
        if row is None:
            return None
        raw, digest, form, used_at = row
        if isinstance(raw, bytes) and digest == _digest(key, raw) and form == FORM:
            try:
                reply = self._decoder.decode(raw)
            except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
                pass  # whole, but of another evalkit: worth as much as a damaged one
            else:
                self._note_use(key, used_at)
                return reply
        self._dropped.add(key)
        with suppress(*TROUBLE):  # where it cannot be removed it is no answer all the same
            self._connection.execute("DELETE FROM replies WHERE key = ?", (key,))
        return None

    def put(self, key: str, reply: Reply) -> None:
        """Store a reply; the later of two with one key stays."""
        raw = self._encoder.encode(reply)
        with self._explained():
            self._connection.execute(
                "INSERT OR REPLACE INTO replies (key, reply, digest, measured_at, form, used_at) "
                "VALUES (?, ?, ?, ?, ?, ?)",
                (key, raw, _digest(key, raw), reply.measured_at, FORM, int(self._now())),
            )
            if self._puts % _PUTS_A_LOOK == 0:
                self._make_room()
        self._puts += 1

    def _note_use(self, key: str, used_at: int) -> None:
        """Remember that a reply is in use; written in batches, as a reader need not wait for it."""
        now = int(self._now())
        if abs(now - used_at) < _USES_PAUSE_S:
            return
        self._used[key] = now
        if len(self._used) >= _USES_KEPT:
            self._write_uses()

    def _write_uses(self) -> None:
        uses, self._used = self._used, {}
        # a file that cannot be written now is still good to read
        with suppress(*TROUBLE), self._changing():
            self._connection.executemany(
                "UPDATE replies SET used_at = ? WHERE key = ?",
                [(used_at, key) for key, used_at in uses.items()],
            )

    @contextmanager
    def _changing(self) -> Iterator[None]:
        """One transaction: all of it or nothing."""
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._connection.execute("COMMIT")
        except BaseException:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            raise

    def _make_room(self) -> None:
        """Evict what was not used for longest, until the file holds clearly less than it may."""
        if self._bytes_in_use() <= self.max_bytes:
            return
        self._write_uses()
        with self._changing():
            # counted again: another process may have made room while this one waited
            excess = self._bytes_in_use() - (1 - _ROOM_SHARE) * self.max_bytes
            if excess <= _ROOM_SHARE * self.max_bytes:
                return
            gone: list[tuple[str]] = []
            for key, weight in self._connection.execute(
                f"SELECT key, {_WEIGHT} FROM replies ORDER BY used_at, rowid"
            ):
                if excess <= 0:
                    break
                gone.append((key,))
                excess -= weight
            self._connection.executemany("DELETE FROM replies WHERE key = ?", gone)

    def _bytes_in_use(self) -> int:
        def value(pragma: str) -> int:
            return int(self._connection.execute(f"PRAGMA {pragma}").fetchone()[0])

        return (value("page_count") - value("freelist_count")) * value("page_size")

    def prune(
        self, *, before: datetime | None, max_bytes: int | None, dry_run: bool = False
    ) -> tuple[int, int]:
        """Drop replies measured before that moment, then those that were not used for longest until
        the rest take at most `max_bytes`: how many, and how many bytes they took."""
        self._write_uses()
        sizes = (
            f"SELECT key, {_WEIGHT}, measured_at FROM replies "
            "ORDER BY used_at DESC, measured_at DESC, key"
        )
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
                with self._changing():
                    self._connection.executemany(
                        "DELETE FROM replies WHERE key = ?", [(key,) for key in gone]
                    )
                with suppress(sqlite3.OperationalError):  # another process reads: the file stays
                    self._connection.execute("VACUUM")
        return len(gone), gone_bytes

    def __len__(self) -> int:
        """How many replies are stored."""
        with self._explained():
            return int(self._connection.execute("SELECT count(*) FROM replies").fetchone()[0])

    def close(self) -> None:
        """Close the file. Closing twice is harmless."""
        if self._used:
            with suppress(*TROUBLE):
                self._wait(0)
            self._write_uses()
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
        except TROUBLE as error:
            if is_locked(error):
                self._wait(0)
            raise cache_error(self.path, error) from error

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


def file_of(root: Path) -> int | None:
    """Which file the project's cache is at the moment; None where there is none."""
    try:
        return (root / PRIVATE / "cache.sqlite3").stat().st_ino
    except OSError:
        return None


def set_aside(root: Path, damaged: int | None) -> None:
    """Put a damaged cache out of the way, as `cache.sqlite3.damaged`, so that a new one is made.

    `damaged` is the file that is meant: one that another process has put in its place stays.
    Raises StoreError.
    """
    path = private_folder(root) / "cache.sqlite3"
    with explained("set aside", path), open(path.with_name("cache.lock"), "a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if file_of(root) != damaged:
            return
        for end in ("", "-wal", "-shm"):
            with suppress(FileNotFoundError):
                os.replace(f"{path}{end}", f"{path}.damaged{end}")
