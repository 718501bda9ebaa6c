"""What `check` says of judges: what no longer holds is an error, what may not gate a warning."""

from pathlib import Path

import pytest

from evalkit.errors import Problem
from evalkit.sources.assets import load_assets, read_config
from evalkit.sources.tree import WorkingTree
from evalkit.workflows.judges.checking import judge_problems
from tests.unit.workflows.judges.judged_project import JudgedProject, project_of
from tests.unit.workflows.judges.measured_project import calibrate, with_suite

LABELS = "rubrics/tone/v1.labels.jsonl"
STORED = "rubrics/tone/v1.calibration.json"


def problems(project: JudgedProject) -> list[Problem]:
    """What the check says."""
    tree = WorkingTree(project.root)
    config = read_config(tree)
    suites = load_assets(tree, suites=list(config.suites)).suites if config.suites else {}
    return list(judge_problems(tree, config, suites))


def problem(project: JudgedProject) -> Problem:
    """The one thing that it says."""
    (found,) = problems(project)
    return found


def test_a_fit_judge_is_no_problem(tmp_path: Path) -> None:
    project = with_suite(project_of(tmp_path))
    calibrate(project)
    assert problems(project) == []


def test_a_rubric_that_nothing_uses_yet_needs_no_calibration(tmp_path: Path) -> None:
    assert problems(project_of(tmp_path)) == []


def test_a_gating_judge_without_a_calibration_is_a_warning(tmp_path: Path) -> None:
    found = problem(with_suite(project_of(tmp_path)))
    assert (found.severity, found.file) == ("warning", "rubrics/tone/v1.yaml")
    assert found.message.startswith("the judge of suite mail cannot gate. Nobody has measured")
    assert "evalkit judge calibrate tone@v1" in str(found.suggestion)


def test_a_judge_that_only_informs_may_be_uncalibrated(tmp_path: Path) -> None:
    assert problems(with_suite(project_of(tmp_path), gate=False)) == []


def test_an_unfit_judge_is_a_warning_at_its_calibration_where_it_gates(tmp_path: Path) -> None:
    project = with_suite(project_of(tmp_path, right_passes=60, wrong_passes=40))
    calibrate(project)
    found = problem(project)
    assert (found.severity, found.file) == ("warning", STORED)
    assert problems(with_suite(project, gate=False)) == []


@pytest.mark.parametrize("used", [True, False])
def test_a_stale_calibration_is_an_error_whoever_uses_it(tmp_path: Path, used: bool) -> None:
    project = project_of(tmp_path)
    project = with_suite(project) if used else project
    calibrate(project)
    project.judge = {"recorded": {"file": "verdicts.jsonl", "judge": "its successor"}}
    project.write()
    found = problem(project)
    assert (found.severity, found.file) == ("error", STORED)
    assert found.message.startswith("the calibration is stale. The judge of tone@v1 is another")
    assert found.suggestion == "evalkit judge calibrate tone@v1"


def test_a_broken_line_of_labels_is_found_whoever_uses_the_rubric(tmp_path: Path) -> None:
    project = project_of(tmp_path)
    with (project.root / LABELS).open("a") as file:
        file.write("{\n")
    found = problem(project)
    assert (found.file, found.line, found.severity) == (LABELS, 201, "error")


def test_a_calibration_that_is_none_is_an_error(tmp_path: Path) -> None:
    project = project_of(tmp_path)
    (project.root / STORED).write_bytes(b'{"schema": "\xff"}')
    found = problem(project)
    assert (found.file, found.severity) == (STORED, "error")
    assert found.message.startswith("is no calibration")


def test_a_calibrated_judge_whose_route_is_gone_is_an_error(tmp_path: Path) -> None:
    project = project_of(tmp_path)
    calibrate(project)
    project.judge = {"route": "gone", "prompt": "{{ output }}"}
    project.write()
    found = problem(project)
    assert "no route 'gone'" in found.message
    assert (found.file, found.severity) == ("rubrics/tone/v1.yaml", "error")
