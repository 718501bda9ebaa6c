"""Metrics that may not rise: cost per resolved case, tokens per success, latency, guardrail rate.

A ratio metric is sum(amount) / sum(passes) of an arm (or / cases, for a plain mean). Its increase
is judged on the log of the ratio between the arms, with the delta method's variance clustered on
group (Cochran 1977, section 6.4) and Student's t. A rate is judged like a pass rate.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from evalkit.gate.amounts import count, exact, percent
from evalkit.gate.cases import CaseResult, TrialResult, attempts_of
from evalkit.gate.distributions import normal_quantile, student_quantile
from evalkit.gate.drops import DropQuestion, describe_drop, measure_drop
from evalkit.gate.intervals import clustered_error, mean_p
from evalkit.gate.samples import Bound, cluster_keys, pass_rate
from evalkit.gate.settings import GateSettings, MetricSettings, Rule, margin_of
from evalkit.gate.unknowns import reconcile
from evalkit.records.verdict import Estimate, Outcome, PartVerdict

# costs and latencies are skewed, and the t interval is too narrow on a handful of such values
MINIMUM_GROUPS = 20
# e^700 is the largest power that still is a float
_LARGEST_LOG = 700.0

Read = Callable[[TrialResult], float | None]
_AMOUNTS: dict[str, tuple[Read, bool]] = {
    "cost_usd_per_resolved": (lambda trial: trial.cost_usd, True),
    "tokens_per_success": (lambda trial: trial.tokens, True),
    "cost_usd": (lambda trial: trial.cost_usd, False),
    "tokens": (lambda trial: trial.tokens, False),
    "latency_s": (lambda trial: trial.latency_s, False),
}


@dataclass(frozen=True, slots=True)
class Arm:
    """Per case: the mean amount, and what it is divided by (mean passes, or 1)."""

    amounts: tuple[float, ...]
    units: tuple[float, ...]

    @property
    def value(self) -> float | None:
        """The metric of this arm; None where nothing was resolved."""
        units = math.fsum(self.units)
        return math.fsum(self.amounts) / units if units > 0 else None


@dataclass(frozen=True, slots=True)
class IncreaseDecision:
    """An outcome, why, and the increase it rests on (a fraction of the baseline)."""

    outcome: Outcome
    reason: str
    baseline: float | None
    candidate: float | None
    estimate: Estimate | None = None
    p_value: float | None = None
    cases_to_pass: int | None = None


def decide_metric(name: str, cases: Sequence[CaseResult], settings: GateSettings) -> PartVerdict:
    """Decide one metric of `settings.metrics`.

    An attempt without a value gets the largest one seen, for and against the candidate in turn,
    and the outcomes must agree. With more of them than `max_error_share` among the attempts that
    have a result, the metric is NOT_MEASURED.
    """
    limits = settings.metrics[name]
    if name == "guardrail_rate":
        return _decide_guardrail_rate(cases, settings, limits)
    read, per_pass = _AMOUNTS[name]
    part = f"metric:{name}"
    gap = _missing(read, cases, settings)
    if gap is not None:
        return _not_measured(part, f"{name} was not measured: {gap}.", settings, limits)
    limit = exact(limits.max_increase_pct or 0) / 100
    keys = cluster_keys(cases) or tuple(("case", case.case) for case in cases)
    worst, best = (
        _decide_increase(
            *_arms(read, per_pass, cases, bound), keys, float(limit), settings.alpha, settings.rule
        )
        for bound in (Bound.WORST, Bound.BEST)
    )
    outcome = reconcile(best.outcome, worst.outcome)
    return PartVerdict(
        name=part,
        kind="metric",
        outcome=outcome,
        best=best.outcome,
        worst=worst.outcome,
        required=limits.required,
        rule=settings.rule.value,
        estimate=_spanned(best.estimate, worst.estimate),
        margin=float(limit),
        alpha=settings.alpha,
        p_value=best.p_value,
        baseline_value=worst.baseline,
        candidate_value=worst.candidate,
        message=_sentence(name, worst, best),
        what_would_settle=_settle(worst, best) if outcome is Outcome.INCONCLUSIVE else None,
        owner=settings.owner,
    )


def _decide_increase(
    baseline: Arm,
    candidate: Arm,
    keys: Sequence[tuple[str, str]],
    limit: float,
    alpha: float,
    rule: Rule,
) -> IncreaseDecision:
    before, after = baseline.value, candidate.value
    groups = len(set(keys))
    undecided = Outcome.INCONCLUSIVE
    if before is None or after is None:
        arm = "candidate" if after is None else "baseline"
        return IncreaseDecision(
            undecided, f"the {arm} resolved nothing to divide by", before, after
        )
    if groups < MINIMUM_GROUPS:
        reason = f"{count(groups, 'independent case')} cannot tell; {MINIMUM_GROUPS} are needed"
        return IncreaseDecision(undecided, reason, before, after)
    if after == 0:
        return IncreaseDecision(Outcome.PASS, "the candidate used none", before, after)
    if before == 0:
        reason = "the baseline used none, so any use is past the limit"
        return IncreaseDecision(Outcome.FAIL, reason, before, after)
    log_ratio = math.log(after) - math.log(before)
    error = clustered_error(_influence(baseline, candidate), keys) or 0.0
    half = student_quantile(alpha, groups - 1) * error
    increase = after / before - 1
    lower, upper = _increase(log_ratio - half), _increase(log_ratio + half)
    limited = percent(limit)
    if upper < limit:
        outcome, reason = Outcome.PASS, f"an increase of {limited} or more is ruled out"
    elif increase >= limit and (lower > 0 or rule is Rule.SIMPLE):
        outcome, reason = Outcome.FAIL, f"which reaches the limit of {limited}"
    elif lower > 0 and rule is Rule.STRICT:
        outcome, reason = Outcome.FAIL, f"a real increase, and {limited} is not ruled out"
    else:
        outcome, reason = undecided, f"an increase of {limited} is neither shown nor ruled out"
    reach = (normal_quantile(alpha) + normal_quantile(0.2)) * error / math.log1p(limit)
    return IncreaseDecision(
        outcome,
        reason,
        before,
        after,
        Estimate(drop=increase, lower=lower, upper=upper),
        mean_p(log_ratio, error, groups),
        max(MINIMUM_GROUPS, math.ceil(len(keys) * min(reach * reach, 1e6))),
    )


def _influence(baseline: Arm, candidate: Arm) -> list[float]:
    """Each case's pull on the log ratio, the linear term of the delta method."""
    parts = []
    for arm, sign in ((candidate, 1.0), (baseline, -1.0)):
        n = len(arm.amounts)
        amount, unit = math.fsum(arm.amounts) / n, math.fsum(arm.units) / n
        parts.append(
            [sign * (a / amount - u / unit) for a, u in zip(arm.amounts, arm.units, strict=True)]
        )
    return [cand + base for cand, base in zip(*parts, strict=True)]


