"""The history of runs: a sqlite file that several processes may use at once.

It holds nothing that the bundles do not: it can be deleted at any time, and is made again from them
(`workflows/history/keeping.py`). Nothing outside of `store` knows SQL.
"""

import sqlite3
from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from itertools import groupby
from pathlib import Path
from typing import Any

from evalkit.records.history import CaseTally, RunEntry, Trend
from evalkit.records.run import Flake
from evalkit.records.verdict import Outcome
from evalkit.store.folder import PRIVATE, private_folder
from evalkit.store.history_file import (
    BUSY_TIMEOUT_S,
    HistoryDamaged,
    alone,
    connect,
    history_errors,
    set_aside,
)
from evalkit.store.history_measured import (
    add_measurements,
    content_number,
    measured_by,
    recount,
    select_tallies,
)
from evalkit.store.history_rows import insert_arm, insert_run, select_pairs, select_runs
from evalkit.store.history_schema import make_anew, writing
from evalkit.store.history_trends import suite_trends

FILE = "history.db"
# with fewer measurements a case that fails once is not told from one that got worse
FLAKE_RUNS = 5
_WHOLE = "r.state = 'complete' AND r.gates"
_NEWEST = "r.started_at DESC, r.id DESC"
_OLDEST = "r.started_at, r.id"


class SqliteHistory:
    """Implements ports.History in one file.

    `set_aside` is where a damaged file was moved when this one was made in its place. Every method
    raises StoreError for a file that is locked for longer than `busy_timeout_s`, damaged
    (HistoryDamaged), newer than this evalkit, or on a full disk; then nothing of it was changed.
    """

    def __init__(self, path: Path, *, busy_timeout_s: float = BUSY_TIMEOUT_S) -> None:
        """Open the file, making it where there is none. Raises as the methods do."""
        self.path = path
        self.set_aside: Path | None = None
        self._connection = connect(path, busy_timeout_s)

    def record(self, run: RunEntry, tallies: Mapping[tuple[str, str], Iterable[CaseTally]]) -> None:
        """Store a run, or replace what is stored of it. `tallies` by (suite, variant)."""
        with self._writing() as connection:
            before = measured_by(connection, run.id)
            connection.execute("DELETE FROM runs WHERE id = ?", (run.id,))
            insert_run(connection, run)
            for arm in run.arms:
                content = (
                    content_number(connection, arm.suite, arm.content) if arm.content else None
                )
                measured = array("q")
                if content is not None and run.counts(arm):
                    mine = tallies.get((arm.suite, arm.variant), ())
                    measured = add_measurements(connection, arm.suite, content, mine)
                insert_arm(connection, run.id, arm, content, measured.tobytes())
            after = measured_by(connection, run.id)
            # a run that is recorded again has mostly measured what it had measured before
            recount(
                connection,
                [each for each, old in before.items() if each not in after or old - after[each]],
            )

    def runs(
        self,
        *,
        branch: str | None = None,
        sha: str | None = None,
        tag: str | None = None,
        passed: bool = False,
        main: bool = False,
        suite: str | None = None,
        limit: int = 100,
    ) -> tuple[RunEntry, ...]:
        """Complete runs that gate and match everything given, newest first. `sha` may be a prefix.

        `passed` asks for exit code 0 with outcome PASS.
        """
        wanted: list[tuple[str, Sequence[Any]]] = [(_WHOLE, ())]
        if branch is not None:
            wanted.append(("r.branch = ?", (branch,)))
        if sha is not None:
            wanted.append(("substr(r.sha, 1, ?) = ?", (len(sha), sha.lower())))
        if tag is not None:
            wanted.append(("r.id IN (SELECT run FROM tags WHERE tag = ?)", (tag,)))
        if passed:
            wanted.append(("r.exit_code = 0 AND r.outcome = ?", (Outcome.PASS,)))
        if main:
            wanted.append(("r.main", ()))
        if suite is not None:
            wanted.append(("r.id IN (SELECT run FROM arms WHERE suite = ?)", (suite,)))
        conditions, values = _all_of(wanted)
        with self._reading() as connection:
            return tuple(
                select_runs(
                    connection,
                    f"runs r WHERE {conditions} ORDER BY {_NEWEST} LIMIT ?",
                    [*values, limit],
                )
            )

    def of_content(self, suite: str, content: str) -> tuple[RunEntry, ...]:
        """Complete runs that gate and have an arm of that suite and content, oldest first."""
        with self._reading() as connection:
            return tuple(
                select_runs(
                    connection,
                    f"runs r WHERE {_WHOLE} AND r.id IN (SELECT a.run FROM arms a JOIN contents c "
                    f"ON c.id = a.content WHERE c.suite = ? AND c.digest = ?) ORDER BY {_OLDEST}",
                    (suite, content),
                )
            )

    def flakes(self, suite: str, content: str) -> tuple[Flake, ...]:
        """Cases that passed some of at least five measurements of that content, and not all."""
        having = f"t.runs >= {FLAKE_RUNS} AND t.passes > 0 AND t.passes < t.runs"
        with self._reading() as connection:
            found = select_tallies(connection, suite, content, having)
        return tuple(Flake(case=each.case, runs=each.runs, passes=each.passes) for each in found)

    def tallies(self, suite: str, content: str) -> tuple[CaseTally, ...]:
        """Every case of that content with its distinct measurements, as `flakes` counts them."""
        with self._reading() as connection:
            return tuple(select_tallies(connection, suite, content))

    def trends(
        self,
        *,
        suite: str | None = None,
        metric: str = "pass_rate",
        slices: bool = False,
        branch: str | None = None,
        limit: int = 50,
    ) -> tuple[Trend, ...]:
        """One series a suite (and slice) of the candidates' figures, over its last `limit` runs."""
        wanted: list[tuple[str, Sequence[Any]]] = [(f"a.variant = 'candidate' AND {_WHOLE}", ())]
        if suite is not None:
            wanted.append(("a.suite = ?", (suite,)))
        if branch is not None:
            wanted.append(("r.branch = ?", (branch,)))
        conditions, values = _all_of(wanted)
        with self._reading() as connection:
            # the rank counts back from the newest; one more than asked for tells what changed
            pairs = select_pairs(
                connection,
                "(SELECT a.id, row_number() OVER (PARTITION BY a.suite "
                f"ORDER BY {_NEWEST}) AS rank FROM arms a JOIN runs r ON r.id = a.run "
                f"WHERE {conditions}) AS ranked "
                "JOIN arms a ON a.id = ranked.id JOIN runs r ON r.id = a.run "
                "LEFT JOIN contents c ON c.id = a.content "
                f"WHERE ranked.rank <= ? ORDER BY a.suite, {_OLDEST}",
                [*values, limit + 1],
            )
        return tuple(
            trend
            for name, mine in groupby(pairs, key=lambda pair: pair[1].suite)
            for trend in suite_trends(name, list(mine), metric, slices=slices, limit=limit)
        )

    def known(self) -> frozenset[str]:
        """Ids of the runs that are stored."""
        return frozenset(self.stamps())

    def stamps(self) -> Mapping[str, str]:
        """The stored runs with their stamps, so that one whose bundle changed is read again."""
        with self._reading() as connection:
            return dict(connection.execute("SELECT id, stamp FROM runs").fetchall())

    def forget(self, runs: Sequence[str]) -> None:
        """Drop runs whose bundles are gone."""
        if runs:
            with self._writing() as connection:
                stale: set[int] = set()
                for run in runs:
                    stale.update(measured_by(connection, run))
                    connection.execute("DELETE FROM runs WHERE id = ?", (run,))
                recount(connection, stale)

    def is_sound(self) -> bool:
        """Whether the whole file can be read. Takes about a second for 100 MB."""
        try:
            with self._reading() as connection:
                found = connection.execute("PRAGMA quick_check(1)").fetchone()
        except HistoryDamaged:
            return False
        return bool(found == ("ok",))

    def clear(self) -> None:
        """Forget everything, tables and all."""
        with history_errors(self.path):
            make_anew(self._connection)

    def close(self) -> None:
        """Close the file. Closing twice is harmless."""
        self._connection.close()

    def __enter__(self) -> "SqliteHistory":
        """The history itself."""
        return self

    def __exit__(self, *error: object) -> None:
        """Close it."""
        self.close()

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        """Several statements that see one state of the file."""
        with history_errors(self.path):
            self._connection.execute("BEGIN")
            try:
                yield self._connection
            finally:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        with history_errors(self.path), writing(self._connection) as connection:
            yield connection


