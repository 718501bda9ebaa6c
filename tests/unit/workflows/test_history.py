"""The history as it is kept: from bundles, at the end of a run, and whenever it is asked."""

import os
import shutil
import sqlite3
import subprocess
from pathlib import Path

import msgspec
import pytest

from evalkit.errors import Refused, StoreError, UsageError
from evalkit.gate.readings import AMOUNTS, RATES
from evalkit.records.history import CaseTally, FlakyCases, HistoryView
from evalkit.records.run import Flake, GitState
from evalkit.records.verdict import Outcome
from evalkit.report.history import RATES as SHOWN_AS_RATES
from evalkit.store.bundle import RECORD
from evalkit.store.history import history_path, open_history
from evalkit.store.history_file import bundle_stamp
from evalkit.store.runs import RunStore
from evalkit.workflows.deciding import table_of
from evalkit.workflows.history.entry import entry_of
from evalkit.workflows.history.keeping import (
    open_synced,
    rebuild,
    record_run,
    resolve_baseline,
    sync,
)
from evalkit.workflows.trends import flaky_cases, flaky_view, view_history
from tests.unit.workflows.history_bundles import MAIN, SHA, attempt, write_run

BOTH = {"baseline": {"a1": True, "b1": True}, "candidate": {"a1": True, "b1": False}}
ALONE = {"candidate": {"a1": True}}


def quiet(note: str) -> None:
    raise AssertionError(f"nothing should have been said: {note}")


def known(root: Path) -> set[int]:
    """The hours of the stored runs, as they are in the file, without reading a bundle."""
    with open_history(root) as history:
        return {int(name[9:11]) for name in history.known()}


def hour(number: int) -> str:
    return f"20261124T{number:02}0000Z-0000"


def test_what_became_of_a_run_is_worked_out_once_and_anew_for_a_copy(tmp_path: Path) -> None:
    stored = write_run(tmp_path, 1, BOTH)
    table = stored.once(table_of)
    assert stored.once(table_of) is table
    emptied = msgspec.structs.replace(stored, attempts=())
    place = stored.attempts[0].place
    assert table.outcomes.passes.get(place) is True
    assert emptied.once(table_of).outcomes.passes.get(place) is None
    assert stored == msgspec.structs.replace(stored)


def test_an_entry_holds_what_the_bundle_says_of_each_arm(tmp_path: Path) -> None:
    stored = write_run(tmp_path, 1, BOTH, changes={"x": 1}, billed_usd=0.5)
    entry, _ = entry_of(stored, root=tmp_path, tags=["v1"], stamp="s")
    assert (entry.id, entry.path) == (hour(1), f".evalkit/runs/{hour(1)}")
    assert (entry.sha, entry.branch, entry.main, entry.dirty) == (SHA, "main", True, False)
    assert (entry.tags, entry.stamp, entry.changes, entry.billed_usd) == (
        ("v1",),
        "s",
        {"x": 1},
        0.5,
    )
    baseline, candidate = entry.arm("ask", "baseline"), entry.arm("ask", "candidate")
    assert baseline is not None and candidate is not None
    assert (baseline.outcome, candidate.outcome) == (None, Outcome.PASS)
    assert candidate.content == "content of candidate"
    assert candidate.slices == {"a": 1.0, "b": 0.0}
    assert candidate.metrics["pass_rate"] == 0.5
    assert candidate.metrics["latency_s"] == 0.5
    assert candidate.metrics["cost_usd_per_resolved"] == 0.5
    assert candidate.metrics["tool_call_accuracy"] is None
    assert baseline.metrics["pass_rate"] == 1.0
    assert set(candidate.assets) == {
        "prompts/ask/v1.yaml",
        "golden:ask@v1",
        "scorers",
        "gate",
    }


def test_a_bundle_outside_of_the_project_keeps_its_whole_path(tmp_path: Path) -> None:
    stored = write_run(tmp_path / "elsewhere", 1, ALONE)
    entry, _ = entry_of(stored, root=tmp_path / "project")
    assert entry.path == stored.path


