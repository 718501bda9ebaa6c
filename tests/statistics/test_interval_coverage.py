"""How often the intervals miss the truth: about as often as their alpha says."""

import math
from collections.abc import Callable

import numpy as np
import pytest
from scipy import stats

from evalkit.gate.intervals import drop_interval
from evalkit.statistics.distributions import normal_quantile
from evalkit.statistics.proportions import wilson
from tests.statistics.effort import Effort, chance
from tests.statistics.gate_on_counts import ALPHA, ends_of
from tests.statistics.suites_of_chance import beta_cases, play, play_documents

Upper = Callable[[int, int, int], float]


def _upper_of_tango(b: int, c: int, n: int) -> float:
    return ends_of(b, c, n).upper


def _upper_of_wald(b: int, c: int, n: int) -> float:
    drop = (b - c) / n
    return drop + normal_quantile(ALPHA) * math.sqrt((b + c) / n - drop * drop) / math.sqrt(n)


def _rules_out_the_margin(n: int, flips: float, margin: float, upper: Upper) -> float:
    """The exact share of suites with a drop of just the margin whose upper end is below it."""
    against, towards = (flips + margin) / 2, (flips - margin) / 2
    missed = 0.0
    for c in range(min(n, int(n * towards + 8 * math.sqrt(n * towards) + 8)) + 1):
        share_c = float(stats.binom.pmf(c, n, towards))
        if share_c < 1e-7:
            continue
        # upper rises with b, so the tables that rule the margin out are those up to some b
        most = -1
        while most + 1 + c <= n and upper(most + 1, c, n) < margin:
            most += 1
        if most >= 0:
            missed += share_c * stats.binom.cdf(most, n - c, against / (1 - towards))
    return missed


@pytest.mark.parametrize("n", [100, 200, 500])
@pytest.mark.parametrize("flips", [0.05, 0.10, 0.20])
def test_a_drop_of_the_margin_is_ruled_out_as_rarely_as_alpha_says(n: int, flips: float) -> None:
    assert _rules_out_the_margin(n, flips, 0.03, _upper_of_tango) < 0.058


def test_wald_passes_small_suites_with_a_drop_of_the_margin_and_tango_does_not() -> None:
    # where a twentieth of the cases flips often none does, and then Wald's interval is a point
    assert _rules_out_the_margin(50, 0.05, 0.03, _upper_of_wald) == pytest.approx(0.136, abs=0.005)
    assert _rules_out_the_margin(50, 0.05, 0.03, _upper_of_tango) < 0.02
    # so too with a margin that 50 cases can rule out
    assert _rules_out_the_margin(50, 0.10, 0.10, _upper_of_wald) > 0.10
    assert _rules_out_the_margin(50, 0.10, 0.10, _upper_of_tango) < 0.05


@pytest.mark.parametrize("n", [20, 85, 200])
def test_wilson_covers_a_rate_as_often_as_promised(n: int) -> None:
    ends = [wilson(x, n, 0.025) for x in range(n + 1)]
    low, high = np.array(ends).T
    coverages = []
    for rate in np.linspace(0.02, 0.98, 97):
        inside = (low <= rate) & (rate <= high)
        coverages.append(float(stats.binom.pmf(np.arange(n + 1), n, rate)[inside].sum()))
    assert np.mean(coverages) == pytest.approx(0.95, abs=0.01)
    assert min(coverages) > 0.88


def test_cases_from_one_document_raise_no_more_false_alarms_than_promised(effort: Effort) -> None:
    documents, size, draws = 100, 5, effort.draws(4_000, 100_000)
    rng = np.random.default_rng(11)
    keys = [i // size for i in range(documents * size)]
    clustered = independent = 0
    for _ in range(draws):
        # two cases of a document correlate by .43 squared, which is .19
        ways = play_documents(rng, documents, size, flips=0.10, together=0.433)
        differences = ways.ravel().astype(float).tolist()
        clustered += drop_interval(differences, keys, ALPHA, one_run=True).lower > 0
        b, c = differences.count(1.0), differences.count(-1.0)
        independent += ends_of(b, c, documents * size).lower > 0
    assert 100 * clustered / draws < 6
    # what ignoring the documents would have done
    assert 100 * independent / draws == pytest.approx(10.7, abs=0.5 + chance(10.7, draws))


@pytest.mark.parametrize("together", [0.0, 0.7, 1.0])
def test_documents_of_any_cohesion_keep_the_promise(together: float, effort: Effort) -> None:
    documents, size, draws = 100, 5, effort.draws(1_500, 50_000)
    rng = np.random.default_rng(14)
    keys = [i // size for i in range(documents * size)]
    alarms = 0
    for _ in range(draws):
        ways = play_documents(rng, documents, size, flips=0.10, together=together)
        alarms += drop_interval(ways.ravel().tolist(), keys, ALPHA, one_run=True).lower > 0
    assert 100 * alarms / draws < 5 + 0.5 + chance(5, draws)


@pytest.mark.parametrize("trials", [2, 3, 8])
def test_repeated_runs_raise_no_more_false_alarms_than_promised(
    trials: int, effort: Effort
) -> None:
    draws = effort.draws(2_000, 50_000)
    rng = np.random.default_rng(12)
    rates = beta_cases(200, 0.10)
    alarms = 0
    for _ in range(draws):
        base, cand = play(rng, rates, trials), play(rng, rates, trials)
        differences = (base.mean(1) - cand.mean(1)).tolist()
        alarms += drop_interval(differences, None, ALPHA, one_run=False).lower > 0
    assert 100 * alarms / draws < 5 + 0.5 + chance(5, draws)


@pytest.mark.parametrize("n", [100, 200, 500])
@pytest.mark.parametrize("flips", [0.05, 0.10, 0.20])
def test_a_drop_is_seen_where_there_is_none_as_rarely_as_alpha_says(n: int, flips: float) -> None:
    seen = 0.0
    for flipped in range(n + 1):
        share = float(stats.binom.pmf(flipped, n, flips))
        if share < 1e-7:
            continue
        fewest = next(
            (b for b in range(flipped + 1) if ends_of(b, flipped - b, n).lower > 0), flipped + 1
        )
        seen += share * float(stats.binom.sf(fewest - 1, flipped, 0.5))
    assert seen < 0.058
