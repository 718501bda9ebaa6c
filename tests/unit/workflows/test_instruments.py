"""What vouches for a gating judge and changed: its floor, rubric, labels, calibration, verdicts."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from evalkit.sources.assets import SuiteAssets, load_assets
from evalkit.sources.tree import WorkingTree
from evalkit.workflows.guards.instruments import changed_judges
from tests.unit.workflows.judges.judged_project import JudgedProject, project_of
from tests.unit.workflows.judges.measured_project import calibrate, with_suite

Change = Callable[[JudgedProject], Any]
LABELS = "rubrics/tone/v1.labels.jsonl"
STORED = "rubrics/tone/v1.calibration.json"


def build(root: Path, change: Change | None = None, **entry: Any) -> WorkingTree:
    """A project whose gating judge was measured, after `change`; `entry` stands beside it."""
    project = with_suite(project_of(root), suite={"gate": {"min_pass_rate": 0.5}}, **entry)
    calibrate(project)
    if change is not None:
        change(project)
    return WorkingTree(root)


def suite(tree: WorkingTree) -> SuiteAssets:
    """Its suite."""
    return load_assets(tree).suites["mail"]


@pytest.fixture
def told(tmp_path: Path) -> Callable[..., list[str]]:
    """What is told of a change to the project; `was` and `entry` are beside the judge."""

    def tell(change: Change | None = None, was: Any = None, **entry: Any) -> list[str]:
        before = build(tmp_path / "before", **(was or {}))
        now = build(tmp_path / "now", change, **entry)
        return list(changed_judges(suite(before), suite(now), before, now))

    return tell


def required(**floor: Any) -> Change:
    """Another calibration floor; the calibration is measured again."""

    def change(project: JudgedProject) -> None:
        project.calibration = floor
        project.write()

    return change


def edited(path: str, text: str = "") -> Change:
    """A file with something behind its end."""

    def change(project: JudgedProject) -> None:
        with (project.root / path).open("a") as file:
            file.write(text or "\n")

    return change


def removed(path: str) -> Change:
    """A file less."""
    return lambda project: (project.root / path).unlink()


Told = Callable[..., list[str]]


def test_what_stayed_is_not_told(told: Told) -> None:
    assert told() == []


@pytest.mark.parametrize(
    ("floor", "words"),
    [
        ({"min_tpr": 0.75}, "calibration.min_tpr of tone@v1 went from 0.8 to 0.75"),
        ({"min_tnr": 0.5}, "calibration.min_tnr of tone@v1 went from 0.7 to 0.5"),
        ({"min_j": 0.2}, "calibration.min_j of tone@v1 went from 0.5 to 0.2"),
        ({"min_passes": 10}, "calibration.min_passes of tone@v1 went from 50 to 10"),
        ({"min_fails": 10}, "calibration.min_fails of tone@v1 went from 50 to 10"),
        ({"max_abstained": 0.2}, "calibration.max_abstained of tone@v1 went from 0.1 to 0.2"),
        ({"labelled_by": "anyone"}, "labels that no person made count for tone@v1 now"),
    ],
)
def test_a_lower_floor_is_told(told: Told, floor: dict[str, Any], words: str) -> None:
    assert told(required(**floor)) == [words]


@pytest.mark.parametrize(
    "floor",
    [{"min_tpr": 0.9}, {"min_passes": 90}, {"max_abstained": 0.05}, {"min_j": 0.6}],
)
def test_a_higher_floor_is_not(told: Told, floor: dict[str, Any]) -> None:
    assert told(required(**floor)) == []


def test_a_rubric_that_changed_under_its_version_is_told(told: Told) -> None:
    def reworded(project: JudgedProject) -> None:
        project.scale = {"kind": "binary", "pass": "It is fine.", "fail": "It is not."}
        project.write()

    assert told(reworded) == [
        "rubric tone@v1, by which the gating judge tone decides, was changed; a changed rubric "
        "needs a new version"
    ]


def test_another_version_is_told_and_not_held_against_the_files_of_the_old_one(
    told: Told,
) -> None:
    def versioned(project: JudgedProject) -> None:
        with_suite(project, "tone@v2", {"gate": {"min_pass_rate": 0.5}})
        text = project.rubric().replace("version: 1", "version: 2")
        (project.root / "rubrics/tone/v2.yaml").write_text(text)
        (project.root / LABELS).unlink()

    assert told(versioned) == ["the gating judge tone went from tone@v1 to tone@v2"]


@pytest.mark.parametrize("path", [LABELS, STORED, "verdicts.jsonl"])
@pytest.mark.parametrize("change", [edited, removed])
def test_a_file_that_vouched_for_the_judge_and_changed_is_told(
    tmp_path: Path, path: str, change: Callable[[str], Change]
) -> None:
    before, now = build(tmp_path / "before"), build(tmp_path / "now", change(path))
    found = list(changed_judges(suite(before), suite(before), before, now))
    assert found == [f"{path}, which vouch for the judge of tone@v1, changed"]


def test_several_files_are_told_in_one_sentence(tmp_path: Path) -> None:
    def both(project: JudgedProject) -> None:
        edited(LABELS)(project)
        removed(STORED)(project)

    before, now = build(tmp_path / "before"), build(tmp_path / "now", both)
    (found,) = changed_judges(suite(before), suite(now), before, now)
    assert found.startswith(f"{LABELS}, {STORED}, which vouch")


def test_what_vouches_for_a_judge_for_the_first_time_is_not_told(tmp_path: Path) -> None:
    now = build(tmp_path / "now")
    before = build(tmp_path / "before", removed(STORED))
    assert list(changed_judges(suite(before), suite(now), before, now)) == []


def test_a_judge_that_never_gated_is_not_guarded(told: Told) -> None:
    assert told(required(min_tpr=0.1), was={"gate": False}, gate=False) == []


def test_a_judge_that_is_gone_or_renamed_is_told_elsewhere(told: Told) -> None:
    assert told(required(min_tpr=0.1), name="kindness") == []
