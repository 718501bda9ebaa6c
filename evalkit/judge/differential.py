"""Differential errors: whether a judge is kinder to one arm than to the other."""

import math
from collections.abc import Iterable, Sequence

import msgspec

from evalkit.judge.errors import error_rates, rate_shares
from evalkit.judge.items import JudgedItem
from evalkit.statistics.exact import fisher_exact

MINIMUM_LABELS = 100
DIFFERS_BELOW = 0.05 / 2  # two tests share an error of .05 (Bonferroni)


class ArmRates(msgspec.Struct, frozen=True, kw_only=True):
    """What a judge did on one arm's labelled outputs, as counts of labels."""

    passes: int
    passes_passed: int
    fails: int
    fails_failed: int


class EqualErrors(msgspec.Struct, frozen=True, kw_only=True):
    """Whether the judge errs alike on both arms.

    `tpr_p` and `tnr_p` are of Fisher's exact tests (1 where an arm has no label of the kind).
    `verified` is False where either is below .025, so that a judge that errs alike is accused once
    in twenty times at most; None where it is not and labels are too few to tell; else True.
    `could_hide` is the largest false drop, as a fraction, that the labels cannot exclude: what a
    difference within their 95 % interval would do to the corrected drop. None where a kind of label
    is missing on an arm, or J is 0 or less.
    """

    baseline: ArmRates
    candidate: ArmRates
    tpr_p: float
    tnr_p: float
    verified: bool | None
    could_hide: float | None


def equal_errors(
    baseline: Iterable[JudgedItem],
    candidate: Iterable[JudgedItem],
    *,
    minimum: int = MINIMUM_LABELS,
) -> EqualErrors:
    """Compare the judge's TPR and TNR between two arms by Fisher's exact test.

    Items without a verdict count nowhere. Labels may have been sampled by verdict, at other shares
    on either arm (`differing`). Too few are fewer than `minimum` labels on an arm, or none of a
    kind.
    """
    before = [item for item in baseline if item.verdict is not None]
    after = [item for item in candidate if item.verdict is not None]
    arms = arm_rates(before), arm_rates(after)
    tpr_p, tnr_p = differing(before, after)
    verified: bool | None = True
    if min(tpr_p, tnr_p) < DIFFERS_BELOW:
        verified = False
    elif any(a.passes + a.fails < minimum or not a.passes or not a.fails for a in arms):
        verified = None
    return EqualErrors(
        baseline=arms[0],
        candidate=arms[1],
        tpr_p=tpr_p,
        tnr_p=tnr_p,
        verified=verified,
        could_hide=_could_hide(before, after),
    )


def arm_rates(items: Iterable[JudgedItem]) -> ArmRates:
    """The counts of one arm, over the items with a verdict."""
    cells = [(item.truth, item.verdict) for item in items]
    passed, failed = cells.count((True, True)), cells.count((False, False))
    return ArmRates(
        passes=passed + cells.count((True, False)),
        passes_passed=passed,
        fails=failed + cells.count((False, True)),
        fails_failed=failed,
    )


def differing(first: Sequence[JudgedItem], second: Sequence[JudgedItem]) -> tuple[float, float]:
    """p of Fisher's exact tests that two samples have one TPR, and one TNR.

    Where one sample was drawn by verdict at other shares than the other, rates of the labels differ
    without the judge's doing, by a known ratio of odds: that of passed to failed ones labelled in
    the first over that in the second, which the test expects. Weights are taken to be equal within
    a verdict, in the mean if not.
    """
    odds = _sampled_odds(first) / _sampled_odds(second)
    a, b = arm_rates(first), arm_rates(second)
    tpr_p = fisher_exact(
        a.passes_passed,
        a.passes - a.passes_passed,
        b.passes_passed,
        b.passes - b.passes_passed,
        odds=odds,
    )
    tnr_p = fisher_exact(
        a.fails - a.fails_failed,
        a.fails_failed,
        b.fails - b.fails_failed,
        b.fails_failed,
        odds=odds,
    )
    return tpr_p, tnr_p


def _sampled_odds(items: Sequence[JudgedItem]) -> float:
    """How much more densely passed outputs were labelled than failed ones; 1 if not both were."""
    weights: dict[bool | None, list[float]] = {True: [], False: []}
    for item in items:
        weights.setdefault(item.verdict, []).append(item.weight)
    passed, failed = weights[True], weights[False]
    if not passed or not failed:
        return 1.0
    return (len(passed) / math.fsum(passed)) / (len(failed) / math.fsum(failed))


def _could_hide(before: Sequence[JudgedItem], after: Sequence[JudgedItem]) -> float | None:
    """With a pass rate p on both arms, a false drop is (p dTPR + (1 - p) dFPR) / J.

    p and J are those of all labels. The interval joins the Wilson intervals of the four rates by
    their distances (Newcombe 1998, method 10); what counts is the end that is further from 0.
    """
    rates = error_rates(before), error_rates(after)
    pooled = error_rates([*before, *after])
    if rates[0] is None or rates[1] is None or pooled is None or pooled.youden <= 0:
        return None
    total = math.fsum(item.weight for item in (*before, *after))
    p = math.fsum(item.weight for item in (*before, *after) if item.truth) / total
    (tpr, tnr, _), (other_tpr, other_tnr, _) = rate_shares(rates[0]), rate_shares(rates[1])
    # dFPR is other TNR - TNR
    terms = ((p, tpr, other_tpr), (1 - p, other_tnr, tnr))
    false = math.fsum(share * (one.value - two.value) for share, one, two in terms)
    below = [share * (one.value - one.lower) for share, one, _ in terms]
    below += [share * (two.upper - two.value) for share, _, two in terms]
    above = [share * (one.upper - one.value) for share, one, _ in terms]
    above += [share * (two.value - two.lower) for share, _, two in terms]
    furthest = max(math.hypot(*below) - false, false + math.hypot(*above))
    return min(1.0, furthest / pooled.youden)
