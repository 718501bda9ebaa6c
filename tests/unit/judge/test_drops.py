"""The corrected drop: worked examples, its interval and the p that belongs to it."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evalkit.judge.drops import corrected_drop, p_value
from evalkit.judge.items import ErrorRates
from evalkit.records.verdict import Estimate
from evalkit.statistics.distributions import normal_quantile, normal_tail

RATES = ErrorRates(tpr=0.9, fpr=0.2, n_pass=75, n_fail=75)
KNOWN = ErrorRates(tpr=0.9, fpr=0.2, n_pass=1e12, n_fail=1e12)
many = settings(max_examples=200, deadline=None, derandomize=True)
fractions = st.floats(min_value=-1, max_value=1)


def _raw(drop: float, lower: float, upper: float) -> Estimate:
    return Estimate(drop=drop, lower=lower, upper=upper)


def test_three_points_show_as_three_times_j() -> None:
    found = corrected_drop(_raw(0.021, 0.007, 0.035), KNOWN, alpha=0.05)
    assert (found.drop, found.lower, found.upper) == pytest.approx((0.03, 0.01, 0.05))


def test_the_raw_intervals_asymmetry_is_kept() -> None:
    found = corrected_drop(_raw(0.0, -0.014, 0.042), KNOWN, alpha=0.05)
    assert (found.lower, found.upper) == pytest.approx((-0.02, 0.06))


def test_unsure_error_rates_widen_it_by_the_size_of_the_drop() -> None:
    none = corrected_drop(_raw(0.0, -0.014, 0.014), RATES, alpha=0.05)
    assert (none.lower, none.upper) == pytest.approx((-0.02, 0.02))
    large = corrected_drop(_raw(0.14, 0.126, 0.154), RATES, alpha=0.05)
    # se^2 = (se_raw^2 + drop^2 Var J) / J^2, with a hit and a miss added to either rate
    tpr, fpr = (67.5 + 1) / 77, (15 + 1) / 77
    of_j = (tpr * (1 - tpr) + fpr * (1 - fpr)) / 77
    half = math.hypot(0.014, 0.2 * normal_quantile(0.05) * math.sqrt(of_j)) / 0.7
    assert large.upper - large.drop == pytest.approx(half)
    assert large.drop - large.lower == pytest.approx(half)


def test_attempts_that_only_the_candidate_could_not_answer_are_no_false_passes() -> None:
    # baseline .8, all judged: shows .9 * .8 + .2 * .2 = .76; of the candidate a tenth has no
    # answer, and of the judged .8 are good: it shows .9 * .76; the true drop is .8 - .72
    raw = 0.76 - 0.9 * 0.76
    found = corrected_drop(_raw(raw, raw, raw), KNOWN, alpha=0.05, judged_excess=0.1)
    assert found.drop == pytest.approx(0.08)


def test_the_fpr_counts_by_the_excess_where_fewer_were_judged() -> None:
    tight = _raw(0.02, 0.02, 0.02)
    found = corrected_drop(tight, RATES, alpha=0.05, judged_excess=0.1)
    assert found.drop == pytest.approx(0.0)
    fpr = (15 + 1) / 77
    half = normal_quantile(0.05) * 0.1 / 0.7 * math.sqrt(fpr * (1 - fpr) / 77)
    assert (found.lower, found.upper) == pytest.approx((-half, half))


def test_a_judge_that_was_never_seen_to_err_is_not_taken_for_infallible() -> None:
    rates = ErrorRates(tpr=1.0, fpr=0.0, n_pass=50, n_fail=50)
    found = corrected_drop(_raw(0.2, 0.2, 0.2), rates, alpha=0.05)
    assert found.drop == pytest.approx(0.2)
    assert found.lower < 0.2 < found.upper


@pytest.mark.parametrize(("tpr", "fpr"), [(0.4, 0.4), (0.3, 0.6), (0.0, 0.0)])
def test_a_judge_no_better_than_chance_shows_no_drop(tpr: float, fpr: float) -> None:
    rates = ErrorRates(tpr=tpr, fpr=fpr, n_pass=75, n_fail=75)
    with pytest.raises(ValueError, match="chance"):
        corrected_drop(_raw(0.0, -0.1, 0.1), rates, alpha=0.05)


def test_labels_of_one_kind_and_an_alpha_that_is_none_are_refused() -> None:
    with pytest.raises(ValueError, match="one kind"):
        corrected_drop(
            _raw(0.0, -0.1, 0.1),
            ErrorRates(tpr=0.9, fpr=0.0, n_pass=75, n_fail=0),
            alpha=0.05,
        )
    with pytest.raises(ValueError, match="alpha"):
        corrected_drop(_raw(0.0, -0.1, 0.1), RATES, alpha=0.5)
    with pytest.raises(ValueError, match="alpha"):
        p_value(_raw(0.0, -0.1, 0.1), alpha=0.0)


@given(ends=st.tuples(fractions, fractions, fractions), excess=fractions)
@many
def test_the_ends_stay_within_minus_1_and_1_around_the_drop(
    ends: tuple[float, float, float], excess: float
) -> None:
    lower, drop, upper = sorted(ends)
    found = corrected_drop(_raw(drop, lower, upper), RATES, alpha=0.05, judged_excess=excess)
    assert -1 <= found.lower <= found.drop <= found.upper <= 1


@given(ends=st.tuples(fractions, fractions, fractions), alpha=st.sampled_from([0.05, 0.025, 0.01]))
@many
def test_p_is_below_alpha_just_where_the_interval_is_above_0(
    ends: tuple[float, float, float], alpha: float
) -> None:
    lower, drop, upper = sorted(ends)
    p = p_value(_raw(drop, lower, upper), alpha=alpha)
    assert 0 <= p <= 1
    assert (p < alpha) == (lower > 0)


def test_p_is_the_normal_tail_of_the_drop_over_its_error() -> None:
    z = normal_quantile(0.05)
    estimate = _raw(0.03, 0.03 - z * 0.01, 0.03 + z * 0.02)
    assert p_value(estimate, alpha=0.05) == pytest.approx(normal_tail(3.0))


def test_an_end_of_just_0_is_no_drop_at_alpha() -> None:
    assert p_value(_raw(0.03, 0.0, 0.06), alpha=0.05) == pytest.approx(0.05)
    assert not p_value(_raw(0.03, 0.0, 0.06), alpha=0.05) < 0.05
    assert p_value(_raw(0.0, 0.0, 0.1), alpha=0.05) == 1.0
