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
from tests.statistics.gate_on_counts import ABOVE_THREE, ALPHA, decide, decide_passes
from tests.statistics.suites_of_chance import beta_cases, lowered, play

CASES, FLIPS, DROP, TRIES = 200, 0.10, 0.05, 5


@dataclass(frozen=True)
class Greens:
    """Percentages of retried regressions that a rule lets through."""

    # at any try, judged alone
    alone: float
    # with all tries pooled
    pooled: float
    # with what was pooled so far, at any try
    watched: float


def _retry(rule: Rule, green: set[Outcome], draws: int, *, baselines: int) -> Greens:
    """Retry a drop of 5 pp and see how often the outcome is one of `green`.

    The baseline is measured once, or anew with every try.
    """
    rng = np.random.default_rng(20240229)
    before = beta_cases(CASES, FLIPS)
    after = lowered(before, DROP)
    alone = pooled = watched = 0
    for _ in range(draws):
        base, cand = play(rng, before, baselines), play(rng, after, TRIES)
        against = (base & ~cand).sum(0).tolist()
        towards = (cand & ~base).sum(0).tolist()
        tries = [
            decide(b, c, CASES, margin=ABOVE_THREE, rule=rule) in green
            for b, c in zip(against, towards, strict=True)
        ]
        together = [tries[0]]
        for trial in range(2, TRIES + 1):
            arms = (base[:, :trial], cand[:, :trial])
            passes = (arm.sum(1).tolist() for arm in arms)
            trials = (arms[0].shape[1], trial)
            # only the last one counts for a rule that nobody watches
            if trial == TRIES or rule is Rule.STATISTICAL:
                outcome = decide_passes(*passes, trials, margin=ABOVE_THREE, rule=rule)
                together.append(outcome in green)
        alone += any(tries)
        pooled += together[-1]
        watched += any(together)
    return Greens(*(100 * found / draws for found in (alone, pooled, watched)))


@pytest.mark.parametrize(("baselines", "alone", "pooled"), [(1, 62.0, 14.6), (TRIES, 77.0, 5.0)])
def test_the_simple_rule_goes_green_when_retried_and_rarely_when_pooled(
    baselines: int, alone: float, pooled: float, effort: Effort
) -> None:
    draws = effort.draws(3_000, 120_000)
    # no FAIL is what that rule calls green
    green = {Outcome.PASS, Outcome.INCONCLUSIVE}
    found = _retry(Rule.SIMPLE, green, draws, baselines=baselines)
    assert found.alone == pytest.approx(alone, abs=0.5 + chance(alone, draws))
    assert found.pooled == pytest.approx(pooled, abs=0.5 + chance(pooled, draws))


@pytest.mark.parametrize("baselines", [1, TRIES])
def test_the_statistical_rule_does_not_pass_what_is_retried(baselines: int, effort: Effort) -> None:
    draws = effort.draws(1_500, 20_000)
    found = _retry(Rule.STATISTICAL, {Outcome.PASS}, draws, baselines=baselines)
    assert found.pooled < 0.5
    # watched for the first try that passes, it still errs no more often than one look may
    assert found.watched < 100 * ALPHA
    # and less often than without pooling
    assert found.watched < found.alone


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
