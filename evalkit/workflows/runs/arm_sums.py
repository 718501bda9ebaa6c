"""What the attempts of a run add up to, arm by arm, in one reading of them."""

import math
from array import array
from collections import Counter
from collections.abc import Iterable, Mapping

from evalkit.records.attempt import Attempt
from evalkit.records.outcomes import Outcomes, SuiteOutcomes
from evalkit.records.run import Totals
from evalkit.report.amounts import Sums
from evalkit.score.scoring import guardrail_triggered


class ArmSums:
    """One arm of a suite. What earlier runs lent is counted by run and stays out of the sums: they
    measured and paid for it."""

    def __init__(self, suite: SuiteOutcomes | None = None) -> None:
        """Of no attempts; without outcomes nothing passed."""
        self.origins: Counter[str] = Counter()
        self.pooled: Counter[str] = Counter()
        self._suite = suite
        self._sums = Sums()
        self._states: Counter[str] = Counter()
        self._modes: Counter[str] = Counter()
        self._warned: Counter[str] = Counter()
        self._errors = self._fallbacks = self._guardrails = 0
        cases = 0 if suite is None else len(suite.cases)
        self._tried = array("i", [0]) * cases
        self._passed = array("i", [0]) * cases

    def add(self, attempt: Attempt) -> None:
        """Add an attempt of the arm, errors included."""
        if attempt.pooled_from is not None:
            self.pooled[attempt.pooled_from] += 1
            return
        if attempt.origin:
            self.origins[attempt.origin] += 1
        self._sums.add(attempt)
        self._states[attempt.state] += 1
        self._errors += not attempt.has_result
        self._fallbacks += bool(attempt.fallbacks)
        self._guardrails += guardrail_triggered(attempt)
        # a vendor's guardrail has no mode in which it only warns
        for rule in {
            decision.rule
            for decision in attempt.decisions
            if decision.outcome == "warned" and decision.act != "guardrail"
        }:
            self._warned[rule] += 1
        position = None if self._suite is None else self._suite.cases.position(attempt.case)
        if self._suite is None or position is None:
            return
        self._tried[position] += 1
        row = self._suite.row(attempt.variant, attempt.trial, position)
        if row is None:
            return
        self._passed[position] += self._suite.passed(row) is True
        mode = self._suite.mode(row)
        if mode is not None:
            self._modes[str(mode)] += 1

    def totals(self, variant: str) -> Totals:
        """The sums as run.json has them."""
        amounts = self._sums.amounts()
        counted = zip(self._passed, self._tried, strict=True)
        return Totals(
            variant=variant,
            cases=sum(tried > 0 for tried in self._tried),
            attempts=amounts.attempts,
            passed=math.fsum(passed / tried for passed, tried in counted if passed),
            errors=self._errors,
            states=dict(self._states),
            failure_modes=dict(self._modes),
            input_tokens=amounts.input_tokens,
            output_tokens=amounts.output_tokens,
            cost_usd=amounts.cost_usd,
            billed_usd=amounts.billed_usd,
            fallbacks=self._fallbacks,
            guardrails=self._guardrails,
            latency_p50_s=amounts.latency_p50_s,
            latency_p95_s=amounts.latency_p95_s,
            warned=dict(sorted(self._warned.items())),
        )


class RunSums:
    """The sums of every arm that has attempts, by suite and variant."""

    def __init__(self, outcomes: Outcomes) -> None:
        """Of no attempts; each has its outcome before it is added."""
        self.arms: dict[tuple[str, str], ArmSums] = {}
        self._outcomes = outcomes

    def add(self, attempt: Attempt) -> None:
        """Add an attempt to its arm."""
        place = attempt.suite, attempt.variant
        arm = self.arms.get(place)
        if arm is None:
            arm = self.arms[place] = ArmSums(self._outcomes.suites.get(attempt.suite))
        arm.add(attempt)


def sum_arms(attempts: Iterable[Attempt], outcomes: Outcomes) -> Mapping[tuple[str, str], ArmSums]:
    """The sums of every arm that has attempts, by suite and variant."""
    sums = RunSums(outcomes)
    for attempt in attempts:
        sums.add(attempt)
    return sums.arms
