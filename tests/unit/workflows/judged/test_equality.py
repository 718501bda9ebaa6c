"""Labels of a run's own outputs: which count, what they tell of both arms, what they correct."""

from collections.abc import Mapping
from typing import Any

import pytest

from evalkit.gate.samples import Bound
from evalkit.records.asset import CalibrationFloor
from evalkit.records.calibration import (
    CALIBRATION_SCHEMA,
    Calibration,
    Confusion,
    JudgeMeasured,
    JudgeStanding,
    LabelCounts,
)
from evalkit.records.label import LabelledItem
from evalkit.records.verdict import JudgedArm
from evalkit.workflows.judged.equality import RunLabels, read_run_labels
from evalkit.workflows.judged.tallying import tally_judge
from tests.labelled import item, label
from tests.unit.workflows.judged.judged_suites import JudgedSuite, labels_on, setting

OPEN: dict[str, Any] = {"assume_equal_errors": False}


def read(suite: JudgedSuite, items: list[LabelledItem]) -> RunLabels:
    """What labels tell of the suite's judge."""
    cases = tally_judge(
        suite.judge, suite.snapshot, suite.snapshot.cases, 1,
        arm_of=suite.arm_of, scores=suite.found_scores, judgments=suite.judgments,
    ).cases  # fmt: skip
    return read_run_labels(suite.judge, suite.judgments.values(), items, cases)


def all_of(count: int, passed: bool = True) -> dict[str, bool]:
    """The first cases with one label each."""
    return {f"m{number}": passed for number in range(count)}


def truths(letters: str) -> dict[str, bool]:
    """Labels of the first cases."""
    return {f"m{number}": letter == "P" for number, letter in enumerate(letters)}


def suite_of(candidate: str, baseline: str, **judge: Any) -> JudgedSuite:
    """A suite with a letter a case."""
    arms = {"candidate": list(candidate), "baseline": list(baseline)}
    return JudgedSuite(arms, setting(**OPEN | judge))


def test_labels_are_those_of_what_was_judged_by_arm() -> None:
    suite = suite_of("PFA", "PPP")
    items = labels_on(suite, {"candidate": all_of(3), "baseline": {"m0": False}})
    found = read(suite, [*items, item("never seen", label())])
    # the third has no verdict to hold a label against
    assert {name: len(each) for name, each in found.by_arm.items()} == {
        "candidate": 2,
        "baseline": 1,
    }
    assert found.count == 3
    (judged,) = found.by_arm["baseline"]
    assert (judged.truth, judged.verdict, judged.arm) == (False, True, "baseline")


def test_a_disputed_item_counts_nowhere() -> None:
    suite = suite_of("P", "P")
    disputed = item(
        "x",
        label(True),
        label(False, "Ben"),
        id=suite.judgments["mail", "candidate", "m0", 1].subject,
    )
    assert read(suite, [disputed]).count == 0


@pytest.mark.parametrize(("by", "counted"), [("person", 1), ("model", 0), ("rule", 0)])
def test_labels_that_no_person_made_count_where_the_rubric_says_so(by: str, counted: int) -> None:
    truth = {"candidate": {"m0": True}}
    for whose, number in (("people", counted), ("anyone", 1)):
        suite = suite_of("P", "P", floor_of=CalibrationFloor(labelled_by=whose))  # type: ignore[arg-type]
        found = read(suite, labels_on(suite, truth, by=by))
        assert found.count == number
        assert found.labelled_by == ({by} if number else set())


def test_without_labels_equal_errors_are_unverified_unless_granted() -> None:
    assert read(suite_of("P", "P"), []).equal_errors == "unverified"
    assert read(suite_of("P", "P", assume_equal_errors=True), []).equal_errors == "assumed"
    assert read(suite_of("P", "P", same_arms=True), []).equal_errors == "same"
    assert read(suite_of("P", "-", compare="pair"), []).equal_errors == "same"


def verdicts(right: int, wrong: int) -> tuple[str, str]:
    """Verdicts on outputs that are half good and half bad, with `wrong` misses of each half."""
    good = "P" * right + "F" * wrong
    bad = "F" * right + "P" * wrong
    return good + bad, "P" * len(good) + "F" * len(bad)


