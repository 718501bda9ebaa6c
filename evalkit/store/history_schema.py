"""The tables of `.evalkit/history.db`, and the written list of how they came to be.

History of `user_version`: 1 is the first.

A migration is one entry of `MIGRATIONS`, never edited once it was released: entry n takes a file
from version n to n + 1, in the same transaction as all others that are due. What a migration cannot
work out is left empty; `evalkit history --rebuild` makes every row again from the bundles.
"""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from evalkit.errors import StoreError
from evalkit.store.wal import use_wal

_FIRST_TABLES = (
    # One row a bundle, also those that never gate: so that none is read twice.
    """
    CREATE TABLE runs (
        id TEXT PRIMARY KEY,
        path TEXT NOT NULL,
        started_at TEXT NOT NULL,
        finished_at TEXT NOT NULL,
        state TEXT NOT NULL,
        exit_code INTEGER NOT NULL,
        outcome TEXT,
        gates INTEGER NOT NULL,
        sha TEXT,
        branch TEXT,
        dirty INTEGER NOT NULL,
        main INTEGER NOT NULL,
        evalkit TEXT NOT NULL,
        billed_usd REAL NOT NULL,
        changes TEXT NOT NULL,
        stamp TEXT NOT NULL
    ) STRICT
    """,
    "CREATE INDEX runs_by_time ON runs (started_at, id)",
    """
    CREATE TABLE tags (
        tag TEXT NOT NULL,
        run TEXT NOT NULL REFERENCES runs ON DELETE CASCADE,
        PRIMARY KEY (tag, run)
    ) STRICT, WITHOUT ROWID
    """,
    "CREATE INDEX tags_by_run ON tags (run)",
    # What measures the same thing, as a number: it stands in every row of `measurements`.
    """
    CREATE TABLE contents (
        id INTEGER PRIMARY KEY,
        suite TEXT NOT NULL,
        digest TEXT NOT NULL,
        UNIQUE (suite, digest)
    ) STRICT
    """,
    # `measured` is last, so that reading an arm does not touch the pages that it overflows to:
    # 8 bytes a measurement that the run had, replays included.
    """
    CREATE TABLE arms (
        id INTEGER PRIMARY KEY,
        run TEXT NOT NULL REFERENCES runs ON DELETE CASCADE,
        suite TEXT NOT NULL,
        variant TEXT NOT NULL,
        content INTEGER REFERENCES contents,
        source TEXT NOT NULL,
        prompt TEXT NOT NULL,
        models TEXT NOT NULL,
        assets TEXT NOT NULL,
        cases INTEGER NOT NULL,
        trials INTEGER NOT NULL,
        metrics TEXT NOT NULL,
        slices TEXT NOT NULL,
        outcome TEXT,
        measured BLOB NOT NULL,
        UNIQUE (run, suite, variant)
    ) STRICT
    """,
    "CREATE INDEX arms_by_content ON arms (content)",
    "CREATE INDEX arms_by_suite ON arms (suite, variant, run)",
    """
    CREATE TABLE cases (
        id INTEGER PRIMARY KEY,
        suite TEXT NOT NULL,
        name TEXT NOT NULL,
        UNIQUE (suite, name)
    ) STRICT
    """,
    # Every measurement once, whatever runs it stands in: what makes a replay count for nothing.
    """
    CREATE TABLE measurements (
        content INTEGER NOT NULL REFERENCES contents ON DELETE CASCADE,
        id INTEGER NOT NULL,
        case_id INTEGER NOT NULL REFERENCES cases,
        passed INTEGER NOT NULL,
        PRIMARY KEY (content, id)
    ) STRICT, WITHOUT ROWID
    """,
    # The sums of `measurements`, so that flakes of 500 runs are one short scan.
    """
    CREATE TABLE tallies (
        content INTEGER NOT NULL REFERENCES contents ON DELETE CASCADE,
        case_id INTEGER NOT NULL REFERENCES cases,
        passes INTEGER NOT NULL,
        runs INTEGER NOT NULL,
        PRIMARY KEY (content, case_id)
    ) STRICT, WITHOUT ROWID
    """,
)


def _first_tables(connection: sqlite3.Connection) -> None:
    """0 to 1: runs with their arms, tags, and distinct measurements by content."""
    for statement in _FIRST_TABLES:
        connection.execute(statement)


Migration = Callable[[sqlite3.Connection], None]
MIGRATIONS: tuple[Migration, ...] = (_first_tables,)


def migrate(
    connection: sqlite3.Connection,
    name: str,
    migrations: tuple[Migration, ...] = MIGRATIONS,
    *,
    patience_s: float = 0.0,
) -> None:
    """Bring the file to the newest version, or leave it as it was; `patience_s` is for others.

    Raises StoreError for a newer one, sqlite3.Error for what the disk or another process refuses.
    """
    version = _version(connection)
    if version > len(migrations):
        raise StoreError(
            f"{name} was written by a newer evalkit (version {version}; this one reads up to "
            f"{len(migrations)}); upgrade evalkit, or move the file aside: the history is made "
            "again from the run bundles"
        )
    if version == len(migrations):  # nothing to write: the journal's mode is kept in the file
        return
    # what a power cut leaves of a new file is made again; until it is there the disk is waited for
    # seven times, which takes up to 30 ms
    if version == 0:
        connection.execute("PRAGMA synchronous = OFF")
    use_wal(connection, patience_s)
    with writing(connection):
        # another process may have been first
        _apply(connection, migrations[_version(connection) :], len(migrations))
    connection.execute("PRAGMA synchronous = NORMAL")


def make_anew(connection: sqlite3.Connection) -> None:
    """Drop every table with what is in it and make them again. Raises sqlite3.Error."""
    # a table whose rows are referred to cannot be dropped before those that refer to it
    connection.execute("PRAGMA foreign_keys = OFF")
    with writing(connection):
        rows = connection.execute(
            "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
        )
        for (table,) in rows.fetchall():
            connection.execute(f"DROP TABLE {table}")
        _apply(connection, MIGRATIONS, len(MIGRATIONS))
    connection.execute("PRAGMA foreign_keys = ON")


@contextmanager
def writing(connection: sqlite3.Connection) -> Iterator[sqlite3.Connection]:
    """All of it or nothing; whoever else writes is waited for."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield connection
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def _apply(connection: sqlite3.Connection, migrations: tuple[Migration, ...], version: int) -> None:
    for migration in migrations:
        migration(connection)
    connection.execute(f"PRAGMA user_version = {version}")


def _version(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])
