"""The forecasts reproduce the published figures of the design."""

import pytest
from scipy import stats

from evalkit.gate.power import (
    ESCALATION_LOOKS,
    cases_needed,
    cases_to_pass,
    detectable_drop,
    flip_share,
    minimum_cases,
    simple_false_alarm,
    smallest_margin,
)


@pytest.mark.parametrize(
    ("margin", "alpha", "cases"),
    [("0.03", 0.05, 88), ("0.01", 0.05, 268), ("0.05", 0.05, 52), ("0.03", 0.010, 175)],
)
def test_minimum_cases_by_margin_and_alpha(margin: str, alpha: float, cases: int) -> None:
    assert minimum_cases(margin, alpha) == cases


@pytest.mark.parametrize("margin", ["0", "1", "-0.03", "1.5"])
def test_a_margin_outside_its_range_is_refused(margin: str) -> None:
    with pytest.raises(ValueError, match="margin"):
        minimum_cases(margin, 0.05)


def test_the_smallest_margin_of_a_size_is_passable_and_no_smaller_one_is() -> None:
    margin = smallest_margin(200, 0.05)
    assert minimum_cases(margin * 1.0001, 0.05) <= 200 < minimum_cases(margin * 0.99, 0.05)


@pytest.mark.parametrize(
    ("cases", "flips", "drop_pp"),
    [
        (200, 0.05, 3.9),
        (200, 0.10, 5.5),
        (200, 0.15, 6.8),
        (2000, 0.05, 1.2),
        (2000, 0.10, 1.8),
        (2000, 0.15, 2.2),
    ],
)
def test_detectable_drop_of_the_strict_rule(cases: int, flips: float, drop_pp: float) -> None:
    assert 100 * (detectable_drop(cases, flips) or 0) == pytest.approx(drop_pp, abs=0.06)


@pytest.mark.parametrize(("flips", "cases"), [(0.05, 342), (0.10, 685), (0.15, 1029)])
def test_cases_needed_to_see_three_points(flips: float, cases: int) -> None:
    assert cases_needed(0.03, flips) == cases


def test_the_statistical_rule_sees_nothing_finer_than_its_margin() -> None:
    drop = detectable_drop(2000, 0.10, margin="0.03")
    assert drop == pytest.approx(0.03 + stats.norm.isf(0.2) * (0.10 / 2000) ** 0.5)


def test_no_size_settles_a_drop_of_exactly_the_margin() -> None:
    assert cases_needed(0.03, 0.10, margin="0.03") is None
    assert cases_needed(0.05, 0.10, margin="0.03") == 246


def test_cases_to_pass_follow_the_flips_and_never_undercut_the_minimum() -> None:
    assert cases_to_pass("0.03", 0.10) == 687
    assert cases_to_pass("0.03", 0.0) == 88


def test_a_calm_suite_still_cannot_see_a_drop_of_one_case() -> None:
    assert (detectable_drop(200, 0.0) or 0) > 0.03


@pytest.mark.parametrize("cases", [0, 1, 2])
def test_too_few_cases_detect_nothing(cases: int) -> None:
    assert detectable_drop(cases, 0.1) is None


def test_averaging_over_runs_shrinks_the_noise_and_not_the_churn() -> None:
    assert flip_share(0.02, 0.08, 1, 1) == pytest.approx(0.10)
    assert flip_share(0.02, 0.08, 4, 4) == pytest.approx(0.04)


def test_the_looks_of_an_escalation_share_one_alpha() -> None:
    assert sum(alpha for _, alpha in ESCALATION_LOOKS) == pytest.approx(0.05)


@pytest.mark.parametrize(("cases", "flips"), [(50, 0.2), (200, 0.05), (500, 0.1)])
def test_the_false_alarm_of_the_simple_rule_is_exact(cases: int, flips: float) -> None:
    needed = -(-3 * cases // 100)
    expected = sum(
        stats.binom.pmf(k, cases, flips) * stats.binom.sf((k + needed + 1) // 2 - 1, k, 0.5)
        for k in range(needed, cases + 1)
    )
    assert simple_false_alarm(cases, flips, "0.03") == pytest.approx(expected, rel=1e-9)


def test_no_flips_raise_no_false_alarm() -> None:
    assert simple_false_alarm(200, 0.0, "0.03") == 0
    assert simple_false_alarm(0, 0.1, "0.03") == 0
    assert simple_false_alarm(200, 1.0, "0.03") == pytest.approx(stats.binom.sf(102, 200, 0.5))
