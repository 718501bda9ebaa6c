"""The door that users take, `evalkit.compare` on frames, errs as the simulations say."""

import numpy as np
import pandas as pd
import pytest

import evalkit
from evalkit.gate.settings import Rule
from evalkit.records.verdict import Outcome
from tests.statistics.gate_on_counts import decide, decide_passes
from tests.statistics.suites_of_chance import Matrix, beta_cases, lowered, play


def _frame(runs: Matrix) -> pd.DataFrame:
    """Cases in rows and trials in columns as one row a case and trial."""
    cases, trials = runs.shape
    return pd.DataFrame(
        {
            "case": [f"c{i}" for i in range(cases) for _ in range(trials)],
            "trial": list(range(trials)) * cases,
            "passed": runs.ravel(),
        }
    )


@pytest.mark.parametrize("rule", Rule)
def test_single_runs_are_decided_as_in_the_simulations(rule: Rule) -> None:
    n, draws = 300, 6
    rng = np.random.default_rng(20240229)
    rates = beta_cases(n, 0.06)
    seen = set()
    for drop in (0.0, 0.03, 0.08):
        for _ in range(draws):
            base, cand = play(rng, rates, 1), play(rng, lowered(rates, drop), 1)
            verdict = evalkit.compare(_frame(base), _frame(cand), max_drop_pp=3, rule=rule.value)
            b, c = int((base & ~cand).sum()), int((cand & ~base).sum())
            assert verdict.outcome is decide(b, c, n, rule=rule)
            seen.add(verdict.outcome)
    assert seen == {Outcome.PASS, Outcome.FAIL, Outcome.INCONCLUSIVE}


@pytest.mark.parametrize("trials", [(2, 2), (5, 1)])
def test_repeated_runs_are_decided_as_in_the_simulations(trials: tuple[int, int]) -> None:
    n, draws = 300, 5
    rng = np.random.default_rng(5)
    rates = beta_cases(n, 0.10)
    seen = set()
    for drop in (0.0, 0.03, 0.08):
        for _ in range(draws):
            base, cand = play(rng, rates, trials[0]), play(rng, lowered(rates, drop), trials[1])
            # every trial that one arm ran is one the arm ran; the arms need not have as many
            verdict = evalkit.compare(_frame(base), _frame(cand), max_drop_pp=3)
            passes = (arm.sum(1).tolist() for arm in (base, cand))
            assert verdict.outcome is decide_passes(*passes, trials)
            seen.add(verdict.outcome)
    assert len(seen) >= 2
