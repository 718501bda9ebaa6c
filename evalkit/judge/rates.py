"""The pass rate after a judge's errors are taken out, by each method there is.

Which one is right depends on where the labels come from: labels sampled from these very outputs
tell what the verdicts on them are worth, labels from an earlier run only how often the judge errs.
"""

import math
from collections import Counter
from collections.abc import Iterable, Sequence

from evalkit.judge.errors import EACH_END, error_rates, share_of, weighted_rate
from evalkit.judge.items import ErrorRates, JudgedItem
from evalkit.judge.predictions import Predicted, predicted_mean
from evalkit.records.calibration import CorrectedRate, Method, Share
from evalkit.statistics.distributions import normal_quantile
from evalkit.statistics.proportions import check_alpha, wilson


def correct_rates(
    items: Iterable[JudgedItem],
    *,
    judged: int,
    passed: int,
    sampled_from_run: bool,
    scores: Sequence[float] | None = None,
) -> tuple[CorrectedRate, ...]:
    """The pass rate of `judged` outputs, `passed` of which the judge passed, by every method.

    `items` are the labels there are. `sampled_from_run` says that they are a sample of these
    outputs. `scores` are a graded judge's of all these outputs, the labelled ones among them.
    At most one rate applies; the others are for comparison, or None where they cannot be told.

    Raises ValueError for passed outside 0..judged, or for nothing judged.
    """
    items = list(items)
    rates = error_rates(items)
    usable = rates is not None and rates.youden > 0
    found: dict[Method, Share | None] = {
        "naive": naive(passed, judged),
        "rogan_gladen": rogan_gladen(passed, judged, rates) if rates and usable else None,
        "post_stratified": post_stratified(passed, judged - passed, items),
        "ppi": None if scores is None else ppi(scores, items),
    }
    preferred: list[Method] = ["rogan_gladen"]
    if sampled_from_run:
        preferred = ["ppi", "post_stratified", "rogan_gladen"]
    applies = next((method for method in preferred if found[method] is not None), None)
    why = _reasons(rates, found, applies, sampled_from_run, graded=scores is not None)
    return tuple(
        CorrectedRate(method=method, rate=rate, applies=method == applies, why=why[method])
        for method, rate in found.items()
    )


def naive(passed: int, judged: int) -> Share:
    """The judge's pass rate as it stands, with Wilson's 95 % interval.

    Raises ValueError for passed outside 0..judged, or for nothing judged.
    """
    return share_of(_seen(passed, judged), judged)


def rogan_gladen(passed: int, judged: int, rates: ErrorRates) -> Share:
    """The rate behind the judge's, (seen - FPR) / J, with a 95 % interval; both within 0..1.

    Rogan & Gladen (1978), American Journal of Epidemiology 107: 71-76; interval by Lang & Reiczigel
    (2014), Preventive Veterinary Medicine 113: 13-22. `rates` come from labels that are not a
    sample of these outputs.

    Raises ValueError for passed outside 0..judged, nothing judged, no label of a kind, or a judge
    that is no better than chance (J of 0 or less).
    """
    return _rogan_gladen(passed, judged, rates, EACH_END)


