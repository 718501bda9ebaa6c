"""Attempts of a run to scores, and scores to a verdict; the same for a live run and a stored one.

Everything here works on what a bundle holds: redacted attempts and the suite's snapshot. So
`evalkit score RUN` and `evalkit gate RUN` give the verdict that the run gave, without a model.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any, Literal

from evalkit.config.scorers import ScorerEntry
from evalkit.config.suites import Gate
from evalkit.errors import Problem
from evalkit.gate import (
    CaseResult,
    GateSettings,
    MetricSettings,
    Rule,
    SliceSettings,
    TrialResult,
    add_parts,
    decide_suite,
    decide_verdict,
)
from evalkit.records.attempt import Attempt, Place
from evalkit.records.case import Case
from evalkit.records.run import SuiteSnapshot
from evalkit.records.score import Score
from evalkit.records.verdict import Verdict
from evalkit.score.registry import build_scorers
from evalkit.score.scorer import Scorer
from evalkit.score.scoring import (
    attempt_passed,
    case_problems,
    guardrail_triggered,
    score_attempt,
    violations,
)
from evalkit.score.state import STATE


class SuiteScoring:
    """Scores the attempts of one suite by its snapshot.

    Scorers are built when the first attempt is scored, which raises ConfigError for broken ones;
    reading what stored scores come to needs none.
    """

    def __init__(self, snapshot: SuiteSnapshot) -> None:
        """Nothing is built yet."""
        self.snapshot = snapshot
        self._cases: Mapping[str, Case] = {case.id: case for case in snapshot.cases}

    @cached_property
    def _labels(self) -> frozenset[str]:
        """What the scores of an attempt are called."""
        entries = (ScorerEntry.model_validate(entry) for entry in self.snapshot.scorers)
        return frozenset((STATE, *(entry.label for entry in entries)))

    @cached_property
    def _scorers(self) -> tuple[Scorer[Any], ...]:
        return build_scorers(self.snapshot.scorers, self.snapshot.schemas)

    def scores(self, attempt: Attempt) -> tuple[Score, ...]:
        """Every scorer on one attempt."""
        return score_attempt(self._scorers, attempt, self._cases[attempt.case])

    def problems(self) -> Iterator[Problem]:
        """What would keep every attempt at a case from having a result, before one is paid for."""
        for case in self.snapshot.cases:
            for message in case_problems(self._scorers, case):
                yield Problem(
                    file=self.snapshot.golden_path,
                    line=self.snapshot.lines.get(case.id),
                    key=f"{case.id}.expected",
                    message=message,
                )

    def passed(self, scores: Sequence[Score], attempt: Attempt) -> bool | None:
        """Whether the attempt passed; None where it has no result, or a score of it is lost."""
        if not self._labels <= {score.scorer for score in scores}:
            return None
        fallback: Literal["error", "accept"] = (
            "accept" if self.snapshot.fallback == "accept" else "error"
        )
        return attempt_passed(scores, attempt, fallback=fallback)

    def result(self, scores: Sequence[Score], attempt: Attempt) -> TrialResult:
        """The attempt as the gate reads it. Only a live call has a latency worth comparing."""
        measured = attempt.has_result
        return TrialResult(
            passed=self.passed(scores, attempt),
            cost_usd=attempt.cost_usd if measured else None,
            tokens=attempt.usage.total if measured else None,
            latency_s=attempt.latency_s if attempt.origin == "live" else None,
            guardrail=guardrail_triggered(attempt) if measured else None,
            violations=violations(attempt, self._cases[attempt.case]),
        )


def score_attempts(
    snapshots: Iterable[SuiteSnapshot], attempts: Iterable[Attempt]
) -> tuple[Score, ...]:
    """Every score of a run, in the order of the attempts."""
    scorings = {snapshot.suite: SuiteScoring(snapshot) for snapshot in snapshots}
    return tuple(score for attempt in attempts for score in scorings[attempt.suite].scores(attempt))


def passes_of(
    snapshots: Iterable[SuiteSnapshot], attempts: Iterable[Attempt], scores: Iterable[Score]
) -> dict[Place, bool | None]:
    """Whether each attempt passed, by its place."""
    scorings = {snapshot.suite: SuiteScoring(snapshot) for snapshot in snapshots}
    by_place = group_scores(scores)
    return {
        attempt.place: scorings[attempt.suite].passed(by_place[attempt.place], attempt)
        for attempt in attempts
    }


def group_scores(scores: Iterable[Score]) -> defaultdict[Place, list[Score]]:
    """The scores of every attempt."""
    grouped: defaultdict[Place, list[Score]] = defaultdict(list)
    for score in scores:
        grouped[score.place].append(score)
    return grouped


def decide(
    snapshots: Sequence[SuiteSnapshot], attempts: Iterable[Attempt], scores: Iterable[Score]
) -> Verdict:
    """The verdict over the suites. An attempt that is missing is unknown, never left out."""
    by_suite: defaultdict[str, dict[Place, Attempt]] = defaultdict(dict)
    for attempt in attempts:
        by_suite[attempt.suite][attempt.place] = attempt
    by_place = group_scores(scores)
    decided = []
    for snapshot in snapshots:
        scoring = SuiteScoring(snapshot)
        cases = [
            _case_result(case, scoring, by_suite[snapshot.suite], by_place)
            for case in snapshot.cases
        ]
        suite = decide_suite(snapshot.suite, cases, gate_settings(snapshot))
        decided.append(add_parts(suite, snapshot.guards) if snapshot.guards else suite)
    return decide_verdict(decided)


def _case_result(
    case: Case,
    scoring: SuiteScoring,
    attempts: Mapping[Place, Attempt],
    scores: Mapping[Place, Sequence[Score]],
) -> CaseResult:
    suite = scoring.snapshot.suite

    def arm(variant: str) -> tuple[TrialResult, ...]:
        places = [(suite, variant, case.id, trial) for trial in _trials(scoring.snapshot, variant)]
        return tuple(
            scoring.result(scores.get(place, ()), attempts[place])
            if place in attempts
            else TrialResult(passed=None)
            for place in places
        )

    return CaseResult(
        case=case.id,
        candidate=arm("candidate"),
        baseline=arm("baseline") if scoring.snapshot.has_baseline else (),
        group=case.group,
        tags=case.tags,
    )


def _trials(snapshot: SuiteSnapshot, variant: str) -> range:
    trials = snapshot.trials
    if variant == "baseline" and snapshot.baseline_trials is not None:
        trials = snapshot.baseline_trials
    return range(1, trials + 1)


def gate_settings(snapshot: SuiteSnapshot) -> GateSettings:
    """The suite's gate as the arithmetic takes it. Raises ValueError when it requires nothing."""
    gate = Gate.model_validate(snapshot.gate)
    return GateSettings(
        max_drop_pp=gate.max_drop_pp,
        rule=Rule(gate.rule),
        alpha=gate.alpha,
        on_inconclusive=gate.on_inconclusive,
        min_pass_rate=gate.min_pass_rate,
        invariants=tuple(gate.invariants),
        slices={
            tag: SliceSettings(
                min_pass_rate=rules.min_pass_rate,
                max_drop_pp=rules.max_drop_pp,
                required=rules.required,
            )
            for tag, rules in gate.slices.items()
        },
        metrics={
            name: MetricSettings(
                max_increase_pct=limits.max_increase_pct,
                max_increase_pp=limits.max_increase_pp,
                required=limits.required,
            )
            for name, limits in gate.metrics.items()
        },
        max_error_share=gate.max_error_share,
        owner=snapshot.owner,
        has_baseline=snapshot.has_baseline,
    )
