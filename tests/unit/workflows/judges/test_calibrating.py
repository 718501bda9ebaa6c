"""A judge held against labels: what is measured, what is stored, and what is not."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from evalkit.errors import BudgetExhausted, ConfigError, ProviderError
from evalkit.records.judgment import JudgmentState
from evalkit.workflows.judges.against_labels import judged_item
from evalkit.workflows.judges.calibrating import (
    Calibrated,
    CalibrationRequest,
    calibrate_judge,
)
from evalkit.workflows.judges.hearing import Verdict
from evalkit.workflows.wiring import Wiring
from tests.unit.control.providers.fakes import FakeTransport, FixedClock, completion, http_reply
from tests.unit.workflows.judges.judged_project import (
    CLOUD,
    GRADED,
    SCRIPTED,
    JudgedProject,
    StoppedClock,
    labelled,
    outputs,
    project_of,
)

STORED = "rubrics/tone/v1.calibration.json"
Calibrate = Callable[..., Calibrated]
PASS = {"content": '{"reason": "So it is.", "evidence": "", "verdict": "pass"}'}


@pytest.fixture
def model() -> FakeTransport:
    """A model that passes everything, and counts how often it was asked."""
    return FakeTransport(http_reply(200, completion(message=PASS)), FixedClock())


@pytest.fixture
def calibrate() -> Calibrate:
    """Calibrate a project's rubric, at an hour of the test's own."""

    def call(
        project: JudgedProject,
        *,
        late_s: float = 0,
        transport: FakeTransport | None = None,
        **request: Any,
    ) -> Calibrated:
        clock = StoppedClock()
        clock.late_s = late_s
        environ = {} if transport is None else {"TEST_KEY": "k"}
        wiring = Wiring(project.root, clock=clock, transport=transport, environ=environ)
        asked = CalibrationRequest(rubric="tone@v1", **request)
        return calibrate_judge(asked, wiring=wiring, on_answer=lambda done, of: None)

    return call


def test_recorded_verdicts_are_held_against_the_labels(
    calibrate: Calibrate, tmp_path: Path
) -> None:
    found = calibrate(project_of(tmp_path))
    measured = found.calibration.measured
    table = measured.confusion
    assert (table.true_pass, table.false_fail, table.false_pass, table.true_fail) == (95, 5, 10, 90)
    assert measured.tpr is not None and measured.tpr.value == 0.95
    assert measured.tnr is not None and measured.tnr.value == 0.9
    assert measured.fit and measured.why == ()
    assert measured.labelled_by == ("person",)
    assert found.calibration.asked == "a judge elsewhere (recorded verdicts)"
    assert found.billed_usd is None


def test_what_was_measured_is_stored_beside_the_rubric(
    calibrate: Calibrate, tmp_path: Path
) -> None:
    project = project_of(tmp_path)
    found = calibrate(project)
    assert found.stored == STORED
    stored = json.loads((project.root / STORED).read_text())
    assert stored["schema"] == "evalkit.calibration/1"
    assert stored["made_at"] == "2026-05-04T09:30:00+00:00"
    assert (stored["judge"], stored["labels"]) == (
        found.calibration.judge,
        found.calibration.labels,
    )
    assert stored["verdicts"] == dict(sorted(project.said.items()))


def test_a_second_measurement_differs_in_its_time_alone(
    calibrate: Calibrate, tmp_path: Path
) -> None:
    project = project_of(tmp_path)
    texts = []
    for late_s in (0, 3600):
        calibrate(project, late_s=late_s)
        texts.append((project.root / STORED).read_text().splitlines())
    first, second = texts
    assert len(first) == len(second)
    changed = [line for line, other in zip(first, second, strict=True) if line != other]
    assert len(changed) == 1 and '"made_at"' in changed[0]


def test_nothing_is_written_when_it_is_not_to_be_stored(
    calibrate: Calibrate, tmp_path: Path
) -> None:
    project = project_of(tmp_path)
    found = calibrate(project, store=False)
    assert found.stored is None
    assert not (project.root / STORED).exists()


def test_an_unfit_judge_is_measured_and_stored_with_its_reasons(
    calibrate: Calibrate, tmp_path: Path
) -> None:
    project = project_of(tmp_path, right_fails=50, wrong_fails=50)
    found = calibrate(project)
    assert found.stored == STORED
    assert not found.calibration.measured.fit
    assert any("TNR" in reason for reason in found.calibration.measured.why)


def test_a_judge_that_is_asked_answers_inside_the_budget(
    calibrate: Calibrate, tmp_path: Path
) -> None:
    found = calibrate(project_of(tmp_path, judge=SCRIPTED))
    table = found.calibration.measured.confusion
    assert (table.true_pass, table.false_fail, table.false_pass, table.true_fail) == (95, 5, 10, 90)
    assert found.calibration.asked == "tiny on route judge"
    assert any("scripted" in note for note in found.notes)


def test_an_exhausted_budget_measures_and_stores_nothing(
    calibrate: Calibrate, tmp_path: Path, model: FakeTransport
) -> None:
    tight = {"budgets": [{"scope": "run", "max_tokens": 2000}]}
    project = project_of(tmp_path, judge=SCRIPTED, config=CLOUD | tight)
    with pytest.raises(BudgetExhausted, match="were not judged") as stopped:
        calibrate(project, transport=model)
    assert stopped.value.exit_code == 4
    assert 0 < len(model.bodies) < 200
    assert not (project.root / STORED).exists()


def test_what_was_answered_before_comes_from_the_cache_unless_it_is_switched_off(
    calibrate: Calibrate, tmp_path: Path, model: FakeTransport
) -> None:
    project = project_of(tmp_path, judge=SCRIPTED, config=CLOUD)
    first = calibrate(project, transport=model)
    assert len(model.bodies) == 200
    assert first.billed_usd is not None and first.billed_usd > 0
    assert first.stored == STORED and not any("cache" in note for note in first.notes)
    again = calibrate(project, transport=model)
    assert (len(model.bodies), again.billed_usd) == (200, 0)
    assert any("--no-cache asks again" in note for note in again.notes)
    calibrate(project, transport=model, use_cache=False)
    assert len(model.bodies) == 400


def test_a_drift_that_was_found_holds_until_the_judge_says_the_same_twice(
    calibrate: Calibrate, tmp_path: Path, model: FakeTransport
) -> None:
    project = project_of(tmp_path, judge=SCRIPTED, config=CLOUD)
    calibrate(project, transport=model)
    model.reply = http_reply(
        200, completion(message={"content": PASS["content"].replace("pass", "fail")})
    )
    moved = calibrate(project, transport=model, use_cache=False).calibration
    assert moved.drifted is not None and moved.drifted.changed == 200
    # the cache holds what it says now, and repeats it without being asked
    cached = calibrate(project, transport=model).calibration
    assert (cached.verdicts, cached.drifted) == (moved.verdicts, moved.drifted)
    assert calibrate(project, transport=model, use_cache=False).calibration.drifted is None


def test_a_model_that_cannot_be_reached_measures_nothing(
    calibrate: Calibrate, tmp_path: Path
) -> None:
    locked = FakeTransport(http_reply(401, {"error": {"message": "wrong key"}}), FixedClock())
    project = project_of(tmp_path, judge=SCRIPTED, config=CLOUD)
    with pytest.raises(ProviderError, match="were not judged") as stopped:
        calibrate(project, transport=locked)
    assert stopped.value.exit_code == 4
    assert not (project.root / STORED).exists()


def test_verdicts_of_another_judge_are_measured_and_never_stored(
    calibrate: Calibrate, tmp_path: Path
) -> None:
    project = project_of(tmp_path / "project", judge=SCRIPTED)
    elsewhere = tmp_path / "theirs.csv"
    rows = [f"{each['id']},{each['verdict']}" for each in project.verdicts()]
    elsewhere.write_text("\n".join(("id,verdict", *rows)))
    own = calibrate(project, store=False).calibration
    found = calibrate(project, verdicts=elsewhere)
    assert found.calibration.measured.confusion == own.measured.confusion
    assert found.calibration.judge != own.judge
    assert found.stored is None and not (project.root / STORED).exists()
    assert any("another judge" in note for note in found.notes)


def test_verdicts_in_another_file_are_stored_for_a_recorded_judge(
    calibrate: Calibrate, tmp_path: Path
) -> None:
    project = project_of(tmp_path)
    found = calibrate(project, verdicts=project.root / "verdicts.jsonl")
    assert found.stored == STORED
    assert found.calibration.asked == "a judge elsewhere (recorded verdicts)"


def test_verdicts_on_none_of_the_labelled_outputs_are_refused(
    calibrate: Calibrate, tmp_path: Path
) -> None:
    project = project_of(tmp_path)
    strange = tmp_path / "strange.csv"
    strange.write_text("id,verdict\nffffffffffffffff,pass\n")
    with pytest.raises(ConfigError, match="no verdict on any labelled output"):
        calibrate(project, verdicts=strange)


def test_labels_from_elsewhere_are_measured_and_not_stored(
    calibrate: Calibrate, tmp_path: Path
) -> None:
    project = project_of(tmp_path / "project")
    other = JudgedProject(tmp_path / "other", project.items[:150])
    file = other.write_labels("other.jsonl", other.items)
    found = calibrate(project, labels=file)
    assert found.calibration.measured.counts.test_passes == 100
    assert found.calibration.measured.counts.test_fails == 50
    assert found.stored is None
    assert any("not those beside the rubric" in note for note in found.notes)


def test_a_copy_of_the_rubrics_labels_is_as_good_as_they_are(
    calibrate: Calibrate, tmp_path: Path
) -> None:
    project = project_of(tmp_path / "project")
    copy = JudgedProject(tmp_path, ()).write_labels("copy.jsonl", project.items[::-1])
    assert calibrate(project, labels=copy).stored == STORED


def test_outputs_without_a_truth_count_nowhere_and_are_not_asked_about(
    calibrate: Calibrate, tmp_path: Path
) -> None:
    project = project_of(tmp_path)
    project.items = [*project.items, labelled("disputed", True, False), labelled("unlabelled")]
    found = calibrate(project.write()).calibration
    counts = found.measured.counts
    assert (counts.test_passes, counts.test_fails, counts.disputed) == (100, 100, 1)
    assert set(found.verdicts) == set(project.said)


def test_a_rubric_without_labels_is_refused_with_how_to_get_some(
    calibrate: Calibrate, tmp_path: Path
) -> None:
    project = project_of(tmp_path)
    project.items = []
    with pytest.raises(ConfigError, match="evalkit judge label tone@v1"):
        calibrate(project.write())


def test_labels_that_a_model_made_do_not_make_a_judge_fit(
    calibrate: Calibrate, tmp_path: Path
) -> None:
    items = [*outputs("good", 100, True, by="model"), *outputs("bad", 100, False, by="model")]
    said = {item.id: item.truth for item in items}
    project = JudgedProject(tmp_path, items, said).write()
    assert not calibrate(project).calibration.measured.fit
    project.calibration = {"labelled_by": "anyone"}
    measured = calibrate(project.write()).calibration.measured
    assert measured.fit and measured.labelled_by == ("model",) and not measured.human


def test_a_threshold_is_chosen_on_the_tuning_part_alone(
    calibrate: Calibrate, tmp_path: Path
) -> None:
    items = [
        *outputs("tuned good", 40, True, part="tuning"),
        *outputs("tuned bad", 40, False, part="tuning"),
        *outputs("good", 60, True),
        *outputs("bad", 60, False),
    ]
    # on the tuning part 4 parts good from bad, on the test part 3 would
    scores = {"tuned good": 4.0, "tuned bad": 3.0, "good": 3.0, "bad": 2.0}
    said = {item.id: scores[str(item.subject.output).rsplit(" ", 1)[0]] for item in items}
    found = calibrate(JudgedProject(tmp_path, items, said, scale=GRADED).write()).calibration
    assert found.measured.threshold is not None and 3 < found.measured.threshold <= 4
    assert found.measured.confusion.false_fail == 60
    assert found.verdicts[items[0].id] == 4.0


def test_a_judge_that_answers_otherwise_than_before_has_drifted(
    calibrate: Calibrate, tmp_path: Path
) -> None:
    project = project_of(tmp_path)
    calibrate(project)
    moved = [item.id for item in project.items[:20]]
    project.said |= dict.fromkeys(moved, False)
    found = calibrate(project.write(), late_s=60).calibration
    assert found.drifted is not None
    assert (found.drifted.n, found.drifted.changed) == (200, 20)
    assert found.drifted.p < 0.01
    assert found.drifted.at == found.made_at
    # it says the same once more, so what was measured holds
    assert calibrate(project).calibration.drifted is None


def test_verdicts_that_flip_now_and_then_are_no_drift(calibrate: Calibrate, tmp_path: Path) -> None:
    project = project_of(tmp_path)
    calibrate(project)
    project.said |= dict.fromkeys([item.id for item in project.items[:3]], False)
    assert calibrate(project.write()).calibration.drifted is None


def test_another_judge_is_not_compared_with_the_one_before(
    calibrate: Calibrate, tmp_path: Path
) -> None:
    project = project_of(tmp_path)
    calibrate(project)
    project.said = {id_: not said for id_, said in project.said.items()}
    project.judge = {"recorded": {"file": "verdicts.jsonl", "judge": "its successor"}}
    assert calibrate(project.write()).calibration.drifted is None


def test_a_judge_asked_without_a_model_of_its_own_is_not_stored(
    calibrate: Calibrate, tmp_path: Path
) -> None:
    project = project_of(tmp_path, judge=SCRIPTED, config=CLOUD)
    found = calibrate(project)
    assert found.stored is None and not (project.root / STORED).exists()
    assert any("stand-in" in note for note in found.notes)


def test_outputs_that_the_judge_never_saw_stay_in_the_sample(
    calibrate: Calibrate, tmp_path: Path
) -> None:
    project = project_of(tmp_path)
    for item in project.items[:10]:
        del project.said[item.id]
    found = calibrate(project.write())
    assert found.calibration.measured.confusion.abstained_pass == 10
    assert found.calibration.measured.abstained == 0.05
    assert found.stored == STORED
    assert any("10 of 200 labelled outputs got no verdict" in note for note in found.notes)


def test_errors_that_would_hide_the_judge_are_not_stored(
    calibrate: Calibrate, tmp_path: Path
) -> None:
    project = project_of(tmp_path)
    for item in project.items[:30]:
        del project.said[item.id]
    found = calibrate(project.write())
    assert found.stored is None
    assert any("30 of 200 outputs met an error" in note for note in found.notes)


def test_a_stored_calibration_that_is_broken_is_replaced(
    calibrate: Calibrate, tmp_path: Path
) -> None:
    project = project_of(tmp_path)
    (project.root / STORED).write_text('{"schema": "evalkit.calibration/0"}')
    assert calibrate(project).stored == STORED
    assert json.loads((project.root / STORED).read_text())["schema"] == "evalkit.calibration/1"


@pytest.mark.parametrize("state", ["abstained", "unparseable", "refused", "error"])
def test_only_a_verdict_can_pass(state: JudgmentState) -> None:
    item = judged_item(labelled("x", True), Verdict(state=state), graded=False)
    assert item.verdict is None


def test_labellers_are_compared_in_the_order_of_their_names_without_the_decision() -> None:
    item = labelled("x", True, False, decided=True)
    judged = judged_item(item, Verdict(state="judged", passed=True), graded=False)
    assert (judged.first, judged.second, judged.truth) == (True, False, True)


def test_a_score_counts_on_a_graded_scale_only() -> None:
    item = labelled("x", True)
    said = Verdict(state="judged", passed=True, score=0.5)
    assert judged_item(item, said, graded=False).score is None
    assert judged_item(item, said, graded=True).score == 0.5
