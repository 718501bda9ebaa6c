"""Kill -9, full and read-only disks, locks, races: what is stored is whole or is not there."""

import os
import random
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest

from evalkit.errors import StoreError
from evalkit.records.attempt import Attempt
from evalkit.records.ledger import Account, Amount, Held, Limit
from evalkit.records.run import RunRecord
from evalkit.store.bundle import Bundle
from evalkit.store.cache import ReplyCache
from evalkit.store.ledger import SqliteAccounts
from evalkit.store.runs import RunStore
from evalkit.workflows.wiring import SystemClock
from tests.faults.store_child import (
    CASES,
    attempt_for,
    done_places,
    planned_attempts,
    reply_for,
)
from tests.faults.store_child import __file__ as CHILD

Child = subprocess.Popen[str]
Start = Callable[..., Child]

RECORD = RunRecord(
    schema="evalkit.run/1",
    id="20261124T193301Z-3f2a",
    evalkit="0.1.0",
    state="running",
    started_at="",
    finished_at="",
    duration_s=0.0,
    command=(),
    suites=(),
    verdict=None,
    exit_code=0,
)


@pytest.fixture
def start() -> Iterator[Start]:
    """Starts children, and lets none of them outlive the test."""
    children: list[Child] = []

    def begin(act: str, root: Path, number: int = 0, *, wait: bool = True) -> Child:
        child = subprocess.Popen(
            [sys.executable, CHILD, act, str(root), str(number)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        children.append(child)
        if wait:
            assert child.stdout is not None
            line = child.stdout.readline()
            assert line == "ready\n", f"{line}{child.stderr.read() if child.stderr else ''}"
        return child

    yield begin
    for child in children:
        child.kill()
        child.communicate()


@pytest.fixture
def bundle(tmp_path: Path) -> Bundle:
    """A run that was just started."""
    return RunStore(tmp_path).create(RECORD)


def size_of(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def lines_of(bundle: Bundle) -> list[str]:
    """The case of every line of the journal, torn ones left out."""
    raw = (bundle.path / "attempts.jsonl").read_bytes()
    whole = raw[: raw.rfind(b"\n") + 1].splitlines()
    return [msgspec.json.decode(line, type=Attempt).case for line in whole]


def assert_whole(bundle: Bundle) -> None:
    """Exactly one line a place, each as it was made, each with its trace."""
    assert Counter(lines_of(bundle)) == Counter(planned.case for planned in planned_attempts())
    made = {attempt.case: attempt for attempt in bundle.attempts()}
    for planned in planned_attempts():
        assert made[planned.case].output == attempt_for(planned).output
    assert {trace.case: trace.decisions for trace in bundle.traces()} == {
        planned.case: attempt_for(planned).decisions for planned in planned_attempts()
    }


def kill_until_whole(bundle: Bundle, start: Start, root: Path, chance: random.Random) -> int:
    """Start the run and kill it, again and again, until it gets through. Returns the kills."""
    journal = bundle.path / "attempts.jsonl"
    kills, seen = 0, 0
    while True:
        # The moment is a size of the journal, anywhere within a line: sleeping would be luck.
        moment = size_of(journal) + chance.randrange(1, 1_000_000)
        child = start("run", root)
        while child.poll() is None and size_of(journal) < moment:
            pass
        child.kill()
        if child.wait() == 0:
            return kills
        kills += 1
        done = len(done_places(bundle))
        assert seen <= done <= CASES
        seen = done


def test_a_run_killed_at_random_moments_resumes_to_one_result_a_place(
    start: Start, tmp_path: Path
) -> None:
    chance = random.Random(20261124)
    kills = 0
    for number in range(30):  # a child on a busy machine may be through before it is killed
        root = tmp_path / str(number)
        bundle = RunStore(root).create(RECORD)
        kills += kill_until_whole(bundle, start, root, chance)
        assert_whole(bundle)
        if kills >= 10:
            return
    raise AssertionError(f"only {kills} kills hit a run")


def test_a_record_that_is_being_replaced_is_whole_whenever_the_writer_is_killed(
    bundle: Bundle, start: Start, tmp_path: Path
) -> None:
    for _ in range(3):
        child = start("rewrite", tmp_path)
        first = bundle.read_record()
        while child.poll() is None and bundle.read_record() == first:
            pass
        child.kill()
        child.wait()
        assert bundle.read_record().id == RECORD.id


@pytest.mark.parametrize("limit", [1, 5_000, 150_000, 1_000_003])
def test_a_file_that_may_not_grow_stops_the_run_and_it_can_be_resumed(
    bundle: Bundle, start: Start, tmp_path: Path, limit: int
) -> None:
    (bundle.path / "run.lock").touch()
    child = start("run_limited", tmp_path, limit, wait=False)
    _, errors = child.communicate()
    assert child.returncode == 4, errors
    assert "free some" in errors
    raw = (bundle.path / "attempts.jsonl").read_bytes() if limit > 1_000 else b""
    assert raw == b"" or raw.endswith(b"\n")
    assert start("run", tmp_path).wait() == 0
    assert_whole(bundle)


def test_a_second_process_cannot_write_the_same_run_until_the_first_is_gone(
    bundle: Bundle, start: Start, tmp_path: Path
) -> None:
    first = start("hold", tmp_path)
    with pytest.raises(StoreError, match=rf"another process \(pid {first.pid}\)"):
        bundle.journal()
    second = start("run", tmp_path, wait=False)
    _, errors = second.communicate()
    assert second.returncode == 4
    assert f"(pid {first.pid})" in errors
    first.kill()
    first.wait()
    assert start("run", tmp_path).wait() == 0
    assert_whole(bundle)


def test_processes_that_open_a_new_cache_at_once_share_it(start: Start, tmp_path: Path) -> None:
    for turn in range(3):
        root = tmp_path / f"project-{turn}"
        children = [start("fill_cache", root, 60, wait=False) for _ in range(4)]
        for child in children:
            _, errors = child.communicate()
            assert child.returncode == 0, errors
        with ReplyCache(root) as cache:
            assert len(cache) == 60
            assert all(cache.get(f"k{number}") == reply_for(number) for number in range(60))
            assert cache.dropped == 0


def test_a_cache_whose_writer_is_killed_keeps_whole_replies(start: Start, tmp_path: Path) -> None:
    child = start("fill_cache", tmp_path, 100_000)
    with ReplyCache(tmp_path) as cache:
        while child.poll() is None and len(cache) < 200:
            pass
    child.kill()
    child.wait()
    with ReplyCache(tmp_path) as cache:
        stored = len(cache)
        assert stored >= 200
        assert all(cache.get(f"k{number}") == reply_for(number) for number in range(stored))
        cache.put("new", reply_for(1))


def test_a_cache_that_another_process_writes_to_is_read_and_refuses_writes(
    start: Start, tmp_path: Path
) -> None:
    with ReplyCache(tmp_path) as cache:
        cache.put("k1", reply_for(1))
    child = start("lock_cache", tmp_path)
    with ReplyCache(tmp_path, busy_timeout_s=0.05) as cache:
        assert cache.get("k1") == reply_for(1)
        with pytest.raises(StoreError, match="another process keeps it locked"):
            cache.put("k2", reply_for(2))
        child.kill()
        child.wait()
        cache.put("k2", reply_for(2))


def test_a_cache_that_another_process_has_to_itself_is_refused(
    start: Start, tmp_path: Path
) -> None:
    start("own_cache", tmp_path)
    with pytest.raises(StoreError, match="another process keeps it locked"):
        ReplyCache(tmp_path, busy_timeout_s=0.05)


def test_a_cache_that_may_not_grow_says_so(start: Start, tmp_path: Path) -> None:
    child = start("fill_cache_limited", tmp_path, 200_000, wait=False)
    _, errors = child.communicate()
    assert child.returncode == 4, errors
    assert "free some room" in errors
    with ReplyCache(tmp_path) as cache:
        assert cache.get("k0") == reply_for(0)
        cache.put("new", reply_for(1))


def test_a_project_whose_private_folder_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / ".evalkit").touch()
    with pytest.raises(StoreError, match="in the way"):
        RunStore(tmp_path).create(RECORD)
    with pytest.raises(StoreError, match="in the way"):
        ReplyCache(tmp_path)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 256 KiB of its own; needs the right to mount one."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True).returncode != 0:
        pytest.skip("this machine lets nobody mount a file system")
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def remount(folder: Path, mode: str) -> None:
    subprocess.run(["mount", "-o", f"remount,{mode}", str(folder)], check=True)


def test_a_disk_that_fills_stops_the_run_and_it_can_be_resumed(
    small_disk: Path, start: Start
) -> None:
    bundle = RunStore(small_disk).create(RECORD)
    child = start("run", small_disk)
    _, errors = child.communicate()
    assert child.returncode == 4
    assert "there is no room left" in errors
    with pytest.raises(StoreError, match="there is no room left"):
        bundle.write_report("report.md", "x" * 300_000)
    assert bundle.read_record() == RECORD
    assert os.listdir(bundle.path) == [
        name for name in os.listdir(bundle.path) if not name.endswith(".tmp")
    ]
    done = done_places(bundle)
    assert len(done) == len(lines_of(bundle)) > 0
    remount(small_disk, "size=64m")
    assert start("run", small_disk).wait() == 0
    assert_whole(bundle)


def test_a_cache_on_a_full_disk_says_so(small_disk: Path) -> None:
    with ReplyCache(small_disk) as cache, pytest.raises(StoreError, match="free some room"):
        for number in range(10_000):
            cache.put(f"k{number}", reply_for(number))


def test_a_read_only_disk_is_read_and_refuses_writes(small_disk: Path) -> None:
    store = RunStore(small_disk)
    bundle = store.create(RECORD)
    with bundle.journal() as journal:
        journal.append(attempt_for(planned_attempts()[1]))
    remount(small_disk, "ro")
    assert store.open("latest").load().record == RECORD
    assert len(bundle.attempts()) == 1
    with pytest.raises(StoreError, match="not writable here"):
        bundle.write_record(RECORD)
    with pytest.raises(StoreError, match="not writable here"):
        bundle.journal()
    with pytest.raises(StoreError, match="not writable here"):
        store.create(msgspec.structs.replace(RECORD, id="20261124T193302Z-3f2a"))
    with pytest.raises(StoreError, match="cannot be written"):
        ReplyCache(small_disk)
    remount(small_disk, "rw")


def ledger_account(number: int) -> Limit:
    """An account of a user, capped at ten tokens."""
    return Limit(Account(f"day user u-{number:064} 2026-11-29", 2**40), max_tokens=10)


def test_a_ledger_on_a_full_or_read_only_disk_holds_nothing_and_loses_nothing(
    small_disk: Path,
) -> None:
    accounts = SqliteAccounts(small_disk, clock=SystemClock(), run="r-1")
    first = accounts.hold_now(Amount(0, 1), [ledger_account(0)])
    assert isinstance(first, Held)
    held = 1
    with pytest.raises(StoreError, match="free some room"):
        while held < 10_000:
            accounts.hold_now(Amount(0, 1), [ledger_account(held)])
            held += 1
    (last, refused) = accounts.balances(
        [ledger_account(held - 1).account, ledger_account(held).account]
    )
    assert (last.held.tokens, refused.held.tokens) == (1, 0)
    accounts.close()
    remount(small_disk, "ro")
    again = SqliteAccounts(small_disk, clock=SystemClock(), run="r-2")
    with pytest.raises(StoreError, match="the ledger of budgets"):
        again.hold_now(Amount(0, 1), [ledger_account(0)])
