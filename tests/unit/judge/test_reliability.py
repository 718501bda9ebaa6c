"""How far a score tells the probability of a pass: bins, ECE, Brier score, AUC."""

import random
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import mannwhitneyu

from evalkit.judge.items import JudgedItem
from evalkit.judge.reliability import (
    area_under_curve,
    brier_score,
    equal_mass_bins,
    measure_reliability,
)
from evalkit.records.label import LabelPart

many = settings(max_examples=100, deadline=None, derandomize=True)


def _level(
    score: float, passes: int, fails: int, part: LabelPart, weight: float = 1.0
) -> list[JudgedItem]:
    return [
        JudgedItem(truth=truth, score=score, weight=weight, part=part)
        for truth, number in ((True, passes), (False, fails))
        for _ in range(number)
    ]


# 1,000 tuning labels: isotonic regression predicts .2 at score 0 and .8 at score 1
TUNING = _level(0, 100, 400, "tuning") + _level(1, 400, 100, "tuning")
TEST = _level(0, 5, 15, "test") + _level(1, 12, 8, "test")


def test_figures_of_two_levels_worked_out_by_hand() -> None:
    found = measure_reliability([*TUNING, *TEST])
    assert found is not None
    assert found.method == "isotonic"
    assert [(b.n, b.lowest, b.highest) for b in found.bins] == [(20, 0, 0), (20, 1, 1)]
    assert [b.predicted for b in found.bins] == pytest.approx([0.2, 0.8])
    assert [b.observed.value for b in found.bins] == pytest.approx([0.25, 0.6])
    assert found.ece == pytest.approx((0.05 + 0.2) / 2)
    assert found.brier == pytest.approx((5 * 0.64 + 15 * 0.04 + 12 * 0.04 + 8 * 0.64) / 40)
    assert found.auc == pytest.approx((12 * 15 + (5 * 15 + 12 * 8) / 2) / (17 * 23))


def test_fewer_tuning_labels_are_fitted_by_a_sigmoid() -> None:
    found = measure_reliability([*TUNING[1:], *TEST])
    assert found is not None
    assert found.method == "platt"
    assert [b.predicted for b in found.bins] == pytest.approx([0.2, 0.8], abs=0.003)


def test_unequal_weights_leave_fewer_effective_labels_to_fit_by() -> None:
    heavy = _level(1, 1, 0, "tuning", weight=100.0)
    found = measure_reliability([*TUNING, *heavy, *TEST])
    assert found is not None
    assert found.method == "platt"


def test_a_weight_counts_like_as_many_items() -> None:
    weighted = _level(0, 5, 15, "test", weight=3.0) + _level(1, 12, 8, "test")
    repeated = 3 * _level(0, 5, 15, "test") + _level(1, 12, 8, "test")
    by_weight = measure_reliability([*TUNING, *weighted])
    by_number = measure_reliability([*TUNING, *repeated])
    assert by_weight is not None and by_number is not None
    for figure in ("ece", "brier", "auc"):
        assert getattr(by_weight, figure) == pytest.approx(getattr(by_number, figure))
    assert by_weight.bins[0].observed.n == 20  # heavy labels are no more labels


@pytest.mark.parametrize(
    "items",
    [
        [],
        TUNING,
        TEST,
        [*_level(0, 30, 0, "tuning"), *TEST],
        [*TUNING, JudgedItem(truth=True, verdict=True)],
    ],
)
def test_nothing_to_fit_or_to_hold_against_it_is_no_reliability(items: list[JudgedItem]) -> None:
    assert measure_reliability(items) is None


def test_a_test_part_of_one_kind_has_a_brier_score_but_no_auc() -> None:
    found = measure_reliability([*TUNING, *_level(1, 4, 0, "test")])
    assert found is not None
    assert found.auc is None
    assert (found.brier, found.ece) == (pytest.approx(0.04), pytest.approx(0.2))
    assert len(found.bins) == 1


def test_bins_of_many_scores_are_equally_heavy() -> None:
    rng = random.Random(5)
    items = [
        JudgedItem(truth=rng.random() < i / 4000, score=i / 4000, part=part)
        for i in range(4000)
        for part in ("tuning", "test")
    ]
    found = measure_reliability(items)
    assert found is not None
    assert [b.n for b in found.bins] == [400] * 10
    assert found.ece < 0.03
    edges = [edge for b in found.bins for edge in (b.lowest, b.highest)]
    assert edges == sorted(edges)


def test_a_heavy_score_does_not_split_those_after_it_too_finely() -> None:
    judged = [(0.0, 0.1, False, 60.0)] + [(float(i), 0.5, True, 1.0) for i in range(1, 41)]
    sizes = [len(bin_) for bin_ in equal_mass_bins(judged, 10)]
    assert sizes == [1, 10, 10, 10, 10]


LABELS = st.lists(
    st.tuples(st.integers(0, 8).map(float), st.booleans(), st.just(1.0)), min_size=2, max_size=40
).filter(lambda labels: len({truth for _, truth, _ in labels}) == 2)


@many
@given(LABELS)
def test_the_area_is_the_share_of_pairs_that_scipy_counts(
    labels: list[tuple[float, bool, float]],
) -> None:
    passes = [score for score, truth, _ in labels if truth]
    fails = [score for score, truth, _ in labels if not truth]
    theirs = mannwhitneyu(passes, fails).statistic / (len(passes) * len(fails))
    assert area_under_curve(labels) == pytest.approx(theirs)


def test_pairs_weigh_as_much_as_both_of_their_items() -> None:
    labels = [(2.0, True, 3.0), (1.0, True, 1.0), (1.0, False, 2.0), (3.0, False, 1.0)]
    # won: 3*2 below the pass of 2, and half of 1*2; of pairs 4*3
    assert area_under_curve(labels) == pytest.approx((6 + 1) / 12)


def test_the_brier_score_of_a_coin_is_a_quarter() -> None:
    assert brier_score([(0.0, 0.5, True, 1.0), (0.0, 0.5, False, 7.0)]) == 0.25


@many
@given(
    st.lists(
        st.tuples(st.integers(0, 20).map(float), st.sampled_from([0.5, 1.0, 5.0])),
        min_size=1,
        max_size=60,
    ),
    st.integers(1, 10),
)
def test_bins_hold_every_item_once_in_order_and_split_no_score(
    scored: list[tuple[float, float]], most: int
) -> None:
    judged = [(score, 0.5, True, weight) for score, weight in sorted(scored)]
    bins = equal_mass_bins(judged, most)
    assert [item for bin_ in bins for item in bin_] == judged
    assert 1 <= len(bins) <= most
    assert all(a[-1][0] < b[0][0] for a, b in pairwise(bins))
