"""The distributions agree with scipy's."""

import pytest
from scipy import stats

from evalkit.statistics.distributions import (
    normal_quantile,
    normal_tail,
    sign_tail,
    student_quantile,
    student_tail,
)


@pytest.mark.parametrize("df", [1, 2, 3, 4, 7, 30, 199, 1999, 10_000])
@pytest.mark.parametrize("tail", [0.5, 0.4, 0.05, 0.025, 0.01, 1e-6, 0.9])
def test_student_quantile_is_that_of_scipy(df: int, tail: float) -> None:
    assert student_quantile(tail, df) == pytest.approx(stats.t.isf(tail, df), rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("df", [1, 2, 5, 87, 1999])
@pytest.mark.parametrize("t", [-40.0, -1.7, 0.0, 0.3, 2.0, 9.0])
def test_student_tail_is_that_of_scipy(df: int, t: float) -> None:
    assert student_tail(t, df) == pytest.approx(stats.t.sf(t, df), rel=1e-9)


@pytest.mark.parametrize("tail", [0.3, 0.05, 0.01])
def test_normal_quantile_inverts_the_normal_tail(tail: float) -> None:
    assert normal_quantile(tail) == pytest.approx(stats.norm.isf(tail))
    assert normal_tail(normal_quantile(tail)) == pytest.approx(tail)


@pytest.mark.parametrize(("successes", "trials"), [(0, 0), (1, 0), (5, 5), (37, 67), (900, 1700)])
def test_sign_tail_is_the_binomial_tail(successes: int, trials: int) -> None:
    expected = stats.binom.sf(successes - 1, trials, 0.5)
    assert sign_tail(successes, trials) == pytest.approx(expected, rel=1e-9)
