"""The log of an SQLite file is kept short without its writer waiting for the disk."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from evalkit.store.checkpointing import Checkpointer

MANY = 640


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "some.db"


@pytest.fixture
def writer(path: Path) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute("CREATE TABLE some (number INTEGER, text TEXT)")
        Checkpointer.take_over(connection)
        yield connection


def write(connection: sqlite3.Connection, checkpointer: Checkpointer) -> None:
    for number in range(MANY):
        connection.execute("INSERT INTO some VALUES (?, ?)", (number, "x" * 5_000))
        checkpointer.committed()


def log_bytes(path: Path) -> int:
    return Path(f"{path}-wal").stat().st_size


def test_a_log_that_is_long_is_written_back_and_emptied(
    path: Path, writer: sqlite3.Connection
) -> None:
    checkpointer = Checkpointer(path, longest_bytes=100_000)
    # a writer that leaves it no moment may keep it from emptying the log, but not every time
    written = 0
    for _ in range(20):
        write(writer, checkpointer)
        written += MANY
        checkpointer.close()
        if log_bytes(path) < MANY * 5_000 / 2:
            break
    assert log_bytes(path) < MANY * 5_000 / 2
    with closing(sqlite3.connect(f"file:{path}?mode=ro&immutable=1", uri=True)) as alone:
        assert alone.execute("SELECT count(*) FROM some").fetchone()[0] >= MANY / 2
    assert writer.execute("SELECT count(*) FROM some").fetchone() == (written,)


def test_the_writer_itself_leaves_the_log_alone(path: Path, writer: sqlite3.Connection) -> None:
    write(writer, Checkpointer(path, longest_bytes=1 << 40))
    assert log_bytes(path) > MANY * 5_000


def test_a_file_that_is_gone_is_not_looked_for_any_further(path: Path) -> None:
    checkpointer = Checkpointer(path, longest_bytes=0)
    for _ in range(200):
        checkpointer.committed()
    checkpointer.close()
    assert not path.exists()
