"""The file of a project's ledger: its tables, how they came to be, and how it is opened.

History of `user_version`: 1 is the first.
"""

import sqlite3
from contextlib import AbstractContextManager
from pathlib import Path
from types import TracebackType

from evalkit.errors import StoreError
from evalkit.store.wal import use_wal

FILE = "ledger.db"
TROUBLE = (sqlite3.Error, UnicodeDecodeError)
"""What a statement may raise: of some damage SQLite tells in bytes that are no text."""
# Rows are small and a commit writes whole pages, mostly two or three of them.
_PAGE_BYTES = 1024
# The statements at index n take the file from version n to n + 1.
_MIGRATIONS = (
    (
        """
        CREATE TABLE accounts (
            key TEXT PRIMARY KEY,
            spent_nano INTEGER NOT NULL,
            spent_tokens INTEGER NOT NULL,
            held_nano INTEGER NOT NULL,
            held_tokens INTEGER NOT NULL,
            keep_until INTEGER NOT NULL
        ) STRICT, WITHOUT ROWID
        """,
        # `accounts` are the keys of the accounts, one a line
        """
        CREATE TABLE holds (
            id INTEGER PRIMARY KEY,
            owner TEXT NOT NULL,
            run TEXT NOT NULL,
            nano INTEGER NOT NULL,
            tokens INTEGER NOT NULL,
            accounts TEXT NOT NULL,
            expires_at REAL NOT NULL
        ) STRICT
        """,
    ),
)


def connect(path: Path, patience_s: float) -> sqlite3.Connection:
    """A connection in the newest version, which waits for nobody: that is the caller's.

    Raises sqlite3.Error, and StoreError for a file that a newer evalkit wrote.
    """
    connection = sqlite3.connect(path, timeout=0, isolation_level=None, check_same_thread=False)
    try:
        wait_for_others(connection, patience_s)
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute(f"PRAGMA page_size = {_PAGE_BYTES}")  # of a file that is made now
        _migrate(connection, path, patience_s)
        wait_for_others(connection, 0)
    except BaseException:
        connection.close()
        raise
    return connection


def wait_for_others(connection: sqlite3.Connection, seconds: float) -> None:
    """How long a statement waits while another process writes."""
    connection.execute(f"PRAGMA busy_timeout = {round(1000 * seconds)}")


def writing(connection: sqlite3.Connection) -> AbstractContextManager[None]:
    """All of it or nothing; nobody else writes meanwhile."""
    return _Writing(connection)


class _Writing:
    """A transaction. A class, since every call is in one: a generator takes several times as
    long."""

    __slots__ = ("_connection",)

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def __enter__(self) -> None:
        self._connection.execute("BEGIN IMMEDIATE")

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        connection = self._connection
        try:
            if error is None:
                connection.execute("COMMIT")
        finally:
            if connection.in_transaction:
                connection.execute("ROLLBACK")


def is_busy(error: Exception) -> bool:
    """Whether another process is writing, so that asking again helps."""
    return _code(error) in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}


def explained_error(path: Path, error: Exception) -> StoreError:
    """What went wrong with the file, and what to do. No call is made without it."""
    code = _code(error)
    if is_busy(error):
        advice = "another process keeps it locked; wait for it to end"
    elif code in {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}:
        advice = (
            f"is damaged ({error}); move it away to start with empty budgets: what was spent in "
            "their running hours, days and months is then forgotten"
        )
    elif code in {sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR}:
        # A quota shows itself as an I/O error, and so does a disk that is about to die.
        advice = f"{error}; free some room on its disk"
    elif code in {sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM}:
        advice = f"cannot be written ({error}); make it and its folder writable"
    else:
        advice = f"{error}; look at the disk it is on"
    return StoreError(f"the ledger of budgets {path}: {advice}; no call is made without it")


def _migrate(connection: sqlite3.Connection, path: Path, patience_s: float) -> None:
    version = _version(connection)
    if version > len(_MIGRATIONS):
        raise StoreError(
            f"{path} was written by a newer evalkit (version {version}; this one reads up to "
            f"{len(_MIGRATIONS)}); upgrade evalkit"
        )
    if version == len(_MIGRATIONS):  # nothing to write: the journal's mode is kept in the file
        return
    use_wal(connection, patience_s)
    with writing(connection):
        for statements in _MIGRATIONS[_version(connection) :]:  # another may have been first
            for statement in statements:
                connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {len(_MIGRATIONS)}")


def _version(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def _code(error: Exception) -> int:
    if isinstance(error, UnicodeDecodeError):
        return sqlite3.SQLITE_CORRUPT
    return (getattr(error, "sqlite_errorcode", 0) or 0) & 0xFF
