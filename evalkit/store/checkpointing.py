"""Writing back the log of an SQLite file beside whoever writes it.

SQLite itself does so within the commit that made the log too long, and waits twice for the disk
while it does, 5 to 20 ms: on an event loop everybody waits with it.
"""

import os
import sqlite3
from pathlib import Path
from threading import Thread

# the log of a file that is written all the time: its length, and how often that is looked at
LONGEST_BYTES = 16 * 1024 * 1024
_EVERY = 64
# for how long writers are kept off at most, while the log is emptied
_PATIENCE_S = 0.05


class Checkpointer:
    """Keeps the log of one file short, in a thread of its own while there is something to do."""

    def __init__(self, path: Path, *, longest_bytes: int = LONGEST_BYTES) -> None:
        """`path` is the file's, which may not be there yet."""
        self._path = path
        self._log = Path(f"{path}-wal")
        self._longest_bytes = longest_bytes
        self._commits = 0
        self._thread: Thread | None = None

    @staticmethod
    def take_over(connection: sqlite3.Connection) -> None:
        """Have that connection leave the log alone, to be `committed` from now on."""
        connection.execute("PRAGMA wal_autocheckpoint = 0")

    def committed(self) -> None:
        """A transaction was committed: once in a while the log is looked at, and written back where
        it is long."""
        self._commits += 1
        if self._commits % _EVERY:
            return
        try:
            size = os.stat(self._log).st_size
        except OSError:
            return
        if size > self._longest_bytes:
            self.begin()

    def begin(self) -> None:
        """Write the log back now, beside what comes next."""
        if self._thread is None or not self._thread.is_alive():
            self._thread = Thread(target=self._write_back, name="checkpoint")
            self._thread.start()

    def close(self) -> None:
        """Wait for what is under way."""
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def _write_back(self) -> None:
        """Most of it while others write, then the rest while they wait for a moment. What does not
        succeed is tried again: a disk that is at its end tells the writers so itself."""
        try:
            connection = sqlite3.connect(self._path, timeout=_PATIENCE_S, isolation_level=None)
            try:
                connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
                connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
            finally:
                connection.close()
        except sqlite3.Error:
            pass
