"""A against A on real runs: a model asked the same again and again, with nothing changed.

data/README.md says what was measured and how. Every pair of runs is a comparison in which a FAIL is
a false alarm; the pairs share their runs, so their number says less than it seems.
"""

import csv
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import permutations
from pathlib import Path

import numpy as np
import pytest

from evalkit.gate.looks import plan_looks
from evalkit.gate.settings import Rule
from evalkit.records.verdict import Outcome
from tests.statistics.effort import chance
from tests.statistics.gate_on_counts import ALPHA, decide, decide_passes
from tests.statistics.suites_of_chance import Matrix

Pair = tuple[Matrix, Matrix]


def _read() -> dict[str, Matrix]:
    """Per arm: whether each case (rows) passed in each run (columns)."""
    path = Path(__file__).parent / "data" / "repeats.csv"
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    arms = [name for name in rows[0] if name != "case"]
    return {arm: np.array([[run == "1" for run in row[arm]] for row in rows]) for arm in arms}


ARMS = _read()
UNCHANGED, SHARED_SEED, REGRESSED = ARMS["v1"], ARMS["v1_shared_seed"], ARMS["v2"]


def _pairs(runs: Matrix) -> Iterator[Pair]:
    for before, after in permutations(range(runs.shape[1]), 2):
        yield runs[:, before], runs[:, after]


def _subsets(runs: Matrix, cases: int, draws: int) -> Iterator[Pair]:
    """Two runs drawn anew, on as many cases drawn anew."""
    rng = np.random.default_rng(20240229)
    for _ in range(draws):
        before, after = rng.choice(runs.shape[1], 2, replace=False)
        chosen = rng.choice(len(runs), cases, replace=False)
        yield runs[chosen, before], runs[chosen, after]


def _percentages(pairs: Iterable[Pair], rule: Rule) -> dict[Outcome, float]:
    outcomes = Counter(
        decide(int((base & ~cand).sum()), int((cand & ~base).sum()), len(base), rule=rule)
        for base, cand in pairs
    )
    return {each: 100 * outcomes[each] / outcomes.total() for each in Outcome}


def test_identical_runs_flip_as_often_as_those_of_real_models() -> None:
    flips = [float((base != cand).mean()) for base, cand in _pairs(UNCHANGED)]
    assert UNCHANGED.shape == (400, 10)
    assert 0.05 < np.mean(flips) < 0.20
    # some cases flip and most never do
    passes = UNCHANGED.sum(1)
    assert 0.1 < ((passes > 0) & (passes < 10)).mean() < 0.5


def test_whole_runs_raise_no_more_false_alarms_than_promised() -> None:
    found = _percentages(_pairs(UNCHANGED), Rule.STATISTICAL)
    assert found[Outcome.FAIL] <= 100 * ALPHA
    assert found[Outcome.PASS] > 25


@pytest.mark.parametrize("cases", [100, 200, 300])
def test_parts_of_the_suite_raise_no_more_false_alarms_than_promised(cases: int) -> None:
    draws = 4_000
    found = _percentages(_subsets(UNCHANGED, cases, draws), Rule.STATISTICAL)
    assert found[Outcome.FAIL] <= 100 * ALPHA + chance(100 * ALPHA, draws)
    simple = _percentages(_subsets(UNCHANGED, cases, draws), Rule.SIMPLE)
    assert simple[Outcome.FAIL] > found[Outcome.FAIL]
    assert simple[Outcome.PASS] == found[Outcome.PASS]


@pytest.mark.parametrize(("trials", "cases"), [((2, 2), 200), ((5, 5), 200), ((9, 1), 200)])
def test_groups_of_runs_raise_no_more_false_alarms_than_promised(
    trials: tuple[int, int], cases: int
) -> None:
    rng = np.random.default_rng(3)
    outcomes: Counter[Outcome] = Counter()
    for _ in range(1_500):
        order = rng.permutation(UNCHANGED.shape[1])
        chosen = rng.choice(len(UNCHANGED), cases, replace=False)
        runs = UNCHANGED[chosen][:, order]
        base, cand = runs[:, : trials[0]], runs[:, trials[0] : sum(trials)]
        outcomes[decide_passes(base.sum(1).tolist(), cand.sum(1).tolist(), trials)] += 1
    assert outcomes[Outcome.FAIL] / outcomes.total() <= ALPHA


def test_looking_up_to_four_times_raises_no_more_false_alarms_than_promised() -> None:
    looks = plan_looks(trials=1, alpha=ALPHA, max_trials=4)
    rng = np.random.default_rng(4)
    outcomes: Counter[Outcome] = Counter()
    for _ in range(1_500):
        runs = UNCHANGED[:, rng.permutation(UNCHANGED.shape[1])]
        for look in looks:
            base, cand = runs[:, : look.trials], runs[:, 4 : 4 + look.trials]
            passes = (arm.sum(1).tolist() for arm in (base, cand))
            outcome = decide_passes(*passes, (look.trials, look.trials), alpha=look.alpha)
            if outcome is not Outcome.INCONCLUSIVE:
                break
        outcomes[outcome] += 1
    assert outcomes[Outcome.FAIL] / outcomes.total() <= ALPHA
    assert outcomes[Outcome.PASS] / outcomes.total() > 0.5


def test_a_real_regression_fails_in_every_pair() -> None:
    for before in UNCHANGED.T:
        for after in REGRESSED.T:
            b, c = int((before & ~after).sum()), int((after & ~before).sum())
            assert decide(b, c, len(before)) is Outcome.FAIL


def test_a_seed_that_all_cases_share_breaks_the_promise() -> None:
    # Every case of such a run draws with the same luck: the cases are one observation, not 400,
    # which no interval can see. This is why seeds have to differ from case to case.
    found = _percentages(_pairs(SHARED_SEED), Rule.STATISTICAL)
    assert found[Outcome.FAIL] > 20
    rates = SHARED_SEED.mean(0)
    assert rates.max() - rates.min() > 5 * (UNCHANGED.mean(0).max() - UNCHANGED.mean(0).min())
