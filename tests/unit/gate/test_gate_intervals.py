"""The intervals agree with their oracles: stored values, scipy, statsmodels."""

import math

import numpy as np
import pytest
import statsmodels.api as sm
from scipy import optimize, stats
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.proportion import proportion_confint

from evalkit.gate.intervals import (
    DropInterval,
    clustered_error,
    drop_interval,
    mcnemar_exact,
    tango,
    tango_score,
)
from evalkit.statistics.distributions import normal_quantile, student_quantile
from evalkit.statistics.proportions import wilson

TABLES = [(6, 0, 200), (10, 4, 500), (1, 0, 88), (0, 3, 90), (43, 33, 500), (0.75, 2.5, 120)]


def _constrained_log_likelihood(q: float, d: float, b: float, c: float, n: int) -> float:
    cells = ((b, q + d), (c, q), (n - b - c, 1 - 2 * q - d))
    return sum(count * math.log(max(share, 1e-300)) for count, share in cells if count)


@pytest.mark.parametrize(("b", "c", "n"), TABLES)
@pytest.mark.parametrize("d", [-0.2, -0.01, 0.005, 0.03, 0.3])
def test_tango_score_uses_the_maximum_likelihood_under_the_hypothesis(
    b: float, c: float, n: int, d: float
) -> None:
    found = optimize.minimize_scalar(
        lambda q: -_constrained_log_likelihood(q, d, b, c, n),
        bounds=(max(0.0, -d), (1 - d) / 2),
        method="bounded",
        options={"xatol": 1e-12},
    )
    expected = (b - c - n * d) / math.sqrt(n * (2 * found.x + d * (1 - d)))
    assert tango_score(d, b, c, n) == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize(("b", "c", "n"), TABLES)
@pytest.mark.parametrize("alpha", [0.05, 0.01])
def test_tango_ends_are_where_the_score_reaches_the_quantile(
    b: float, c: float, n: int, alpha: float
) -> None:
    lower, upper = tango(b, c, n, alpha)
    z = normal_quantile(alpha)
    assert tango_score(lower, b, c, n) == pytest.approx(z, rel=1e-6)
    assert tango_score(upper, b, c, n) == pytest.approx(-z, rel=1e-6)


@pytest.mark.parametrize(("b", "c"), [(5, 2), (3, 0), (2, 0), (30, 17), (30, 20), (8, 8)])
def test_tango_excludes_zero_exactly_when_mcnemar_is_significant(b: int, c: int) -> None:
    lower, _ = tango(b, c, 200, 0.05)
    z = (b - c) / math.sqrt(b + c)
    assert tango_score(0.0, b, c, 200) == pytest.approx(z)
    assert (lower > 0) == (stats.norm.sf(z) < 0.05)


@pytest.mark.parametrize("n", [1, 87, 88, 2000])
def test_no_flips_still_leave_an_interval(n: int) -> None:
    z = normal_quantile(0.05)
    assert tango(0, 0, n, 0.05) == pytest.approx((-z * z / (n + z * z), z * z / (n + z * z)))


def test_all_flips_one_way_reach_the_end_of_the_scale() -> None:
    lower, upper = tango(20, 0, 20, 0.05)
    assert 0 < lower < 1
    assert upper == 1


def test_no_pairs_say_nothing() -> None:
    assert tango(0, 0, 0, 0.05) == (-1, 1)
    assert wilson(0, 0, 0.05) == (0, 1)


@pytest.mark.parametrize(("b", "c", "n"), [(-1, 0, 5), (3, 3, 5)])
def test_impossible_tables_are_refused(b: int, c: int, n: int) -> None:
    with pytest.raises(ValueError, match="no paired table"):
        tango(b, c, n, 0.05)


@pytest.mark.parametrize("alpha", [0.0, 0.5, -0.1, math.nan])
def test_alpha_outside_its_range_is_refused(alpha: float) -> None:
    with pytest.raises(ValueError, match="alpha"):
        tango(1, 1, 5, alpha)


