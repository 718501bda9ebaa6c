"""Runs are made once, found by what people type, and listed by age."""

import random
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from evalkit.errors import StoreError, UsageError
from evalkit.store.runs import RunStore

Build = Callable[..., Any]
IDS = ("20261123T080000Z-aaaa", "20261124T080000Z-bbbb", "20261124T090000Z-cccc")


@pytest.fixture
def store(tmp_path: Path, record: Build) -> RunStore:
    """A project with three runs."""
    store = RunStore(tmp_path)
    for run_id in IDS:
        store.create(record(id=run_id))
    return store


def test_private_state_hides_itself_from_git(store: RunStore) -> None:
    lines = (store.root / ".evalkit" / ".gitignore").read_text().splitlines()
    assert lines[-1] == "*"


def test_a_gitignore_that_is_there_is_left_alone(tmp_path: Path, record: Build) -> None:
    (tmp_path / ".evalkit").mkdir()
    (tmp_path / ".evalkit" / ".gitignore").write_text("mine\n")
    RunStore(tmp_path).create(record())
    assert (tmp_path / ".evalkit" / ".gitignore").read_text() == "mine\n"


def test_ids_are_the_second_in_utc_and_chance(tmp_path: Path, now: datetime) -> None:
    store = RunStore(tmp_path)
    abroad = now.astimezone(timezone(timedelta(hours=9)))
    run_id = store.new_id(abroad, random.Random(1))
    assert run_id == store.new_id(now, random.Random(1))
    assert run_id.startswith("20261124T193301Z-")
    assert len(run_id) == len("20261124T193301Z-3f2a")


def test_an_id_in_use_is_not_given_out_again(tmp_path: Path, now: datetime, record: Build) -> None:
    store = RunStore(tmp_path)
    first = store.new_id(now, random.Random(1))
    store.create(record(id=first))
    assert store.new_id(now, random.Random(1)) != first


def test_a_run_of_the_same_second_sorts_behind_the_others(
    tmp_path: Path, now: datetime, record: Build
) -> None:
    store = RunStore(tmp_path)
    made = []
    for seed in range(40):  # more than fit into one second at random
        made.append(store.new_id(now, random.Random(seed)))
        store.create(record(id=made[-1]))
        assert store.open("latest").id == made[-1]
    assert made == sorted(made)


def test_a_run_made_after_the_clock_was_set_back_is_the_latest(
    store: RunStore, now: datetime, record: Build
) -> None:
    for seed in range(20):  # more than fit into one second at random
        made = store.new_id(now - timedelta(days=400), random.Random(seed))
        store.create(record(id=made))
        assert store.open("latest").id == made


@pytest.mark.parametrize(
    "name", ["99999999T999999Z-ffff", "99991231T235959Z-ffff", "copy", "zzzzz"]
)
def test_a_name_that_no_clock_gives_moves_no_id(store: RunStore, now: datetime, name: str) -> None:
    (store.folder / name).mkdir()
    (store.folder / name / "run.json").write_text("{}")
    assert store.new_id(now).startswith("20261124T193301Z-")


def test_a_run_is_made_only_once(store: RunStore, record: Build) -> None:
    with pytest.raises(StoreError, match=f"there is a run {IDS[0]} already"):
        store.create(record(id=IDS[0], state="complete"))
    assert store.open(IDS[0]).read_record().state == "running"


def test_runs_are_listed_from_the_newest(store: RunStore) -> None:
    assert tuple(bundle.id for bundle in store.list()) == IDS[::-1]


def test_a_project_without_runs_lists_none(tmp_path: Path) -> None:
    assert RunStore(tmp_path).list() == ()
    assert not (tmp_path / ".evalkit").exists()


def test_what_holds_no_record_is_no_run(store: RunStore) -> None:
    (store.folder / "20261125T000000Z-dddd").mkdir()
    (store.folder / "notes.txt").write_text("x")
    assert store.open("latest").id == IDS[-1]
    assert len(store.list()) == 3


@pytest.mark.parametrize(
    ("name", "found"),
    [("latest", IDS[2]), (IDS[0], IDS[0]), ("20261123", IDS[0]), ("20261124T09", IDS[2])],
)
def test_a_run_is_found_by_id_prefix_or_as_the_latest(
    store: RunStore, name: str, found: str
) -> None:
    assert store.open(name).id == found


def test_a_run_is_found_by_its_path_wherever_it_is(store: RunStore, tmp_path: Path) -> None:
    elsewhere = tmp_path / "artifacts" / "from-ci"
    elsewhere.parent.mkdir()
    store.open(IDS[0]).path.rename(elsewhere)
    other = RunStore(tmp_path / "empty")
    assert other.open(str(elsewhere)).read_record().id == IDS[0]
    assert other.open(str(elsewhere / "run.json")).path == elsewhere


def test_an_ambiguous_prefix_is_refused_with_what_it_fits(store: RunStore) -> None:
    with pytest.raises(UsageError, match=f"fits 2 runs \\({IDS[1]}, {IDS[2]}\\)"):
        store.open("20261124")


def test_an_unknown_run_is_refused_with_the_nearest_and_the_newest(store: RunStore) -> None:
    with pytest.raises(UsageError) as caught:
        store.open("20261123T080000Z-aaab")
    assert f"did you mean {IDS[0]}?" in str(caught.value)
    assert f"the newest are {IDS[2]}, {IDS[1]}, {IDS[0]}" in str(caught.value)


@pytest.mark.parametrize("name", ["latest", "", "20261124", "x" * 5000, "\0"])
def test_a_project_without_runs_says_so(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError, match="no stored run yet"):
        RunStore(tmp_path).open(name)


@pytest.mark.parametrize("name", ["latest", IDS[0], "20261124T", "20261124T0"])
def test_a_name_of_runs_is_held(store: RunStore, name: str) -> None:
    assert store.holds(name)


@pytest.mark.parametrize("name", ["main", "2", "20261124", "v2026", "", "HEAD~1", "a/b", "\0"])
def test_a_name_that_may_be_a_git_ref_is_not_held(store: RunStore, name: str) -> None:
    assert not store.holds(name)
