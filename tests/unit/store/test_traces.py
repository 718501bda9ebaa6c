"""Stored sessions: by day, written by several processes, found again, pruned by age."""

import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from evalkit.errors import UsageError
from evalkit.records.span import SessionTrace, trace_id_of
from evalkit.store.traces import TraceStore
from tests.unit.store.audit_child import start

START = datetime(2026, 11, 1, 6, tzinfo=UTC)


def trace(number: int) -> SessionTrace:
    """A session that began `number` half days after START."""
    at = (START + timedelta(hours=12 * number)).isoformat()
    return SessionTrace(trace_id=trace_id_of(number), at=at, route=f"r{number}")


def filled(root: Path, count: int = 6) -> TraceStore:
    store = TraceStore(root)
    for number in range(count):
        store.append(trace(number))
    return store


def routes(store: TraceStore, since: datetime | None = None) -> list[str]:
    return [each.route for each in store.newest(since=since)]


def test_traces_are_read_newest_first_and_since_a_moment(tmp_path: Path) -> None:
    store = filled(tmp_path)
    assert routes(store) == ["r5", "r4", "r3", "r2", "r1", "r0"]
    assert routes(store, START + timedelta(hours=36)) == ["r5", "r4", "r3"]
    assert routes(TraceStore(tmp_path / "none")) == []
    (day, *_) = sorted((tmp_path / ".evalkit/traces").glob("*.jsonl"))
    assert stat.S_IMODE(day.stat().st_mode) == 0o600


def test_a_trace_is_found_by_its_id_or_the_beginning_of_it(tmp_path: Path) -> None:
    store = filled(tmp_path)
    assert store.find(trace_id_of(3)).route == "r3"
    assert store.find(trace_id_of(3)[:8].upper()).route == "r3"
    for wrong, says in (("zz-not-hex", "no id"), ("abc", "no id"), ("0" * 32, "there is no trace")):
        with pytest.raises(UsageError, match=says):
            store.find(wrong)


def test_lines_that_are_torn_or_damaged_are_left_out_and_the_next_one_is_whole(
    tmp_path: Path,
) -> None:
    store = filled(tmp_path, 1)
    path = store.folder / "2026-11-01.jsonl"
    with open(path, "ab") as file:
        file.write(b"nonsense\n" + b'{"trace_id":"half')
    assert routes(store) == ["r0"]
    assert store.damaged == 1
    store.append(trace(1))
    assert routes(TraceStore(tmp_path)) == ["r1", "r0"]


def test_pruning_removes_what_began_earlier_to_the_moment(tmp_path: Path) -> None:
    store = filled(tmp_path)
    before = START + timedelta(hours=36)
    assert store.prune(before, dry_run=True)[0] == 3
    assert len(routes(store)) == 6
    count, size = store.prune(before)
    assert (count, size > 100) == (3, True)
    assert routes(store) == ["r5", "r4", "r3"]
    assert sorted(each.name for each in store.folder.glob("*.jsonl")) == [
        "2026-11-02.jsonl",
        "2026-11-03.jsonl",
    ]
    assert TraceStore(tmp_path / "none").prune(before) == (0, 0)


def test_processes_that_write_together_lose_nothing(tmp_path: Path) -> None:
    children = [start("traces", tmp_path, who, 100) for who in ("ada", "bob", "cyd")]
    for child in children:
        child.communicate(timeout=60)
        assert child.returncode == 0
    store = TraceStore(tmp_path)
    found = {each.trace_id for each in store.newest()}
    assert found == {trace_id_of(who, n) for who in ("ada", "bob", "cyd") for n in range(100)}
    assert store.damaged == 0