def test_a_tally_counts_distinct_measurements_with_a_result(tmp_path: Path) -> None:
    def again(trial: int, **changes: object) -> object:
        return attempt("candidate", "a1", right=trial != 2, trial=trial, **changes)

    attempts = (
        again(1, measurement_id="m1"),
        again(2, measurement_id="m2"),
        again(3, measurement_id="m1", origin="cache"),
        again(4, measurement_id=None),
        again(5, measurement_id="m5", state="error", failure_mode="timeout"),
        again(6, measurement_id="m6", model="other"),
        again(1001, measurement_id="m7", origin="cache", pooled_from="earlier"),
    )
    stored = write_run(tmp_path, 1, ALONE, attempts=attempts)  # type: ignore[arg-type]
    _, tallies = entry_of(stored, root=tmp_path)
    assert {arm: tuple(each) for arm, each in tallies.items()} == {
        ("ask", "candidate"): (
            CaseTally(case="a1", passes=2, runs=3, measured={"m1": True, "m2": False, "m7": True}),
        )
    }


def test_a_run_under_way_has_no_figures_yet(tmp_path: Path) -> None:
    stored = write_run(tmp_path, 1, ALONE, state="running", verdict=None)
    entry, tallies = entry_of(stored, root=tmp_path)
    assert (entry.arms, tallies, entry.whole) == ((), {}, False)


def test_of_a_run_under_way_only_the_record_is_read(tmp_path: Path) -> None:
    stored = write_run(tmp_path, 1, ALONE, state="running", verdict=None)
    (Path(stored.path) / "attempts.jsonl").write_text("not looked at\n")
    with open_history(tmp_path) as history:
        assert sync(tmp_path, history, note=quiet).problems == ()
        assert history.stamps() == {hour(1): bundle_stamp(Path(stored.path))}


def test_a_finished_run_is_recorded_without_reading_it_back(tmp_path: Path) -> None:
    stored = write_run(tmp_path, 1, BOTH)
    assert record_run(tmp_path, stored) is None
    with open_history(tmp_path) as history:
        assert history.stamps() == {hour(1): bundle_stamp(Path(stored.path))}
        assert sync(tmp_path, history, note=quiet).added == 0
        assert record_run(tmp_path, stored, history) is None


def test_a_history_that_cannot_be_written_costs_a_run_a_warning(tmp_path: Path) -> None:
    stored = write_run(tmp_path, 1, BOTH)
    history_path(tmp_path).mkdir()
    words = record_run(tmp_path, stored)
    assert words is not None
    assert "not in the history yet" in words and "history.db" in words


def test_a_bundle_of_nonsense_costs_a_run_a_warning(tmp_path: Path) -> None:
    stored = msgspec.structs.replace(write_run(tmp_path, 1, BOTH), snapshots=())
    words = record_run(tmp_path, stored)
    assert words is not None and "nothing of it is lost" in words


def test_a_history_follows_the_bundles(tmp_path: Path) -> None:
    for number in (1, 2):
        write_run(tmp_path, number, BOTH)
    with open_synced(tmp_path, note=quiet) as history:
        assert len(history.runs()) == 2
    shutil.rmtree(RunStore(tmp_path).folder / hour(1))
    write_run(tmp_path, 3, BOTH)
    with open_history(tmp_path) as history:
        done = sync(tmp_path, history, note=quiet)
        assert (done.added, done.forgotten, done.problems) == (1, 1, ())
    assert known(tmp_path) == {2, 3}


def test_a_bundle_that_changed_is_read_again(tmp_path: Path) -> None:
    write_run(tmp_path, 1, BOTH, state="incomplete")
    with open_synced(tmp_path, note=quiet) as history:
        assert history.runs() == ()
    write_run(tmp_path, 1, BOTH)
    with open_synced(tmp_path, note=quiet) as history:
        assert len(history.runs()) == 1


