"""Opening the history's file: its location, its lock, and what happens to a damaged one."""

import fcntl
import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from evalkit.errors import StoreError
from evalkit.store.bundle import RECORD
from evalkit.store.files import explained
from evalkit.store.history_schema import migrate

BUSY_TIMEOUT_S = 5.0
# the file itself goes last: whoever opens it until then finds it damaged too, and waits
_FILES = ("-wal", "-shm", "")


class HistoryDamaged(StoreError):
    """The file is no database any more. Nothing is lost: the bundles are the truth."""


def connect(path: Path, busy_timeout_s: float) -> sqlite3.Connection:
    """A connection to the history in its newest version.

    Raises HistoryDamaged, and StoreError for one that is locked, newer, or cannot be written.
    """
    with history_errors(path):
        connection = sqlite3.connect(path, timeout=busy_timeout_s, isolation_level=None)
    try:
        with history_errors(path):
            connection.execute("PRAGMA synchronous = NORMAL")
            connection.execute("PRAGMA foreign_keys = ON")
            migrate(connection, str(path), patience_s=busy_timeout_s)
    except BaseException:
        connection.close()
        raise
    return connection


def set_aside(path: Path) -> Path:
    """Move a damaged file out of the way, for whoever wants to look at it. Returns its new path."""
    with explained("move", path):
        aside = next(
            each
            for number in range(1, 10_000)
            if not (each := path.with_name(f"{path.name}.damaged-{number}")).exists()
        )
        for suffix in _FILES:
            old = path.with_name(path.name + suffix)
            if old.exists():
                os.replace(old, aside.with_name(aside.name + suffix))
    return aside


@contextmanager
def alone(path: Path) -> Iterator[None]:
    """Wait to be the one process that replaces the file."""
    lock = path.with_name(f"{path.name}.lock")
    with explained("lock", lock):
        descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o644)
    try:
        with explained("lock", lock):
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


@contextmanager
def history_errors(path: Path) -> Iterator[None]:
    """Turn an sqlite3.Error inside into a StoreError that says what to do."""
    try:
        yield
    except (sqlite3.Error, UnicodeDecodeError) as error:
        code = (getattr(error, "sqlite_errorcode", 0) or 0) & 0xFF
        if isinstance(error, UnicodeDecodeError):  # SQLite tells of damage in bytes of the file
            code = sqlite3.SQLITE_CORRUPT
        if code in {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}:
            raise HistoryDamaged(
                f"the run history {path} is damaged ({error}); `evalkit history --rebuild` makes "
                "it again from the run bundles"
            ) from error
        raise StoreError(f"the run history {path}: {_advice(error, code)}") from error


def _advice(error: Exception, code: int) -> str:
    if code in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}:
        return "another process keeps it locked; wait for it to end and try again"
    if code in {sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR}:
        # A quota shows itself as an I/O error, and so does a disk that is about to die.
        return f"{error}; free some room on its disk"
    if code in {sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM}:
        return f"cannot be written ({error}); make it and its folder writable"
    return f"{error}; `evalkit history --rebuild` makes it again from the run bundles"


def bundle_stamp(bundle: Path) -> str:
    """What tells one state of a bundle from another without reading it; empty where there is none.

    Whoever changes a bundle replaces its run.json last.
    """
    try:
        state = (bundle / RECORD).stat()
    except OSError:
        return ""
    return f"{state.st_size}-{state.st_mtime_ns}"
