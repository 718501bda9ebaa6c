"""How often the intervals miss the truth: about as often as their alpha says."""

import math

import numpy as np
import pytest
from scipy import stats

from evalkit.gate.intervals import drop_interval, tango, wilson
from evalkit.gate.power import ESCALATION_LOOKS


@pytest.mark.parametrize("n", [100, 200, 500])
@pytest.mark.parametrize("flips", [0.05, 0.10, 0.20])
def test_a_drop_of_the_margin_is_ruled_out_as_rarely_as_alpha_says(n: int, flips: float) -> None:
    margin = 0.03
    against, towards = flips / 2 + margin / 2, flips / 2 - margin / 2
    missed = 0.0
    for c in range(int(n * towards + 8 * math.sqrt(n * towards) + 8)):
        share_c = stats.binom.pmf(c, n, towards)
        if share_c < 1e-7:
            continue
        # upper rises with b, so the tables that rule the margin out are those up to some b
        most = -1
        while tango(most + 1, c, n, 0.05)[1] < margin:
            most += 1
        if most >= 0:
            missed += share_c * stats.binom.cdf(most, n - c, against / (1 - towards))
    assert missed < 0.058


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


def _documents(rng: np.random.Generator, groups: int, size: int, flips: float) -> list[float]:
    """Differences under no change where most flips of a document go together."""
    together = rng.choice([-1, 0, 1], groups, p=[flips / 2, 1 - flips, flips / 2])
    own = rng.choice([-1, 0, 1], (groups, size), p=[flips / 2, 1 - flips, flips / 2])
    joined = rng.random((groups, size)) < 0.6
    return [float(d) for d in np.where(joined, together[:, None], own).ravel()]


def test_cases_from_one_document_raise_no_more_false_alarms_than_promised() -> None:
    rng = np.random.default_rng(11)
    groups, size, sims = 100, 5, 2500
    keys = [i // size for i in range(groups * size)]
    clustered = independent = 0
    for _ in range(sims):
        differences = _documents(rng, groups, size, 0.10)
        clustered += drop_interval(differences, keys, 0.05, one_run=True).lower > 0
        b, c = differences.count(1.0), differences.count(-1.0)
        independent += tango(b, c, groups * size, 0.05)[0] > 0
    assert clustered / sims < 0.06
    # what ignoring the documents would have done
    assert independent / sims > 0.09


def _runs(rng: np.random.Generator, rates: np.ndarray, trials: int) -> np.ndarray:
    return rng.random((len(rates), trials)) < rates[:, None]


def _flaky_suite(n: int) -> np.ndarray:
    """Pass probabilities with a mean of .85, where a tenth of the cases flips between runs."""
    spread = 0.85 * 0.15 - 0.10 / 2
    weight = 0.85 * 0.15 / spread - 1
    return np.asarray(stats.beta(0.85 * weight, 0.15 * weight).ppf((np.arange(n) + 0.5) / n))


def test_repeated_runs_raise_no_more_false_alarms_than_promised() -> None:
    rng = np.random.default_rng(12)
    rates, sims = _flaky_suite(200), 2000
    alarms = 0
    for _ in range(sims):
        base, cand = _runs(rng, rates, 3), _runs(rng, rates, 3)
        differences = (base.mean(1) - cand.mean(1)).tolist()
        alarms += drop_interval(differences, None, 0.05, one_run=False).lower > 0
    assert alarms / sims < 0.06


@pytest.mark.parametrize(
    ("drop", "passes", "fails"), [(0.0, (0.75, 1.0), (0.0, 0.05)), (0.05, (0.0, 0.02), (0.97, 1.0))]
)
def test_looking_three_times_keeps_its_promise(
    drop: float, passes: tuple[float, float], fails: tuple[float, float]
) -> None:
    rng = np.random.default_rng(13)
    before = _flaky_suite(500)
    after, sims, margin = before * (1 - drop / 0.85), 300, 0.03
    passed = failed = 0
    for _ in range(sims):
        base, cand = _runs(rng, before, 4), _runs(rng, after, 4)
        for trials, alpha in ESCALATION_LOOKS:
            differences = base[:, :trials].mean(1) - cand[:, :trials].mean(1)
            interval = drop_interval(differences.tolist(), None, alpha, one_run=trials == 1)
            if interval.upper < margin:
                passed += 1
                break
            if interval.lower > 0 and interval.drop >= margin:
                failed += 1
                break
    assert passes[0] <= passed / sims <= passes[1]
    assert fails[0] <= failed / sims <= fails[1]