def test_the_file_can_be_deleted_at_any_time(tmp_path: Path) -> None:
    write_run(tmp_path, 1, BOTH)
    with open_synced(tmp_path, note=quiet) as history:
        before = history.runs(), history.tallies("ask", "content of baseline"), history.trends()
    history_path(tmp_path).unlink()
    with open_synced(tmp_path, note=quiet) as history:
        after = history.runs(), history.tallies("ask", "content of baseline"), history.trends()
    assert before == after
    assert before[1][0].runs == 1


def test_a_bundle_that_cannot_be_read_is_named_and_stops_nothing(tmp_path: Path) -> None:
    for number in (1, 2, 3):
        write_run(tmp_path, number, BOTH)
    (RunStore(tmp_path).folder / hour(2) / RECORD).write_text("{broken")
    said: list[str] = []
    with open_synced(tmp_path, note=said.append) as history:
        assert len(history.runs()) == 2
    (words,) = said
    assert hour(2) in words and "damaged" in words


def test_a_bundle_that_makes_no_sense_is_named_and_stops_nothing(tmp_path: Path) -> None:
    for number in (1, 2):
        write_run(tmp_path, number, BOTH)
    odd = RunStore(tmp_path).folder / hour(1) / "assets/ask.json"
    odd.write_bytes(odd.read_bytes().replace(b'"exact"', b'"excat"'))
    record = RunStore(tmp_path).folder / hour(1) / RECORD
    record.write_bytes(record.read_bytes().replace(b'"exact"', b'"excat"'))
    said: list[str] = []
    with open_synced(tmp_path, note=said.append) as history:
        assert [run.id for run in history.runs()] == [hour(2)]
    (words,) = said
    assert hour(1) in words and "excat" in words


def test_a_copy_of_a_bundle_is_a_run_that_measured_nothing_new(tmp_path: Path) -> None:
    write_run(tmp_path, 1, BOTH)
    folder = RunStore(tmp_path).folder
    shutil.copytree(folder / hour(1), folder / hour(2))
    with open_synced(tmp_path, note=quiet) as history:
        assert [run.id for run in history.runs()] == [hour(2), hour(1)]
        assert {each.runs for each in history.tallies("ask", "content of baseline")} == {1}
        assert sync(tmp_path, history, note=quiet).added == 0


def test_a_history_that_cannot_be_written_is_no_fault_of_a_bundle(tmp_path: Path) -> None:
    with open_history(tmp_path, busy_timeout_s=0.05) as history:
        write_run(tmp_path, 1, BOTH)
        other = sqlite3.connect(history_path(tmp_path), isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreError, match="locked"):
            sync(tmp_path, history, note=quiet)
        other.close()


def test_a_damaged_file_is_set_aside_and_made_again_aloud(tmp_path: Path) -> None:
    write_run(tmp_path, 1, BOTH)
    history_path(tmp_path).write_bytes(b"nonsense" * 200)
    said: list[str] = []
    with open_synced(tmp_path, note=said.append) as history:
        assert len(history.runs()) == 1
    assert len(said) == 1 and "damaged" in said[0] and "history.db.damaged-1" in said[0]


def damage(root: Path) -> None:
    """Spoil every page but the first two, so that the file still opens."""
    path = history_path(root)
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    raw = bytearray(path.read_bytes())
    raw[8192:] = b"\x55" * (len(raw) - 8192)
    path.write_bytes(bytes(raw))


def test_damage_that_shows_late_is_healed_while_it_is_asked(tmp_path: Path) -> None:
    write_run(tmp_path, 1, BOTH)
    with open_synced(tmp_path, note=quiet) as history:
        before = history.runs(), history.trends(), history.tallies("ask", "content of candidate")
    damage(tmp_path)
    said: list[str] = []
    with open_synced(tmp_path, note=said.append) as history:
        after = history.runs(), history.trends(), history.tallies("ask", "content of candidate")
    assert after == before
    assert [each for each in said if "damaged" in each] == said != []
    damage(tmp_path)
    assert record_run(tmp_path, write_run(tmp_path, 2, BOTH)) is None
    assert known(tmp_path) == {1, 2}


