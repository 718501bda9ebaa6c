"""The corrected drop: how often its 90 % interval covers the true one, and what the raw one misses.

Truth, verdicts and outputs without an answer are drawn as shares of cases, so that a suite is one
draw of counts. Drops are fractions; percent and percentage points are shown.
"""

import itertools
from dataclasses import dataclass, field

import numpy as np
import pytest

from evalkit.gate.intervals import drop_interval, tango
from evalkit.judge.drops import corrected_drop, p_value
from evalkit.judge.items import ErrorRates
from evalkit.records.verdict import Estimate
from tests.statistics.effort import Effort, chance
from tests.statistics.judges_of_chance import Judge, summarise

ALPHA = 0.05
COVERS = (89.0, 93.0)
Ends = tuple[float, float, float]


@dataclass(frozen=True)
class Suite:
    """`n` cases on both arms, of whose answers `rate` are good on the baseline.

    `broken` of all are good there alone (or on the candidate, below 0) beyond the `flips` either
    way that are noise. `same` of the outputs that are good, or bad, on both arms are equal and
    share a verdict. `known` are the shares of attempts without an answer, baseline and candidate.
    `labels` are the calibration's passes and fails.
    """

    n: int
    rate: float
    broken: float
    flips: float = 0.04
    judge: Judge = field(default_factory=Judge)
    labels: tuple[int, int] = (75, 75)
    known: tuple[float, float] = (0.0, 0.0)
    same: float = 0.3

    @property
    def drop(self) -> float:
        """The true drop in the pass rate."""
        after = self.rate - self.broken
        return (1 - self.known[0]) * self.rate - (1 - self.known[1]) * after

    def cells(self) -> dict[tuple[bool, bool, bool, bool], float]:
        """Shares of cases by (baseline judged, candidate judged, baseline and candidate passed)."""
        truths = {
            (True, False): self.flips / 2 + max(0.0, self.broken),
            (False, True): self.flips / 2 + max(0.0, -self.broken),
            (True, True): self.rate - self.flips / 2 - max(0.0, self.broken),
            (False, False): 1 - self.rate - self.flips / 2 - max(0.0, -self.broken),
        }
        found: dict[tuple[bool, bool, bool, bool], float] = {}
        for (before, after), truth in truths.items():
            p, q = self._passes(before), self._passes(after)
            shared = self.same if before is after else 0.0
            for judged in itertools.product((True, False), repeat=2):
                share = truth
                for there, known in zip(judged, self.known, strict=True):
                    share *= 1 - known if there else known
                for said in itertools.product((True, False), repeat=2):
                    if any(yes and not there for yes, there in zip(said, judged, strict=True)):
                        continue
                    part = 1.0
                    for there, yes, chance_of in zip(judged, said, (p, q), strict=True):
                        part *= 1.0 if not there else chance_of if yes else 1 - chance_of
                    if all(judged):
                        one = (p if said[0] else 1 - p) if said[0] is said[1] else 0.0
                        part = shared * one + (1 - shared) * part
                    found[*judged, *said] = found.get((*judged, *said), 0.0) + share * part
        return found

    def _passes(self, good: bool) -> float:
        return self.judge.tpr if good else self.judge.fpr


def _draw(suite: Suite, draws: int, seed: int) -> list[tuple[Estimate, ErrorRates, float]]:
    """Raw drops with their intervals, error rates of a calibration, and the excess judged."""
    rng = np.random.default_rng(seed)
    cells = suite.cells()
    counts = rng.multinomial(suite.n, list(cells.values()), size=draws)
    of = np.array(list(cells))
    against, towards = (of[:, 2] & ~of[:, 3]), (~of[:, 2] & of[:, 3])
    b, c = counts @ against, counts @ towards
    excess = counts @ (of[:, 0].astype(int) - of[:, 1].astype(int)) / suite.n
    tpr = rng.binomial(suite.labels[0], suite.judge.tpr, size=draws) / suite.labels[0]
    fpr = rng.binomial(suite.labels[1], suite.judge.fpr, size=draws) / suite.labels[1]
    drawn = []
    for i in range(draws):
        lower, upper = tango(int(b[i]), int(c[i]), suite.n, ALPHA)
        raw = Estimate(drop=(int(b[i]) - int(c[i])) / suite.n, lower=lower, upper=upper)
        rates = ErrorRates(
            tpr=float(tpr[i]),
            fpr=float(fpr[i]),
            n_pass=suite.labels[0],
            n_fail=suite.labels[1],
        )
        drawn.append((raw, rates, float(excess[i])))
    return drawn


def _corrected(suite: Suite, draws: int, seed: int) -> list[Ends]:
    found = []
    for raw, rates, excess in _draw(suite, draws, seed):
        estimate = corrected_drop(raw, rates, alpha=ALPHA, judged_excess=excess)
        assert (p_value(estimate, alpha=ALPHA) < ALPHA) is (estimate.lower > 0)
        found.append((estimate.drop, estimate.lower, estimate.upper))
    return found


GOOD, POOR = Judge(0.95, 0.1), Judge(0.85, 0.3)


