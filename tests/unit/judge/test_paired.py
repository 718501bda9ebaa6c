"""The drop from labels on both arms: worked examples, and what too few labels tell."""

import pytest

from evalkit.judge.paired import MINIMUM_LABELLED, PairedCase, paired_drop
from evalkit.judge.predictions import Predicted, predicted_mean
from evalkit.statistics.distributions import normal_quantile

# as many flips each way as the judge sees, of 100 labelled cases
FLIPS = [1.0] * 10 + [-1.0] * 5 + [0.0] * 85


def _labelled(judged: list[float], labelled: list[float]) -> list[PairedCase]:
    return [PairedCase(judged=j, labelled=d) for j, d in zip(judged, labelled, strict=True)]


def test_a_judge_that_is_always_right_counts_all_cases() -> None:
    cases = _labelled(FLIPS, FLIPS) + [PairedCase(judged=0.0)] * 400
    found = paired_drop(cases, alpha=0.05)
    assert found is not None
    assert found.drop == pytest.approx(5 / 500)


def test_a_judge_that_is_no_help_leaves_the_labels() -> None:
    cases = _labelled([0.0] * 100, FLIPS) + [PairedCase(judged=0.0)] * 400
    found = paired_drop(cases, alpha=0.05)
    assert found is not None
    assert found.drop == pytest.approx(0.05)


def test_what_the_judge_gets_wrong_on_one_arm_is_taken_out() -> None:
    # it passes 20 more of the candidate than the labels do, and so it does beyond them
    judged = [-1.0] * 20 + [0.0] * 80
    cases = _labelled(judged, [0.0] * 100)
    cases += [PairedCase(judged=-1.0)] * 80 + [PairedCase(judged=0.0)] * 320
    found = paired_drop(cases, alpha=0.05)
    assert found is not None
    assert found.drop == pytest.approx(0.0)


def test_weights_undo_that_flipped_verdicts_were_sampled_more() -> None:
    # 100 of 1,000 verdicts flipped: 50 of them are labelled, and half of these are right
    cases = [PairedCase(judged=1.0, labelled=1.0, weight=2.0)] * 25
    cases += [PairedCase(judged=1.0, labelled=0.0, weight=2.0)] * 25
    cases += [PairedCase(judged=0.0, labelled=0.0, weight=18.0)] * 50
    cases += [PairedCase(judged=1.0)] * 50 + [PairedCase(judged=0.0)] * 850
    found = paired_drop(cases, alpha=0.05)
    assert found is not None
    assert found.drop == pytest.approx(0.05)


def test_labels_without_a_flip_leave_a_width() -> None:
    cases = _labelled([0.0] * 60, [0.0] * 60) + [PairedCase(judged=0.0)] * 400
    found = paired_drop(cases, alpha=0.05)
    assert found is not None
    unseen = normal_quantile(0.05) ** 2 / (60 + normal_quantile(0.05) ** 2)
    assert (found.drop, found.lower, found.upper) == pytest.approx((0.0, -unseen, unseen))


def test_cases_of_one_document_count_less() -> None:
    alone = [
        PairedCase(judged=d, labelled=d, group=i) for i, d in enumerate([1.0] * 20 + [0.0] * 80)
    ]
    together = [
        PairedCase(judged=d, labelled=d, group=i // 10)
        for i, d in enumerate([1.0] * 20 + [0.0] * 80)
    ]
    by_case, by_document = paired_drop(alone, alpha=0.05), paired_drop(together, alpha=0.05)
    assert by_case is not None
    assert by_document is not None
    assert by_document.drop == by_case.drop
    assert by_document.upper - by_document.lower > 2 * (by_case.upper - by_case.lower)


def test_too_few_labelled_cases_tell_nothing() -> None:
    labelled = PairedCase(judged=0.0, labelled=0.0)
    cases = [labelled] * (MINIMUM_LABELLED - 1) + [PairedCase(judged=0.0)] * 500
    assert paired_drop([], alpha=0.05) is None
    assert paired_drop(cases, alpha=0.05) is None
    assert paired_drop([*cases, labelled], alpha=0.05) is not None


def test_labels_of_one_document_alone_tell_nothing() -> None:
    cases = [PairedCase(judged=0.0, labelled=0.0, group="one")] * 80
    assert paired_drop(cases, alpha=0.05) is None


def test_an_alpha_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match="alpha"):
        paired_drop([], alpha=0.7)


def test_power_is_the_slope_of_label_on_prediction() -> None:
    cases = [Predicted(prediction=f, label=0.25 + 0.5 * f) for f in (0.0, 0.2, 0.6, 1.0)]
    found = predicted_mean([*cases, *[Predicted(prediction=1.0)] * 4])
    assert found is not None
    assert found.power == pytest.approx(0.5)
    assert found.value == pytest.approx(0.25 + 0.5 * (1.8 + 4) / 8)
