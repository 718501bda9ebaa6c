"""A drop as a part of a verdict: measured at both bounds, decided, and put into words."""

from fractions import Fraction

import msgspec

from evalkit.gate.intervals import mcnemar_exact
from evalkit.gate.power import cases_needed, cases_to_pass, detectable_drop, smallest_margin
from evalkit.gate.rules import DropDecision, decide_drop
from evalkit.gate.samples import Bound, PairedSample, PairedTally
from evalkit.gate.settings import Rule
from evalkit.gate.unknowns import reconcile
from evalkit.gate.wording import count, percent, points, quantity
from evalkit.records.verdict import Estimate, Outcome, PartKind, PartVerdict


class DropQuestion(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked: whether `where` dropped by `margin` (a fraction) or more.

    `hold_signal` holds a part whose cases are too few to decide while what they show is a
    regression at any rate, for a suite that lets inconclusive parts through.
    """

    name: str
    kind: PartKind
    where: str
    margin: Fraction
    alpha: float
    rule: Rule
    required: bool = True
    owner: str | None = None
    hold_signal: bool = False


class DropMeasurement(msgspec.Struct, frozen=True, kw_only=True):
    """The decisions at both bounds and the samples they rest on."""

    best: DropDecision
    worst: DropDecision
    best_sample: PairedSample
    worst_sample: PairedSample
    unknown_attempts: int

    @property
    def too_few(self) -> bool:
        """Whether there are fewer independent cases than could ever conclude."""
        return self.best.interval.groups < self.best.minimum

    @property
    def small_signal(self) -> bool:
        """Whether too few cases show a drop beyond chance, with every unknown in its favour."""
        return self.too_few and self.best.interval.lower > 0

    @property
    def estimate(self) -> Estimate:
        """The drop of the worst case, with an interval that spans both bounds."""
        return Estimate(
            drop=float(self.worst.drop),
            lower=min(self.best.interval.lower, self.worst.interval.lower),
            upper=max(self.best.interval.upper, self.worst.interval.upper),
        )


def measure_drop(question: DropQuestion, pairs: PairedTally) -> DropMeasurement:
    """Decide the question at both bounds."""
    unknown = pairs.unknown
    worst_sample = pairs.sample(Bound.WORST)
    worst = decide_drop(worst_sample, question.margin, question.alpha, question.rule)
    best_sample, best = worst_sample, worst
    if unknown:
        best_sample = pairs.sample(Bound.BEST)
        best = decide_drop(best_sample, question.margin, question.alpha, question.rule)
    return DropMeasurement(
        best=best,
        worst=worst,
        best_sample=best_sample,
        worst_sample=worst_sample,
        unknown_attempts=unknown,
    )


def describe_drop(
    question: DropQuestion,
    measured: DropMeasurement,
    *,
    best: Outcome | None = None,
    worst: Outcome | None = None,
    adjusted_p: float | None = None,
) -> PartVerdict:
    """The part. `best` and `worst` override the outcomes where a correction changed them."""
    best = best or measured.best.outcome
    worst = worst or measured.worst.outcome
    outcome = reconcile(best, worst)
    sample = measured.worst_sample
    groups = measured.worst.interval.groups
    corrected = (best, worst) != (measured.best.outcome, measured.worst.outcome)
    flips = max(measured.best.flips, measured.worst.flips)
    sentence = _measured(question, measured) if groups else f"{question.where} rests on no cases."
    return PartVerdict(
        name=question.name,
        kind=question.kind,
        outcome=outcome,
        required=question.required,
        best=best,
        worst=worst,
        rule=question.rule.value,
        estimate=measured.estimate if groups else None,
        margin=float(question.margin),
        alpha=question.alpha,
        counts=sample.counts(),
        mcnemar_p=_exact_p(measured.best_sample),
        p_value=measured.best.interval.p_value if groups else None,
        adjusted_p=adjusted_p,
        detectable_drop=detectable_drop(
            sample.cases,
            flips,
            alpha=question.alpha,
            margin=None if question.rule is Rule.STRICT else question.margin,
        ),
        baseline_rate=sample.baseline_rate,
        candidate_rate=sample.candidate_rate,
        message=f"{sentence} {_conclusion(question, measured, best, worst, corrected)}",
        what_would_settle=_settle(question, measured, best, worst, flips, adjusted_p)
        if outcome is Outcome.INCONCLUSIVE
        else "Cases to measure."
        if not groups
        else None,
        held=question.hold_signal and outcome is Outcome.INCONCLUSIVE and measured.small_signal,
        unknown=measured.unknown_attempts,
        owner=question.owner,
    )


def _measured(question: DropQuestion, measured: DropMeasurement) -> str:
    sample, decision, estimate = measured.worst_sample, measured.worst, measured.estimate
    table = sample.counts()
    clustered = f" in {count(table.groups, 'group')}" if sample.groups else ""
    change = "drop" if decision.drop >= 0 else "gain"
    unknown = ""
    if measured.unknown_attempts:
        verb = "is" if measured.unknown_attempts == 1 else "are"
        attempts = count(measured.unknown_attempts, "attempt")
        unknown = f" ({attempts} without a result {verb} counted against the candidate)"
    return (
        f"{question.where} went from {percent(sample.baseline_rate or 0)} to "
        f"{percent(sample.candidate_rate or 0)} over {count(table.cases, 'case')}{clustered}: "
        f"{quantity(table.b)} newly failing, {quantity(table.c)} newly passing{unknown}, "
        f"a {change} of {points(abs(decision.drop))}, "
        f"interval of the drop {points(estimate.lower)} to {points(estimate.upper)}."
    )


def _conclusion(
    question: DropQuestion,
    measured: DropMeasurement,
    best: Outcome,
    worst: Outcome,
    corrected: bool,
) -> str:
    margin, decision = points(question.margin), measured.best
    if best is not worst:
        return (
            f"It is {worst} with the attempts without a result counted against the candidate, and "
            f"{best} with them counted for it."
        )
    if best is Outcome.NOT_MEASURED:
        return "What was not measured does not pass."
    if best is Outcome.PASS:
        return f"A drop of {margin} or more is ruled out."
    if best is Outcome.FAIL:
        if question.rule is Rule.SIMPLE:
            return f"It reaches the margin of {margin}, which is all the simple rule asks."
        real = f"The drop is real (one-sided p = {decision.interval.p_value:.2g})"
        if decision.drop >= question.margin:
            return f"{real} and reaches the margin of {margin}."
        return f"{real} and a drop of {margin} is not ruled out, which the strict rule fails."
    if corrected:
        return "Among several slices, a drop like this is not beyond chance (Holm)."
    if measured.too_few:
        what = "groups" if measured.worst_sample.groups else "cases"
        signal = ""
        if measured.small_signal:
            signal = " What was seen looks like a regression"
            held = ", which on_inconclusive does not wave through."
            signal += held if question.hold_signal else "."
        return (
            f"{decision.interval.groups} {what} cannot decide a margin of {margin} at alpha "
            f"{question.alpha:g}; {decision.minimum} are needed.{signal}"
        )
    if decision.interval.lower > 0:
        return f"There is a real drop; whether it reaches {margin} cannot be told."
    if decision.drop >= question.margin:
        return f"It reaches the margin of {margin}, but may be chance."
    return f"A drop of {margin} or more is neither shown nor ruled out."


def _settle(
    question: DropQuestion,
    measured: DropMeasurement,
    best: Outcome,
    worst: Outcome,
    flips: float,
    adjusted_p: float | None,
) -> str:
    decision, margin = measured.worst, question.margin
    if best is not worst:
        attempts = count(measured.unknown_attempts, "attempt")
        return f"A result for the {attempts} without one: resume the run."
    groups, minimum = decision.interval.groups, decision.minimum
    if measured.too_few:
        what = "groups" if measured.worst_sample.groups else "cases"
        own = points(smallest_margin(groups, question.alpha))
        return (
            f"At least {minimum} {what}, a margin above {own}, or a floor (min_pass_rate) instead."
        )
    alpha, among = question.alpha, ""
    if best is not measured.best.outcome and adjusted_p:
        # among several slices the evidence has to be as strong as this alone
        alpha *= min(1.0, measured.best.interval.p_value / adjusted_p)
        among = " among the slices"
    forecast = cases_to_pass(margin, flips, alpha=question.alpha)
    text = f"About {forecast:,} cases (or more trials) pass in 80 % of runs if nothing changed"
    drop = float(decision.drop)
    # the measured drop is a guess at the true one; at the margin itself no size settles it
    needed = None
    if decision.drop > margin:
        needed = cases_needed(min(1.0, drop), flips, alpha=alpha, margin=margin)
    if needed is not None:
        text += (
            f", and about {needed:,} fail in 80 %{among} if the drop is the measured {points(drop)}"
        )
    return f"{text}. A true drop of just {points(margin)} stays undecided at any size."


def _exact_p(sample: PairedSample) -> float | None:
    if not sample.one_run or sample.groups is not None or not sample.cases:
        return None
    table = sample.counts()
    return mcnemar_exact(int(table.b), int(table.c))
