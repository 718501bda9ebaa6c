"""Attempts of a run to scores, and scores to a verdict; the same for a live run and a stored one.

Everything here works on what a bundle holds: redacted attempts and the suite's snapshot. So
`evalkit score RUN` and `evalkit gate RUN` give the verdict that the run gave, without a model.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from types import MappingProxyType
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
    decide_verdict,
)
from evalkit.gate.looks import decide_looks
from evalkit.gate.waiving import apply_waivers
from evalkit.records.attempt import Attempt, FailureMode
from evalkit.records.case import Case
from evalkit.records.judgment import Judgment
from evalkit.records.label import LabelledItem
from evalkit.records.lookup import find_attempts, find_scores, group_judgments, with_scores
from evalkit.records.outcomes import Outcomes, SuiteOutcomes
from evalkit.records.run import SuiteSnapshot
from evalkit.records.score import Score
from evalkit.records.verdict import SuiteVerdict, Verdict
from evalkit.score.failure import failure_mode_of
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
from evalkit.workflows.judged.deciding import SuiteJudges
from evalkit.workflows.tabled_cases import TabledCases


class SuiteScoring:
    """Scores the attempts of one suite by its snapshot.

    Scorers are built when the first attempt is scored, which raises ConfigError for broken ones;
    reading what stored scores come to needs none.
    """

    def __init__(self, snapshot: SuiteSnapshot) -> None:
        """Nothing is built yet."""
        self.snapshot = snapshot
        self._last: Case | None = None

    def _case(self, attempt: Attempt) -> Case:
        """The attempt's case, which is asked for several times in a row."""
        if self._last is None or self._last.id != attempt.case:
            self._last = self.snapshot.cases.by_id(attempt.case)
        return self._last

    @cached_property
    def _labels(self) -> frozenset[str]:
        """What the scores of an attempt are called."""
        entries = (ScorerEntry.model_validate(entry) for entry in self.snapshot.scorers)
        return frozenset((STATE, *(entry.label for entry in entries)))

    @cached_property
    def _scorers(self) -> tuple[Scorer[Any], ...]:
        rubrics = {judge.scorer: judge.rubric for judge in self.snapshot.judges}
        return build_scorers(self.snapshot.scorers, self.snapshot.schemas, rubrics)

    def scores(
        self, attempt: Attempt, judgments: Mapping[str, Judgment] = MappingProxyType({})
    ) -> tuple[Score, ...]:
        """Every scorer on one attempt; `judgments` are what judges said of it, by scorer."""
        return score_attempt(self._scorers, attempt, self._case(attempt), judgments)

    def problems(self) -> Iterator[Problem]:
        """What would keep every attempt at a case from having a result, before one is paid for."""
        for position, case in enumerate(self.snapshot.cases):
            for message in case_problems(self._scorers, case):
                yield Problem(
                    file=self.snapshot.golden_path,
                    line=self.snapshot.cases.line_at(position),
                    key=f"{case.id}.expected",
                    message=message,
                )

    def passed(self, scores: Sequence[Score], attempt: Attempt) -> bool | None:
        """Whether the attempt passed; None where it has no result, or a score of it is lost."""
        if not self._labels <= {score.scorer for score in scores}:
            return None
        return attempt_passed(scores, attempt, fallback=self._fallback)

    @property
    def _fallback(self) -> Literal["error", "accept"]:
        return "accept" if self.snapshot.fallback == "accept" else "error"

    def failure_mode(self, scores: Sequence[Score], attempt: Attempt) -> FailureMode:
        """Why an attempt that did not pass did not.

        A score that was lost keeps an attempt from passing, whatever the others say.
        """
        return failure_mode_of(attempt, scores, fallback=self._fallback) or FailureMode.SCORER_ERROR

    def result(
        self,
        scores: Sequence[Score],
        attempt: Attempt,
        judgments: Mapping[str, Judgment] = MappingProxyType({}),
    ) -> TrialResult:
        """The attempt as the gate reads it. Only a live call has a latency worth comparing."""
        measured = attempt.has_result
        return TrialResult(
            passed=self.passed(scores, attempt),
            cost_usd=attempt.cost_usd if measured else None,
            tokens=attempt.usage.total if measured else None,
            latency_s=attempt.latency_s if attempt.origin == "live" else None,
            guardrail=guardrail_triggered(attempt) if measured else None,
            tools_correct=_tools_correct(scores),
            complied=self._complied(attempt) if measured else None,
            judges_disagree=_judges_disagree(judgments.values()),
            violations=violations(attempt, self._case(attempt)),
        )

    def _complied(self, attempt: Attempt) -> bool:
        """Whether no policy had to step in, or one did where the case expects it."""
        case = self._case(attempt)
        if violations(attempt, case):
            return False
        return case.expected.get("blocked") is True or not _denied(attempt)


def score_attempts(
    snapshots: Iterable[SuiteSnapshot],
    attempts: Iterable[Attempt],
    judgments: Iterable[Judgment] = (),
) -> Iterator[Score]:
    """Every score of a run, in the order of the attempts."""
    scorings = {snapshot.suite: SuiteScoring(snapshot) for snapshot in snapshots}
    judged = group_judgments(judgments)
    for attempt in attempts:
        yield from scorings[attempt.suite].scores(attempt, judged.get(attempt.place, {}))


