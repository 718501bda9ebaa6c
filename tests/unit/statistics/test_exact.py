"""The exact tests agree with published examples, scipy and brute force."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from evalkit.statistics.exact import fisher_exact, mcnemar_two_sided

counts = st.integers(min_value=0, max_value=40)
many = settings(max_examples=200, deadline=None, derandomize=True)


def test_fisher_of_the_lady_tasting_tea() -> None:
    # 3 of 4 cups right: two-sided (1 + 16 + 16 + 1) / 70
    assert fisher_exact(3, 1, 1, 3) == pytest.approx(34 / 70)


def test_fisher_of_the_convicted_twins() -> None:
    # Fisher's own (1962), as in R's help: 2 of 17 against 10 of 13
    assert fisher_exact(2, 15, 10, 3) == pytest.approx(0.0005367, abs=5e-8)


@given(a=counts, b=counts, c=counts, d=counts)
@many
def test_fisher_is_that_of_scipy(a: int, b: int, c: int, d: int) -> None:
    theirs = float(stats.fisher_exact([[a, b], [c, d]]).pvalue)
    assert fisher_exact(a, b, c, d) == pytest.approx(theirs, rel=1e-6)


@pytest.mark.parametrize("odds", [0.2, 1.0, 3.5])
@pytest.mark.parametrize("cells", [(3, 9, 7, 2), (0, 12, 5, 9), (40, 3, 31, 12)])
def test_fisher_with_odds_sums_the_noncentral_tables(
    cells: tuple[int, int, int, int], odds: float
) -> None:
    a, b, c, d = cells
    tables = stats.nchypergeom_fisher(a + b + c + d, a + b, a + c, odds)
    support = range(max(0, a - d), min(a + b, a + c) + 1)
    limit = tables.pmf(a) * (1 + 1e-6)
    expected = sum(tables.pmf(x) for x in support if tables.pmf(x) <= limit)
    assert fisher_exact(a, b, c, d, odds=odds) == pytest.approx(expected, rel=1e-6)


def test_fisher_expects_the_odds_that_it_is_given() -> None:
    # odds of 30:10 against 10:30 are just what was expected
    assert fisher_exact(30, 10, 10, 30, odds=9.0) == pytest.approx(1.0)
    assert fisher_exact(30, 10, 10, 30) < 1e-4


@pytest.mark.parametrize("cells", [(0, 0, 0, 0), (5, 3, 0, 0), (5, 0, 9, 0), (0, 7, 0, 2)])
def test_a_table_with_an_empty_margin_tells_nothing(cells: tuple[int, int, int, int]) -> None:
    assert fisher_exact(*cells) == 1.0


def test_fisher_of_ten_thousands_neither_overflows_nor_underflows() -> None:
    theirs = float(stats.fisher_exact([[9_000, 1_000], [9_100, 900]]).pvalue)
    assert fisher_exact(9_000, 1_000, 9_100, 900) == pytest.approx(theirs, rel=1e-6)
    assert fisher_exact(9_000, 0, 0, 9_000) == pytest.approx(0.0, abs=1e-300)


@pytest.mark.parametrize("odds", [0.0, -1.0, math.inf, math.nan])
def test_odds_that_are_none_are_refused(odds: float) -> None:
    with pytest.raises(ValueError, match="odds"):
        fisher_exact(1, 2, 3, 4, odds=odds)


def test_negative_counts_are_refused() -> None:
    with pytest.raises(ValueError, match="b=-1"):
        fisher_exact(1, -1, 3, 4)
    with pytest.raises(ValueError, match="c=-1"):
        mcnemar_two_sided(1, -1)


@given(b=counts, c=counts)
@many
def test_mcnemar_is_the_two_sided_binomial_test_at_one_half(b: int, c: int) -> None:
    expected = stats.binomtest(b, b + c, 0.5).pvalue if b + c else 1.0
    assert mcnemar_two_sided(b, c) == pytest.approx(expected)


def test_mcnemar_of_six_flips_one_way() -> None:
    assert mcnemar_two_sided(6, 0) == mcnemar_two_sided(0, 6) == 2 / 2**6