def test_a_rebuild_reads_every_bundle_again(tmp_path: Path) -> None:
    for number in (1, 2):
        write_run(tmp_path, number, BOTH)
    assert rebuild(tmp_path, note=quiet) == 2
    history_path(tmp_path).write_bytes(b"nonsense" * 200)
    said: list[str] = []
    assert rebuild(tmp_path, note=said.append) == 2
    assert len(said) == 1
    assert known(tmp_path) == {1, 2}


def test_many_bundles_are_announced(tmp_path: Path) -> None:
    for number in range(1, 22):
        write_run(tmp_path, number, ALONE)
    said: list[str] = []
    with open_synced(tmp_path, note=said.append):
        pass
    assert said == ["reading 21 run bundles into the history"]


def test_a_newer_file_is_refused(tmp_path: Path) -> None:
    open_history(tmp_path).close()
    connection = sqlite3.connect(history_path(tmp_path), isolation_level=None)
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(StoreError, match="newer evalkit"), open_synced(tmp_path):
        pass
    with pytest.raises(StoreError, match="newer evalkit"):
        rebuild(tmp_path)


FEATURE = GitState(sha="f" * 40, branch="feature")
DIRTY = GitState(sha=SHA, branch="main", dirty=True)
BAD = {"candidate": {"a1": False}}


def test_last_passing_is_the_newest_clean_run_of_the_default_branch_that_passed(
    tmp_path: Path,
) -> None:
    write_run(tmp_path, 1, ALONE)
    write_run(tmp_path, 2, ALONE)
    write_run(tmp_path, 3, BAD)
    write_run(tmp_path, 4, ALONE, git=FEATURE)
    write_run(tmp_path, 5, ALONE, git=DIRTY)
    write_run(tmp_path, 6, ALONE, changes={"x": 1})
    write_run(tmp_path, 7, ALONE, state="incomplete")
    write_run(tmp_path, 8, ALONE, gates=False)
    assert resolve_baseline(tmp_path, "last-passing") == hour(2)
    assert resolve_baseline(tmp_path, "last-passing@feature") == hour(4)


@pytest.mark.parametrize("name", ["last-passing", "last-passing@release"])
def test_a_last_passing_run_that_does_not_exist_is_refused_with_what_to_do(
    tmp_path: Path, name: str
) -> None:
    with pytest.raises(Refused, match="no stored run"):
        resolve_baseline(tmp_path, name)
    write_run(tmp_path, 1, BAD)
    with pytest.raises(Refused, match="evalkit run"):
        resolve_baseline(tmp_path, name)


def test_a_branch_and_a_commit_mean_the_newest_run_that_was_made_at_them(
    tmp_path: Path,
) -> None:
    write_run(tmp_path, 1, BAD, git=FEATURE)
    write_run(tmp_path, 2, ALONE)
    write_run(tmp_path, 3, ALONE)
    write_run(tmp_path, 4, ALONE, git=DIRTY)
    assert resolve_baseline(tmp_path, "feature") == resolve_baseline(tmp_path, "fffffff") == hour(1)
    assert resolve_baseline(tmp_path, "origin/feature") == hour(1)
    assert resolve_baseline(tmp_path, "main") == resolve_baseline(tmp_path, SHA[:7]) == hour(3)


