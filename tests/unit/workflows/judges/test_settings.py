"""The judges of a suite at the start of a run: opened, with what the suite requires of each."""

from pathlib import Path
from typing import Any

import pytest

from evalkit.control.ledger.book import Ledger
from evalkit.errors import ConfigError
from evalkit.records.asset import Rubric
from evalkit.sources.tree import WorkingTree
from evalkit.store.runs import RunStore
from evalkit.workflows.judges.opening import OpenedJudge, open_judge
from evalkit.workflows.judges.settings import SuiteJudgeSettings, set_up_judges
from evalkit.workflows.setup.request import RunRequest
from evalkit.workflows.setup.variants import set_up_suites
from evalkit.workflows.wiring import Wiring
from tests.unit.workflows.judges.judged_project import GRADED, JudgedProject, outputs, project_of
from tests.unit.workflows.judges.measured_project import calibrate, with_suite


def set_up(project: JudgedProject, **request: Any) -> SuiteJudgeSettings:
    """The judges of the project's suite; they are opened as a run opens them."""
    asked = {"no_baseline": True} | request
    assets, (setup,) = set_up_suites(
        project.root, RunRequest(**asked), store=RunStore(project.root), environ={}
    )
    wiring = Wiring(project.root, environ={})

    def open_one(rubric: Rubric, threshold: float | None) -> OpenedJudge:
        return open_judge(
            rubric,
            config=assets.config,
            wiring=wiring,
            ledger=Ledger(()),
            cache=None,
            threshold=threshold,
        )

    return set_up_judges(setup, WorkingTree(project.root), open_one)


FLOOR: dict[str, Any] = {"gate": {"min_pass_rate": 0.5}}


def test_a_judge_is_opened_by_the_label_of_its_scorer(tmp_path: Path) -> None:
    found = set_up(with_suite(project_of(tmp_path), suite=FLOOR, name="kindness"))
    (setting,) = found.settings
    assert list(found.opened) == ["kindness"]
    opened = found.opened["kindness"]
    assert (setting.scorer, setting.rubric.ref) == ("kindness", "tone@v1")
    assert (setting.judge, setting.asked) == (opened.digest, opened.asked)
    assert setting.asked == "a judge elsewhere (recorded verdicts)"


def test_without_a_word_a_judge_has_the_suites_margin_and_no_floor(tmp_path: Path) -> None:
    suite = {"gate": {"min_pass_rate": 0.5, "max_drop_pp": 4}}
    (setting,) = set_up(with_suite(project_of(tmp_path), suite=suite)).settings
    assert (setting.margin_pp, setting.floor, setting.gate) == (4, None, True)
    assert (setting.assume_equal_errors, setting.spot_checks) == (False, 5)


def test_what_stands_beside_a_judge_holds_for_it_alone(tmp_path: Path) -> None:
    judge = {"rubric": "tone@v1", "max_drop_pp": 7, "min_pass_rate": 0.8, "spot_checks": 0}
    suite = FLOOR | {"assume_equal_errors": True}
    project = with_suite(project_of(tmp_path), judge, suite, gate=False)
    (setting,) = set_up(project).settings
    assert (setting.margin_pp, setting.floor, setting.gate) == (7, 0.8, False)
    assert (setting.assume_equal_errors, setting.spot_checks) == (True, 0)


def test_a_judge_brings_its_calibration_and_its_standing(tmp_path: Path) -> None:
    project = with_suite(project_of(tmp_path), suite=FLOOR)
    (bare,) = set_up(project).settings
    assert (bare.standing.standing, bare.calibration) == ("uncalibrated", None)
    calibrate(project)
    (measured,) = set_up(project).settings
    assert measured.standing.fit
    assert measured.calibration is not None
    assert measured.calibration.judge == measured.judge


def test_a_graded_judge_is_opened_with_the_threshold_of_its_calibration(tmp_path: Path) -> None:
    items = []
    said: dict[str, bool | float | None] = {}
    for part, count in (("tuning", 30), ("test", 60)):
        for truth, score in ((True, 4.0), (False, 2.0)):
            made = outputs(f"{part} {truth}", count, truth, part=part)
            items += made
            said |= {item.id: score for item in made}
    project = with_suite(JudgedProject(tmp_path, items, said, scale=GRADED), suite=FLOOR)
    assert set_up(project).opened["tone"].threshold is None
    calibrate(project)
    found = set_up(project)
    assert found.opened["tone"].threshold == found.settings[0].standing.threshold
    assert found.settings[0].standing.threshold is not None


@pytest.mark.parametrize(
    ("key", "value", "same"), [("models.primary", "tiny", True), ("max_tokens", 9, False)]
)
def test_arms_of_the_same_content_are_told(
    tmp_path: Path, key: str, value: Any, same: bool
) -> None:
    suite = {"baseline": {"set": {f"routes.desk.{key}": value}}}
    project = with_suite(project_of(tmp_path), suite=suite)
    assert set_up(project, no_baseline=False).settings[0].same_arms is same


def test_a_suite_without_judges_has_none(tmp_path: Path) -> None:
    suite = FLOOR | {"scorers": [{"regex": {"pattern": "."}}]}
    found = set_up(with_suite(project_of(tmp_path), suite=suite))
    assert (found.opened, found.settings) == ({}, ())


def test_a_calibration_that_is_none_stops_a_run(tmp_path: Path) -> None:
    project = with_suite(project_of(tmp_path), suite=FLOOR)
    (project.root / "rubrics/tone/v1.calibration.json").write_text("{}")
    with pytest.raises(ConfigError, match="is no calibration"):
        set_up(project)
