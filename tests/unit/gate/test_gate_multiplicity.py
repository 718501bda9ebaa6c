"""The corrections agree with statsmodels'."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from statsmodels.stats.multitest import multipletests

from evalkit.gate.multiplicity import benjamini_hochberg, holm

p_values = st.lists(st.floats(0, 1), min_size=1, max_size=12)


@given(p_values)
def test_holm_is_that_of_statsmodels(values: list[float]) -> None:
    assert holm(values) == pytest.approx(multipletests(values, method="holm")[1].tolist())


@given(p_values)
def test_benjamini_hochberg_is_that_of_statsmodels(values: list[float]) -> None:
    expected = multipletests(values, method="fdr_bh")[1].tolist()
    assert benjamini_hochberg(values) == pytest.approx(expected)


def test_no_questions_need_no_correction() -> None:
    assert holm([]) == benjamini_hochberg([]) == []
