"""Judges that are kinder to one arm, or that changed: caught as often, and accused as rarely, as
the tests promise; and the drop by labels on both arms, which no such judge can bend.
"""

import numpy as np
import pytest

from evalkit.judge.differential import equal_errors
from evalkit.judge.drift import anchor_drift, is_stale, spot_drift
from evalkit.judge.drops import corrected_drop
from evalkit.judge.errors import error_rates
from evalkit.judge.items import JudgedItem
from evalkit.judge.paired import PairedCase, paired_drop
from evalkit.records.verdict import Estimate
from tests.statistics.effort import Effort, chance
from tests.statistics.judges_of_chance import Judge, labelled, sample_by_verdict, summarise

ALPHA = 0.05
EVEN, KINDER = Judge(0.9, 0.2), Judge(0.95, 0.4)
AT = "2026-02-01T00:00:00Z"


def _arm(rng: np.random.Generator, judge: Judge, rate: float, by: str) -> list[JudgedItem]:
    """Labels of 150 of 1,000 outputs: as they come, or 75 of either verdict."""
    outputs = rng.multinomial(1_000, judge.cells(rate))
    if by == "verdict":
        return sample_by_verdict(rng, outputs, 75, 75)
    return labelled(rng.multivariate_hypergeometric(outputs, 150))


@pytest.mark.parametrize("by", ["chance", "verdict"])
def test_a_judge_that_errs_alike_is_seldom_accused_however_labels_were_sampled(
    by: str, effort: Effort
) -> None:
    rng = np.random.default_rng(20260301)
    accused, hidden, draws = 0, 0, effort.draws(600, 10_000)
    for _ in range(draws):
        # the candidate is worse and its labels are sampled otherwise: neither is the judge's doing
        found = equal_errors(_arm(rng, EVEN, 0.85, by), _arm(rng, EVEN, 0.7, "verdict"))
        accused += found.verified is False
        hidden += found.could_hide is not None and found.could_hide > 0
    assert 100 * accused / draws < 5 + chance(5, draws)
    assert hidden == draws


def test_a_judge_kinder_to_the_candidate_is_caught(effort: Effort) -> None:
    rng = np.random.default_rng(20260302)
    caught, hidden, draws = 0, 0, effort.draws(400, 6_000)
    # what it does to the drop of arms that are equally good, of which the labels pass .7
    false_drop = abs(0.7 * (0.9 - 0.95) + 0.3 * (0.2 - 0.4)) / 0.6
    for _ in range(draws):
        arms = [labelled(rng.multinomial(300, judge.cells(0.7))) for judge in (EVEN, KINDER)]
        found = equal_errors(*arms)
        caught += found.verified is False
        hidden += found.could_hide is not None and found.could_hide > false_drop
    # 300 labels on either arm, 90 of them fails, see 20 points of FPR four times in five
    assert caught / draws > 0.75
    # and what the labels cannot exclude holds what is there
    assert hidden / draws > 0.93


