"""Pass rates corrected for a judge's errors: bias and coverage of every method, simulated.

The judge has TPR .9 and FPR .2 and judges 1,000 outputs. The truth is the rate that the outputs are
a sample of, as it is for any measured rate. Bias is in percentage points, coverage that of a 95 %
interval.
"""

import numpy as np
import pytest

from evalkit.judge.agreement import judge_agreement
from evalkit.judge.errors import error_rates
from evalkit.judge.items import ErrorRates, JudgedItem
from evalkit.judge.rates import (
    correct_rates,
    corrected_arm,
    naive,
    post_stratified,
    ppi,
    rogan_gladen,
)
from evalkit.records.calibration import Share
from tests.statistics.effort import Effort
from tests.statistics.judges_of_chance import Judge, labelled, sample_by_verdict, tell

JUDGE = Judge()
JUDGED, LABELS = 1_000, 100
NEARLY_UNBIASED = 0.7
COVERS = (93.0, 98.0)


# true rate; naive bias and coverage; width by strata of a sample of this run
@pytest.mark.parametrize(
    ("rate", "bias", "covers", "width"),
    [
        (0.95, -8.5, 0.0, 8.2),
        (0.85, -5.5, 0.4, 11.5),
        (0.70, -1.0, 89.6, 13.8),
        (0.50, 5.0, 10.8, 14.9),
    ],
)
def test_labels_of_the_run_itself_correct_what_the_naive_rate_gets_wrong(
    rate: float, bias: float, covers: float, width: float, effort: Effort
) -> None:
    rng = np.random.default_rng(20260105)
    as_it_stands: list[Share] = []
    corrected: list[Share] = []
    for _ in range(effort.draws(4_000, 60_000)):
        run = rng.multinomial(JUDGED, JUDGE.cells(rate))
        passed = int(run[0] + run[2])
        as_it_stands.append(naive(passed, JUDGED))
        items = labelled(rng.multivariate_hypergeometric(run, LABELS))
        share = post_stratified(passed, JUDGED - passed, items)
        assert share is not None
        corrected.append(share)
    before, after = tell(as_it_stands, rate), tell(corrected, rate)
    assert before.bias == pytest.approx(bias, abs=0.15)
    assert before.covers == pytest.approx(covers, abs=2.0)
    assert abs(after.bias) < NEARLY_UNBIASED, after
    assert COVERS[0] < after.covers < COVERS[1], after
    assert after.width == pytest.approx(width, abs=0.3)


@pytest.mark.parametrize(
    ("rate", "width"), [(0.95, 16.7), (0.85, 21.2), (0.70, 22.5), (0.50, 23.6)]
)
def test_labels_from_an_earlier_run_correct_it_at_a_wider_interval(
    rate: float, width: float, effort: Effort
) -> None:
    rng = np.random.default_rng(20260106)
    corrected: list[Share] = []
    draws = effort.draws(4_000, 60_000)
    for _ in range(draws):
        rates = error_rates(labelled(rng.multinomial(LABELS, JUDGE.cells(rate))))
        if rates is not None and rates.youden > 0:
            run = rng.multinomial(JUDGED, JUDGE.cells(rate))
            corrected.append(rogan_gladen(int(run[0] + run[2]), JUDGED, rates))
    # at .95 one in 170 samples of 100 labels has no fail in it, one in 90 shows no J above 0
    assert len(corrected) > 0.975 * draws
    found = tell(corrected, rate)
    # five fails among the labels do not tell an FPR: rates above 1 are cut off at .95
    assert abs(found.bias) < (1.0 if rate == 0.95 else NEARLY_UNBIASED), found
    assert COVERS[0] < found.covers < COVERS[1], found
    assert found.width == pytest.approx(width, abs=0.4)


@pytest.mark.parametrize("rate", [0.95, 0.85, 0.70, 0.50])
def test_a_calibration_that_may_gate_corrects_a_run_without_bias(
    rate: float, effort: Effort
) -> None:
    rng = np.random.default_rng(20260107)
    shares = []
    for _ in range(effort.draws(2_000, 40_000)):
        rates = ErrorRates(
            tpr=rng.binomial(75, JUDGE.tpr) / 75,
            fpr=rng.binomial(75, JUDGE.fpr) / 75,
            n_pass=75,
            n_fail=75,
        )
        run = rng.multinomial(JUDGED, JUDGE.cells(rate))
        shares.append(rogan_gladen(int(run[0] + run[2]), JUDGED, rates))
    found = tell(shares, rate)
    assert abs(found.bias) < NEARLY_UNBIASED, found
    assert COVERS[0] < found.covers < COVERS[1], found


@pytest.mark.parametrize("rate", [0.95, 0.85, 0.70, 0.50])
@pytest.mark.parametrize(("passed", "failed"), [(50, 50), (40, 60)])
def test_a_sample_by_verdict_is_weighed_right(
    rate: float, passed: int, failed: int, effort: Effort
) -> None:
    rng = np.random.default_rng(20260108)
    by_strata, other_run = [], []
    for _ in range(effort.draws(2_000, 30_000)):
        run = rng.multinomial(JUDGED, JUDGE.cells(rate))
        items = sample_by_verdict(rng, run, passed, failed)
        share = post_stratified(int(run[0] + run[2]), int(run[1] + run[3]), items)
        assert share is not None
        by_strata.append(share)
        rates = error_rates(items)
        if rates is not None and rates.youden > 0:
            later = rng.multinomial(JUDGED, JUDGE.cells(0.8))
            other_run.append(rogan_gladen(int(later[0] + later[2]), JUDGED, rates))
    found = tell(by_strata, rate)
    assert abs(found.bias) < NEARLY_UNBIASED, found
    assert COVERS[0] < found.covers < COVERS[1], found
    # the same labels as those of an earlier run, by their effective numbers: too wide if anything,
    # for to know how many outputs have a verdict takes more chance out than weights can say
    assert tell(other_run, 0.8).covers > 95


