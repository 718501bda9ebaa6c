"""Embeddings that were made once: a sqlite file in `.evalkit/cache/`.

History of `user_version`: 1 is the first.
"""

import hashlib
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from evalkit.errors import StoreError
from evalkit.store.files import explained
from evalkit.store.folder import private_folder
from evalkit.store.wal import use_wal

VERSION = 1
BUSY_TIMEOUT_S = 5.0
_BATCH = 500


class VectorCache:
    """Implements ports.Vectors. A row whose digest does not fit its content is as good as none."""

    def __init__(self, root: Path) -> None:
        """Open the cache of the project at `root`, making it where there is none."""
        folder = private_folder(root) / "cache"
        with explained("make", folder):
            folder.mkdir(exist_ok=True)
        self.path = folder / "embeddings.sqlite3"
        with self._explained():
            self._connection = sqlite3.connect(
                self.path, timeout=BUSY_TIMEOUT_S, isolation_level=None
            )
            try:
                self._prepare()
            except BaseException:
                self._connection.close()
                raise

    def _prepare(self) -> None:
        execute = self._connection.execute
        version = int(execute("PRAGMA user_version").fetchone()[0])
        if version > VERSION:
            raise StoreError(
                f"{self.path} was written by a newer evalkit (version {version}); upgrade evalkit, "
                "or remove the file: what it holds can be made again"
            )
        if version < VERSION:
            use_wal(self._connection, BUSY_TIMEOUT_S)
            execute(
                "CREATE TABLE IF NOT EXISTS vectors "
                "(key TEXT PRIMARY KEY, vector BLOB NOT NULL, digest BLOB NOT NULL) STRICT"
            )
            execute(f"PRAGMA user_version = {VERSION}")

    def get(self, keys: Sequence[str]) -> Mapping[str, bytes]:
        """Those of the keys that are stored and whole."""
        found: dict[str, bytes] = {}
        wanted = list(dict.fromkeys(keys))
        for start in range(0, len(wanted), _BATCH):
            batch = wanted[start : start + _BATCH]
            marks = ",".join("?" * len(batch))
            with self._explained():
                rows = self._connection.execute(
                    f"SELECT key, vector, digest FROM vectors WHERE key IN ({marks})", batch
                ).fetchall()
            found |= {key: raw for key, raw, digest in rows if digest == _digest(key, raw)}
        return found

    def put(self, vectors: Mapping[str, bytes]) -> None:
        """Store them, all or none."""
        rows = [(key, raw, _digest(key, raw)) for key, raw in vectors.items()]
        with self._explained():
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                self._connection.executemany(
                    "INSERT OR REPLACE INTO vectors VALUES (?, ?, ?)", rows
                )
                self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise

    def close(self) -> None:
        """Close the file. Closing twice is harmless."""
        self._connection.close()

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, UnicodeDecodeError) as error:
            raise StoreError(
                f"the embeddings in {self.path} cannot be used: {error}; remove the file if it is "
                "damaged: what it holds can be made again"
            ) from error


def _digest(key: str, raw: bytes) -> bytes:
    return hashlib.sha256(key.encode() + b"\0" + raw).digest()