def decide(
    snapshots: Sequence[SuiteSnapshot],
    attempts: Collection[Attempt],
    scores: Collection[Score],
    judgments: Iterable[Judgment] = (),
    labels: Iterable[LabelledItem] = (),
) -> Verdict:
    """The verdict over the suites. An attempt that is missing is unknown, never left out.

    `labels` were given to outputs of this very run.
    """
    return decide_table(snapshots, ResultTable(snapshots, attempts, scores, judgments, labels))


def decide_table(snapshots: Sequence[SuiteSnapshot], results: "ResultTable") -> Verdict:
    """The same of results that are at hand."""
    return decide_verdict([decide_snapshot(snapshot, results) for snapshot in snapshots])


def decide_snapshot(snapshot: SuiteSnapshot, results: "ResultTable") -> SuiteVerdict:
    """The verdict on one suite: its looks, its guards, and what somebody accepted."""
    settings = gate_settings(snapshot)

    def cases_at(trials: int) -> Sequence[CaseResult]:
        return results.cases(snapshot, trials)

    def revise(suite: SuiteVerdict) -> SuiteVerdict:
        guarded = add_parts(suite, snapshot.guards) if snapshot.guards else suite
        return apply_waivers(guarded, snapshot.waivers, snapshot.today)

    return decide_looks(
        snapshot.suite,
        cases_at,
        settings,
        snapshot.looks,
        reached=snapshot.trials,
        further_parts=results.judges(snapshot).parts if snapshot.judges else None,
        revise=revise,
    )


class ResultTable:
    """What became of every attempt of a run, and what judges said; several looks read it."""

    def __init__(
        self,
        snapshots: Iterable[SuiteSnapshot],
        attempts: Collection[Attempt],
        scores: Collection[Score],
        judgments: Iterable[Judgment] = (),
        labels: Iterable[LabelledItem] = (),
    ) -> None:
        """Reads every attempt. An attempt at a case that its suite does not have is none."""
        self._attempts = find_attempts(attempts)
        self._scores = find_scores(scores)
        self._judgments = tuple(judgments)
        self._labels = tuple(labels)
        scorings = {snapshot.suite: SuiteScoring(snapshot) for snapshot in snapshots}
        self.outcomes = Outcomes(
            {
                suite: SuiteOutcomes(suite, scoring.snapshot.cases, self._attempts)
                for suite, scoring in scorings.items()
            }
        )
        judged = group_judgments(self._judgments)
        for attempt, mine in with_scores(attempts, scores):
            scoring = scorings[attempt.suite]
            position = scoring.snapshot.cases.position(attempt.case)
            if position is None:
                continue
            result = scoring.result(mine, attempt, judged.get(attempt.place, {}))
            mode = None if result.passed else scoring.failure_mode(mine, attempt)
            self.outcomes.suites[attempt.suite].put(attempt, position, result, mode)

    def judges(self, snapshot: SuiteSnapshot) -> SuiteJudges:
        """The judges of a suite and what they said."""
        return SuiteJudges(
            snapshot,
            arm_of=lambda variant, case: self._attempts.of_case(snapshot.suite, variant, case),
            scores=self._scores,
            judgments=self._judgments,
            labels=self._labels,
        )

    def cases(self, snapshot: SuiteSnapshot, trials: int) -> Sequence[CaseResult]:
        """Every case in every arm after `trials` trials, with what other runs lent."""
        return TabledCases(snapshot, self.outcomes.suites[snapshot.suite], trials)


def _tools_correct(scores: Sequence[Score]) -> bool | None:
    """Whether the calls were the expected ones; None where none are expected or known."""
    judged = [s.passed for s in scores if s.kind == "tool_calls" and s.state == "scored"]
    return None if not judged else all(judged)


def _judges_disagree(judgments: Iterable[Judgment]) -> bool | None:
    """Whether judges of one output differ; None where no two of them have a verdict.

    Two judges can differ where they answer one question: members of a panel, both orders of a pair,
    several judge scorers with one rubric.
    """
    told = list(judgments)
    splits = [each.opinion.split for each in told if each.opinion.split is not None]
    verdicts: defaultdict[str, list[bool | None]] = defaultdict(list)
    for each in told:
        if each.opinion.state == "judged":
            verdicts[each.rubric.partition("@")[0]].append(each.opinion.passed)
    splits += [len(set(said)) > 1 for said in verdicts.values() if len(said) > 1]
    return any(splits) if splits else None


def _denied(attempt: Attempt) -> bool:
    return attempt.state == "blocked" or any(
        decision.outcome == "denied" and decision.act != "budget" for decision in attempt.decisions
    )


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
                max_drop_pp=limits.max_drop_pp,
                required=limits.required,
            )
            for name, limits in gate.metrics.items()
        },
        anchor_margin_pp=None if snapshot.anchor is None else gate.anchor_margin_pp,
        quarantined=tuple(q for q in snapshot.quarantined if q.until >= snapshot.today),
        max_error_share=gate.max_error_share,
        owner=snapshot.owner,
        has_baseline=snapshot.has_baseline,
    )
