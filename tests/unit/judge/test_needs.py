"""How many labels are missing until a corrected pass rate is known well enough."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evalkit.judge.errors import share_of
from evalkit.judge.items import ErrorRates
from evalkit.judge.needs import corrected_width, missing_labels, missing_of_run
from evalkit.judge.rates import rogan_gladen
from evalkit.records.calibration import Share

many = settings(max_examples=100, deadline=None, derandomize=True)
RATES = ErrorRates(tpr=0.9, fpr=0.2, n_pass=70, n_fail=30)


def _with_labels(more: int) -> ErrorRates:
    """`RATES` by so many labels more, in the same mix."""
    return ErrorRates(tpr=0.9, fpr=0.2, n_pass=70 + 0.7 * more, n_fail=30 + 0.3 * more)


def test_the_width_is_that_of_the_interval_that_is_shown() -> None:
    share = rogan_gladen(690, 1000, RATES)
    assert 0 < share.lower < share.upper < 1
    assert corrected_width(RATES, 0.69, 1000) == pytest.approx(share.upper - share.lower)


def test_with_many_labels_the_width_is_rogan_and_gladens() -> None:
    rates = ErrorRates(tpr=0.9, fpr=0.2, n_pass=70_000, n_fail=30_000)
    true_rate = (0.69 - 0.2) / 0.7
    variance = 0.69 * 0.31 / 1e6 + true_rate**2 * 0.09 / 70_000 + (1 - true_rate) ** 2 * 0.16 / 3e4
    expected = 2 * 1.959964 * math.sqrt(variance) / 0.7
    assert corrected_width(rates, 0.69, 1_000_000) == pytest.approx(expected, rel=1e-3)


def test_the_missing_labels_are_the_fewest_that_reach_the_width() -> None:
    missing = missing_labels(RATES, 0.69, 0.12, judged=2000)
    assert missing is not None and missing > 0
    assert corrected_width(_with_labels(missing), 0.69, 2000) <= 0.12
    assert corrected_width(_with_labels(missing - 1), 0.69, 2000) > 0.12


def test_half_the_width_takes_about_four_times_the_labels() -> None:
    now = corrected_width(RATES, 0.69, 1e9)
    missing = missing_labels(RATES, 0.69, now / 2, judged=1e9)
    assert missing is not None
    # not quite 300: what Lang & Reiczigel add to every count weighs less and less
    assert 260 <= missing <= 300


def test_a_width_that_is_reached_misses_no_label() -> None:
    assert missing_labels(RATES, 0.69, 0.5, judged=1000) == 0


def test_too_few_judged_outputs_are_made_up_for_by_no_number_of_labels() -> None:
    assert missing_labels(RATES, 0.69, 0.05, judged=300) is None
    assert missing_labels(RATES, 0.69, 0.05, judged=300, judged_grows=True) is not None


@pytest.mark.parametrize(
    "rates",
    [
        ErrorRates(tpr=0.4, fpr=0.4, n_pass=50, n_fail=50),
        ErrorRates(tpr=0.3, fpr=0.6, n_pass=50, n_fail=50),
    ],
)
def test_a_judge_no_better_than_chance_is_helped_by_no_label(rates: ErrorRates) -> None:
    assert missing_labels(rates, 0.5, 0.1, judged=1000) is None


def test_a_width_is_above_zero() -> None:
    with pytest.raises(ValueError, match="width"):
        missing_labels(RATES, 0.5, 0.0, judged=100)
    with pytest.raises(ValueError, match="width"):
        missing_of_run(Share(value=0.5, lower=0.4, upper=0.6, n=80), 0, labels=80, judged=900)


def test_a_sample_of_the_run_misses_what_halves_its_interval() -> None:
    # labels are what matters while the run is much larger than they are
    share = Share(value=0.8, lower=0.75, upper=0.85, n=100)
    missing = missing_of_run(share, 0.05, labels=100, judged=1_000_000)
    assert missing is not None
    assert 300 <= missing <= 305
    assert missing_of_run(share, 0.1, labels=100, judged=1_000_000) == 0


def test_a_sample_of_the_run_can_at_most_become_all_of_it() -> None:
    share = Share(value=0.8, lower=0.72, upper=0.88, n=100)
    whole = share_of(0.8, 400)
    least = whole.upper - whole.lower
    assert missing_of_run(share, least * 0.99, labels=100, judged=400) is None
    assert missing_of_run(share, least * 1.0001, labels=100, judged=400) in (299, 300)
    assert missing_of_run(share, 0.05, labels=400, judged=400) is None


@many
@given(
    st.floats(0.55, 1),
    st.floats(0, 0.45),
    st.integers(20, 400),
    st.integers(20, 400),
    st.floats(0, 1),
    st.sampled_from([0.02, 0.1, 0.3]),
    st.booleans(),
)
def test_a_narrower_interval_never_takes_fewer_labels(
    tpr: float, fpr: float, n_pass: int, n_fail: int, seen: float, width: float, grows: bool
) -> None:
    rates = ErrorRates(tpr=tpr, fpr=fpr, n_pass=n_pass, n_fail=n_fail)
    wide = missing_labels(rates, seen, width, judged=1000, judged_grows=grows)
    narrow = missing_labels(rates, seen, width / 2, judged=1000, judged_grows=grows)
    if narrow is not None:
        assert wide is not None and wide <= narrow
