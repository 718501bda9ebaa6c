"""What each metric reads of an attempt, and the plain value of every metric for one arm."""

import math
from array import array
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from fractions import Fraction
from operator import attrgetter

import msgspec

from evalkit.gate.cases import TrialResult


class AmountReading(msgspec.Struct, frozen=True):
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


class RateReading(msgspec.Struct, frozen=True):
    """A yes or no of an attempt; `rising` for a rate that is worse when it rises.

    `calm` says in words what share of the attempts is good. What applies to `every` case has a
    value wherever there is a result; any other value may not apply to a case at all.
    """

    read: Callable[[TrialResult], bool | None]
    calm: str
    rising: bool = False
    every: bool = False


_FIELDS = {
    "cost_usd_per_resolved": "cost_usd",
    "tokens_per_success": "tokens",
    "cost_usd": "cost_usd",
    "tokens": "tokens",
    "latency_s": "latency_s",
    "time_to_resolution_s": "latency_s",
}
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
_RATES_READ: Sequence[tuple[str, Callable[[TrialResult], bool | None]]] = (
    ("pass_rate", attrgetter("passed")),
    *((name, reading.read) for name, reading in RATES.items()),
)
_AMOUNTS_READ: Sequence[tuple[str, Callable[[TrialResult], float | None]]] = tuple(
    (field, attrgetter(field)) for field in dict.fromkeys(_FIELDS.values())
)


def measure_arm(cases: Iterable[Sequence[TrialResult]]) -> dict[str, float | None]:
    """The plain value of `pass_rate` and of every metric for one arm: its attempts, case by case.

    Each case counts once, as the mean of its attempts that carry the value; None where none does,
    or where nothing was resolved to divide by. Rates are fractions. For a gate's decision the
    missing values are counted for and against the candidate; here they are left out.
    """
    measure = ArmMeasure()
    for arm in cases:
        measure.add(arm)
    return {name: measure.value(name) for name in ("pass_rate", *AMOUNTS, *RATES)}


class ArmMeasure:
    """Takes the cases of an arm one after the other. Sums are exact, as if of all at once."""

    def __init__(self) -> None:
        """Of no cases."""
        # how many cases have each rate, of which there are few
        self._rates: defaultdict[str, Counter[float]] = defaultdict(Counter)
        self._units: defaultdict[str, Counter[float]] = defaultdict(Counter)
        self._amounts: defaultdict[str, array[float]] = defaultdict(lambda: array("d"))

    def add(self, arm: Sequence[TrialResult]) -> None:
        """Add the attempts at one case."""
        if len(arm) == 1:
            self._add_single(arm[0])
            return
        for name, read in _RATES_READ:
            known = [value for trial in arm if (value := read(trial)) is not None]
            if known:
                self._rates[name][sum(known) / len(known)] += 1
        for field, read_amount in _AMOUNTS_READ:
            measured = [
                (amount, trial.passed)
                for trial in arm
                if (amount := read_amount(trial)) is not None and trial.passed is not None
            ]
            if measured:
                total = math.fsum([amount for amount, _ in measured])
                self._amounts[field].append(total / len(measured))
                passes = sum([passed for _, passed in measured])
                self._units[field][passes / len(measured)] += 1

    def _add_single(self, trial: TrialResult) -> None:
        """The same of a case that was tried once, as most are: means are the values themselves."""
        for name, read in _RATES_READ:
            value = read(trial)
            if value is not None:
                self._rates[name][float(value)] += 1
        passed = trial.passed
        if passed is None:
            return
        for field, read_amount in _AMOUNTS_READ:
            amount = read_amount(trial)
            if amount is not None:
                self._amounts[field].append(amount)
                self._units[field][float(passed)] += 1

    def value(self, name: str) -> float | None:
        """The value of `pass_rate` or of a metric."""
        if name not in AMOUNTS:
            rates = self._rates[name]
            return _exact_sum(rates) / rates.total() if rates else None
        field, per_pass = _FIELDS[name], AMOUNTS[name].per_pass
        units = self._units[field]
        total = _exact_sum(units) if per_pass else float(units.total())
        return math.fsum(self._amounts[field]) / total if total > 0 else None


def _exact_sum(counts: Counter[float]) -> float:
    """The sum of all values, each as often as it is counted, rounded once."""
    return float(sum((Fraction(value) * number for value, number in counts.items()), Fraction(0)))
