"""A judge held against labels, from items to fitness."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from evalkit.judge.items import JudgedItem
from evalkit.judge.measuring import RunCounts, measure
from evalkit.records.asset import CalibrationFloor
from evalkit.records.calibration import CorrectedRate, JudgeMeasured, LabelCounts
from tests.unit.judge.conftest import MakeItems

ANYONE = CalibrationFloor(labelled_by="anyone")
LOW_FLOOR = CalibrationFloor(
    min_passes=3, min_fails=3, min_tpr=0.3, min_tnr=0.3, min_j=0.01, labelled_by="anyone"
)
many = settings(max_examples=150, deadline=None, derandomize=True)


def _applied(measured: JudgeMeasured) -> CorrectedRate:
    (rate,) = [rate for rate in measured.rates if rate.applies]
    return rate


def _graded(part: str, scores: dict[float, tuple[int, int]]) -> list[JudgedItem]:
    return [
        JudgedItem(truth=truth, score=score, part=part)  # type: ignore[arg-type]
        for score, (passes, fails) in scores.items()
        for truth, number in ((True, passes), (False, fails))
        for _ in range(number)
    ]


TUNING = _graded("tuning", {1: (1, 20), 2: (3, 10), 4: (10, 3), 5: (20, 1)})
TEST = _graded("test", {1: (2, 40), 2: (6, 30), 4: (42, 6), 5: (50, 4)})


def test_only_the_test_part_measures(make_items: MakeItems) -> None:
    test = make_items(true_pass=54, false_fail=6, false_pass=10, true_fail=40)
    tuning = make_items(true_pass=1, false_fail=30, false_pass=20, part="tuning")
    measured = measure([*tuning, *test], floor=ANYONE, labelled_by=("model",))
    assert measured.counts == LabelCounts(
        tuning_passes=31, tuning_fails=20, test_passes=60, test_fails=50
    )
    assert measured.tpr is not None and measured.tnr is not None and measured.youden is not None
    assert measured.tpr.value == 0.9
    assert measured.tnr.value == 0.8
    assert measured.youden.value == pytest.approx(0.7)
    assert measured.agreement is not None
    assert measured.agreement.n == 110
    assert (measured.threshold, measured.reliability) == (None, None)


def test_a_graded_judge_is_measured_at_the_threshold_that_tuning_chose() -> None:
    measured = measure([*TUNING, *TEST], floor=ANYONE, scale_bounds=(1, 5))
    assert measured.threshold == 3
    assert measured.tpr is not None and measured.tnr is not None
    assert (measured.tpr.value, measured.tnr.value) == (0.92, 0.875)
    assert measured.reliability is not None
    assert measured.reliability.method == "platt"
    assert measured.fit


def test_the_rubrics_own_threshold_comes_first() -> None:
    measured = measure([*TUNING, *TEST], floor=ANYONE, scale_bounds=(1, 5), pass_from=5)
    assert measured.threshold == 5
    assert measured.tpr is not None
    assert measured.tpr.value == 0.5


def test_scores_that_no_tuning_label_parts_make_an_unfit_judge() -> None:
    measured = measure([*TUNING[:1], *TEST], floor=ANYONE, scale_bounds=(1, 5))
    assert measured.threshold is None and measured.tpr is None and measured.rates == ()
    assert measured.why == (
        "From which score on it passes cannot be chosen, because no tuning label says fail. Label "
        "such outputs in the tuning part, or give scale.pass_from in the rubric.",
    )
    # a verdict by some other threshold is no way around it
    stamped = [replace(item, verdict=item.truth) for item in TEST]
    assert measure(stamped, floor=ANYONE, scale_bounds=(1, 5)).tpr is None


def test_without_a_run_the_test_items_own_pass_rate_is_corrected(make_items: MakeItems) -> None:
    items = make_items(true_pass=54, false_fail=6, false_pass=10, true_fail=40, abstained_pass=3)
    measured = measure(items, floor=ANYONE, width_pp=10)
    by_method = {rate.method: rate.rate for rate in measured.rates}
    naive, corrected = by_method["naive"], by_method["rogan_gladen"]
    assert naive is not None and corrected is not None
    assert (naive.value, naive.n) == (64 / 110, 110)
    assert corrected.value == pytest.approx(60 / 110)  # what the labels say of these very items
    assert _applied(measured).method == "rogan_gladen"
    assert all("not a sample" not in rate.why for rate in measured.rates)
    assert measured.missing_labels is not None and measured.missing_labels > 300
    assert measured.width_pp == 10


def test_more_labels_by_the_number_that_is_missing_reach_the_width(make_items: MakeItems) -> None:
    cells = {"true_pass": 54, "false_fail": 6, "false_pass": 10, "true_fail": 40}
    measured = measure(make_items(**cells), floor=ANYONE, width_pp=15)
    assert measured.missing_labels is not None
    times = 1 + measured.missing_labels / 110
    grown = {cell: round(number * times) for cell, number in cells.items()}
    share = _applied(measure(make_items(**grown), floor=ANYONE)).rate
    assert share is not None
    assert share.upper - share.lower == pytest.approx(0.15, abs=0.002)


def test_labels_of_an_earlier_run_correct_by_rogan_and_gladen(make_items: MakeItems) -> None:
    items = make_items(true_pass=90, false_fail=10, false_pass=20, true_fail=80)
    run = RunCounts(judged=1000, passed=830)
    measured = measure(items, floor=ANYONE, run=run, width_pp=50)
    applied = _applied(measured)
    assert applied.method == "rogan_gladen"
    assert applied.rate is not None
    assert applied.rate.value == pytest.approx(0.9)
    assert measured.missing_labels == 0


def test_labels_sampled_from_the_run_correct_by_post_stratification(
    make_items: MakeItems,
) -> None:
    items = make_items(true_pass=45, false_fail=5, false_pass=5, true_fail=45)
    run = RunCounts(judged=1000, passed=800, sampled_from_run=True)
    measured = measure(items, floor=ANYONE, run=run, width_pp=10)
    applied = _applied(measured)
    assert applied.method == "post_stratified"
    assert applied.rate is not None
    assert applied.rate.value == pytest.approx(0.8 * 0.9 + 0.2 * 0.1)
    assert measured.missing_labels is not None
    assert 50 < measured.missing_labels < 300


def test_scores_of_a_run_are_counted_at_the_threshold_of_the_calibration() -> None:
    run = RunCounts(judged=4, passed=0, scores=[1, 2, 4, 5, 5])
    measured = measure([*TUNING, *TEST], floor=ANYONE, scale_bounds=(1, 5), run=run)
    naive = next(rate.rate for rate in measured.rates if rate.method == "naive")
    assert naive is not None
    assert (naive.value, naive.n) == (0.6, 5)


def test_a_run_in_which_nothing_was_judged_has_no_rate(make_items: MakeItems) -> None:
    items = make_items(true_pass=9, true_fail=9)
    measured = measure(items, floor=ANYONE, run=RunCounts(judged=0, passed=0), width_pp=5)
    assert (measured.rates, measured.missing_labels) == ((), None)


def test_no_verdict_at_all_is_said_in_one_sentence(make_items: MakeItems) -> None:
    items = make_items(abstained_pass=60, abstained_fail=60)
    measured = measure(items, floor=ANYONE, width_pp=5)
    assert measured.abstained == 1
    assert measured.agreement is None
    assert measured.why == (
        "It has no verdict on any of the 120 test outputs, so nothing is known of its errors.",
    )


def test_no_labels_at_all_say_what_is_needed() -> None:
    measured = measure([], floor=ANYONE, scale_bounds=(0, 1), width_pp=5)
    assert measured.why == (
        "No test labels say pass; at least 50 have to, so 50 more of them are needed.",
        "No test labels say fail; at least 50 have to, so 50 more of them are needed.",
    )


def test_labels_of_one_class_leave_the_other_unknown(make_items: MakeItems) -> None:
    measured = measure(make_items(true_pass=80, false_fail=3), floor=ANYONE, width_pp=5)
    assert measured.tpr is None
    assert len(measured.why) == 2
    assert "No test output is called bad by the labels" in measured.why[1]
    assert measured.missing_labels is None
    no_verdict = make_items(true_pass=80, false_fail=3, abstained_fail=60)
    why = measure(no_verdict, floor=ANYONE).why
    assert "no verdict on any of the 60 test outputs that the labels call bad" in why[0]


def test_makers_of_labels_are_listed_people_first(make_items: MakeItems) -> None:
    items = make_items(true_pass=1)
    assert measure(items, floor=ANYONE, labelled_by=("model", "person")).labelled_by == (
        "person",
        "model",
    )
    assert measure(items, floor=ANYONE, labelled_by=("person",)).human


@pytest.mark.parametrize("weight", [0.0, -1.0, float("nan"), float("inf")])
def test_a_weight_that_counts_nothing_is_refused(make_items: MakeItems, weight: float) -> None:
    with pytest.raises(ValueError, match="weight"):
        measure(make_items(true_pass=1, weight=weight), floor=ANYONE)


def test_a_score_or_a_width_that_is_none_is_refused(make_items: MakeItems) -> None:
    with pytest.raises(ValueError, match="score"):
        measure([JudgedItem(truth=True, score=float("nan"))], floor=ANYONE, scale_bounds=(0, 1))
    with pytest.raises(ValueError, match="width"):
        measure(make_items(true_pass=1), floor=ANYONE, width_pp=0)


ITEMS = st.lists(
    st.builds(
        JudgedItem,
        truth=st.booleans(),
        verdict=st.sampled_from([True, False, None]),
        score=st.none() | st.integers(1, 5).map(float),
        weight=st.sampled_from([0.5, 1.0, 3.0]),
        part=st.sampled_from(["tuning", "test"]),
        first=st.sampled_from([True, False, None]),
        second=st.sampled_from([True, False, None]),
    ),
    max_size=30,
)
RUNS = st.none() | st.builds(
    lambda judged, share, sampled, scores: RunCounts(
        judged=judged,
        passed=round(judged * share),
        sampled_from_run=sampled,
        scores=scores,
    ),
    st.integers(0, 50),
    st.floats(0, 1),
    st.booleans(),
    st.none() | st.lists(st.integers(1, 5).map(float), max_size=30),
)


@many
@given(ITEMS, RUNS, st.booleans(), st.sampled_from([None, 1.0, 20.0]), st.integers(0, 3))
def test_whatever_the_labels_the_judge_is_fit_or_told_why_not(
    items: list[JudgedItem],
    run: RunCounts | None,
    graded: bool,
    width_pp: float | None,
    disputed: int,
) -> None:
    measured = measure(
        items,
        floor=LOW_FLOOR,
        scale_bounds=(1, 5) if graded else None,
        disputed=disputed,
        labelled_by=("model",),
        run=run,
        width_pp=width_pp,
    )
    assert measured.fit == (not measured.why)
    if measured.fit:
        assert measured.tpr is not None and measured.tpr.lower >= 0.3
    assert sum(rate.applies for rate in measured.rates) <= 1
    assert measured.missing_labels is None or measured.missing_labels >= 0


@many
@given(ITEMS, st.booleans())
def test_weights_count_by_their_ratio_only(items: list[JudgedItem], graded: bool) -> None:
    bounds = (1.0, 5.0) if graded else None
    plain = measure(items, floor=ANYONE, scale_bounds=bounds, width_pp=20)
    heavy = measure(
        [replace(item, weight=8 * item.weight) for item in items],
        floor=ANYONE,
        scale_bounds=bounds,
        width_pp=20,
    )
    for name in ("tpr", "tnr", "youden", "threshold", "rates", "why", "abstained"):
        assert getattr(heavy, name) == getattr(plain, name)
    assert heavy.missing_labels == plain.missing_labels
