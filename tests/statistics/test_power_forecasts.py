"""What is forecast before a run is what happens, by simulation of the gate's own decisions.

The forecasts take counts for normal, so they are a few points off where some ten cases flip.
"""

import math
from fractions import Fraction

import numpy as np
import pytest

from evalkit.gate.intervals import tango
from evalkit.gate.power import (
    cases_needed,
    cases_to_pass,
    detectable_drop,
    flip_share,
    minimum_cases,
    simple_false_alarm,
)
from evalkit.gate.settings import Rule
from evalkit.records.verdict import Outcome
from tests.statistics.gate_on_counts import AT_THREE, decide
from tests.statistics.suites_of_chance import Matrix, beta_cases, coin_cases, draw_counts, play

DRAWS = 100_000


def _share(n: int, flips: float, drop: float, rule: Rule, outcome: Outcome) -> float:
    """How often the gate decides so where `flips` of the cases flip in all, drop included."""
    tables = draw_counts(n, (flips + drop) / 2, (flips - drop) / 2, DRAWS, seed=1)
    seen = sum(t.times for t in tables if decide(t.b, t.c, n, rule=rule) is outcome)
    return seen / DRAWS


@pytest.mark.parametrize("n", [200, 500])
@pytest.mark.parametrize("flips", [0.10, 0.15])
def test_the_detectable_drop_is_detected_in_four_of_five_runs(n: int, flips: float) -> None:
    drop = detectable_drop(n, flips)
    assert drop is not None
    # the few that PASS first have a drop that is surely below the margin
    failed = _share(n, flips, drop, Rule.STRICT, Outcome.FAIL)
    assert failed == pytest.approx(0.8, abs=0.035)


@pytest.mark.parametrize("n", [500, 2000])
@pytest.mark.parametrize("flips", [0.10, 0.15])
def test_so_is_the_one_that_has_to_reach_the_margin(n: int, flips: float) -> None:
    drop = detectable_drop(n, flips, margin=AT_THREE)
    assert drop is not None
    failed = _share(n, flips, drop, Rule.STATISTICAL, Outcome.FAIL)
    # at the margin itself the count is whole, which is worth up to half a case
    assert failed == pytest.approx(0.8, abs=0.03)


@pytest.mark.parametrize(("flips", "cases"), [(0.05, 342), (0.10, 685), (0.15, 1029)])
def test_so_many_cases_see_three_points_in_four_of_five_runs(flips: float, cases: int) -> None:
    assert cases_needed(0.03, flips) == cases
    seen = 0
    for table in draw_counts(cases, (flips + 0.03) / 2, (flips - 0.03) / 2, DRAWS, seed=2):
        seen += table.times * (tango(table.b, table.c, cases, 0.05)[0] > 0)
    assert seen / DRAWS == pytest.approx(0.8, abs=0.035)


@pytest.mark.parametrize("flips", [0.05, 0.10, 0.20])
def test_so_many_cases_pass_an_unchanged_candidate_in_four_of_five_runs(flips: float) -> None:
    cases = cases_to_pass(AT_THREE, flips)
    passed = _share(cases, flips, 0.0, Rule.STATISTICAL, Outcome.PASS)
    assert passed == pytest.approx(0.8, abs=0.05)


def test_at_the_margin_itself_no_number_of_cases_settles_it() -> None:
    assert cases_needed(0.03, 0.10, margin=AT_THREE) is None
    for n in (1000, 4000):
        failed = _share(n, 0.10, 0.03, Rule.STATISTICAL, Outcome.FAIL)
        assert failed == pytest.approx(0.5, abs=0.03)


@pytest.mark.parametrize(("n", "flips"), [(200, 0.05), (200, 0.10), (500, 0.10)])
def test_the_simple_rules_false_alarms_are_as_told(n: int, flips: float) -> None:
    failed = _share(n, flips, 0.0, Rule.SIMPLE, Outcome.FAIL)
    assert failed == pytest.approx(simple_false_alarm(n, flips, AT_THREE), abs=0.004)


@pytest.mark.parametrize("margin", [Fraction(1, 100), Fraction(3, 100), Fraction(5, 100)])
@pytest.mark.parametrize("alpha", [0.05, 0.010])
def test_the_fewest_cases_are_the_fewest_that_can_pass(margin: Fraction, alpha: float) -> None:
    n = minimum_cases(margin, alpha)
    assert tango(0, 0, n, alpha)[1] < margin <= tango(0, 0, n - 1, alpha)[1]


@pytest.mark.parametrize("rates", [beta_cases(400, 0.10), coin_cases(400, 0.10)])
@pytest.mark.parametrize(("runs_baseline", "runs_candidate"), [(1, 1), (4, 4), (10, 1)])
def test_the_share_of_flips_is_the_spread_of_the_drop(
    rates: Matrix, runs_baseline: int, runs_candidate: int
) -> None:
    rng = np.random.default_rng(4)
    n, draws, churned = len(rates), 4_000, 0.04
    # cases that really changed, as often for the better as for the worse
    changed = rng.permutation(n)[: round(churned * n)]
    drops = []
    for _ in range(draws):
        base = play(rng, rates, runs_baseline).mean(1)
        cand = play(rng, rates, runs_candidate).mean(1)
        difference = base - cand
        difference[changed] = rng.choice([-1, 1], len(changed))
        drops.append(difference.mean())
    noise = float(2 * np.mean(np.delete(rates * (1 - rates), changed))) * (1 - churned)
    expected = flip_share(churned, noise, runs_baseline, runs_candidate)
    assert n * np.var(drops) == pytest.approx(expected, rel=4 * math.sqrt(2 / draws))
