"""The run history in SQLite: what any history does, and what a file of it has to survive."""

import multiprocessing
import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evalkit.errors import StoreError
from evalkit.ports import History
from evalkit.records.history import CaseTally, RunEntry
from evalkit.store.history import SqliteHistory, history_path, open_history, renew_history
from evalkit.store.history_file import HistoryDamaged, bundle_stamp, connect
from evalkit.store.history_schema import MIGRATIONS, migrate
from tests.unit.store.history_conformance import HistoryConformance, arm, put, run, tallies
from tests.unit.store.history_model import ModelHistory


class TestSqliteHistory(HistoryConformance):
    @pytest.fixture
    def history(self, tmp_path: Path) -> Iterator[History]:
        with SqliteHistory(tmp_path / "history.db") as history:
            yield history


class TestModelHistory(HistoryConformance):
    @pytest.fixture
    def history(self) -> History:
        return ModelHistory()


_measured = st.dictionaries(
    st.sampled_from(["a", "b"]),
    st.dictionaries(st.sampled_from(["m1", "m2", "m3", "m4", "m5", "m6"]), st.just(True)),
    max_size=2,
)
_acts = st.lists(
    st.tuples(
        st.sampled_from(["record", "record", "forget"]),
        st.integers(1, 4),
        st.sampled_from(["baseline", "candidate"]),
        st.sampled_from(["c1", "c2"]),
        st.booleans(),
        _measured,
    ),
    max_size=12,
)


@given(acts=_acts)
@settings(max_examples=60, deadline=None)
def test_any_sequence_of_records_and_forgets_leaves_what_the_model_has(
    acts: Sequence[tuple[str, int, str, str, bool, dict[str, dict[str, bool]]]],
) -> None:
    model = ModelHistory()
    with SqliteHistory(Path(":memory:")) as history:
        for act, number, variant, content, main, cases in acts:
            entry = run(number, main=main, arms=(arm(variant=variant, content=content),))
            for each in (model, history):
                if act == "forget":
                    each.forget([entry.id])
                else:
                    put(each, entry, cases)
        for content in ("c1", "c2"):
            assert history.tallies("ask", content) == model.tallies("ask", content)
            assert history.flakes("ask", content) == model.flakes("ask", content)
            assert history.of_content("ask", content) == model.of_content("ask", content)
        assert history.runs() == model.runs()
        assert history.trends(slices=True) == model.trends(slices=True)


def test_a_history_is_private_state_and_outlives_its_process(tmp_path: Path) -> None:
    with open_history(tmp_path) as history:
        assert history.path == history_path(tmp_path) == tmp_path / ".evalkit/history.db"
        put(history, run(1))
    assert (tmp_path / ".evalkit/.gitignore").exists()
    with open_history(tmp_path) as history:
        assert (history.runs(), history.set_aside) == ((run(1),), None)


def test_a_newer_history_is_refused_with_what_to_do(tmp_path: Path) -> None:
    open_history(tmp_path).close()
    change(history_path(tmp_path), f"PRAGMA user_version = {len(MIGRATIONS) + 1}")
    for opened in (open_history, renew_history):
        with pytest.raises(StoreError, match=r"newer evalkit \(version 2; .*upgrade evalkit"):
            opened(tmp_path)
    assert history_path(tmp_path).exists()


@pytest.mark.parametrize(
    "content", [b"not a database at all" * 100, b"SQLite format 3\0" + b"x" * 5000]
)
def test_a_file_that_is_no_database_is_set_aside(tmp_path: Path, content: bytes) -> None:
    (tmp_path / ".evalkit").mkdir()
    history_path(tmp_path).write_bytes(content)
    with open_history(tmp_path) as history:
        assert history.set_aside == tmp_path / ".evalkit/history.db.damaged-1"
        assert history.set_aside.read_bytes() == content
        put(history, run(1))
    history_path(tmp_path).write_bytes(b"once more" * 100)
    with open_history(tmp_path) as history:
        assert history.set_aside == tmp_path / ".evalkit/history.db.damaged-2"
        assert history.runs() == ()


def test_damage_that_shows_late_says_how_to_repair_it_and_is_repaired(tmp_path: Path) -> None:
    with open_history(tmp_path) as history:
        for number in range(1, 20):
            put(history, run(number), {f"case {each}": {"m": True} for each in range(50)})
    change(history_path(tmp_path), "PRAGMA wal_checkpoint(TRUNCATE)")
    raw = bytearray(history_path(tmp_path).read_bytes())
    raw[8192:] = b"\x55" * (len(raw) - 8192)
    history_path(tmp_path).write_bytes(bytes(raw))
    with open_history(tmp_path) as history, pytest.raises(HistoryDamaged, match="--rebuild"):
        history.trends()
        history.tallies("ask", "c1")
    with renew_history(tmp_path) as history:
        assert history.set_aside is not None
        assert history.known() == frozenset()


def test_a_sound_history_is_not_set_aside(tmp_path: Path) -> None:
    with open_history(tmp_path) as history:
        put(history, run(1))
    with renew_history(tmp_path) as history:
        assert (history.set_aside, history.known()) == (None, {run(1).id})


def test_what_is_emptied_stays_usable_by_whoever_has_it_open(tmp_path: Path) -> None:
    with open_history(tmp_path) as other:
        put(other, run(1, tags=("v1",)), {"a": {"m1": True}})
        with renew_history(tmp_path, empty=True) as history:
            assert (history.set_aside, history.known()) == (None, frozenset())
            assert history.tallies("ask", "c1") == ()
            put(history, run(2), {"a": {"m2": False}})
        assert other.known() == {run(2).id}
        put(other, run(3), {"a": {"m3": True}})
        assert other.tallies("ask", "c1") == (CaseTally(case="a", passes=1, runs=2),)


