"""Every formula of the gate against another implementation of it: scipy, statsmodels, print."""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import statsmodels.api as sm
from scipy import optimize, stats
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.proportion import proportion_confint

from evalkit.gate.intervals import clustered_error, drop_interval, mcnemar_exact, mean_p, tango
from evalkit.gate.multiplicity import benjamini_hochberg, holm
from evalkit.statistics.distributions import (
    normal_quantile,
    normal_tail,
    sign_tail,
    student_quantile,
    student_tail,
)
from evalkit.statistics.proportions import wilson

VALUES: dict[str, Any] = json.loads(
    (Path(__file__).parent / "data" / "oracle_values.json").read_text(encoding="utf-8")
)
TABLES = [(6, 0, 200), (17, 4, 500), (1, 0, 88), (0, 3, 90), (43, 33, 500), (0.75, 2.5, 120)]


@pytest.mark.parametrize("known", VALUES["mcnemar_exact_one_sided"])
def test_mcnemar_one_sided_is_the_stored_value(known: dict[str, Any]) -> None:
    assert mcnemar_exact(known["b"], known["c"]) == pytest.approx(known["p"], rel=1e-12)


@pytest.mark.parametrize("known", VALUES["mcnemar_exact_two_sided"])
def test_mcnemar_two_sided_is_the_stored_value_and_that_of_statsmodels(
    known: dict[str, Any],
) -> None:
    b, c, p = known["b"], known["c"], known["p"]
    assert min(1.0, 2 * mcnemar_exact(max(b, c), min(b, c))) == pytest.approx(p, rel=1e-12)
    assert mcnemar([[100, b], [c, 20]], exact=True).pvalue == pytest.approx(p, rel=1e-9)


@pytest.mark.parametrize("known", VALUES["wilson_95"])
def test_wilson_is_the_stored_value_and_that_of_statsmodels(known: dict[str, Any]) -> None:
    expected = (known["lower"], known["upper"])
    assert wilson(known["x"], known["n"], 0.025) == pytest.approx(expected, abs=1e-12)
    theirs = proportion_confint(known["x"], known["n"], alpha=0.05, method="wilson")
    assert theirs == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("known", VALUES["tango_95"])
def test_tango_is_as_printed(known: dict[str, Any]) -> None:
    lower, upper = tango(known["b"], known["c"], known["n"], 0.025)
    assert lower == pytest.approx(known["lower"], abs=known["within"])
    assert upper == pytest.approx(known["upper"], abs=known["within"])


def _score(d: float, b: float, c: float, n: int) -> float:
    """The score of the difference d, its nuisance parameter found by search instead of formula."""

    def unlikelihood(q: float) -> float:
        cells = ((b, q + d), (c, q), (n - b - c, 1 - 2 * q - d))
        return -sum(count * math.log(max(share, 1e-300)) for count, share in cells if count)

    q = optimize.minimize_scalar(
        unlikelihood,
        bounds=(max(0.0, -d), (1 - d) / 2),
        method="bounded",
        options={"xatol": 1e-13},
    ).x
    return (b - c - n * d) / math.sqrt(n * (2 * q + d * (1 - d)))


@pytest.mark.parametrize(("b", "c", "n"), TABLES)
@pytest.mark.parametrize("alpha", [0.05, 0.01])
def test_tango_is_what_search_and_root_finding_give(
    b: float, c: float, n: int, alpha: float
) -> None:
    z, drop = float(stats.norm.isf(alpha)), (b - c) / n
    lower = optimize.brentq(lambda d: _score(d, b, c, n) - z, -0.5, drop - 1e-9)
    upper = optimize.brentq(lambda d: _score(d, b, c, n) + z, drop + 1e-9, 0.5)
    assert tango(b, c, n, alpha) == pytest.approx((lower, upper), abs=2e-6)


@pytest.mark.parametrize(("b", "c"), [(5, 2), (30, 17), (30, 20), (3, 0)])
def test_the_p_value_is_that_of_mcnemars_test_without_correction(b: int, c: int) -> None:
    n = 200
    differences = [1.0] * b + [-1.0] * c + [0.0] * (n - b - c)
    found = drop_interval(differences, None, 0.05, one_run=True).p_value
    theirs = mcnemar([[100, b], [c, 20]], exact=False, correction=False).pvalue
    assert found == pytest.approx(theirs / 2, rel=1e-9)


@pytest.mark.parametrize("df", [1, 2, 5, 49, 199, 1999])
@pytest.mark.parametrize("tail", [0.25, 0.05, 0.025, 0.015, 0.010, 1e-5])
def test_quantiles_and_tails_are_those_of_scipy(df: int, tail: float) -> None:
    t = student_quantile(tail, df)
    assert t == pytest.approx(stats.t.isf(tail, df), rel=1e-9)
    assert student_tail(t, df) == pytest.approx(tail, rel=1e-9)
    assert normal_quantile(tail) == pytest.approx(stats.norm.isf(tail), rel=1e-9)
    assert normal_tail(t) == pytest.approx(stats.norm.sf(t), rel=1e-9)


@pytest.mark.parametrize(("successes", "trials"), [(5, 5), (37, 67), (66, 101), (900, 1700)])
def test_the_sign_tail_is_that_of_scipy(successes: int, trials: int) -> None:
    expected = stats.binomtest(successes, trials, alternative="greater").pvalue
    assert sign_tail(successes, trials) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("sizes", [[1] * 60, [3] * 30, [1, 2, 9, 4, 4, 7, 1, 30]])
def test_the_clustered_error_and_its_p_value_are_those_of_statsmodels(sizes: list[int]) -> None:
    rng = np.random.default_rng(3)
    groups = np.repeat(np.arange(len(sizes)), sizes)
    values = rng.choice([-1.0, -0.5, 0.0, 0.5, 1.0], len(groups)) + 0.4
    values += rng.normal(0, 0.3, len(sizes))[groups]
    n, g = len(groups), len(sizes)
    fit = sm.OLS(values, np.ones(n)).fit(
        cov_type="cluster", cov_kwds={"groups": groups, "use_correction": True}, use_t=True
    )
    # with one regressor its small-sample factor G/(G-1) (N-1)/(N-K) is ours
    error = clustered_error(values.tolist(), groups.tolist())
    assert error == pytest.approx(float(fit.bse[0]), rel=1e-9)
    p = mean_p(float(values.mean()), error or 0.0, g)
    two_sided = float(fit.pvalues[0])
    assert min(p, 1 - p) == pytest.approx(two_sided / 2, rel=1e-6)
    assert student_quantile(0.05, g - 1) == pytest.approx(stats.t.isf(0.05, g - 1), rel=1e-9)


@pytest.mark.parametrize("size", [1, 2, 5, 12, 60])
def test_the_corrections_are_those_of_statsmodels(size: int) -> None:
    rng = np.random.default_rng(size)
    for _ in range(5):
        p_values = (rng.random(size) ** 3).round(3).tolist()
        assert holm(p_values) == pytest.approx(multipletests(p_values, method="holm")[1])
        expected = multipletests(p_values, method="fdr_bh")[1]
        assert benjamini_hochberg(p_values) == pytest.approx(expected)
