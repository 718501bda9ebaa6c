"""New files that several processes open at once."""

import sqlite3
import threading
from pathlib import Path

import pytest

from evalkit.errors import StoreError
from evalkit.store.history import SqliteHistory
from evalkit.store.wal import use_wal


def test_a_new_history_can_be_opened_by_several_at_once(tmp_path: Path) -> None:
    refused: list[StoreError] = []

    def open_history(path: Path, together: threading.Barrier) -> None:
        together.wait()
        try:
            SqliteHistory(path).close()
        except StoreError as error:
            refused.append(error)

    for number in range(25):
        together = threading.Barrier(4)
        path = tmp_path / f"{number}.db"
        threads = [threading.Thread(target=open_history, args=(path, together)) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert refused == []


def test_a_file_that_stays_locked_is_given_up(tmp_path: Path) -> None:
    path = tmp_path / "locked.db"
    holder = sqlite3.connect(path, isolation_level=None)
    holder.execute("BEGIN EXCLUSIVE")
    waiting = sqlite3.connect(path, timeout=0, isolation_level=None)
    with pytest.raises(sqlite3.OperationalError, match="locked"):
        use_wal(waiting, 0.0)
    holder.execute("ROLLBACK")
    use_wal(waiting, 0.0)
    assert waiting.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    for connection in (holder, waiting):
        connection.close()
