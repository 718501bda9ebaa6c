"""Attempts of one suite to scores, and to what the gate reads; as a bundle holds them.

Nothing here decides, and a run that has yet to make its first call needs no more than this.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from types import MappingProxyType
from typing import Any, Literal

from evalkit.config.scorers import ScorerEntry
from evalkit.errors import Problem
from evalkit.gate.cases import TrialResult
from evalkit.records.attempt import Attempt, FailureMode
from evalkit.records.case import Case
from evalkit.records.judgment import Judgment
from evalkit.records.run import SuiteSnapshot
from evalkit.records.score import Score
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
        case = self._case(attempt)
        broken = violations(attempt, case)
        return TrialResult(
            passed=self.passed(scores, attempt),
            cost_usd=attempt.cost_usd if measured else None,
            tokens=attempt.usage.total if measured else None,
            latency_s=attempt.latency_s if attempt.origin == "live" else None,
            guardrail=guardrail_triggered(attempt) if measured else None,
            tools_correct=_tools_correct(scores),
            complied=_complied(attempt, case, broken) if measured else None,
            judges_disagree=_judges_disagree(judgments.values()) if judgments else None,
            violations=broken,
        )


def _complied(attempt: Attempt, case: Case, broken: Sequence[str]) -> bool:
    """Whether no policy had to step in, or one did where the case expects it; `broken` are the
    attempt's violations."""
    if broken:
        return False
    return case.expected.get("blocked") is True or not _denied(attempt)


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
