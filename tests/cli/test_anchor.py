"""`gate.anchor`: every candidate is held against a fixed point as well."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Evalkit
from tests.cli.project import RIGHT, WRONG, ProjectFiles, Reply


def drifting(project: ProjectFiles) -> ProjectFiles:
    """v1 passes all of 200 cases, v2 all but 5, v3 all but 10: each step is 2.5 pp."""
    project.replies = {
        "ask@v1": failing(0),
        "ask@v2": failing(5),
        "ask@v3": failing(10),
    }
    return project


def failing(count: int) -> Reply:
    return lambda number: WRONG if number < count else RIGHT


def write(project: ProjectFiles, *, baseline: str, target: str, anchor: Any) -> None:
    project.suite["target"] = {"prompt": target}
    project.suite["baseline"] = {"set": {"suites.ask.target.prompt": baseline}}
    project.suite["gate"] = {"max_drop_pp": 6, "anchor": anchor}
    project.write()
    (project.root / "prompts/ask/v3.yaml").write_text(project.prompt(3))


def part_of(project: ProjectFiles, name: str) -> dict[str, Any]:
    folder = max((project.root / ".evalkit/runs").iterdir())
    record = json.loads((folder / "run.json").read_text())
    parts = record["verdict"]["suites"][0]["parts"]
    found: dict[str, Any] = next(part for part in parts if part["name"] == name)
    return found


@pytest.fixture
def project(tmp_path: Path) -> ProjectFiles:
    return drifting(ProjectFiles(tmp_path / "project", cases=200))


def test_a_small_drop_from_the_baseline_fails_against_the_anchor(
    evalkit: Evalkit, project: ProjectFiles
) -> None:
    anchor = {"to": {"set": {"suites.ask.target.prompt": "ask@v1"}}, "max_drop_pp": 4}
    write(project, baseline="ask@v2", target="ask@v3", anchor=anchor)
    done = evalkit("run", cwd=project.root)
    assert done.returncode == 1, done.stdout + done.stderr
    assert part_of(project, "drop")["outcome"] == "pass"
    assert part_of(project, "anchor drop")["outcome"] == "fail"
    assert part_of(project, "anchor drop")["estimate"]["drop"] == 0.05
    assert "anchor" in done.stdout


def test_a_tag_can_be_the_anchor(evalkit: Evalkit, project: ProjectFiles) -> None:
    write(project, baseline="ask@v1", target="ask@v1", anchor=None)
    project.commit()
    project.git("tag", "v1.0")
    write(project, baseline="ask@v2", target="ask@v3", anchor={"to": "v1.0", "max_drop_pp": 4})
    done = evalkit("run", "--accept-gate-change", cwd=project.root)
    assert done.returncode == 1, done.stdout + done.stderr
    again = evalkit("gate", "latest", cwd=project.root)
    assert again.returncode == 1
    assert "anchor" in again.stdout


def test_a_stored_run_can_be_the_anchor(evalkit: Evalkit, project: ProjectFiles) -> None:
    write(project, baseline="ask@v1", target="ask@v1", anchor=None)
    assert evalkit("run", cwd=project.root).returncode == 0
    run = max((project.root / ".evalkit/runs").iterdir()).name
    write(project, baseline="ask@v2", target="ask@v3", anchor={"to": run, "max_drop_pp": 4})
    done = evalkit("run", cwd=project.root)
    assert done.returncode == 1, done.stdout + done.stderr
    assert evalkit("score", "latest", cwd=project.root).returncode == 1


def test_an_anchor_that_has_no_such_suite_is_refused(
    evalkit: Evalkit, project: ProjectFiles
) -> None:
    (project.root).mkdir(parents=True)
    (project.root / "evalkit.yaml").write_text("version: 1\n")
    project.commit()
    project.git("tag", "empty")
    write(project, baseline="ask@v1", target="ask@v1", anchor={"to": "empty", "max_drop_pp": 4})
    done = evalkit("run", "--accept-gate-change", cwd=project.root)
    assert done.returncode == 2
    assert "gate.anchor" in done.stderr
    assert "empty" in done.stderr


def test_an_anchor_that_does_not_exist_is_refused(evalkit: Evalkit, project: ProjectFiles) -> None:
    write(project, baseline="ask@v1", target="ask@v1", anchor={"to": "v9", "max_drop_pp": 4})
    project.commit()
    assert evalkit("run", cwd=project.root).returncode == 2


@pytest.mark.parametrize(("anchor", "code"), [("ask@v1", 1), ("ask@v3", 0)])
def test_without_a_baseline_the_anchor_is_held_against_all_the_same(
    evalkit: Evalkit, project: ProjectFiles, anchor: str, code: int
) -> None:
    write(
        project,
        baseline="ask@v3",
        target="ask@v3",
        anchor={"to": {"set": {"suites.ask.target.prompt": anchor}}, "max_drop_pp": 4},
    )
    del project.suite["baseline"]
    project.suite["gate"]["min_pass_rate"] = 0.5
    project.write()
    done = evalkit("run", cwd=project.root)
    assert done.returncode == code, done.stdout + done.stderr
    assert "no baseline" in done.stdout
    assert part_of(project, "anchor drop")["outcome"] == ("fail" if code else "pass")


def test_no_baseline_says_that_the_anchor_is_not_looked_at_either(
    evalkit: Evalkit, project: ProjectFiles
) -> None:
    anchor = {"to": {"set": {"suites.ask.target.prompt": "ask@v1"}}, "max_drop_pp": 4}
    write(project, baseline="ask@v3", target="ask@v3", anchor=anchor)
    project.suite["gate"]["min_pass_rate"] = 0.5
    project.write()
    done = evalkit("run", "--no-baseline", cwd=project.root)
    assert "not against its anchor" in " ".join(done.stdout.split())


def test_an_anchor_that_failed_its_own_gate_is_no_fixed_point_to_be_proud_of(
    evalkit: Evalkit, project: ProjectFiles
) -> None:
    write(project, baseline="ask@v1", target="ask@v3", anchor=None)
    project.suite["gate"] = {"max_drop_pp": 4}
    project.write()
    assert evalkit("run", cwd=project.root).returncode == 1
    run = max((project.root / ".evalkit/runs").iterdir()).name
    write(project, baseline="ask@v3", target="ask@v3", anchor={"to": run, "max_drop_pp": 4})
    done = evalkit("run", cwd=project.root)
    assert done.returncode == 3, done.stdout + done.stderr
    assert f"the anchor, run {run}, failed its own gate" in " ".join(done.stdout.split())