def git(root: Path, *arguments: str) -> str:
    """Run git in a repository of the test's own."""
    who = {
        f"GIT_{each}_{what}": "t@example.org"
        for each in ("AUTHOR", "COMMITTER")
        for what in ("NAME", "EMAIL")
    }
    return subprocess.run(
        ["git", *arguments],
        cwd=root,
        env={**os.environ, **who, "GIT_CONFIG_GLOBAL": os.devnull},
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()


def test_a_tag_means_the_run_at_its_commit(tmp_path: Path) -> None:
    git(tmp_path, "init", "-q", "-b", "main")
    git(tmp_path, "commit", "-q", "--allow-empty", "-m", "first")
    git(tmp_path, "tag", "light")
    git(tmp_path, "tag", "-a", "-m", "words", "release/v1.2")
    sha = git(tmp_path, "rev-parse", "HEAD")
    write_run(tmp_path, 1, ALONE, git=GitState(sha=sha, branch="main", main=True))
    write_run(tmp_path, 2, ALONE)
    assert resolve_baseline(tmp_path, "light") == hour(1)
    assert resolve_baseline(tmp_path, "release/v1.2") == hour(1)


@pytest.mark.parametrize("name", ["012345", "nothing", "last-passing-thing", "", "%"])
def test_a_name_that_means_no_run_means_none(tmp_path: Path, name: str) -> None:
    assert resolve_baseline(tmp_path, name) is None
    write_run(tmp_path, 1, ALONE)
    assert resolve_baseline(tmp_path, name) is None


def test_a_project_without_private_state_gets_none_by_being_asked(tmp_path: Path) -> None:
    assert view_history(tmp_path, note=quiet) == HistoryView(trends=(), runs=0)
    assert list(tmp_path.iterdir()) == []


def test_a_view_has_the_metrics_and_slices_that_are_asked_for(tmp_path: Path) -> None:
    for number in (1, 2, 3):
        write_run(tmp_path, number, BOTH)
    view = view_history(tmp_path, note=quiet, limit=2)
    assert (view.runs, len(view.trends), len(view.trends[0].points)) == (3, 1, 2)
    every = view_history(tmp_path, note=quiet, metrics=["all"], slices=True)
    assert {each.metric for each in every.trends} == {"pass_rate", *AMOUNTS, *RATES}
    assert [each.slice for each in every.trends if each.slice] == ["a", "b"]
    (one,) = view_history(tmp_path, note=quiet, tags=["b"]).trends
    assert [point.value for point in one.points] == [0.0, 0.0, 0.0]
    two = view_history(tmp_path, note=quiet, metrics=["tokens", "cost_usd"]).trends
    assert [each.metric for each in two] == ["tokens", "cost_usd"]


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        ({"metrics": ["pass_rat"]}, "did you mean pass_rate"),
        ({"metrics": ["tokens"], "slices": True}, "--metric pass_rate"),
        ({"tags": ["z"]}, "there is a, b"),
        ({"suite": "aks"}, "there is no suite 'aks'"),
    ],
)
def test_what_does_not_exist_is_refused_by_name(
    tmp_path: Path, asked: dict[str, object], says: str
) -> None:
    write_run(tmp_path, 1, BOTH)
    with pytest.raises(UsageError, match=says):
        view_history(tmp_path, note=quiet, **asked)  # type: ignore[arg-type]


def test_flaky_cases_are_those_of_what_a_change_is_compared_with(tmp_path: Path) -> None:
    for number in range(1, 7):
        results = {"a1": number % 2 == 0, "b1": True, "c1": number > 1}
        write_run(
            tmp_path,
            number,
            {"baseline": results, "candidate": dict.fromkeys(results, False)},
            git=FEATURE,
        )
    found = flaky_cases(tmp_path, "ask", note=quiet)
    assert found == FlakyCases(
        suite="ask",
        content="content of baseline",
        cases=3,
        enough=3,
        most=6,
        flaky=(Flake(case="a1", runs=6, passes=3), Flake(case="c1", runs=6, passes=5)),
        quarantined=(),
        room=0,
    )
    rows = flaky_view(found).flaky["ask"]
    assert rows[0] == {"case": "a1", "passes": 3, "runs": 6, "quarantined": False}


def test_what_was_merged_is_the_baseline_of_the_next_change(tmp_path: Path) -> None:
    write_run(tmp_path, 1, BOTH, git=FEATURE)
    write_run(tmp_path, 2, BOTH, git=MAIN)
    assert flaky_cases(tmp_path, "ask", note=quiet).content == "content of candidate"
    write_run(
        tmp_path,
        3,
        BOTH,
        git=FEATURE,
    )
    assert flaky_cases(tmp_path, "ask", note=quiet).content == "content of baseline"


def test_every_rate_of_the_gate_is_shown_as_one() -> None:
    assert {"pass_rate", *RATES} == SHOWN_AS_RATES
