"""Probabilities of scores: Platt's sigmoid and isotonic regression."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import isotonic_regression, minimize

from evalkit.judge.probabilities import ScoredLabel, fit_isotonic, fit_platt

many = settings(max_examples=80, deadline=None, derandomize=True)
WEIGHT = st.sampled_from([0.5, 1.0, 4.0])
LABEL = st.tuples(st.floats(-10, 10).map(lambda x: round(x, 2)), st.booleans(), WEIGHT)
LABELS = st.lists(LABEL, min_size=1, max_size=40)


def test_two_scores_get_platts_smoothed_shares() -> None:
    labels = [(1.0, True, 1.0)] * 3 + [(0.0, False, 1.0)] * 2
    predict = fit_platt(labels)
    assert predict(1.0) == pytest.approx(4 / 5)  # (3 + 1) / (3 + 2)
    assert predict(0.0) == pytest.approx(1 / 4)  # 1 / (2 + 2)
    assert predict(0.5) == pytest.approx(1 / (1 + math.exp(-(math.log(4) - math.log(3)) / 2)))


def test_platts_fit_is_the_maximum_that_scipy_finds() -> None:
    rng = np.random.default_rng(3)
    scores = rng.normal(50, 12, 400)
    truths = rng.random(400) < 1 / (1 + np.exp(-(scores - 47) / 6))
    predict = fit_platt([(float(s), bool(t), 1.0) for s, t in zip(scores, truths, strict=True)])
    passes = int(truths.sum())
    targets = np.where(truths, (passes + 1) / (passes + 2), 1 / (400 - passes + 2))
    x = (scores - 50) / 12

    def loss(ab: np.ndarray) -> float:
        z = ab[0] * x + ab[1]
        return float(np.sum(np.logaddexp(0, z) - targets * z))

    a, b = minimize(loss, np.zeros(2), tol=1e-12).x
    for score in (20.0, 45.0, 50.0, 80.0):
        theirs = 1 / (1 + math.exp(-(a * (score - 50) / 12 + b)))
        assert predict(score) == pytest.approx(theirs, abs=1e-5)


def test_scores_that_part_labels_without_error_do_not_make_certainty() -> None:
    labels = [(float(i), i >= 10, 1.0) for i in range(20)]
    predict = fit_platt(labels)
    assert 0 < predict(0.0) < 0.1 < 0.9 < predict(19.0) < 1
    assert 0 <= predict(-1e9) < 1e-6 and 1 >= predict(1e9) > 1 - 1e-6


def test_one_score_for_all_gets_one_probability() -> None:
    predict = fit_platt([(3.0, True, 1.0), (3.0, True, 1.0), (3.0, False, 1.0)])
    assert predict(3.0) == predict(9.0) == pytest.approx((2 * 3 / 4 + 1 / 3) / 3)


def test_a_sigmoid_needs_both_kinds_and_an_isotonic_fit_some() -> None:
    with pytest.raises(ValueError, match="both kinds"):
        fit_platt([(1.0, True, 1.0)])
    with pytest.raises(ValueError, match="nothing"):
        fit_isotonic([])


def test_neighbours_out_of_order_are_pooled_and_gaps_interpolated() -> None:
    labels = [(s, t, 1.0) for s, t in zip((1, 2, 3, 4, 6), (0, 1, 0, 1, 1), strict=True)]
    predict = fit_isotonic([(float(s), bool(t), w) for s, t, w in labels])
    assert [predict(s) for s in (0, 1, 2, 2.5, 3, 4, 5, 6, 9)] == [
        0, 0, 0.5, 0.5, 0.5, 1, 1, 1, 1,
    ]  # fmt: skip
    assert predict(1.5) == pytest.approx(0.25)


@many
@given(LABELS)
def test_an_isotonic_fit_is_that_of_scipy(labels: list[ScoredLabel]) -> None:
    scores = sorted({score for score, _, _ in labels})
    weights = [sum(w for s, _, w in labels if s == score) for score in scores]
    passes = [sum(w for s, t, w in labels if s == score and t) for score in scores]
    shares = [p / w for p, w in zip(passes, weights, strict=True)]
    theirs = isotonic_regression(shares, weights=weights).x
    predict = fit_isotonic(labels)
    assert [predict(score) for score in scores] == pytest.approx(list(theirs))


@many
@given(LABELS.filter(lambda labels: len({truth for _, truth, _ in labels}) == 2))
def test_a_sigmoid_is_finite_monotone_and_indifferent_to_units(labels: list[ScoredLabel]) -> None:
    predict = fit_platt(labels)
    other = fit_platt([(1000 * score + 5, truth, 3 * weight) for score, truth, weight in labels])
    scores = sorted({score for score, _, _ in labels})
    found = [predict(score) for score in scores]
    assert all(0 < p < 1 for p in found)
    assert found in (sorted(found), sorted(found, reverse=True))
    assert [other(1000 * score + 5) for score in scores] == pytest.approx(found, abs=1e-6)
