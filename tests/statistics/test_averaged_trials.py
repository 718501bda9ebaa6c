"""Trials that are averaged within their case: the interval errs about as rarely as alpha says.

Two kinds of drop. One takes a part of every case's pass rate, the other breaks a few outright: it
is as whole as single runs are and hides behind noise that averaging made small. Groups have one to
seven cases, which go with their group more often than not.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import pytest

from evalkit.gate.intervals import drop_interval
from tests.statistics.effort import Effort, chance
from tests.statistics.gate_on_counts import ALPHA
from tests.statistics.suites_of_chance import Matrix, beta_cases, broken, coin_cases, lowered, play

MARGIN, FLIPS = 0.03, 0.10
MODELS: dict[str, Callable[[int, float], Matrix]] = {"beta": beta_cases, "coin": coin_cases}
TRIALS = [(2, 2), (4, 4), (10, 10), (10, 1)]
Way = Callable[[np.random.Generator, Matrix], Matrix]


def _a_part_of_each(rng: np.random.Generator, rates: Matrix) -> Matrix:
    return lowered(rates, MARGIN)


def _some_outright(rng: np.random.Generator, rates: Matrix) -> Matrix:
    return broken(rng, rates, MARGIN)


def _unchanged(rng: np.random.Generator, rates: Matrix) -> Matrix:
    return rates


def _differences(
    model: str, n: int, trials: tuple[int, int], way: Way, draws: int
) -> Iterator[list[float]]:
    rng = np.random.default_rng([n, *trials])
    rates = MODELS[model](n, FLIPS)
    for _ in range(draws):
        base, cand = play(rng, rates, trials[0]), play(rng, way(rng, rates), trials[1])
        yield (base.mean(1) - cand.mean(1)).tolist()


@pytest.mark.parametrize("n", [100, 200, 500])
@pytest.mark.parametrize("trials", TRIALS)
@pytest.mark.parametrize("way", [_a_part_of_each, _some_outright])
def test_a_drop_of_the_margin_passes_about_as_rarely_as_promised(
    way: Way, trials: tuple[int, int], n: int, effort: Effort
) -> None:
    # the score and t intervals are normal ones: a hundred cases with a few that break are not
    bound = {100: 6.6, 200: 6.4, 500: 6.0}[n]
    draws = effort.draws(400, 10_000)
    passed = sum(
        drop_interval(differences, None, ALPHA, one_run=False).upper < MARGIN
        for differences in _differences("beta", n, trials, way, draws)
    )
    assert 100 * passed / draws < bound + chance(bound, draws)


@pytest.mark.parametrize("n", [100, 200, 500])
@pytest.mark.parametrize("trials", TRIALS)
@pytest.mark.parametrize("model", MODELS)
def test_a_drop_is_seen_where_there_is_none_as_rarely_as_promised(
    model: str, trials: tuple[int, int], n: int, effort: Effort
) -> None:
    draws = effort.draws(400, 10_000)
    seen = sum(
        drop_interval(differences, None, ALPHA, one_run=False).lower > 0
        for differences in _differences(model, n, trials, _unchanged, draws)
    )
    assert 100 * seen / draws < 5.5 + chance(5.5, draws)


@pytest.mark.parametrize(("trials", "percent"), [((5, 5), 85.3), ((10, 1), 54.5)])
def test_more_trials_of_two_hundred_cases_pass_an_unchanged_candidate_more_often(
    trials: tuple[int, int], percent: float, effort: Effort
) -> None:
    # one run an arm passes 36.7 % of them
    draws = effort.draws(1_000, 20_000)
    passed = sum(
        drop_interval(differences, None, ALPHA, one_run=False).upper < MARGIN
        for differences in _differences("beta", 200, trials, _unchanged, draws)
    )
    assert 100 * passed / draws == pytest.approx(percent, abs=1 + chance(percent, draws))


@dataclass(frozen=True)
class Groups:
    """Cases in groups of unequal size."""

    keys: list[int]

    @classmethod
    def of(cls, groups: int) -> "Groups":
        """The first has one case, the next two, up to seven, and so on."""
        return cls([group for group in range(groups) for _ in range(1 + group % 7)])

    def play(self, rng: np.random.Generator, drop: float, trials: int) -> list[float]:
        """Per case the difference of means; two of a group agree in half of what they do."""
        keys = np.array(self.keys)
        shares = [(FLIPS - drop) / 2, 1 - FLIPS, (FLIPS + drop) / 2]
        differences = np.zeros(len(keys))
        for _ in range(trials):
            common = rng.choice([-1.0, 0.0, 1.0], keys.max() + 1, p=shares)[keys]
            own = rng.choice([-1.0, 0.0, 1.0], len(keys), p=shares)
            differences += np.where(rng.random(len(keys)) < 0.7, common, own)
        return (differences / trials).tolist()


@pytest.mark.parametrize("groups", [100, 200, 500])
@pytest.mark.parametrize("trials", [1, 4])
def test_groups_of_unequal_size_err_as_rarely_as_promised(
    trials: int, groups: int, effort: Effort
) -> None:
    draws = effort.draws(300, 5_000)
    rng = np.random.default_rng([groups, trials])
    suite = Groups.of(groups)
    passed = seen = 0
    for _ in range(draws):
        for drop in (0.0, MARGIN):
            found = drop_interval(
                suite.play(rng, drop, trials), suite.keys, ALPHA, one_run=trials == 1
            )
            if drop:
                passed += found.upper < MARGIN
            else:
                seen += found.lower > 0
    assert 100 * passed / draws < 5.5 + chance(5.5, draws)
    assert 100 * seen / draws < 5.5 + chance(5.5, draws)
