"""Distinct measurements by content, and their sums by case.

A measurement is kept as 8 bytes of a digest over its case and its id, so that 500 runs of 2,000
cases stay a few megabytes. Among a million of one content the chance that any two collide is about
3 in 100 million, and the price is one measurement too few.
"""

import hashlib
import sqlite3
from array import array
from collections.abc import Iterable

from evalkit.records.history import CaseTally

_BYTES = 8
_TYPE = "q"  # of an array: signed, of as many bytes


def content_number(connection: sqlite3.Connection, suite: str, digest: str) -> int:
    """The number of a content, given where it has none."""
    connection.execute(
        "INSERT OR IGNORE INTO contents (suite, digest) VALUES (?, ?)", (suite, digest)
    )
    row = connection.execute(
        "SELECT id FROM contents WHERE suite = ? AND digest = ?", (suite, digest)
    ).fetchone()
    return int(row[0])


def add_measurements(
    connection: sqlite3.Connection, suite: str, content: int, tallies: Iterable[CaseTally]
) -> "array[int]":
    """Count what is new of an arm's measurements. Returns all of them, replays included.

    A measurement that is known and was scored differently counts as it was scored last.
    """
    known = array(_TYPE)
    for tally in tallies:
        case, passes, runs = _case_number(connection, suite, tally.case), 0, 0
        for name, passed in tally.measured.items():
            number = _number(tally.case, name)
            known.append(number)
            before = _scored(connection, content, number)
            if before is None:
                row = (content, number, case, passed)
                connection.execute("INSERT INTO measurements VALUES (?, ?, ?, ?)", row)
                runs += 1
                passes += passed
            elif before != passed:
                connection.execute(
                    "UPDATE measurements SET passed = ? WHERE content = ? AND id = ?",
                    (passed, content, number),
                )
                passes += passed - before
        if runs or passes:
            connection.execute(
                "INSERT INTO tallies VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET "
                "passes = passes + excluded.passes, runs = runs + excluded.runs",
                (content, case, passes, runs),
            )
    return known


def _scored(connection: sqlite3.Connection, content: int, number: int) -> bool | None:
    row = connection.execute(
        "SELECT passed FROM measurements WHERE content = ? AND id = ?", (content, number)
    ).fetchone()
    return None if row is None else bool(row[0])


def measured_by(connection: sqlite3.Connection, run: str) -> dict[int, set[int]]:
    """What a run measured, by content; also contents of which it measured nothing that counts."""
    found: dict[int, set[int]] = {}
    for content, raw in connection.execute(
        "SELECT content, measured FROM arms WHERE run = ? AND content IS NOT NULL", (run,)
    ):
        found.setdefault(content, set()).update(array(_TYPE, raw))
    return found


def recount(connection: sqlite3.Connection, contents: Iterable[int]) -> None:
    """Drop measurements that no arm of these contents has any more, and sum the others again."""
    for content in contents:
        held: set[int] = set()
        arms = connection.execute("SELECT measured FROM arms WHERE content = ?", (content,))
        blobs = [raw for (raw,) in arms]
        if not blobs:
            connection.execute("DELETE FROM contents WHERE id = ?", (content,))
            continue
        for raw in blobs:
            held.update(array(_TYPE, raw))
        rows = connection.execute("SELECT id FROM measurements WHERE content = ?", (content,))
        gone = [(content, number) for (number,) in rows if number not in held]
        connection.executemany("DELETE FROM measurements WHERE content = ? AND id = ?", gone)
        connection.execute("DELETE FROM tallies WHERE content = ?", (content,))
        connection.execute(
            "INSERT INTO tallies SELECT content, case_id, sum(passed), count(*) "
            "FROM measurements WHERE content = ? GROUP BY case_id",
            (content,),
        )


def select_tallies(
    connection: sqlite3.Connection, suite: str, digest: str, having: str = "1"
) -> list[CaseTally]:
    """The sums by case, where the SQL condition `having` holds of the tally `t`, by case."""
    rows = connection.execute(
        "SELECT n.name, t.passes, t.runs FROM contents c JOIN tallies t ON t.content = c.id "
        f"JOIN cases n ON n.id = t.case_id WHERE c.suite = ? AND c.digest = ? AND {having} "
        "ORDER BY n.name",
        (suite, digest),
    )
    return [CaseTally(case=case, passes=passes, runs=runs) for case, passes, runs in rows]


def _case_number(connection: sqlite3.Connection, suite: str, case: str) -> int:
    """The number of a case, given where it has none."""
    row = connection.execute(
        "SELECT id FROM cases WHERE suite = ? AND name = ?", (suite, case)
    ).fetchone()
    if row is None:
        made = connection.execute("INSERT INTO cases (suite, name) VALUES (?, ?)", (suite, case))
        return int(made.lastrowid or 0)
    return int(row[0])


def _number(case: str, name: str) -> int:
    """Two cases may share a measurement (equal questions, one reply), and each counts it."""
    digest = hashlib.blake2b(f"{case}\0{name}".encode(), digest_size=_BYTES).digest()
    return int.from_bytes(digest, "big", signed=True)
