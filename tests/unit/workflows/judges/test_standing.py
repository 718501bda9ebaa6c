"""Whether a judge may gate today: who judges, what labels say, and what is required of it."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from evalkit.records.calibration import JudgeStanding
from evalkit.sources.assets import read_config
from evalkit.sources.labels import read_labels
from evalkit.sources.rubrics import read_rubric
from evalkit.sources.tree import WorkingTree
from evalkit.workflows.judges.settings import read_standing
from tests.unit.workflows.judges.judged_project import (
    GRADED,
    JudgedProject,
    labelled,
    outputs,
    project_of,
)
from tests.unit.workflows.judges.measured_project import calibrate

STORED = "rubrics/tone/v1.calibration.json"


def standing(project: JudgedProject) -> JudgeStanding:
    """The standing of its judge as the project is now."""
    tree = WorkingTree(project.root)
    rubric = read_rubric(tree, "tone@v1")
    config = read_config(tree)
    return read_standing(rubric, config, tree, read_labels(tree, rubric))


def change(project: JudgedProject, edit: Callable[[dict[str, Any]], None]) -> None:
    """Edit the stored calibration."""
    path = project.root / STORED
    stored = json.loads(path.read_text())
    edit(stored)
    path.write_text(json.dumps(stored))


@pytest.fixture
def project(tmp_path: Path) -> JudgedProject:
    """A judge that was measured and is fit."""
    found = project_of(tmp_path)
    calibrate(found)
    return found


def why(project: JudgedProject) -> str:
    """Why its calibration does not hold any more."""
    found = standing(project)
    assert (found.standing, found.fit) == ("stale", False)
    return " ".join(found.why)


def test_a_judge_that_nobody_measured_is_uncalibrated(tmp_path: Path) -> None:
    found = standing(project_of(tmp_path))
    assert (found.standing, found.tpr, found.threshold) == ("uncalibrated", None, None)
    assert found.why == ("Nobody has measured how often the judge of tone@v1 is wrong.",)


def test_a_judge_that_was_measured_well_enough_is_fit(project: JudgedProject) -> None:
    found = standing(project)
    assert (found.standing, found.fit, found.why) == ("fit", True, ())
    assert (found.tpr, found.tnr) == (0.95, 0.9)
    assert (found.n_pass, found.n_fail) == (100, 100)
    assert found.labelled_by == ("person",)


def test_a_judge_that_errs_too_often_is_unfit(tmp_path: Path) -> None:
    found_project = project_of(tmp_path, right_passes=70, wrong_passes=30)
    calibrate(found_project)
    found = standing(found_project)
    assert (found.standing, found.tpr) == ("unfit", 0.7)
    assert any("TPR" in sentence for sentence in found.why)


def test_a_floor_that_was_raised_after_the_measurement_holds(project: JudgedProject) -> None:
    project.calibration = {"min_tnr": 0.95}
    project.write()
    found = standing(project)
    assert found.standing == "unfit"
    assert any("95 %" in sentence for sentence in found.why)


def test_another_judge_is_not_the_one_that_was_measured(project: JudgedProject) -> None:
    project.judge = {"recorded": {"file": "verdicts.jsonl", "judge": "its successor"}}
    project.write()
    assert "another one than the one measured on 2026-05-04 (a judge elsewhere" in why(project)


def test_another_rubric_is_another_judge(project: JudgedProject) -> None:
    project.scale = {"kind": "binary", "pass": "It is very good.", "fail": "It is not."}
    project.write()
    assert "its model, prompt, parameters or rubric changed" in why(project)


def test_labels_that_changed_end_a_calibration(project: JudgedProject) -> None:
    project.items = [*project.items, *outputs("new", 1, True)]
    project.said |= {project.items[-1].id: True}
    project.write()
    assert "The labels of tone@v1 changed after its judge was measured" in why(project)


def test_a_label_that_was_turned_ends_a_calibration(project: JudgedProject) -> None:
    turned = [labelled("good, missed 0", False, False), *project.items]
    kept = {item.id: item for item in reversed(turned)}
    project.items = list(kept.values())
    project.write()
    assert len(project.items) == 200
    assert "The labels of tone@v1 changed" in why(project)


def test_who_labelled_and_in_which_order_may_change(project: JudgedProject) -> None:
    project.items = list(reversed(project.items))
    project.write()
    assert standing(project).fit


def test_labels_that_are_gone_vouch_for_nothing(project: JudgedProject) -> None:
    (project.root / "rubrics/tone/v1.labels.jsonl").unlink()
    assert "The labels that tone@v1 was measured against are gone." in why(project)


def test_a_drift_that_was_found_ends_a_calibration(project: JudgedProject) -> None:
    drift = {"test": "mcnemar", "n": 200, "changed": 40, "p": 0.0004, "at": "2026-06-01T08:00:00Z"}
    change(project, lambda stored: stored.update(drifted=drift))
    told = why(project)
    assert "On 2026-06-01 the judge of tone@v1 no longer judged as measured" in told
    assert "40 of 200 verdicts changed (p = 0.0004)" in told


def test_the_calibration_of_another_rubric_vouches_for_nobody(project: JudgedProject) -> None:
    change(project, lambda stored: stored.update(rubric="kindness@v3"))
    assert "is one of kindness@v3" in why(project)


@pytest.mark.parametrize(("rate", "value"), [("tpr", 0.999), ("tnr", 0.999)])
def test_figures_that_were_edited_vouch_for_nobody(
    project: JudgedProject, rate: str, value: float
) -> None:
    change(project, lambda stored: stored["measured"][rate].update(value=value))
    assert "do not follow from its verdicts and the labels" in why(project)


def test_a_judge_that_was_declared_fit_by_hand_is_not(tmp_path: Path) -> None:
    found = project_of(tmp_path, right_passes=70, wrong_passes=30)
    calibrate(found)
    change(found, lambda stored: stored["measured"].update(fit=True, why=[]))
    assert standing(found).standing == "unfit"


def test_verdicts_that_were_edited_in_the_calibration_vouch_for_nobody(
    project: JudgedProject,
) -> None:
    def flip(stored: dict[str, Any]) -> None:
        for item in project.items:
            stored["verdicts"][item.id] = item.truth

    change(project, flip)
    assert not standing(project).fit


def test_recorded_verdicts_that_are_others_now_end_a_calibration(project: JudgedProject) -> None:
    first = project.items[0].id
    project.said[first] = not project.said[first]
    project.write()
    assert "1 of the 200 verdicts in verdicts.jsonl" in why(project)


def test_verdicts_on_further_outputs_change_nothing(project: JudgedProject) -> None:
    project.said["f" * 16] = True
    project.write()
    assert standing(project).fit


def test_a_graded_judge_has_the_threshold_that_was_chosen_on_the_tuning_part(
    tmp_path: Path,
) -> None:
    items = []
    said: dict[str, bool | float | None] = {}
    for part, count in (("tuning", 30), ("test", 60)):
        for truth, score in ((True, 4.0), (False, 2.0)):
            made = outputs(f"{part} {truth}", count, truth, part=part)
            items += made
            said |= {item.id: score for item in made}
    project = JudgedProject(tmp_path, items, said, scale=GRADED).write()
    calibrate(project)
    found = standing(project)
    assert found.fit
    assert found.threshold is not None and 2.0 < found.threshold <= 4.0
    change(project, lambda stored: stored["measured"].update(threshold=1.5))
    assert "do not follow from its verdicts" in why(project)
