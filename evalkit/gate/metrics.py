"""Metrics that may not get worse: an amount as a ratio between the arms, a rate like a pass rate.

Amounts are cost per resolved case, tokens per success, time to resolution and plain means
(`ratios`); rates are in `rates`.
"""

import math
from array import array
from collections.abc import Iterable, Sequence
from decimal import Decimal

from evalkit.gate.amounts import exact
from evalkit.gate.cases import UNKNOWN, CaseResult, TrialResult
from evalkit.gate.rates import decide_rate, not_measured
from evalkit.gate.ratios import MINIMUM_GROUPS, Arm, IncreaseDecision, decide_increase
from evalkit.gate.readings import AMOUNTS, AmountReading
from evalkit.gate.samples import Bound, cluster_keys
from evalkit.gate.settings import RATE_METRICS, GateSettings
from evalkit.gate.unknowns import reconcile
from evalkit.gate.wording import count, percent
from evalkit.records.verdict import Estimate, Outcome, PartVerdict


def decide_metric(name: str, cases: Sequence[CaseResult], settings: GateSettings) -> PartVerdict:
    """Decide one metric of `settings.metrics`.

    An attempt without a value gets the largest or the smallest one seen, against and then for the
    candidate, and the outcomes must agree. With more of them than `max_error_share` among the
    attempts that have a result, the metric is NOT_MEASURED.
    """
    if name in RATE_METRICS:
        return decide_rate(name, cases, settings)
    limits, reading = settings.metrics[name], AMOUNTS[name]
    part = f"metric:{name}"
    before = _Amounts(reading, (case.baseline for case in cases))
    after = _Amounts(reading, (case.candidate for case in cases))
    gap = _gap(before, after, settings)
    if gap is not None:
        return not_measured(part, f"{name} was not measured: {gap}.", settings, limits.required)
    limit = exact(limits.max_increase_pct or 0) / 100
    worst, best = _decide(before, after, cluster_keys(cases), float(limit), settings)
    outcome = reconcile(best.outcome, worst.outcome)
    return PartVerdict(
        name=part,
        kind="metric",
        outcome=outcome,
        best=best.outcome,
        worst=worst.outcome,
        required=limits.required,
        held=settings.on_inconclusive == "warn" and best.small_signal,
        rule=settings.rule.value,
        estimate=_spanned(best.estimate, worst.estimate),
        margin=float(limit),
        alpha=settings.alpha,
        p_value=best.p_value,
        baseline_value=worst.baseline,
        candidate_value=worst.candidate,
        message=_sentence(name, worst, best),
        what_would_settle=None if outcome in (Outcome.PASS, Outcome.FAIL) else _settle(worst, best),
        unknown=before.missing + after.missing,
        owner=settings.owner,
    )


class _Amounts:
    """One arm's amounts, case by case: what was read, what is missing, and what passed."""

    def __init__(self, reading: AmountReading, arms: Iterable[Sequence[TrialResult]]) -> None:
        self.known = self.without = self.missing = 0
        self.lowest, self.highest = math.inf, -math.inf
        self.unsure = False
        self._per_pass = reading.per_pass
        self._sums = array("d")
        self._gaps = array("i")
        self._passes = array("i")
        self._lost = array("i")
        self._runs = array("i")
        read = reading.read
        for arm in arms:
            trials = reading.attempts(arm) or (UNKNOWN,)
            values = [value for trial in trials if (value := read(trial)) is not None]
            passed = [trial.passed for trial in trials]
            lost, gaps = passed.count(None), len(trials) - len(values)
            self._sums.append(math.fsum(values))
            self._gaps.append(gaps)
            self._passes.append(passed.count(True))
            self._lost.append(lost)
            self._runs.append(len(trials))
            self.known += len(trials) - lost
            if gaps:
                self.missing += gaps
                self.without += sum(
                    [trial.passed is not None and read(trial) is None for trial in trials]
                )
            if values:
                self.lowest = min(self.lowest, *values)
                self.highest = max(self.highest, *values)
            self.unsure = self.unsure or gaps > 0 or (reading.per_pass and lost > 0)

    def arm(self, fill: float, *, unknown: bool) -> Arm:
        """The arm with every missing amount as `fill`, and every unknown attempt as `unknown`."""
        sums = zip(self._sums, self._gaps, self._runs, strict=True)
        amounts = array("d", ((total + fill * gaps) / runs for total, gaps, runs in sums))
        if not self._per_pass:
            return Arm(amounts, array("d", [1.0]) * len(amounts))
        units = zip(self._passes, self._lost, self._runs, strict=True)
        return Arm(amounts, array("d", ((p + unknown * lost) / runs for p, lost, runs in units)))


def _decide(
    before: _Amounts,
    after: _Amounts,
    groups: Sequence[int] | None,
    limit: float,
    settings: GateSettings,
) -> tuple[IncreaseDecision, IncreaseDecision]:
    """The decisions at the worst and at the best bound."""
    lowest = min(before.lowest, after.lowest)
    highest = max(before.highest, after.highest)
    if lowest > highest:
        lowest = highest = 0.0

    def at(bound: Bound) -> IncreaseDecision:
        worst = bound is Bound.WORST
        return decide_increase(
            before.arm(lowest if worst else highest, unknown=worst),
            after.arm(highest if worst else lowest, unknown=not worst),
            groups,
            limit,
            settings.alpha,
            settings.rule,
        )

    decided = at(Bound.WORST)
    return decided, at(Bound.BEST) if before.unsure or after.unsure else decided


def _gap(before: _Amounts, after: _Amounts, settings: GateSettings) -> str | None:
    """What keeps the metric from being measured, if anything does."""
    known = before.known + after.known
    if not known:
        return "no attempt has a result"
    without = before.without + after.without
    if without > settings.error_share * known:
        return f"{without} of {count(known, 'attempt')} carry no value"
    return None


def _spanned(best: Estimate | None, worst: Estimate | None) -> Estimate | None:
    if best is None or worst is None:
        return None
    return Estimate(
        drop=worst.drop, lower=min(best.lower, worst.lower), upper=max(best.upper, worst.upper)
    )


def _sentence(name: str, worst: IncreaseDecision, best: IncreaseDecision) -> str:
    change = f"{name} went from {_amount(name, worst.baseline)} to {_amount(name, worst.candidate)}"
    if worst.estimate is not None:
        figures = worst.estimate
        change += (
            f", {'a decrease' if figures.drop < 0 else 'an increase'} of "
            f"{percent(abs(figures.drop))} (interval of the increase {percent(figures.lower)} to "
            f"{percent(figures.upper)})"
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
    if worst.candidate is None:
        return "More cases that the candidate resolves."
    if worst.baseline is None:
        return "A baseline that resolves some cases; without one, only floors can be required."
    if worst.cases_to_pass is None:
        return f"At least {MINIMUM_GROUPS} independent cases."
    return (
        f"About {worst.cases_to_pass:,} cases (or more trials) pass in 80 % of runs if nothing "
        f"changed. An increase of just the limit stays undecided at any size."
    )


def _amount(name: str, value: float | None) -> str:
    """Three digits that tell something, without an exponent, in USD where the name says so."""
    if value is None:
        return "nothing resolved"
    digits = f"{value:,.0f}" if value >= 100 else f"{Decimal(f'{value:.3g}'):f}"
    return f"${digits}" if "usd" in name else digits
