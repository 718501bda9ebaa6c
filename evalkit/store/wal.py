"""Switching a new SQLite file to write-ahead logging while other processes do the same."""

import sqlite3
import time

_PAUSE_S = 0.01


def use_wal(connection: sqlite3.Connection, patience_s: float) -> None:
    """Set the journal's mode, which the file keeps.

    Two processes that switch a new file together cannot wait for each other, so SQLite answers
    SQLITE_BUSY at once, whatever the connection's timeout: it is asked again for `patience_s`.
    Raises sqlite3.OperationalError after that, and for anything else.
    """
    deadline = time.monotonic() + patience_s
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            busy = (error.sqlite_errorcode & 0xFF) == sqlite3.SQLITE_BUSY
            if not busy or time.monotonic() >= deadline:
                raise
        time.sleep(_PAUSE_S)