@pytest.mark.parametrize("n", [5, 30, 90])
@pytest.mark.parametrize("alpha", [0.05, 0.01])
def test_a_flip_against_the_candidate_never_lowers_an_end(n: int, alpha: float) -> None:
    most = min(n, 20)
    ends = {(b, c): tango(b, c, n, alpha) for b in range(most + 1) for c in range(most + 1 - b)}
    for (b, c), (lower, upper) in ends.items():
        for worse in ((b + 1, c), (b, c - 1)):
            if worse in ends:
                assert ends[worse][0] >= lower - 1e-12
                assert ends[worse][1] >= upper - 1e-12


@pytest.mark.parametrize(
    ("x", "n", "expected"),
    [
        (77, 85, (0.8251294803137522, 0.9515349387077824)),
        (3, 15, (0.07047549346981555, 0.45185448715169363)),
        (0, 20, (0.0, 0.1611251580528194)),
        (50, 50, (0.9286524008666412, 1.0)),
    ],
)
def test_wilson_is_that_of_statsmodels(x: int, n: int, expected: tuple[float, float]) -> None:
    assert wilson(x, n, 0.025) == pytest.approx(expected, abs=1e-12)
    assert wilson(x, n, 0.025) == pytest.approx(
        proportion_confint(x, n, 0.05, method="wilson"), abs=1e-12
    )


@pytest.mark.parametrize(
    ("b", "c", "p"),
    [
        (12, 2, 0.0064697265625),
        (37, 30, 0.23190880894843469),
        (66, 35, 0.001326893028614253),
        (5, 0, 0.03125),
        (0, 0, 1.0),
    ],
)
def test_mcnemar_is_exact_and_one_sided(b: int, c: int, p: float) -> None:
    assert mcnemar_exact(b, c) == pytest.approx(p, rel=1e-12)


@pytest.mark.parametrize(("b", "c"), [(12, 2), (37, 30), (66, 35), (67, 20), (5, 0)])
def test_twice_the_one_sided_mcnemar_is_the_two_sided_of_statsmodels(b: int, c: int) -> None:
    two_sided = mcnemar([[10, b], [c, 10]], exact=True).pvalue
    assert 2 * mcnemar_exact(b, c) == pytest.approx(two_sided, rel=1e-9)


def test_clustered_error_is_that_of_statsmodels() -> None:
    rng = np.random.default_rng(7)
    groups = rng.integers(0, 25, 200)
    differences = rng.choice([-1.0, -0.5, 0.0, 0.5, 1.0], 200) + 0.1 * (groups % 3)
    fit = sm.OLS(differences, np.ones(200)).fit(cov_type="cluster", cov_kwds={"groups": groups})
    assert clustered_error(differences.tolist(), groups.tolist()) == pytest.approx(
        float(fit.bse[0]), rel=1e-10
    )


def test_one_run_without_groups_is_tango_alone() -> None:
    differences = [1.0] * 6 + [-1.0] * 2 + [0.0] * 192
    interval = drop_interval(differences, None, 0.05, one_run=True)
    assert (interval.lower, interval.upper) == tango(6, 2, 200, 0.05)
    assert interval.p_value == pytest.approx(stats.norm.sf(4 / math.sqrt(8)))


def test_distinct_groups_are_the_same_as_none() -> None:
    differences = [1.0] * 3 + [0.0] * 97
    distinct = drop_interval(differences, list(range(100)), 0.05, one_run=True)
    assert distinct == drop_interval(differences, None, 0.05, one_run=True)


def _of_trials(differences: list[float]) -> DropInterval:
    return drop_interval(differences, None, 0.05, one_run=False)


def test_repeated_runs_take_the_widest_interval_end_by_end() -> None:
    differences = [0.5] * 20 + [-0.25] * 12 + [0.0] * 168
    interval = _of_trials(differences)
    half = student_quantile(0.05, 199) * (clustered_error(differences, range(200)) or 0)
    # 13 in absolute terms and 5.75 in squares
    scale = 13 / 5.75
    by_score = tango(10 * scale, 3 * scale, 200 * scale, 0.05)
    whole = wilson(7, 200, 0.05)[1]
    assert interval.lower == min(by_score[0], interval.drop - half)
    assert interval.upper == pytest.approx(max(by_score[1], interval.drop + half, whole))
    assert interval.p_value == pytest.approx(
        max(
            stats.norm.sf(7 / math.sqrt(5.75)),
            stats.t.sf(0.035 / (half / stats.t.isf(0.05, 199)), 199),
        )
    )


