"""What a judge said of every case of a suite, as counts and as cases that the gate can compare."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping

import msgspec

from evalkit.gate.cases import CaseResult, TrialResult
from evalkit.records.attempt import Attempt, Place, lent_to
from evalkit.records.case import Case
from evalkit.records.judgment import Judgment
from evalkit.records.lookup import FindsScores
from evalkit.records.run import JudgeSetting, SuiteSnapshot
from evalkit.records.verdict import JudgedArm

ArmOf = Callable[[str, str], Mapping[int, Attempt]]
_PASSED, _FAILED, _UNKNOWN = (
    TrialResult(passed=True),
    TrialResult(passed=False),
    TrialResult(passed=None),
)
# of a pair in which neither is better, and of an attempt without an answer, which nobody judged:
# told from a verdict by being these very objects
_TIE = TrialResult(passed=True)
_KNOWN_FAIL = TrialResult(passed=False)


class JudgeTally(msgspec.Struct, frozen=True, kw_only=True):
    """One judge on the cases it applies to.

    `cases` have its verdicts as what passed (None where there is none), `baseline` and `candidate`
    count them by attempt. `judged_excess` is by how much larger the judged share of the baseline's
    attempts is than the candidate's: attempts without an answer are fails that nobody judges.
    """

    cases: tuple[CaseResult, ...]
    baseline: JudgedArm | None
    candidate: JudgedArm
    judged_excess: float
    shared: int


def tally_judge(
    judge: JudgeSetting,
    snapshot: SuiteSnapshot,
    cases: Iterable[Case],
    trials: int,
    *,
    arm_of: ArmOf,
    scores: FindsScores,
    judgments: Mapping[Place, Judgment],
) -> JudgeTally:
    """Count a judge after `trials` trials. `arm_of(variant, case)` are attempts by trial."""
    reading = _Reading(judge, scores, judgments)
    results: list[CaseResult] = []
    for case in cases:
        candidate = reading.arm(
            "candidate", case, arm_of("candidate", case.id), trials, snapshot.suite
        )
        baseline: tuple[TrialResult, ...] = ()
        if judge.rubric.compare == "pair":
            baseline = tuple(_opposite(trial) for trial in candidate)
        elif snapshot.has_baseline:
            last = trials if snapshot.baseline_trials is None else snapshot.baseline_trials
            baseline = reading.arm(
                "baseline", case, arm_of("baseline", case.id), last, snapshot.suite
            )
        if candidate or baseline:
            results.append(
                CaseResult(
                    case=case.id,
                    candidate=candidate,
                    baseline=baseline,
                    group=case.group,
                    tags=case.tags,
                )
            )
    shares = {name: _judged_share(counts) for name, counts in reading.counts.items()}
    pair = judge.rubric.compare == "pair"
    return JudgeTally(
        cases=tuple(results),
        baseline=_arm(reading.counts["baseline"]) if snapshot.has_baseline and not pair else None,
        candidate=_arm(reading.counts["candidate"]),
        judged_excess=0.0 if pair else shares["baseline"] - shares["candidate"],
        shared=reading.shared,
    )


class _Reading:
    """Reads attempts of one judge and counts them."""

    def __init__(
        self,
        judge: JudgeSetting,
        scores: FindsScores,
        judgments: Mapping[Place, Judgment],
    ) -> None:
        self.judge = judge
        self.scores = scores
        self.judgments = judgments
        self.counts: dict[str, Counter[str]] = {"baseline": Counter(), "candidate": Counter()}
        self.shared = 0

    def arm(
        self, variant: str, case: Case, made: Mapping[int, Attempt], last: int, suite: str
    ) -> tuple[TrialResult, ...]:
        """The case's trials in one arm, own ones and lent ones; without those it does not judge."""
        places: list[Place] = [(suite, variant, case.id, trial) for trial in range(1, last + 1)]
        places += [attempt.place for attempt in lent_to(made.values(), last)]
        read = [self._trial(variant, place) for place in places]
        return tuple(trial for trial in read if trial is not None)

    def _trial(self, variant: str, place: Place) -> TrialResult | None:
        counts = self.counts[variant]
        score = next((s for s in self.scores.of(place) if s.scorer == self.judge.scorer), None)
        if score is not None and score.state == "not_applicable":
            return None
        judgment = self.judgments.get(place)
        self.shared += judgment is not None and judgment.shared
        if judgment is not None and judgment.opinion.split:
            counts["disagreed"] += 1
        if score is None or score.state != "scored":
            counts["error" if score is None else score.state] += 1
            return _UNKNOWN
        if judgment is None:
            # nothing to judge: the attempt gave no answer, which nobody has to be asked about
            counts["known_fail" if score.passed is False else "error"] += 1
            return _KNOWN_FAIL if score.passed is False else _UNKNOWN
        counts["judged"] += 1
        counts["passed"] += score.passed is True
        if score.passed is None:
            return _TIE if self.judge.rubric.compare == "pair" else _UNKNOWN
        return _PASSED if score.passed else _FAILED


def is_known_fail(trial: TrialResult) -> bool:
    """Whether a trial of a tally is a fail that no judge had to be asked about."""
    return trial is _KNOWN_FAIL


def _opposite(candidate: TrialResult) -> TrialResult:
    """The baseline's side of a pair: it is the better one where the candidate is not."""
    if candidate is _TIE:
        return _PASSED
    if candidate.passed is None:
        return _UNKNOWN
    return _FAILED if candidate.passed else _PASSED


def _judged_share(counts: Counter[str]) -> float:
    """The share of an arm's attempts that were judged, or had to be."""
    asked = sum(counts[key] for key in ("judged", "abstained", "unparseable", "refused", "error"))
    known = counts["known_fail"]
    return asked / (asked + known) if asked + known else 1.0


def _arm(counts: Counter[str]) -> JudgedArm:
    return JudgedArm(
        judged=counts["judged"],
        passed=counts["passed"],
        known_fails=counts["known_fail"],
        abstained=counts["abstained"],
        unparseable=counts["unparseable"],
        refused=counts["refused"],
        errors=counts["error"],
        disagreed=counts["disagreed"],
    )