def post_stratified(
    judged_pass: int, judged_fail: int, items: Iterable[JudgedItem]
) -> Share | None:
    """The rate by verdict: what share of the passed, and of the failed outputs the labels pass.

    W1 p1 + W0 p0, where W are the shares of verdicts among all judged outputs and p the labels'
    pass rates within a verdict. `items` are labels sampled from these outputs; how many of either
    verdict were sampled does not matter, and weights count within a verdict only. The 95 % interval
    is for the rate that the outputs are a sample of. It joins the Wilson intervals of p1, p0 and W1
    by their distances (MOVER; Zou & Donner 2008, Statistics in Medicine 27: 1693-1702), so it has
    a width even where all labels of a verdict agree.

    None where nothing was judged, or a verdict that occurs has no label. Raises ValueError for
    negative counts.
    """
    if min(judged_pass, judged_fail) < 0:
        raise ValueError(f"{judged_pass} passed and {judged_fail} failed are no counts")
    judged = judged_pass + judged_fail
    if not judged:
        return None
    labels = list(items)
    strata = []
    for verdict, count in ((True, judged_pass), (False, judged_fail)):
        if count:
            stratum = _labelled_rate(labels, verdict)
            if stratum is None:
                return None
            strata.append((count / judged, stratum))
    rate = math.fsum(share * stratum.value for share, stratum in strata)
    below = [share * (stratum.value - stratum.lower) for share, stratum in strata]
    above = [share * (stratum.upper - stratum.value) for share, stratum in strata]
    if len(strata) == 2:
        slope = strata[0][1].value - strata[1][1].value
        mix = share_of(judged_pass / judged, judged)
        ends = (slope * (mix.lower - mix.value), slope * (mix.upper - mix.value))
        below.append(-min(ends))
        above.append(max(ends))
    return Share(
        value=rate,
        lower=max(0.0, rate - math.hypot(*below)),
        upper=min(1.0, rate + math.hypot(*above)),
        n=math.fsum(stratum.n for _, stratum in strata),
    )


def ppi(scores: Sequence[float], items: Iterable[JudgedItem]) -> Share | None:
    """The rate by PPI++ on a graded judge's scores, with a 95 % interval.

    The mean score of all outputs times lambda, plus the weighted mean of (label - lambda * score)
    over the labelled ones, which are a sample of these outputs. Lambda, the slope of label on
    score, makes the variance least (power tuning; Angelopoulos, Duchi & Zrnic 2023,
    arXiv:2311.01453), so that useless scores cost nothing. The interval is Wilson's for the number
    of labels that would give this variance without a judge, so it keeps within 0..1 and has a width
    where all labels agree.

    None with fewer than two labelled items that have a score.
    """
    cases, labelled = [], []
    for item in items:
        if item.score is not None:
            labelled.append(item.score)
            cases.append(
                Predicted(prediction=item.score, label=float(item.truth), weight=item.weight)
            )
    unlabelled = Counter(scores) - Counter(labelled)
    cases += [Predicted(prediction=score) for score in unlabelled.elements()]
    mean = predicted_mean(cases)
    if mean is None:
        return None
    rate = min(1.0, max(0.0, mean.value))
    effective = mean.effective
    # within half a label of an end the rate is that end, of which the error tells nothing
    if min(rate, 1 - rate) > 0.5 / effective:
        effective = min(float(len(cases)), rate * (1 - rate) / mean.error**2)
    return share_of(rate, effective)


def corrected_arm(
    *, passed: int, judged: int, known_fails: int, rates: ErrorRates, alpha: float
) -> Share:
    """One arm's pass rate by Rogan-Gladen, with attempts that are fails without asking.

    The judge's errors do not touch `known_fails`: the rate is the share that was judged times the
    corrected rate of the judged. `alpha` is the error at each end. The two intervals (Wilson's of
    the share, Lang-Reiczigel's of the rate) are joined by their distances. `n` is all attempts.

    Raises ValueError for counts that make no rate, no attempts, no label of a kind, J of 0 or less,
    or alpha outside (0, 0.5).
    """
    if known_fails < 0:
        raise ValueError(f"{known_fails} known fails are no count")
    attempts = judged + known_fails
    if not judged:
        if passed or not attempts:
            raise ValueError(f"{passed} passes of {judged} judged is no rate")
        lower, upper = wilson(0, attempts, alpha)
        return Share(value=0.0, lower=lower, upper=upper, n=attempts)
    of_judged = _rogan_gladen(passed, judged, rates, alpha)
    if not known_fails:
        return of_judged
    part = judged / attempts
    fewest, most = wilson(judged, attempts, alpha)
    rate = part * of_judged.value
    below = math.hypot(
        part * (of_judged.value - of_judged.lower), of_judged.value * (part - fewest)
    )
    above = math.hypot(part * (of_judged.upper - of_judged.value), of_judged.value * (most - part))
    return Share(value=rate, lower=max(0.0, rate - below), upper=min(1.0, rate + above), n=attempts)