def test_trials_that_all_agree_are_one_run_widened_by_t_alone() -> None:
    differences = [1.0] * 6 + [-1.0] * 2 + [0.0] * 192
    half = student_quantile(0.05, 199) * (clustered_error(differences, range(200)) or 0)
    interval, single = _of_trials(differences), tango(6, 2, 200, 0.05)
    assert interval.lower == min(single[0], 0.02 - half)
    assert interval.upper == max(single[1], 0.02 + half)


@pytest.mark.parametrize("flip", [1e-6, 0.1, 0.5])
@pytest.mark.parametrize("n", [88, 200, 2000])
def test_a_fraction_of_a_flip_is_no_narrower_than_none_at_all(flip: float, n: int) -> None:
    none = _of_trials([0.0] * n)
    one = _of_trials([flip] + [0.0] * (n - 1))
    both = _of_trials([flip, -flip] + [0.0] * (n - 2))
    for some in (one, both):
        assert some.upper >= none.upper - 1e-12
        assert some.lower <= 0
    assert both.lower <= none.lower + 1e-12


@pytest.mark.parametrize("share", [0.1, 0.5])
def test_groups_that_all_drop_alike_do_not_close_the_interval(share: float) -> None:
    alike = _of_trials([share] * 100)
    assert alike.lower > 0
    # as far as a drop of that size of cases that broke would reach
    assert alike.upper >= wilson(100 * share, 100, 0.05)[1] - 1e-12
    few = _of_trials([share] * 2)
    assert few.lower < 0
    assert few.upper > 0.6


@pytest.mark.parametrize(("b", "c"), [(9, 3), (7, 3), (12, 6), (12, 5), (40, 25), (3, 0)])
def test_the_interval_of_trials_excludes_zero_exactly_when_its_test_is_significant(
    b: int, c: int
) -> None:
    for small in (0.25, 0.5, 0.75):
        differences = [1.0] * b + [-1.0] * c + [small] * b + [-small] * c + [0.0] * 100
        interval = _of_trials(differences)
        assert (interval.lower > 0) == (interval.p_value < 0.05)


def test_what_cancels_within_a_group_is_no_flip() -> None:
    # a sixth and a third less a half is 3e-17 in floats
    differences, groups = [1 / 6, 1 / 3, -1 / 2] * 100, [i // 3 for i in range(300)]
    interval = drop_interval(differences, groups, 0.05, one_run=False)
    assert interval.lower < -0.02
    assert interval.upper > 0.02
    assert interval.p_value > 0.05


def test_clustering_widens_the_interval_of_correlated_cases() -> None:
    differences = ([1.0] * 5 + [0.0] * 45) * 10
    groups = [i // 5 for i in range(500)]
    clustered = drop_interval(differences, groups, 0.05, one_run=True)
    independent = drop_interval(differences, None, 0.05, one_run=True)
    assert clustered.groups == 100
    assert clustered.lower < independent.lower
    assert clustered.upper > independent.upper


def test_a_spread_of_zero_does_not_close_the_interval() -> None:
    interval = drop_interval([0.0] * 60, None, 0.05, one_run=False)
    assert interval.upper > 0.03


def test_a_single_group_says_nothing() -> None:
    interval = drop_interval([1.0, 0.0, 0.0], ["a", "a", "a"], 0.05, one_run=True)
    assert (interval.lower, interval.upper, interval.p_value) == (-1, 1, 1)


def test_no_differences_say_nothing() -> None:
    interval = drop_interval([], None, 0.05, one_run=True)
    assert (interval.lower, interval.upper, interval.groups) == (-1, 1, 0)