def _arms(read: Read, per_pass: bool, cases: Sequence[CaseResult], bound: Bound) -> tuple[Arm, Arm]:
    seen = [
        value
        for case in cases
        for trial in (*case.baseline, *case.candidate)
        if (value := read(trial)) is not None
    ]
    largest, smallest = max(seen, default=0.0), min(seen, default=0.0)
    worst = bound is Bound.WORST

    def arm(trials: Sequence[Sequence[TrialResult]], fill: float, unknown: bool) -> Arm:
        attempts = [attempts_of(each) for each in trials]
        return Arm(
            tuple(_mean_amount(read, each, fill) for each in attempts),
            tuple(
                float(pass_rate(each, unknown=unknown)) if per_pass else 1.0 for each in attempts
            ),
        )

    return (
        arm([case.baseline for case in cases], smallest if worst else largest, worst),
        arm([case.candidate for case in cases], largest if worst else smallest, not worst),
    )


def _mean_amount(read: Read, trials: Sequence[TrialResult], fill: float) -> float:
    values = [fill if (value := read(trial)) is None else value for trial in trials]
    return math.fsum(values) / len(values)


def _missing(read: Read, cases: Sequence[CaseResult], settings: GateSettings) -> str | None:
    """What keeps the metric from being measured, if anything does."""
    known = [
        trial
        for case in cases
        for trial in (*case.baseline, *case.candidate)
        if trial.passed is not None
    ]
    if not known:
        return "no attempt has a result"
    without = sum(read(trial) is None for trial in known)
    if without > settings.error_share * len(known):
        return f"{without} of {count(len(known), 'attempt')} carry no value"
    return None


