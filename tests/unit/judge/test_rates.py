"""Corrected pass rates: worked examples, ends of the scale, and which method applies."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evalkit.judge.items import ErrorRates, JudgedItem
from evalkit.judge.rates import (
    correct_rates,
    corrected_arm,
    naive,
    post_stratified,
    ppi,
    rogan_gladen,
)
from evalkit.records.calibration import CorrectedRate, Share
from evalkit.statistics.proportions import wilson
from tests.unit.judge.conftest import MakeItems

RATES = ErrorRates(tpr=0.9, fpr=0.2, n_pass=75, n_fail=75)
many = settings(max_examples=200, deadline=None, derandomize=True)


def _lang_reiczigel(seen: float, n: int, se: float, n_se: int, sp: float, n_sp: int) -> Share:
    """The 95 % interval in the terms of its authors: prevalence, sensitivity, specificity."""
    z = 1.959963984540054
    ap, se_, sp_ = (
        (n * seen + z * z / 2) / (n + z * z),
        (n_se * se + 1) / (n_se + 2),
        (n_sp * sp + 1) / (n_sp + 2),
    )
    p = (ap + sp_ - 1) / (se_ + sp_ - 1)
    of_se, of_sp = se_ * (1 - se_) / (n_se + 2), sp_ * (1 - sp_) / (n_sp + 2)
    shift = 2 * z * z * (p * of_se - (1 - p) * of_sp)
    variance = ap * (1 - ap) / (n + z * z) + p * p * of_se + (1 - p) ** 2 * of_sp
    half = z * math.sqrt(variance) / (se_ + sp_ - 1)
    return Share(
        value=(seen + sp - 1) / (se + sp - 1), lower=p + shift - half, upper=p + shift + half, n=n
    )


def test_naive_is_the_judges_rate_with_wilsons_interval() -> None:
    lower, upper = wilson(840, 1000, 0.025)
    assert naive(840, 1000) == Share(value=0.84, lower=lower, upper=upper, n=1000)


def test_rogan_gladen_finds_the_rate_that_shows_as_what_the_judge_says() -> None:
    # .85 shows as .85 * .9 + .15 * .2 = .795
    assert rogan_gladen(795, 1000, RATES).value == pytest.approx(0.85)


@pytest.mark.parametrize("passed", [400, 640, 795, 860])
def test_its_interval_is_that_of_lang_and_reiczigel(passed: int) -> None:
    found = rogan_gladen(passed, 1000, RATES)
    expected = _lang_reiczigel(passed / 1000, 1000, 0.9, 75, 0.8, 75)
    assert found.value == pytest.approx(expected.value)
    assert found.lower == pytest.approx(expected.lower)
    assert found.upper == pytest.approx(min(1.0, expected.upper))


def test_of_a_judge_that_was_never_seen_to_err_the_interval_still_has_the_labels_in_it() -> None:
    few = ErrorRates(tpr=1.0, fpr=0.0, n_pass=50, n_fail=50)
    many_more = ErrorRates(tpr=1.0, fpr=0.0, n_pass=10**9, n_fail=10**9)
    of_few, of_many = rogan_gladen(850, 1000, few), rogan_gladen(850, 1000, many_more)
    assert of_few.value == of_many.value == 0.85
    assert of_few.lower < of_many.lower < 0.85 < of_many.upper < of_few.upper
    # with errors that are known it is that of a rate
    assert (of_many.lower, of_many.upper) == pytest.approx(wilson(850, 1000, 0.025), abs=1e-4)


@given(
    passed=st.integers(0, 50),
    tpr=st.integers(0, 20),
    fpr=st.integers(0, 20),
)
@many
def test_the_rate_lies_within_its_interval_and_both_within_0_and_1(
    passed: int, tpr: int, fpr: int
) -> None:
    rates = ErrorRates(tpr=tpr / 20, fpr=fpr / 20, n_pass=20, n_fail=20)
    if rates.youden <= 0:
        with pytest.raises(ValueError, match="chance"):
            rogan_gladen(passed, 50, rates)
    else:
        found = rogan_gladen(passed, 50, rates)
        assert 0 <= found.lower <= found.value <= found.upper <= 1


def test_labels_too_few_to_tell_a_judge_from_chance_tell_nothing() -> None:
    # one label of a kind each: with two more added, TPR = FPR
    found = rogan_gladen(8, 10, ErrorRates(tpr=0.5, fpr=0.4, n_pass=2, n_fail=0.5))
    assert (found.lower, found.upper) == (0.0, 1.0)


@pytest.mark.parametrize(("n_pass", "n_fail"), [(0, 50), (50, 0)])
def test_labels_of_one_kind_are_refused(n_pass: float, n_fail: float) -> None:
    with pytest.raises(ValueError, match="one kind"):
        rogan_gladen(8, 10, ErrorRates(tpr=0.9, fpr=0.1, n_pass=n_pass, n_fail=n_fail))


@pytest.mark.parametrize(("passed", "judged"), [(0, 0), (-1, 5), (6, 5)])
def test_counts_that_make_no_rate_are_refused(passed: int, judged: int) -> None:
    with pytest.raises(ValueError, match="no rate"):
        naive(passed, judged)
    with pytest.raises(ValueError, match="no rate"):
        rogan_gladen(passed, judged, RATES)
    with pytest.raises(ValueError, match="no rate"):
        correct_rates([], judged=judged, passed=passed, sampled_from_run=True)


def test_post_stratified_weighs_the_labels_by_what_the_judge_said(make_items: MakeItems) -> None:
    # of 800 passed outputs 19/20 are good, of 200 failed 3/10
    items = make_items(true_pass=19, false_pass=1, false_fail=3, true_fail=7)
    found = post_stratified(800, 200, items)
    assert found is not None
    assert found.value == pytest.approx(0.8 * 0.95 + 0.2 * 0.3)
    assert found.n == 30
    ends = wilson(19, 20, 0.025), wilson(3, 10, 0.025), wilson(800, 1000, 0.025)
    below = (0.8 * (0.95 - ends[0][0]), 0.2 * (0.3 - ends[1][0]), 0.65 * (0.8 - ends[2][0]))
    assert found.lower == pytest.approx(found.value - math.hypot(*below))
    above = (0.8 * (ends[0][1] - 0.95), 0.2 * (ends[1][1] - 0.3), 0.65 * (ends[2][1] - 0.8))
    assert found.upper == pytest.approx(found.value + math.hypot(*above))


def test_weights_that_only_say_which_verdict_was_sampled_more_change_nothing(
    make_items: MakeItems,
) -> None:
    passed = {"true_pass": 19, "false_pass": 1}
    failed = {"false_fail": 3, "true_fail": 7}
    plain = make_items(**passed, **failed)
    weighted = make_items(**passed, weight=40.0) + make_items(**failed, weight=20.0)
    assert post_stratified(800, 200, weighted) == post_stratified(800, 200, plain)


def test_weights_within_a_verdict_count(make_items: MakeItems) -> None:
    items = make_items(true_pass=15) + make_items(false_pass=5, weight=3.0)
    found = post_stratified(100, 0, items)
    assert found is not None
    assert (found.value, found.n) == pytest.approx((0.5, 15.0))


def test_labels_that_all_agree_leave_a_width(make_items: MakeItems) -> None:
    found = post_stratified(900, 100, make_items(true_pass=50, true_fail=50))
    assert found is not None
    assert found.value == pytest.approx(0.9)
    assert found.lower < 0.87
    assert found.upper > 0.91


def test_a_verdict_without_labels_cannot_be_corrected(make_items: MakeItems) -> None:
    assert post_stratified(90, 10, make_items(true_pass=20, false_pass=3)) is None
    assert post_stratified(0, 0, make_items(true_pass=20)) is None
    # but one that does not occur needs none
    found = post_stratified(90, 0, make_items(true_pass=15, false_pass=5, abstained_fail=9))
    assert found is not None
    assert found.value == 0.75


def test_negative_strata_are_refused(make_items: MakeItems) -> None:
    with pytest.raises(ValueError, match="no counts"):
        post_stratified(-1, 5, make_items(true_pass=5))


def _scored(*pairs: tuple[float, bool], weight: float = 1.0) -> list[JudgedItem]:
    return [JudgedItem(truth=truth, score=score, weight=weight) for score, truth in pairs]


def test_ppi_moves_the_labels_rate_by_how_the_scores_of_all_differ() -> None:
    # slope of label on score: 1/2 over 1/2; the labelled score .5 in the mean, all .7
    items = _scored((1.0, True), (0.0, False), (1.0, True), (0.0, False))
    found = ppi([1.0] * 7 + [0.0] * 3, items)
    assert found is not None
    assert found.value == pytest.approx(0.7)


def test_useless_scores_leave_the_labels_as_they_are() -> None:
    items = _scored(*[(0.5, True)] * 30, *[(0.5, False)] * 10)
    found = ppi([0.5] * 400, items)
    assert found is not None
    assert found.value == pytest.approx(0.75)
    assert found.n == pytest.approx(40, rel=0.06)


def test_good_scores_are_worth_labels() -> None:
    items = _scored(*[(0.9, True)] * 30, *[(0.1, False)] * 10, (0.8, False), (0.2, True))
    found = ppi([0.9] * 300 + [0.1] * 100, items)
    assert found is not None
    assert found.n > 2 * len(items)


def test_labels_that_all_pass_leave_a_width_below_1() -> None:
    found = ppi([0.9] * 300 + [0.1] * 100, _scored(*[(0.9, True)] * 50))
    assert found is not None
    assert (found.value, found.upper) == (1.0, 1.0)
    assert found.lower == pytest.approx(wilson(50, 50, 0.025)[0])


def test_ppi_needs_two_labels_with_scores() -> None:
    assert ppi([0.5, 0.6], _scored((0.5, True))) is None
    assert ppi([0.5, 0.6], [JudgedItem(truth=True, verdict=True)] * 9) is None


def test_an_arm_without_known_fails_is_rogan_gladens() -> None:
    found = corrected_arm(passed=795, judged=1000, known_fails=0, rates=RATES, alpha=0.025)
    assert found == rogan_gladen(795, 1000, RATES)
    narrower = corrected_arm(passed=795, judged=1000, known_fails=0, rates=RATES, alpha=0.05)
    assert found.lower < narrower.lower < narrower.upper < found.upper


def test_known_fails_are_fails_that_no_judge_can_turn_into_passes() -> None:
    # .8 of 1,000 judged are good, and 250 had no answer: 800 of 1,250
    found = corrected_arm(passed=760, judged=1000, known_fails=250, rates=RATES, alpha=0.025)
    assert found.value == pytest.approx(0.64)
    assert found.n == 1250
    judged_alone = rogan_gladen(760, 1000, RATES)
    assert found.lower < 0.8 * judged_alone.lower
    assert found.upper > 0.8 * judged_alone.upper


def test_an_arm_of_known_fails_alone_needs_no_judge() -> None:
    found = corrected_arm(passed=0, judged=0, known_fails=40, rates=RATES, alpha=0.025)
    assert found == Share(value=0.0, lower=0.0, upper=wilson(0, 40, 0.025)[1], n=40)


@pytest.mark.parametrize(
    ("passed", "judged", "known_fails"), [(0, 0, 0), (1, 0, 5), (6, 5, 0), (1, 5, -1)]
)
def test_arms_that_cannot_be_are_refused(passed: int, judged: int, known_fails: int) -> None:
    with pytest.raises(ValueError, match=r"no rate|no count"):
        corrected_arm(
            passed=passed, judged=judged, known_fails=known_fails, rates=RATES, alpha=0.025
        )


@pytest.mark.parametrize("judged", [0, 100])
def test_an_error_of_half_at_each_end_is_refused(judged: int) -> None:
    with pytest.raises(ValueError, match="alpha"):
        corrected_arm(passed=0, judged=judged, known_fails=9, rates=RATES, alpha=0.5)


def _by_method(rates: tuple[CorrectedRate, ...]) -> dict[str, CorrectedRate]:
    return {each.method: each for each in rates}


def _applying(rates: tuple[CorrectedRate, ...]) -> list[str]:
    return [each.method for each in rates if each.applies]


def test_labels_from_elsewhere_call_for_rogan_gladen(make_items: MakeItems) -> None:
    items = make_items(true_pass=68, false_fail=7, false_pass=15, true_fail=60)
    rates = correct_rates(items, judged=1000, passed=795, sampled_from_run=False)
    assert [each.method for each in rates] == ["naive", "rogan_gladen", "post_stratified", "ppi"]
    assert _applying(rates) == ["rogan_gladen"]
    found = _by_method(rates)
    assert found["naive"].rate == naive(795, 1000)
    assert "not a sample" in found["post_stratified"].why
    assert found["ppi"].rate is None


def test_labels_of_these_outputs_call_for_strata(make_items: MakeItems) -> None:
    items = make_items(true_pass=60, false_fail=7, false_pass=5, true_fail=30)
    rates = correct_rates(items, judged=1000, passed=795, sampled_from_run=True)
    assert _applying(rates) == ["post_stratified"]
    assert "comparison" in _by_method(rates)["rogan_gladen"].why


def test_scores_of_these_outputs_call_for_ppi() -> None:
    items = [
        JudgedItem(truth=truth, score=score, verdict=score >= 0.5)
        for score, truth in [(0.9, True), (0.7, True), (0.6, False), (0.2, False), (0.3, True)]
    ]
    scores = [0.9, 0.7, 0.6, 0.2, 0.3, 0.8, 0.8]
    rates = correct_rates(items, judged=7, passed=5, sampled_from_run=True, scores=scores)
    assert _applying(rates) == ["ppi"]
    elsewhere = correct_rates(items, judged=7, passed=5, sampled_from_run=False, scores=scores)
    assert _applying(elsewhere) == ["rogan_gladen"]
    assert "not a sample" in _by_method(elsewhere)["ppi"].why


def test_a_verdict_that_nobody_labelled_leaves_rogan_gladen(make_items: MakeItems) -> None:
    items = make_items(true_pass=20, false_pass=5)
    rates = correct_rates(items, judged=100, passed=90, sampled_from_run=True)
    # neither TPR nor FPR below 1 was seen, so J is 0
    assert _applying(rates) == []
    found = _by_method(rates)
    assert "without any label" in found["post_stratified"].why
    assert "chance" in found["rogan_gladen"].why


def test_a_judge_no_better_than_chance_has_no_corrected_rate(make_items: MakeItems) -> None:
    items = make_items(true_pass=40, false_fail=35, false_pass=50, true_fail=25)
    rates = correct_rates(items, judged=1000, passed=795, sampled_from_run=False)
    assert _applying(rates) == []
    assert _by_method(rates)["rogan_gladen"].rate is None


def test_without_fails_among_the_labels_nothing_tells_the_error_rates(
    make_items: MakeItems,
) -> None:
    rates = correct_rates(make_items(true_pass=40), judged=9, passed=9, sampled_from_run=False)
    assert _by_method(rates)["rogan_gladen"].rate is None
    assert "both kinds" in _by_method(rates)["rogan_gladen"].why
