"""`evalkit history`: what moved over the stored runs, what changed then, and which cases flake."""

import json
import shutil
from pathlib import Path

import msgspec
import pytest

from evalkit.config.yaml_document import parse_yaml
from evalkit.records.history import HistoryView
from evalkit.records.run import GitState
from tests.cli.conftest import V2, Ask, Evalkit, Gated
from tests.cli.project import ProjectFiles
from tests.unit.workflows.history_bundles import write_run


def test_a_project_without_a_run_is_told_how_to_get_a_trend(ask: Ask, tmp_path: Path) -> None:
    ProjectFiles(tmp_path).write()
    for more in ((), ("ask",), ("--flaky", "ask"), ("--metric", "all", "--slices")):
        said = ask("history", *more)
        assert (said.code, said.err) == (0, ""), more
        assert "evalkit run" in said.out
    assert json.loads(ask("history", "--json").out)["trends"] == []
    assert not (tmp_path / ".evalkit").exists()


def test_a_trend_has_every_run_with_what_changed(ask: Ask, gated: Gated) -> None:
    said = ask("history", "ask", "--slices", cwd=gated.root)
    assert (said.code, said.err) == (0, "")
    lines = said.out.splitlines()
    failed = next(number for number, line in enumerate(lines) if gated.failed in line)
    passed = next(number for number, line in enumerate(lines) if gated.passed in line)
    assert failed < passed
    assert "FAIL" in lines[failed] and "90.0 %" in lines[failed]
    assert lines[passed].endswith("+10 pp")
    assert lines[passed + 1] == "    prompt ask@v2 → ask@v1"
    assert "slice even" in said.out and "slice odd" in said.out
    assert "▁█" in said.out


def test_json_is_one_document_that_reads_back(ask: Ask, gated: Gated) -> None:
    said = ask("history", "--metric", "all", "--json", cwd=gated.root)
    view = msgspec.json.decode(said.out, type=HistoryView)
    assert (view.schema, view.runs) == ("evalkit.history/1", 2)
    (rates,) = [trend for trend in view.trends if trend.metric == "pass_rate"]
    assert [point.run for point in rates.points] == [gated.failed, gated.passed]
    assert [point.value for point in rates.points] == [0.9, 1.0]
    assert "prompt ask@v2 → ask@v1" in rates.points[1].changed


def test_it_works_from_a_folder_below_and_fits_a_narrow_terminal(
    evalkit: Evalkit, gated: Gated
) -> None:
    below = gated.root / "prompts" / "ask"
    done = evalkit("history", cwd=below, environ={"COLUMNS": "60"})
    assert (done.returncode, done.stderr) == (0, "")
    assert gated.passed in done.stdout
    assert max(len(line) for line in done.stdout.splitlines()) <= 60
    assert "\x1b" not in done.stdout


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("aks",), "there is no suite 'aks'"),
        (("--metric", "pass"), "did you mean pass_rate"),
        (("--slices", "--metric", "tokens"), "slices have a pass_rate only"),
        (("--slice", "prime"), "no run has a slice 'prime'"),
        (("--flaky", "ask", "--slices"), "--flaky SUITE stands alone"),
        (("--flaky", "aks"), "there is no suite 'aks'"),
        (("--limit", "0"), "--limit"),
    ],
)
def test_what_cannot_be_shown_is_2_with_the_reason(
    ask: Ask, gated: Gated, arguments: tuple[str, ...], says: str
) -> None:
    said = ask("history", *arguments, cwd=gated.root)
    assert (said.code, said.out) == (2, "")
    assert says in " ".join(said.err.split())


def test_a_branch_without_runs_is_no_error(ask: Ask, gated: Gated) -> None:
    said = ask("history", "--branch", "nowhere", cwd=gated.root)
    assert said.code == 0
    assert "on branch nowhere" in said.out


def test_bundles_that_are_removed_leave_the_history(ask: Ask, gated_copy: Gated) -> None:
    assert gated_copy.failed in ask("history", cwd=gated_copy.root).out
    shutil.rmtree(gated_copy.bundle(gated_copy.failed))
    said = ask("history", cwd=gated_copy.root)
    assert gated_copy.failed not in said.out
    assert gated_copy.passed in said.out


def test_a_damaged_history_is_made_again_aloud(ask: Ask, gated_copy: Gated) -> None:
    before = ask("history", cwd=gated_copy.root).out
    file = gated_copy.root / ".evalkit/history.db"
    file.write_bytes(b"no database " * 100)
    for side in ("-wal", "-shm"):
        file.with_name(file.name + side).unlink(missing_ok=True)
    said = ask("history", cwd=gated_copy.root)
    assert (said.code, said.out) == (0, before)
    assert "history.db.damaged-1" in said.err


def test_a_rebuild_says_how_many_runs_it_read(ask: Ask, gated_copy: Gated) -> None:
    before = ask("history", cwd=gated_copy.root).out
    said = ask("history", "--rebuild", cwd=gated_copy.root)
    assert (said.code, said.out) == (0, before)
    assert "made again from 2 runs" in said.err


def test_flaky_cases_come_with_a_quarantine_that_the_project_accepts(
    ask: Ask, tmp_path: Path
) -> None:
    project = ProjectFiles(tmp_path, cases=25).write()
    for number in range(1, 8):
        steady = {f"c{each:04}": True for each in range(25)}
        results = steady | {"c0003": number % 2 == 0}
        feature = GitState(sha="f" * 40, branch="feature")
        write_run(tmp_path, number, {"baseline": results, "candidate": steady}, git=feature)
    said = ask("history", "--flaky", "ask")
    assert (said.code, said.err) == (0, "")
    assert "of 25 cases, 25 were measured 5 times or more; 1 of those passed sometimes" in said.out
    block = parse_yaml(said.out[said.out.index("suites:") :].encode(), "block").data
    project.suite["quarantine"] = block["suites"]["ask"]["quarantine"]
    project.write()
    assert ask("check").code == 0
    assert "in quarantine already" in ask("history", "--flaky", "ask").out
    rows = json.loads(ask("history", "--flaky", "ask", "--json").out)["flaky"]["ask"]
    assert rows == [{"case": "c0003", "passes": 3, "runs": 7, "quarantined": True}]


def test_a_run_is_in_the_history_and_a_baseline_by_name(
    evalkit: Evalkit, ask: Ask, tmp_path: Path
) -> None:
    project = ProjectFiles(tmp_path)
    del project.suite["baseline"]
    project.write().commit()
    first = evalkit("run", "--quiet")
    assert first.returncode == 0, first.stderr
    (run,) = [path.name for path in (tmp_path / ".evalkit/runs").iterdir()]
    done = evalkit("run", "--baseline", "last-passing", *V2)
    assert done.returncode == 0, done.stderr
    view = msgspec.json.decode(ask("history", "--json").out, type=HistoryView)
    assert [(point.branch, point.dirty) for point in view.trends[0].points] == [
        ("main", False),
        ("main", True),
    ]
    newest = max(path.name for path in (tmp_path / ".evalkit/runs").iterdir())
    assert f"run {run}" in (tmp_path / ".evalkit/runs" / newest / "run.json").read_text()
    nothing = evalkit("run", "--baseline", "last-passing@release")
    assert nothing.returncode == 2
    assert "no stored run of release passed" in nothing.stderr