def _decide_guardrail_rate(
    cases: Sequence[CaseResult], settings: GateSettings, limits: MetricSettings
) -> PartVerdict:
    """Not triggering is the pass, so a rise of the rate is a drop and meets the same rule."""
    part = "metric:guardrail_rate"
    gap = _missing(lambda trial: trial.guardrail, cases, settings)
    margin = margin_of(limits.max_increase_pp)
    if gap is not None or margin is None:
        return _not_measured(part, f"guardrail_rate was not measured: {gap}.", settings, limits)
    question = DropQuestion(
        name=part,
        kind="metric",
        where="The share of attempts without a guardrail trigger",
        margin=margin,
        alpha=settings.alpha,
        rule=settings.rule,
        required=limits.required,
        owner=settings.owner,
    )
    calm = [
        replace(case, baseline=_calm(case.baseline), candidate=_calm(case.candidate))
        for case in cases
    ]
    return describe_drop(question, measure_drop(question, calm))


def _calm(arm: Sequence[TrialResult]) -> tuple[TrialResult, ...]:
    return tuple(
        TrialResult(passed=None if trial.guardrail is None else not trial.guardrail)
        for trial in arm
    )


def _not_measured(
    part: str, message: str, settings: GateSettings, limits: MetricSettings
) -> PartVerdict:
    return PartVerdict(
        name=part,
        kind="metric",
        outcome=Outcome.NOT_MEASURED,
        best=Outcome.NOT_MEASURED,
        worst=Outcome.NOT_MEASURED,
        required=limits.required,
        message=message,
        what_would_settle="Attempts that carry this value.",
        owner=settings.owner,
    )


def _increase(log_ratio: float) -> float:
    return math.expm1(min(log_ratio, _LARGEST_LOG))


def _spanned(best: Estimate | None, worst: Estimate | None) -> Estimate | None:
    if best is None or worst is None:
        return None
    return Estimate(
        drop=worst.drop, lower=min(best.lower, worst.lower), upper=max(best.upper, worst.upper)
    )


def _sentence(name: str, worst: IncreaseDecision, best: IncreaseDecision) -> str:
    change = f"{name} went from {_amount(worst.baseline)} to {_amount(worst.candidate)}"
    if worst.estimate is not None:
        figures = worst.estimate
        change += (
            f", an increase of {percent(figures.drop)} "
            f"(interval {percent(figures.lower)} to {percent(figures.upper)})"
        )
    if best.outcome is worst.outcome:
        return f"{change}: {worst.reason}."
    return (
        f"{change}: {worst.outcome} with the attempts without a result counted against the "
        f"candidate, {best.outcome} with them counted for it."
    )


def _settle(worst: IncreaseDecision, best: IncreaseDecision) -> str:
    if best.outcome is not worst.outcome:
        return "A result for the attempts without one: resume the run."
    if worst.cases_to_pass is None:
        return "More cases that the candidate resolves."
    return f"About {worst.cases_to_pass:,} cases pass in 80 % of runs if nothing changed."


def _amount(value: float | None) -> str:
    return "nothing resolved" if value is None else f"{value:.4g}"
