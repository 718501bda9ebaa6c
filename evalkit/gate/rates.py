"""Metrics that are rates: guardrail triggers, judge disagreement, task success, tool calls, policy.

A rate is judged like a pass rate, by the same rule: doing well is the pass, so that a rate which
should not rise is a drop of its opposite.
"""

from collections.abc import Sequence

from evalkit.gate.cases import CaseResult
from evalkit.gate.drops import DropQuestion, describe_drop, measure_drop
from evalkit.gate.readings import RATES, RateReading
from evalkit.gate.samples import PairedTally, tally_pairs
from evalkit.gate.settings import GateSettings, margin_of
from evalkit.gate.wording import count
from evalkit.records.verdict import Outcome, PartVerdict


def decide_rate(name: str, cases: Sequence[CaseResult], settings: GateSettings) -> PartVerdict:
    """Decide one rate of `settings.metrics`.

    Cases to which it does not apply are left out. NOT_MEASURED where it applies to none, or where
    more attempts than `max_error_share` of those with a result lack the value.
    """
    limits, reading = settings.metrics[name], RATES[name]
    part = f"metric:{name}"
    applying = [case for case in cases if reading.every or _applies(reading, case)]
    gap = _gap(reading, applying, settings) if applying or not cases else "it applies to no case"
    margin = margin_of(limits.points)
    if gap is not None or margin is None:
        return not_measured(part, f"{name} was not measured: {gap}.", settings, limits.required)
    question = DropQuestion(
        name=part,
        kind="metric",
        where=f"The share of attempts {reading.calm}",
        margin=margin,
        alpha=settings.alpha,
        rule=settings.rule,
        required=limits.required,
        owner=settings.owner,
        hold_signal=settings.on_inconclusive == "warn",
    )
    pairs = tally_pairs(applying, read=reading.read)
    if reading.rising:
        pairs = PairedTally(pairs.baseline.inverted(), pairs.candidate.inverted(), pairs.groups)
    return describe_drop(question, measure_drop(question, pairs))


def not_measured(part: str, message: str, settings: GateSettings, required: bool) -> PartVerdict:
    """The part of a metric that has no figure."""
    return PartVerdict(
        name=part,
        kind="metric",
        outcome=Outcome.NOT_MEASURED,
        best=Outcome.NOT_MEASURED,
        worst=Outcome.NOT_MEASURED,
        required=required,
        message=message,
        what_would_settle="Attempts that carry this value.",
        owner=settings.owner,
    )


def _applies(reading: RateReading, case: CaseResult) -> bool:
    """Whether the case is about this rate: it carries a value, or nothing that could tell.

    A case whose every attempt broke down stays in: an error is no proof that it does not apply.
    """
    broke_down = True
    for arm in (case.baseline, case.candidate):
        for trial in arm:
            if reading.read(trial) is not None:
                return True
            broke_down = broke_down and trial.passed is None
    return broke_down


def _gap(reading: RateReading, cases: Sequence[CaseResult], settings: GateSettings) -> str | None:
    """What keeps the rate from being measured, if anything does."""
    known = without = 0
    for case in cases:
        for arm in (case.baseline, case.candidate):
            for trial in arm:
                if trial.passed is not None:
                    known += 1
                    without += reading.read(trial) is None
    if not known:
        return "no attempt has a result"
    if known == without:
        return "no attempt carries the value"
    if without > settings.error_share * known:
        return f"{without} of {count(known, 'attempt')} carry no value"
    return None