@pytest.mark.parametrize(
    "suite",
    [
        Suite(1_000, 0.85, 0.0),
        Suite(1_000, 0.85, 0.03),
        Suite(1_000, 0.85, 0.10),
        Suite(1_000, 0.85, 0.25),
        Suite(1_000, 0.85, -0.05),
        Suite(200, 0.9, 0.05, judge=GOOD, labels=(60, 60)),
        Suite(2_000, 0.9, 0.03, judge=GOOD, labels=(400, 200)),
        Suite(300, 0.7, 0.05, judge=POOR, labels=(50, 50)),
        Suite(1_000, 0.7, 0.15, judge=POOR, labels=(150, 50)),
        Suite(1_000, 0.85, 0.0, same=0.9, flips=0.02),
        Suite(1_000, 0.85, 0.02, known=(0.05, 0.05)),
        Suite(1_000, 0.85, 0.0, known=(0.0, 0.1)),
        Suite(1_000, 0.85, 0.0, known=(0.1, 0.0)),
        Suite(1_000, 0.85, 0.03, known=(0.02, 0.06), judge=GOOD),
    ],
    ids=str,
)
def test_the_true_drop_is_covered_as_often_as_promised(suite: Suite, effort: Effort) -> None:
    draws = effort.draws(2_500, 20_000)
    found = summarise(_corrected(suite, draws, seed=20260201), suite.drop)
    slack = 0.0 if effort.full else chance(90, draws) / 2
    assert COVERS[0] - slack < found.covers < COVERS[1] + slack, found
    # 1 / J of a J from few labels is too large in the mean, by Var J / J^2
    assert abs(found.bias) < 0.7, found
    assert found.below < 7.0, found
    assert found.above < 6.0, found


def test_where_many_more_went_unanswered_on_one_arm_it_is_on_the_wide_side(effort: Effort) -> None:
    # the raw interval holds the chance of who answered, part of which the correction takes out
    suite = Suite(2_000, 0.7, 0.02, known=(0.05, 0.3), judge=POOR, labels=(75, 75))
    found = summarise(_corrected(suite, effort.draws(2_500, 20_000), seed=20260206), suite.drop)
    assert COVERS[0] < found.covers < COVERS[1] + 2, found
    assert abs(found.bias) < 0.5, found


def test_an_uncorrected_gate_is_lenient_by_one_over_j(effort: Effort) -> None:
    suite = Suite(2_000, 0.85, 0.03, flips=0.02, same=0.95)
    draws = effort.draws(2_500, 20_000)
    drawn = _draw(suite, draws, seed=20260202)
    seen = float(np.mean([raw.drop for raw, _, _ in drawn]))
    assert seen == pytest.approx(0.03 * 0.7, abs=0.0005)
    # a true drop of the margin is ruled out by the raw interval far more often than once in 20
    raw_passes = 100 * float(np.mean([raw.upper < 0.03 for raw, _, _ in drawn]))
    passes = 100 * float(
        np.mean([upper < 0.03 for _, _, upper in _corrected(suite, draws, seed=20260202)])
    )
    assert raw_passes > 25
    assert passes < 5.5 + chance(5, draws)


@pytest.mark.parametrize("known", [(0.0, 0.0), (0.08, 0.08), (0.05, 0.2)])
def test_false_alarms_stay_at_alpha(known: tuple[float, float], effort: Effort) -> None:
    # as good as before: what the candidate does not answer it makes up for with better answers
    before = (1 - known[0]) * 0.75
    suite = Suite(1_000, 0.75, 0.75 - before / (1 - known[1]), known=known)
    assert suite.drop == pytest.approx(0.0)
    draws = effort.draws(2_500, 20_000)
    alarms = [lower > 0 for _, lower, _ in _corrected(suite, draws, seed=20260203)]
    assert 100 * float(np.mean(alarms)) < 5.3 + chance(5, draws)


def test_forgetting_that_fewer_were_judged_would_bias_it() -> None:
    suite = Suite(1_000, 0.85, 0.0, known=(0.0, 0.1))
    drawn = _draw(suite, 1_000, seed=20260204)
    forgotten = [corrected_drop(raw, rates, alpha=ALPHA).drop for raw, rates, _ in drawn]
    # FPR * excess / J = .2 * .1 / .7
    assert 100 * (float(np.mean(forgotten)) - suite.drop) == pytest.approx(2.9, abs=0.3)


def test_drops_over_trials_and_documents_are_covered_too(effort: Effort) -> None:
    judge, documents, size, trials = Judge(), 60, 4, 2
    rng = np.random.default_rng(20260205)
    groups = [i // size for i in range(documents * size)]
    found = []
    for _ in range(effort.draws(400, 6_000)):
        rates = np.clip(rng.beta(6, 1.5, documents), 0, 1)[groups]
        shift = 0.05
        judged = []
        for p in (rates, rates * (1 - shift)):
            good = rng.random((trials, len(groups))) < p
            judged.append((rng.random(good.shape) < np.where(good, judge.tpr, judge.fpr)).mean(0))
        raw = drop_interval((judged[0] - judged[1]).tolist(), groups, ALPHA, one_run=False)
        errors = ErrorRates(
            tpr=rng.binomial(100, judge.tpr) / 100,
            fpr=rng.binomial(100, judge.fpr) / 100,
            n_pass=100,
            n_fail=100,
        )
        estimate = corrected_drop(
            Estimate(drop=raw.drop, lower=raw.lower, upper=raw.upper), errors, alpha=ALPHA
        )
        found.append((estimate.drop, estimate.lower, estimate.upper))
    # the gate's own interval for trials is on the wide side, and so is this
    assert summarise(found, 0.05 * 0.8).covers > COVERS[0] - 1
