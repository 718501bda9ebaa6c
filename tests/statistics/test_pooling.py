"""Runs of the same content are pooled: what trying again then gains, and what a bank saves.

Both at n = 200 with a tenth of the cases flipping. The design says that a drop of 5 pp retried five
times passes the simple rule in 62 % and pooled in 16 %: so it is for the rule that fails above 3 pp
where the baseline is measured once and the candidate five times, but that pooling leaves 14.6 %.
Its standard errors, 2.25 pp for one baseline run and 1.68 for ten, are 2.24 and 1.66 without the
chance of a simulation.
"""

from dataclasses import dataclass

import numpy as np
import pytest

from evalkit.gate.intervals import clustered_error
from evalkit.gate.settings import Rule
from evalkit.records.verdict import Outcome
from tests.statistics.effort import Effort, chance
from tests.statistics.gate_on_counts import ABOVE_THREE, decide_passes
from tests.statistics.suites_of_chance import Matrix, beta_cases, lowered, play

CASES, FLIPS, DROP, TRIES = 200, 0.10, 0.05, 5


@dataclass(frozen=True)
class Greens:
    """Percentages of retried regressions."""

    # any try alone was let through
    any_alone: float
    # all tries pooled are let through
    pooled_last: float
    # at any try, what was pooled until then was let through
    pooled_any: float


def _retry(rule: Rule, green: set[Outcome], draws: int, *, new_baselines: bool) -> Greens:
    """Retry a drop of 5 pp and see how often the outcome is one of `green`."""
    rng = np.random.default_rng(20240229)
    before = beta_cases(CASES, FLIPS)
    after = lowered(before, DROP)
    alone = last = ever = 0

    def is_green(base: Matrix, cand: Matrix) -> bool:
        passes = (arm.sum(1).tolist() for arm in (base, cand))
        trials = (base.shape[1], cand.shape[1])
        return decide_passes(*passes, trials, margin=ABOVE_THREE, rule=rule) in green

    for _ in range(draws):
        base, cand = play(rng, before, TRIES), play(rng, after, TRIES)
        single = [
            is_green(base[:, t if new_baselines else 0, None], cand[:, t, None])
            for t in range(TRIES)
        ]
        pooled = [
            is_green(base[:, : t if new_baselines else 1], cand[:, :t]) for t in range(1, TRIES + 1)
        ]
        alone += any(single)
        last += pooled[-1]
        ever += any(pooled)
    return Greens(*(100 * found / draws for found in (alone, last, ever)))


def test_the_simple_rule_goes_green_when_retried_and_rarely_when_pooled(effort: Effort) -> None:
    draws = effort.draws(2_000, 40_000)
    # no FAIL is what that rule calls green
    green = {Outcome.PASS, Outcome.INCONCLUSIVE}
    found = _retry(Rule.SIMPLE, green, draws, new_baselines=False)
    assert found.any_alone == pytest.approx(62, abs=0.75 + chance(62, draws))
    assert found.pooled_last == pytest.approx(14.6, abs=0.5 + chance(15, draws))
    anew = _retry(Rule.SIMPLE, green, draws, new_baselines=True)
    assert anew.any_alone == pytest.approx(77, abs=0.75 + chance(77, draws))
    assert anew.pooled_last == pytest.approx(5, abs=0.75 + chance(5, draws))


@pytest.mark.parametrize("new_baselines", [False, True])
def test_the_statistical_rule_does_not_pass_what_is_retried(
    new_baselines: bool, effort: Effort
) -> None:
    draws = effort.draws(1_000, 20_000)
    found = _retry(Rule.STATISTICAL, {Outcome.PASS}, draws, new_baselines=new_baselines)
    assert found.pooled_last < 0.5
    assert found.pooled_any < 2.0
    # what pooling prevents
    assert found.any_alone > found.pooled_any


@pytest.mark.parametrize(("bank", "error"), [(1, 2.24), (10, 1.66)])
def test_a_bank_of_baseline_runs_narrows_the_error(bank: int, error: float, effort: Effort) -> None:
    draws = effort.draws(4_000, 100_000)
    rng = np.random.default_rng(20240229)
    rates = beta_cases(CASES, FLIPS)
    drops, estimates = [], []
    for _ in range(draws):
        differences = play(rng, rates, bank).mean(1) - play(rng, rates, 1).mean(1)
        drops.append(differences.mean())
        estimates.append(clustered_error(differences.tolist(), range(CASES)))
    chance_of_it = 3.5 * error / (2 * draws) ** 0.5
    assert 100 * np.std(drops) == pytest.approx(error, abs=0.02 + chance_of_it)
    # and that is what the gate takes it for
    assert 100 * np.mean(estimates) == pytest.approx(error, abs=0.02)