def test_labels_sampled_by_verdict_and_taken_as_they_come_mislead() -> None:
    rng = np.random.default_rng(20260109)
    weighted, plain = [], []
    for _ in range(300):
        run = rng.multinomial(JUDGED, JUDGE.cells(0.7))
        items = sample_by_verdict(rng, run, 50, 50)
        with_weights = error_rates(items)
        as_they_come = error_rates(
            [JudgedItem(truth=item.truth, verdict=item.verdict) for item in items]
        )
        assert with_weights is not None
        assert as_they_come is not None
        weighted.append((with_weights.tpr, with_weights.fpr))
        plain.append((as_they_come.tpr, as_they_come.fpr))
    assert np.mean(weighted, axis=0) == pytest.approx([0.9, 0.2], abs=0.01)
    assert abs(np.mean(plain, axis=0) - [0.9, 0.2]).min() > 0.05


@pytest.mark.parametrize("by_verdict", [False, True])
@pytest.mark.parametrize("rate", [0.95, 0.85, 0.50])
def test_ppi_covers_with_fewer_labels_than_they_would_take_alone(
    rate: float, by_verdict: bool, effort: Effort
) -> None:
    rng = np.random.default_rng(20260110)
    shares = []
    for _ in range(effort.draws(250, 6_000)):
        good = rng.random(JUDGED) < rate
        noisy = np.where(good, rng.normal(0.75, 0.2, JUDGED), rng.normal(0.35, 0.25, JUDGED))
        scores = np.round(np.clip(noisy, 0, 1), 1)
        passed = scores >= 0.5
        strata = [np.flatnonzero(passed), np.flatnonzero(~passed)]
        sizes = [50, min(50, len(strata[1]))]
        if not by_verdict:
            strata, sizes = [np.arange(JUDGED)], [LABELS]
        items = [
            JudgedItem(
                truth=bool(good[i]),
                score=float(scores[i]),
                verdict=bool(passed[i]),
                weight=len(stratum) / size,
            )
            for stratum, size in zip(strata, sizes, strict=True)
            for i in rng.choice(stratum, size, replace=False)
        ]
        share = ppi([float(score) for score in scores], items)
        assert share is not None
        shares.append(share)
    found = tell(shares, rate)
    assert abs(found.bias) < NEARLY_UNBIASED, found
    assert COVERS[0] - 1 < found.covers < COVERS[1] + 1, found
    if not by_verdict:
        labels_alone = 100 * 2 * 1.96 * float(np.sqrt(rate * (1 - rate) / LABELS))
        assert found.width < 0.98 * labels_alone + 0.6


@pytest.mark.parametrize("rate", [0.95, 0.85, 0.60])
@pytest.mark.parametrize("unanswered", [0.05, 0.3])
def test_an_arm_with_known_fails_is_covered(rate: float, unanswered: float, effort: Effort) -> None:
    rng = np.random.default_rng(20260111)
    shares = []
    for _ in range(effort.draws(1_500, 20_000)):
        rates = ErrorRates(
            tpr=rng.binomial(100, JUDGE.tpr) / 100,
            fpr=rng.binomial(75, JUDGE.fpr) / 75,
            n_pass=100,
            n_fail=75,
        )
        known = int(rng.binomial(400, unanswered))
        run = rng.multinomial(400 - known, JUDGE.cells(rate))
        shares.append(
            corrected_arm(
                passed=int(run[0] + run[2]),
                judged=400 - known,
                known_fails=known,
                rates=rates,
                alpha=0.025,
            )
        )
    found = tell(shares, (1 - unanswered) * rate)
    assert abs(found.bias) < NEARLY_UNBIASED, found
    assert COVERS[0] < found.covers < COVERS[1], found


@pytest.mark.parametrize("sampled_from_run", [True, False])
def test_the_rate_that_applies_is_one_that_covers(sampled_from_run: bool) -> None:
    rng = np.random.default_rng(20260112)
    applying = []
    for _ in range(500):
        run = rng.multinomial(JUDGED, JUDGE.cells(0.85))
        # the earlier run's outputs were worse, which changes what a verdict is worth
        counts = (
            rng.multivariate_hypergeometric(run, 150)
            if sampled_from_run
            else rng.multinomial(150, JUDGE.cells(0.6))
        )
        rates = correct_rates(
            labelled(counts),
            judged=JUDGED,
            passed=int(run[0] + run[2]),
            sampled_from_run=sampled_from_run,
        )
        applying += [each.rate for each in rates if each.applies and each.rate is not None]
    assert len(applying) == 500
    found = tell(applying, 0.85)
    assert abs(found.bias) < NEARLY_UNBIASED, found
    assert COVERS[0] < found.covers < COVERS[1], found


@pytest.mark.parametrize(("rate", "kappa"), [(0.5, 0.70), (0.98, 0.21)])
def test_kappa_tells_of_the_pass_rate_what_it_should_tell_of_the_judge(
    rate: float, kappa: float
) -> None:
    rng = np.random.default_rng(20260113)
    kappas, rates = [], []
    for _ in range(30):
        items = labelled(rng.multinomial(4_000, JUDGE.cells(rate)))
        agreement, errors = judge_agreement(items), error_rates(items)
        assert agreement is not None
        assert agreement.kappa is not None
        assert errors is not None
        kappas.append(agreement.kappa)
        rates.append((errors.tpr, errors.fpr))
    assert np.mean(kappas) == pytest.approx(kappa, abs=0.015)
    assert np.mean(rates, axis=0) == pytest.approx([0.9, 0.2], abs=0.02)
