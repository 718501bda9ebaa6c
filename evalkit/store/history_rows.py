"""Runs and their arms as rows of the history, and back."""

import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import Any

import msgspec

from evalkit.records.history import ArmEntry, RunEntry
from evalkit.records.run import RunState
from evalkit.records.verdict import Outcome

# as many as one statement takes in every build of SQLite
_MOST_VALUES = 500
_RUN_COLUMNS = (
    "r.id, r.path, r.started_at, r.finished_at, r.state, r.exit_code, r.outcome, r.gates, r.sha, "
    "r.branch, r.dirty, r.main, r.evalkit, r.billed_usd, r.changes, r.stamp"
)
_ARM_COLUMNS = (
    "a.run, a.suite, a.variant, c.digest, a.source, a.prompt, a.models, a.assets, a.cases, "
    "a.trials, a.metrics, a.slices, a.outcome"
)
_encode = msgspec.json.Encoder(order="deterministic").encode


def insert_run(connection: sqlite3.Connection, run: RunEntry) -> None:
    """The row of a run and its tags; its arms come by `insert_arm`."""
    connection.execute(
        "INSERT INTO runs VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            run.id,
            run.path,
            run.started_at,
            run.finished_at,
            run.state,
            run.exit_code,
            run.outcome,
            run.gates,
            run.sha,
            run.branch,
            run.dirty,
            run.main,
            run.evalkit,
            run.billed_usd,
            _text(run.changes),
            run.stamp,
        ),
    )
    connection.executemany(
        "INSERT OR IGNORE INTO tags VALUES (?, ?)", [(tag, run.id) for tag in run.tags]
    )


def insert_arm(
    connection: sqlite3.Connection, run: str, arm: ArmEntry, content: int | None, measured: bytes
) -> None:
    """The row of an arm. `content` is its number, None where it has no digest."""
    connection.execute(
        "INSERT INTO arms (run, suite, variant, content, source, prompt, models, assets, cases, "
        "trials, metrics, slices, outcome, measured) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            run,
            arm.suite,
            arm.variant,
            content,
            arm.source,
            arm.prompt,
            _text(arm.models),
            _text(arm.assets),
            arm.cases,
            arm.trials,
            _text(arm.metrics),
            _text(arm.slices),
            arm.outcome,
            measured,
        ),
    )


def select_runs(
    connection: sqlite3.Connection, conditions: str, values: Sequence[Any]
) -> list[RunEntry]:
    """The runs `r` that the SQL after FROM finds, with all their arms and tags, in its order."""
    rows = connection.execute(f"SELECT {_RUN_COLUMNS} FROM {conditions}", values).fetchall()
    ids = [row[0] for row in rows]
    arms, tags = _arms_of(connection, ids), _tags_of(connection, ids)
    return [_run(row, tuple(arms[row[0]]), tuple(tags[row[0]])) for row in rows]


def select_pairs(
    connection: sqlite3.Connection, conditions: str, values: Sequence[Any]
) -> list[tuple[RunEntry, ArmEntry]]:
    """The runs `r`, each without its arms and tags, beside the one arm `a` of content `c`."""
    rows = connection.execute(
        f"SELECT {_ARM_COLUMNS}, {_RUN_COLUMNS} FROM {conditions}", values
    ).fetchall()
    width = _ARM_COLUMNS.count(",") + 1
    return [(_run(row[width:], (), ()), _arm(row[:width])) for row in rows]


def _arms_of(
    connection: sqlite3.Connection, runs: Sequence[str]
) -> Mapping[str, Sequence[ArmEntry]]:
    found: defaultdict[str, list[ArmEntry]] = defaultdict(list)
    for part, marks in _parts(runs):
        for row in connection.execute(
            f"SELECT {_ARM_COLUMNS} FROM arms a LEFT JOIN contents c ON c.id = a.content "
            f"WHERE a.run IN ({marks}) ORDER BY a.id",
            part,
        ):
            found[row[0]].append(_arm(row))
    return found


def _tags_of(connection: sqlite3.Connection, runs: Sequence[str]) -> Mapping[str, Sequence[str]]:
    found: defaultdict[str, list[str]] = defaultdict(list)
    for part, marks in _parts(runs):
        for run, tag in connection.execute(
            f"SELECT run, tag FROM tags WHERE run IN ({marks}) ORDER BY tag", part
        ):
            found[run].append(tag)
    return found


def _parts(values: Sequence[str]) -> Iterable[tuple[Sequence[str], str]]:
    """The values in parts that one statement takes, each with its placeholders."""
    for start in range(0, len(values), _MOST_VALUES):
        part = values[start : start + _MOST_VALUES]
        yield part, ", ".join("?" * len(part))


def _run(row: Sequence[Any], arms: tuple[ArmEntry, ...], tags: tuple[str, ...]) -> RunEntry:
    state: RunState = row[4]
    return RunEntry(
        id=row[0],
        path=row[1],
        started_at=row[2],
        finished_at=row[3],
        state=state,
        exit_code=row[5],
        outcome=None if row[6] is None else Outcome(row[6]),
        gates=bool(row[7]),
        sha=row[8],
        branch=row[9],
        dirty=bool(row[10]),
        main=bool(row[11]),
        tags=tags,
        evalkit=row[12],
        billed_usd=row[13],
        changes=_decoder(dict[str, Any]).decode(row[14]),
        stamp=row[15],
        arms=arms,
    )


def _arm(row: Sequence[Any]) -> ArmEntry:
    return ArmEntry(
        suite=row[1],
        variant=row[2],
        content=row[3] or "",
        source=row[4],
        prompt=row[5],
        models=_decoder(dict[str, str]).decode(row[6]),
        assets=_decoder(dict[str, str]).decode(row[7]),
        cases=row[8],
        trials=row[9],
        metrics=_decoder(dict[str, float | None]).decode(row[10]),
        slices=_decoder(dict[str, float]).decode(row[11]),
        outcome=None if row[12] is None else Outcome(row[12]),
    )


@cache
def _decoder(kind: Any) -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(kind)


def _text(value: Mapping[str, Any]) -> str:
    return _encode(value).decode()
