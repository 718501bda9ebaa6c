"""What each metric reads of an attempt, and the plain value of every metric for one arm."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from operator import attrgetter

from evalkit.gate.cases import TrialResult


@dataclass(frozen=True, slots=True)
class AmountReading:
    """An amount of an attempt. `per_pass` divides it by the passes instead of by the cases.

    `live_only` amounts belong to attempts that were measured in this run: one whose reply was
    replayed has a result and no such amount, and says nothing about it.
    """

    read: Callable[[TrialResult], float | None]
    per_pass: bool = False
    live_only: bool = False

    def attempts(self, arm: Sequence[TrialResult]) -> Sequence[TrialResult]:
        """The attempts of a case that can say something about the amount."""
        if not self.live_only:
            return arm
        replayed = [t.passed is not None and self.read(t) is None for t in arm]
        if True not in replayed:
            return arm
        own = [t for t, replay in zip(arm, replayed, strict=True) if not replay]
        return own if any(self.read(trial) is not None for trial in own) else arm


@dataclass(frozen=True, slots=True)
class RateReading:
    """A yes or no of an attempt; `rising` for a rate that is worse when it rises.

    `calm` says in words what share of the attempts is good. What applies to `every` case has a
    value wherever there is a result; any other value may not apply to a case at all.
    """

    read: Callable[[TrialResult], bool | None]
    calm: str
    rising: bool = False
    every: bool = False


AMOUNTS: Mapping[str, AmountReading] = {
    "cost_usd_per_resolved": AmountReading(attrgetter("cost_usd"), per_pass=True),
    "tokens_per_success": AmountReading(attrgetter("tokens"), per_pass=True),
    "cost_usd": AmountReading(attrgetter("cost_usd")),
    "tokens": AmountReading(attrgetter("tokens")),
    "latency_s": AmountReading(attrgetter("latency_s"), live_only=True),
    "time_to_resolution_s": AmountReading(attrgetter("latency_s"), per_pass=True, live_only=True),
}
RATES: Mapping[str, RateReading] = {
    "guardrail_rate": RateReading(
        attrgetter("guardrail"), "without a guardrail trigger", rising=True, every=True
    ),
    "judge_disagreement": RateReading(
        attrgetter("judges_disagree"), "on which the judges agree", rising=True
    ),
    "success_rate": RateReading(attrgetter("passed"), "that succeed", every=True),
    "tool_call_accuracy": RateReading(attrgetter("tools_correct"), "with the expected tool calls"),
    "policy_compliance": RateReading(attrgetter("complied"), "within every policy"),
}


def measure_arm(cases: Sequence[Sequence[TrialResult]]) -> dict[str, float | None]:
    """The plain value of `pass_rate` and of every metric for one arm: its attempts, case by case.

    Each case counts once, as the mean of its attempts that carry the value; None where none does,
    or where nothing was resolved to divide by. Rates are fractions. For a gate's decision the
    missing values are counted for and against the candidate; here they are left out.
    """
    values = {"pass_rate": _mean_rate(attrgetter("passed"), cases)}
    for name, amount in AMOUNTS.items():
        values[name] = _mean_amount(amount, cases)
    for name, rate in RATES.items():
        values[name] = _mean_rate(rate.read, cases)
    return values


def _mean_rate(
    read: Callable[[TrialResult], bool | None], cases: Sequence[Sequence[TrialResult]]
) -> float | None:
    rates = []
    for arm in cases:
        known = [value for trial in arm if (value := read(trial)) is not None]
        if known:
            rates.append(sum(known) / len(known))
    return math.fsum(rates) / len(rates) if rates else None


def _mean_amount(reading: AmountReading, cases: Sequence[Sequence[TrialResult]]) -> float | None:
    amounts, units = [], []
    for arm in cases:
        known = [
            (value, trial.passed)
            for trial in arm
            if (value := reading.read(trial)) is not None and trial.passed is not None
        ]
        if known:
            amounts.append(math.fsum([value for value, _ in known]) / len(known))
            passes = sum([passed for _, passed in known])
            units.append(passes / len(known) if reading.per_pass else 1.0)
    total = math.fsum(units)
    return math.fsum(amounts) / total if total > 0 else None