def _cases(
    rng: np.random.Generator,
    judges: tuple[Judge, Judge],
    drop: float,
    *,
    labels: int,
    by: str = "chance",
    documents: int | None = None,
) -> list[PairedCase]:
    """400 cases, of which the baseline passes .8; 4 % flip either way beside the drop.

    Labels go to cases as they come, or half of them to cases whose verdicts differ. Cases of one
    document are good together.
    """
    n = 400
    if documents is None:
        group, luck = None, rng.random(n)
    else:
        group = np.arange(n) % documents
        luck = (rng.random(documents)[group] + rng.normal(0, 0.05, n)) % 1
    before = luck < 0.8
    turn = rng.random(n)
    after = np.where(before, turn >= (drop + 0.04) / 0.8, turn < 0.04 / 0.2)
    seen = [
        np.where(good, rng.random(n) < judge.tpr, rng.random(n) < judge.fpr)
        for good, judge in zip((before, after), judges, strict=True)
    ]
    judged = seen[0].astype(float) - seen[1]
    truth = before.astype(float) - after
    strata, sizes = [np.arange(n)], [labels]
    if by == "verdict":
        strata = [np.flatnonzero(judged != 0), np.flatnonzero(judged == 0)]
        sizes = [min(labels // 2, len(strata[0])), labels - min(labels // 2, len(strata[0]))]
    weights = {
        int(i): len(stratum) / size
        for stratum, size in zip(strata, sizes, strict=True)
        for i in rng.choice(stratum, size, replace=False)
    }
    return [
        PairedCase(
            judged=float(judged[i]),
            labelled=float(truth[i]) if i in weights else None,
            weight=weights.get(i, 1.0),
            group=None if group is None else int(group[i]),
        )
        for i in range(n)
    ]


@pytest.mark.parametrize(
    ("drop", "labels", "by", "documents"),
    [
        (0.0, 100, "chance", None),
        (0.05, 100, "chance", None),
        (0.05, 200, "verdict", None),
        (0.0, 100, "verdict", None),
        (0.05, 60, "chance", None),
        (0.05, 150, "chance", 80),
    ],
)
def test_labels_on_both_arms_tell_the_drop_of_a_judge_kinder_to_one(
    drop: float, labels: int, by: str, documents: int | None, effort: Effort
) -> None:
    rng = np.random.default_rng(20260303)
    draws = effort.draws(500, 10_000)
    found = []
    for _ in range(draws):
        cases = _cases(rng, (EVEN, KINDER), drop, labels=labels, by=by, documents=documents)
        estimate = paired_drop(cases, alpha=ALPHA)
        assert estimate is not None
        found.append((estimate.drop, estimate.lower, estimate.upper))
    told = summarise(found, drop)
    assert abs(told.bias) < 0.7, told
    assert 88.5 - chance(90, draws) / 2 < told.covers < 97, told
    # few labels are skewed towards no drop: once in 14 at worst instead of once in 20
    assert told.below < 7.5 + chance(5, draws) / 2, told


def test_error_rates_of_one_arm_would_bend_it() -> None:
    rng = np.random.default_rng(20260304)
    rates = error_rates(labelled(rng.multinomial(20_000, EVEN.cells(0.8))))
    assert rates is not None
    one_correction, by_case = [], []
    for _ in range(150):
        cases = _cases(rng, (EVEN, KINDER), 0.05, labels=200)
        raw = float(np.mean([case.judged for case in cases]))
        bent = corrected_drop(Estimate(drop=raw, lower=raw, upper=raw), rates, alpha=ALPHA)
        one_correction.append(bent.drop)
        estimate = paired_drop(cases, alpha=ALPHA)
        assert estimate is not None
        by_case.append(estimate.drop)
    # the candidate's passes show as .95 and its fails as .4: a drop of 5 pp looks like a gain
    assert np.mean(one_correction) < -0.04
    assert np.mean(by_case) == pytest.approx(0.05, abs=0.01)


def test_a_helpful_judge_narrows_what_labels_alone_would_say() -> None:
    rng = np.random.default_rng(20260305)
    good = Judge(0.97, 0.05)
    with_judge, alone = [], []
    for _ in range(150):
        cases = _cases(rng, (good, good), 0.05, labels=100)
        bare = [
            PairedCase(judged=0.0, labelled=case.labelled, weight=case.weight) for case in cases
        ]
        for made, into in ((cases, with_judge), (bare, alone)):
            estimate = paired_drop(made, alpha=ALPHA)
            assert estimate is not None
            into.append(estimate.upper - estimate.lower)
    assert np.mean(with_judge) < 0.85 * np.mean(alone)


def test_drift_is_alleged_once_in_a_hundred_and_found_where_it_is(effort: Effort) -> None:
    rng = np.random.default_rng(20260306)
    draws = effort.draws(1_500, 20_000)
    ids = [f"i{number}" for number in range(150)]
    good = np.arange(150) < 75

    def verdicts(judge: Judge, flips: float) -> dict[str, bool | None]:
        """What a judge of stable opinions says, a share of them told the other way by noise."""
        firm = np.where(good, np.arange(150) % 20 < 20 * judge.tpr, np.arange(150) % 5 == 0)
        said = firm ^ (rng.random(150) < flips)
        return {key: bool(each) for key, each in zip(ids, said, strict=True)}

    same = [
        is_stale(anchor_drift(verdicts(EVEN, 0.05), verdicts(EVEN, 0.05), AT)) for _ in range(draws)
    ]
    harsher = [
        is_stale(anchor_drift(verdicts(EVEN, 0.02), verdicts(Judge(0.6, 0.2), 0.02), AT))
        for _ in range(200)
    ]
    assert 100 * float(np.mean(same)) < 1 + chance(1, draws)
    assert np.mean(harsher) > 0.9


def test_spot_checks_of_a_worse_run_allege_no_drift(effort: Effort) -> None:
    rng = np.random.default_rng(20260307)
    draws = effort.draws(600, 10_000)
    stale = []
    for _ in range(draws):
        calibrated = labelled((*rng.multinomial(75, [0.9, 0.1]), *rng.multinomial(75, [0.2, 0.8])))
        run = rng.multinomial(500, EVEN.cells(0.6))
        stale.append(is_stale(spot_drift(calibrated, sample_by_verdict(rng, run, 15, 25), AT)))
    assert 100 * float(np.mean(stale)) < 1 + chance(1, draws)
