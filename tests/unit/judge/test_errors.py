"""A judge's error rates and their intervals."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evalkit.judge.errors import (
    confusion_of,
    error_rates,
    kish,
    rate_shares,
    share_of,
    weighted_rate,
    without_verdict,
)
from evalkit.judge.items import ErrorRates, JudgedItem
from evalkit.records.calibration import Confusion
from tests.unit.judge.conftest import MakeItems

many = settings(max_examples=100, deadline=None, derandomize=True)
WEIGHTS = st.lists(st.floats(0.05, 20), max_size=30)


def test_the_confusion_table_adds_up_weights(make_items: MakeItems) -> None:
    items = make_items(true_pass=3, false_fail=1, abstained_fail=2)
    items += make_items(false_pass=1, true_fail=4, abstained_pass=1, weight=0.5)
    assert confusion_of(items) == Confusion(
        true_pass=3,
        false_fail=1,
        false_pass=0.5,
        true_fail=2,
        abstained_pass=0.5,
        abstained_fail=2,
    )


def test_items_without_a_verdict_are_in_no_error_rate(make_items: MakeItems) -> None:
    items = make_items(true_pass=9, false_fail=1, false_pass=2, true_fail=8, abstained_pass=50)
    rates = error_rates(items)
    assert rates == ErrorRates(tpr=0.9, fpr=0.2, n_pass=10, n_fail=10)
    assert rates is not None
    assert rates.youden == pytest.approx(0.7)


def test_labels_of_one_kind_give_no_error_rates(make_items: MakeItems) -> None:
    assert error_rates(make_items(true_pass=30, abstained_fail=5)) is None
    assert error_rates(make_items(true_fail=30)) is None
    assert error_rates([]) is None


@pytest.mark.parametrize(
    ("passes", "n", "lower", "upper"),
    [
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_a_rate_has_wilsons_interval_as_newcombe_printed_it(
    passes: int, n: int, lower: float, upper: float
) -> None:
    share = share_of(passes / n, n)
    assert (share.lower, share.upper) == pytest.approx((lower, upper), abs=5e-5)


@pytest.mark.parametrize(
    ("first", "second", "lower", "upper"),
    [
        ((56, 70), (48, 80), 0.0524, 0.3339),
        ((9, 10), (3, 10), 0.1705, 0.8090),
        ((6, 7), (2, 7), 0.0582, 0.8062),
        ((5, 56), (0, 29), -0.0381, 0.1926),
        ((0, 10), (0, 10), -0.2775, 0.2775),
        ((10, 10), (0, 10), 0.6075, 1.0),
    ],
)
def test_j_has_the_interval_of_a_difference_as_newcombe_printed_it(
    first: tuple[int, int], second: tuple[int, int], lower: float, upper: float
) -> None:
    rates = ErrorRates(
        tpr=first[0] / first[1], fpr=second[0] / second[1], n_pass=first[1], n_fail=second[1]
    )
    youden = rate_shares(rates)[2]
    assert (youden.lower, youden.upper) == pytest.approx((lower, upper), abs=5e-5)


def test_a_judge_without_fault_still_has_intervals_with_a_width() -> None:
    tpr, tnr, youden = rate_shares(ErrorRates(tpr=1.0, fpr=0.0, n_pass=50, n_fail=50))
    for share in (tpr, tnr, youden):
        assert share.value == share.upper == 1
        assert 0.85 < share.lower < 0.95


def test_equal_weights_are_plain_counts_to_the_last_digit() -> None:
    # 0.1 * 3 / (0.1 * 30) is above 0.1 in floats, and a floor of .1 has to hold
    assert weighted_rate([0.1] * 3, [0.1] * 27) == (0.1, 30.0)


def test_the_effective_number_gives_the_variance_of_the_weighted_rate() -> None:
    hits, misses = [1.0] * 40 + [5.0] * 4, [1.0] * 6 + [5.0] * 10
    found = weighted_rate(hits, misses)
    assert found is not None
    rate, n = found
    total = sum(hits) + sum(misses)
    spread = sum((w * (1 - rate)) ** 2 for w in hits) + sum((w * rate) ** 2 for w in misses)
    assert rate == pytest.approx(sum(hits) / total)
    assert rate * (1 - rate) / n == pytest.approx(spread / total**2)
    assert n < len(hits) + len(misses)


def test_kish_of_equal_and_of_unequal_weights() -> None:
    assert kish([2.5] * 8) == 8
    assert kish([1, 1, 2]) == pytest.approx(16 / 6)
    assert kish([]) == 0


def test_the_abstained_share_is_weighted_and_a_score_is_no_abstention(
    make_items: MakeItems,
) -> None:
    items = make_items(abstained_pass=2, weight=0.5) + make_items(true_fail=3)
    assert without_verdict(items) == pytest.approx(1 / 4)
    assert without_verdict([JudgedItem(truth=True, score=2.0)]) == 0
    assert without_verdict([]) == 0


@many
@given(WEIGHTS, WEIGHTS, st.floats(0.01, 100))
def test_a_weighted_rate_ignores_the_scale_of_weights(
    hits: list[float], misses: list[float], scale: float
) -> None:
    found = weighted_rate(hits, misses)
    scaled = weighted_rate([scale * w for w in hits], [scale * w for w in misses])
    assert (found is None) == (scaled is None) == (not hits and not misses)
    if found is not None:
        assert scaled == pytest.approx(found)
        assert 0 <= found[0] <= 1
        assert 0 < found[1] <= len(hits) + len(misses) + 1e-9
        share = share_of(*found)
        assert 0 <= share.lower <= share.value <= share.upper <= 1
        assert math.isfinite(share.n)