def _rogan_gladen(passed: int, judged: int, rates: ErrorRates, alpha: float) -> Share:
    """At error `alpha` each end.

    Lang & Reiczigel add z^2/2 passes and fails to the judged and one hit and one miss to either
    kind of label, and shift the middle by 2 z^2 (r v1 - (1 - r) v0) for the curvature of the ratio,
    v being the variances of TPR and FPR.
    """
    check_alpha(alpha)
    seen = _seen(passed, judged)
    j = rates.youden
    if j <= 0:
        raise ValueError(f"J = {j:.3g}: verdicts of a judge that is no better than chance")
    if min(rates.n_pass, rates.n_fail) <= 0:
        raise ValueError("labels of one kind only tell no error rates")
    value = min(1.0, max(0.0, (seen - rates.fpr) / j))
    z2 = normal_quantile(alpha) ** 2
    n = judged + z2
    rate = (passed + z2 / 2) / n
    tpr = (rates.tpr * rates.n_pass + 1) / (rates.n_pass + 2)
    fpr = (rates.fpr * rates.n_fail + 1) / (rates.n_fail + 2)
    if tpr <= fpr:  # so few labels that two more of either kind hide what the judge can do
        return Share(value=value, lower=0.0, upper=1.0, n=judged)
    of_tpr = tpr * (1 - tpr) / (rates.n_pass + 2)
    of_fpr = fpr * (1 - fpr) / (rates.n_fail + 2)
    middle = (rate - fpr) / (tpr - fpr)
    spread = rate * (1 - rate) / n + middle**2 * of_tpr + (1 - middle) ** 2 * of_fpr
    half = math.sqrt(z2 * spread) / (tpr - fpr)
    middle += 2 * z2 * (middle * of_tpr - (1 - middle) * of_fpr)
    return Share(
        value=value,
        lower=max(0.0, min(value, middle - half)),
        upper=min(1.0, max(value, middle + half)),
        n=judged,
    )


def _seen(passed: int, judged: int) -> float:
    if not 0 <= passed <= judged or not judged:
        raise ValueError(f"{passed} passes of {judged} judged is no rate")
    return passed / judged


def _labelled_rate(items: Sequence[JudgedItem], verdict: bool) -> Share | None:
    """What the labels pass of the outputs with this verdict; None without labels of them."""
    weights: dict[bool, list[float]] = {True: [], False: []}
    for item in items:
        if item.verdict is verdict:
            weights[item.truth].append(item.weight)
    rate = weighted_rate(weights[True], weights[False])
    return None if rate is None else share_of(*rate)


def _reasons(
    rates: ErrorRates | None,
    found: dict[Method, Share | None],
    applies: Method | None,
    sampled_from_run: bool,
    *,
    graded: bool,
) -> dict[Method, str]:
    """Why each method applies, does not, or has no rate, in a sentence."""
    elsewhere = "The labels are not a sample of these outputs, so it is only for comparison."
    why: dict[Method, str] = {
        "naive": "The judge's verdicts as they are, with its errors in them.",
        "rogan_gladen": "It takes out how often the judge errs by labels from elsewhere.",
        "post_stratified": "The labels are a sample of these outputs: they tell what share of "
        "the passed and of the failed ones is good.",
        "ppi": "The labels are a sample of these outputs: they tell how the scores relate to "
        "what is good.",
    }
    if rates is None:
        why["rogan_gladen"] = "There are not labels of both kinds with a verdict."
    elif found["rogan_gladen"] is None:
        why["rogan_gladen"] = "The judge is no better than chance (J of 0 or less)."
    elif applies in ("ppi", "post_stratified"):
        why["rogan_gladen"] = "Labels of these very outputs tell more, so it is for comparison."
    if found["post_stratified"] is None:
        why["post_stratified"] = "There is a verdict without any label on its outputs."
    elif not sampled_from_run:
        why["post_stratified"] = elsewhere
    elif applies == "ppi":
        why["post_stratified"] = "The scores tell more than the verdicts, so it is for comparison."
    if not graded:
        why["ppi"] = "The judge gives no scores."
    elif found["ppi"] is None:
        why["ppi"] = "Fewer than two labelled outputs have a score."
    elif not sampled_from_run:
        why["ppi"] = elsewhere
    return why
