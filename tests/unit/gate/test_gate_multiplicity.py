"""The corrections agree with statsmodels'."""

import random

import pytest
from statsmodels.stats.multitest import multipletests

from evalkit.gate.multiplicity import benjamini_hochberg, holm

_rng = random.Random(20240229)
FAMILIES = [
    [0.03],
    [0.01, 0.04, 0.03],
    [0.5, 0.5, 0.01, 1.0],
    [0.0, 1.0],
    *[[_rng.random() ** 3 for _ in range(size)] for size in (2, 5, 12, 40)],
]


@pytest.mark.parametrize("p_values", FAMILIES)
def test_holm_is_that_of_statsmodels(p_values: list[float]) -> None:
    expected = multipletests(p_values, method="holm")[1].tolist()
    assert holm(p_values) == pytest.approx(expected)


@pytest.mark.parametrize("p_values", FAMILIES)
def test_benjamini_hochberg_is_that_of_statsmodels(p_values: list[float]) -> None:
    expected = multipletests(p_values, method="fdr_bh")[1].tolist()
    assert benjamini_hochberg(p_values) == pytest.approx(expected)


def test_no_questions_need_no_correction() -> None:
    assert holm([]) == benjamini_hochberg([]) == []
