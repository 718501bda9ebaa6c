"""What SQLite says of the reply cache, in words that say what to do."""

import sqlite3
from pathlib import Path

from evalkit.errors import StoreError

# A statement of ours that SQLite does not understand is about a file that is not ours.
_DAMAGE = frozenset(
    {
        sqlite3.SQLITE_CORRUPT,
        sqlite3.SQLITE_NOTADB,
        sqlite3.SQLITE_ERROR,
        sqlite3.SQLITE_CONSTRAINT,
        sqlite3.SQLITE_MISMATCH,
    }
)


TROUBLE = (sqlite3.Error, UnicodeDecodeError)
"""What a statement may raise: of some damage SQLite tells in bytes that are no text."""


class CacheDamaged(StoreError):
    """The file is no cache, or no longer one. It only holds what can be asked for again."""


class CacheReadOnly(StoreError):
    """The file can be read and not written, as a cache that several jobs are lent."""


def cache_error(path: Path, error: Exception) -> StoreError:
    """The error to raise: CacheDamaged where the file cannot be read as a cache, CacheReadOnly
    where it can only be read."""
    kind = StoreError
    if _code(error) in _DAMAGE:
        kind = CacheDamaged
    elif _code(error) == sqlite3.SQLITE_READONLY:
        kind = CacheReadOnly
    return kind(f"the reply cache {path}: {_advice(error)}")


def _code(error: Exception) -> int:
    if isinstance(error, UnicodeDecodeError):
        return sqlite3.SQLITE_CORRUPT
    return (getattr(error, "sqlite_errorcode", 0) or 0) & 0xFF


def is_locked(error: Exception) -> bool:
    """Whether another process is in the way."""
    return _code(error) in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}


def _advice(error: Exception) -> str:
    code = _code(error)
    if is_locked(error):
        return "another process keeps it locked; wait for it to end, or run without the cache"
    if code in _DAMAGE:
        return f"is damaged ({error}); remove it: it only holds replies that can be asked for again"
    if code in {sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR}:
        # A quota shows itself as an I/O error, and so does a disk that is about to die.
        return f"{error}; free some room on its disk and go on with `evalkit run --resume`"
    if code in {sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM}:
        return f"cannot be written ({error}); make it writable, or run without the cache"
    return f"{error}; look at the disk it is on, or run without the cache"