def _all_of(wanted: Sequence[tuple[str, Sequence[Any]]]) -> tuple[str, list[Any]]:
    """Conditions with their values, joined."""
    return " AND ".join(each for each, _ in wanted), [v for _, some in wanted for v in some]


def history_path(root: Path) -> Path:
    """Where the history of the project at `root` lies, whether or not it was made yet."""
    return root / PRIVATE / FILE


def open_history(root: Path, *, busy_timeout_s: float = BUSY_TIMEOUT_S) -> SqliteHistory:
    """The history of the project at `root`, made where there is none.

    A damaged file is set aside and an empty one made in its place: `set_aside` of the result tells.
    Raises StoreError for one that is newer, locked, or cannot be written.
    """
    private_folder(root)
    try:
        return SqliteHistory(history_path(root), busy_timeout_s=busy_timeout_s)
    except HistoryDamaged:
        return renew_history(root, busy_timeout_s=busy_timeout_s)


def renew_history(
    root: Path, *, empty: bool = False, busy_timeout_s: float = BUSY_TIMEOUT_S
) -> SqliteHistory:
    """The history after its file was looked through, with one that is damaged set aside.

    With `empty` nothing that it held is kept. Raises as `open_history` does.
    """
    private_folder(root)
    path = history_path(root)
    with alone(path):  # or the second of two would set aside what the first has just made
        with suppress(HistoryDamaged):
            history = SqliteHistory(path, busy_timeout_s=busy_timeout_s)
            if _is_usable(history, empty):
                return history
        aside = set_aside(path)
        renewed = SqliteHistory(path, busy_timeout_s=busy_timeout_s)
        renewed.set_aside = aside
        return renewed


def _is_usable(history: SqliteHistory, empty: bool) -> bool:
    """Whether all of it can be read, or thrown away; one that cannot is closed."""
    try:
        if empty:
            history.clear()
            return True
        if history.is_sound():
            return True
    except BaseException:
        history.close()
        raise
    history.close()
    return False