def test_a_hundred_labels_an_arm_without_a_difference_verify_it() -> None:
    said, true = verdicts(45, 5)
    suite = JudgedSuite(
        {"candidate": [*said, *"-" * 100], "baseline": [*"-" * 100, *said]}, setting(**OPEN)
    )
    shifted = {f"m{number + 100}": letter == "P" for number, letter in enumerate(true)}
    found = read(suite, labels_on(suite, {"candidate": truths(true), "baseline": shifted}))
    assert found.equal_errors == "verified"
    assert "100 labels on the baseline's outputs, 100 on the candidate's, p = 1" in found.told
    few = read(suite, labels_on(suite, {"candidate": truths(true)}))
    assert few.equal_errors == "unverified"


@pytest.mark.parametrize("granted", [True, False])
def test_labels_that_show_a_difference_stand_whatever_was_granted(granted: bool) -> None:
    kind, _ = verdicts(25, 0)
    harsh, true = verdicts(5, 20)
    suite = JudgedSuite(
        {"candidate": [*harsh, *"-" * 50], "baseline": [*"-" * 50, *kind]},
        setting(assume_equal_errors=granted),
    )
    shifted = {f"m{number + 50}": letter == "P" for number, letter in enumerate(true)}
    found = read(suite, labels_on(suite, {"candidate": truths(true), "baseline": shifted}))
    assert found.equal_errors == "differ"
    assert "p = " in found.told


def both(suite: JudgedSuite, candidate: str, baseline: str, **more: Any) -> list[LabelledItem]:
    """Labels on both outputs of the first cases."""
    arms = {"candidate": truths(candidate), "baseline": truths(baseline)}
    return labels_on(suite, arms, **more)


def test_fifty_cases_with_labels_on_both_outputs_correct_the_drop_themselves() -> None:
    suite = suite_of("P" * 60, "P" * 60)
    found = read(suite, both(suite, "P" * 50, "P" * 50))
    assert found.equal_errors == "paired"
    few = read(suite, both(suite, "P" * 49, "P" * 49))
    assert few.equal_errors == "unverified"


def cases_of(suite: JudgedSuite) -> Any:
    """The cases as the gate compares them."""
    return tally_judge(
        suite.judge, suite.snapshot, suite.snapshot.cases, 1,
        arm_of=suite.arm_of, scores=suite.found_scores, judgments=suite.judgments,
    ).cases  # fmt: skip


def test_a_paired_drop_is_that_of_the_labels_where_all_is_labelled() -> None:
    """The judge sees no drop at all, and ten of a hundred outputs became bad."""
    suite = suite_of("P" * 100, "P" * 100)
    found = read(suite, both(suite, "F" * 10 + "P" * 90, "P" * 100))
    drop = found.paired_drop(cases_of(suite), 0.05, Bound.WORST)
    assert drop is not None
    assert drop.drop == pytest.approx(0.1)
    assert drop.lower < 0.1 < drop.upper


def test_a_judge_that_sees_what_labels_see_narrows_their_interval() -> None:
    seen = "F" * 20 + "P" * 180
    told, blind = suite_of(seen, "P" * 200), suite_of("P" * 200, "P" * 200)
    labelled = "F" * 10 + "P" * 90
    # the labelled ones are not the first hundred: ten of each kind of verdict
    picked = [*range(10), *range(20, 110)]

    def drop(suite: JudgedSuite) -> Any:
        names = [f"m{number}" for number in picked]
        arms: dict[str, Mapping[str, bool]] = {
            "candidate": {n: each == "P" for n, each in zip(names, labelled, strict=True)},
            "baseline": dict.fromkeys(names, True),
        }
        return read(suite, labels_on(suite, arms)).paired_drop(cases_of(suite), 0.05, Bound.WORST)

    near, far = drop(told), drop(blind)
    assert near.drop == pytest.approx(0.1)
    assert near.upper - near.lower < far.upper - far.lower