def test_an_empty_file_becomes_a_history(tmp_path: Path) -> None:
    (tmp_path / ".evalkit").mkdir()
    history_path(tmp_path).touch()
    with open_history(tmp_path) as history:
        put(history, run(1))
        assert history.set_aside is None


def test_a_migration_that_fails_leaves_the_file_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "history.db"
    with SqliteHistory(path) as history:
        put(history, run(1))

    def broken(connection: sqlite3.Connection) -> None:
        connection.execute("ALTER TABLE runs ADD COLUMN colour TEXT")
        connection.execute("SELECT no_such_column FROM runs")

    connection = sqlite3.connect(path, isolation_level=None)
    with pytest.raises(sqlite3.OperationalError):
        migrate(connection, "history.db", (*MIGRATIONS, broken))
    connection.close()
    with SqliteHistory(path) as history:
        assert history.runs() == (run(1),)


def test_a_migration_runs_once_and_keeps_what_is_there(tmp_path: Path) -> None:
    path = tmp_path / "history.db"
    with SqliteHistory(path) as history:
        put(history, run(1))

    def second(connection: sqlite3.Connection) -> None:
        connection.execute("ALTER TABLE runs ADD COLUMN colour TEXT NOT NULL DEFAULT 'red'")

    for _ in range(2):
        connection = sqlite3.connect(path, isolation_level=None)
        migrate(connection, "history.db", (*MIGRATIONS, second))
        assert connection.execute("SELECT colour FROM runs").fetchall() == [("red",)]
        assert connection.execute("PRAGMA user_version").fetchone() == (2,)
        connection.close()


def test_a_file_that_was_just_made_is_synced_as_one_that_was_there(tmp_path: Path) -> None:
    path = tmp_path / "history.db"
    for _ in ("made", "opened again"):
        connection = connect(path, 1.0)
        assert connection.execute("PRAGMA synchronous").fetchone() == (1,)  # NORMAL
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        connection.close()


@pytest.mark.parametrize("left", [0, 100, 4096, 6000])
def test_what_a_power_cut_leaves_of_a_new_file_is_made_again(tmp_path: Path, left: int) -> None:
    path = history_path(tmp_path)
    open_history(tmp_path).close()
    path.write_bytes(path.read_bytes()[:left])
    path.with_name(f"{path.name}-wal").unlink(missing_ok=True)
    try:
        history = open_history(tmp_path)
        found = history.runs()
    except HistoryDamaged:
        history = renew_history(tmp_path)
        found = history.runs()
    assert found == ()
    history.close()


def test_a_run_that_cannot_be_recorded_whole_is_not_recorded_at_all(tmp_path: Path) -> None:
    with SqliteHistory(tmp_path / "history.db") as history:
        put(history, run(1), {"a": {"m1": True}})
        twice = run(1, arms=(arm(), arm()))
        with pytest.raises(StoreError):
            put(history, twice, {"a": {"m2": False}})
        assert history.runs() == (run(1),)
        assert history.tallies("ask", "c1") == (CaseTally(case="a", passes=1, runs=1),)


def test_a_writer_is_waited_for_and_then_named(tmp_path: Path) -> None:
    path = tmp_path / "history.db"
    with SqliteHistory(path, busy_timeout_s=0.05) as history:
        put(history, run(1))
        other = connect(path, 0.05)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreError, match="another process keeps it locked"):
            put(history, run(2))
        assert history.runs() == (run(1),)  # readers are not kept waiting
        other.execute("ROLLBACK")
        other.close()
        put(history, run(2))


def _record_many(path: Path, first: int) -> None:
    with SqliteHistory(path) as history:
        for number in range(first, first + 5):
            put(history, run(number), {"shared": {"m": True}, f"own {number}": {"m": True}})


def test_processes_that_record_at_once_lose_nothing(tmp_path: Path) -> None:
    path = tmp_path / "history.db"
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=_record_many, args=(path, first)) for first in (1, 6, 11)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0, 0, 0]
    with SqliteHistory(path) as history:
        assert len(history.known()) == 15
        found = history.tallies("ask", "c1")
    assert len(found) == 16
    assert {each.runs for each in found} == {1}


def test_a_folder_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="cannot be written"):
        SqliteHistory(tmp_path / "no such folder" / "history.db")


def test_measurements_of_a_run_stay_small(tmp_path: Path) -> None:
    path = tmp_path / "history.db"
    cases = {f"case-{number:04}": {f"request-{number}": True} for number in range(2000)}
    with SqliteHistory(path) as history:
        put(history, run(1), cases)
        history.forget([])
    change(path, "PRAGMA wal_checkpoint(TRUNCATE)")
    one = path.stat().st_size
    with SqliteHistory(path) as history:
        for number in range(2, 12):
            replay: RunEntry = run(number)
            history.record(replay, {("ask", "candidate"): tallies(cases)})
    change(path, "PRAGMA wal_checkpoint(TRUNCATE)")
    assert (path.stat().st_size - one) / 10 < 24_000


def test_a_bundle_is_stamped_by_its_record(tmp_path: Path) -> None:
    assert bundle_stamp(tmp_path) == ""
    (tmp_path / "run.json").write_text("{}")
    before = bundle_stamp(tmp_path)
    (tmp_path / "run.json").write_text("{} ")
    assert before and bundle_stamp(tmp_path) != before


def change(path: Path, statement: str) -> None:
    """Change the file behind the history's back."""
    connection = sqlite3.connect(path, isolation_level=None)
    try:
        connection.execute(statement)
    finally:
        connection.close()