def test_cases_that_were_not_judged_whole_count_for_or_against_the_candidate() -> None:
    suite = suite_of("P" * 60 + "A" * 20 + "E" * 20, "P" * 100)
    found = read(suite, both(suite, "P" * 60, "P" * 60))
    cases = cases_of(suite)
    worst = found.paired_drop(cases, 0.05, Bound.WORST)
    best = found.paired_drop(cases, 0.05, Bound.BEST)
    assert worst is not None and best is not None
    assert worst.drop == pytest.approx(0.4)
    assert best.drop == pytest.approx(-0.4)
    assert worst.lower < worst.drop < worst.upper


def test_an_attempt_without_an_answer_is_a_fail_at_either_bound() -> None:
    suite = suite_of("P" * 60 + "N" * 40, "P" * 60 + "N" * 20 + "P" * 20)
    found = read(suite, both(suite, "P" * 60, "P" * 60))
    cases = cases_of(suite)
    worst = found.paired_drop(cases, 0.05, Bound.WORST)
    best = found.paired_drop(cases, 0.05, Bound.BEST)
    assert worst is not None and best is not None
    # twenty where neither has an answer, twenty where only the baseline has one: it may be bad
    assert worst.drop == pytest.approx(0.2)
    assert best.drop == pytest.approx(0.0)


def test_an_arm_has_its_own_rate_from_thirty_labels_on() -> None:
    """Eight of ten passed outputs are good, and one of ten failed ones."""
    suite = suite_of("P" * 20 + "F" * 20, "P" * 40)
    truth = ("P" * 8 + "F" * 2) * 2 + ("P" + "F" * 9) * 2
    found = read(suite, labels_on(suite, {"candidate": truths(truth)}))
    share = found.post_stratified("candidate", JudgedArm(judged=1000, passed=500))
    assert share is not None and share.value == pytest.approx((0.8 + 0.1) / 2)
    assert found.post_stratified("baseline", JudgedArm(judged=40, passed=40)) is None
    # fails that nobody judged are not among what labels were drawn from
    with_fails = JudgedArm(judged=40, passed=20, known_fails=1)
    assert found.post_stratified("candidate", with_fails) is None
    few = read(suite, labels_on(suite, {"candidate": truths(truth[:29])}))
    assert few.post_stratified("candidate", JudgedArm(judged=40, passed=20)) is None


def calibrated(**judge: Any) -> dict[str, Any]:
    """A judge measured as right in nine of ten, on a hundred labels of either kind."""
    counts = LabelCounts(tuning_passes=0, tuning_fails=0, test_passes=100, test_fails=100)
    measured = JudgeMeasured(
        counts=counts,
        labelled_by=("person",),
        confusion=Confusion(true_pass=90, false_fail=10, false_pass=10, true_fail=90),
        tpr=None, tnr=None, youden=None, agreement=None, ceiling=None, abstained=0.0,
    )  # fmt: skip
    calibration = Calibration(
        schema=CALIBRATION_SCHEMA, rubric="tone@v1", judge="sha256:1", labels="sha256:2",
        asked="m-1", made_at="2026-05-04", evalkit="0", measured=measured,
    )  # fmt: skip
    return {"calibration": calibration, **judge}


def test_a_runs_labels_tell_whether_the_judge_still_errs_as_it_did() -> None:
    said, true = verdicts(9, 1)
    suite = suite_of(said, "P" * 20, **calibrated())
    steady = read(suite, labels_on(suite, {"candidate": truths(true)})).drift
    assert steady is not None
    assert (steady.test, steady.n, steady.changed) == ("fisher", 20, 2)
    assert steady.p > 0.5
    turned = read(
        suite, labels_on(suite, {"candidate": {n: not p for n, p in truths(true).items()}})
    ).drift
    assert turned is not None and turned.p < 0.01


def test_without_labels_or_a_calibration_that_holds_there_is_no_drift() -> None:
    assert read(suite_of("P", "P", **calibrated()), []).drift is None
    labelled = {"candidate": all_of(1)}
    bare = suite_of("P", "P")
    assert read(bare, labels_on(bare, labelled)).drift is None
    stale = suite_of("P", "P", **calibrated(standing=JudgeStanding(standing="stale")))
    assert read(stale, labels_on(stale, labelled)).drift is None
