"""Attempts of a run to scores, and scores to a verdict; the same for a live run and a stored one.

Everything here works on what a bundle holds: redacted attempts and the suite's snapshot. So
`evalkit score RUN` and `evalkit gate RUN` give the verdict that the run gave, without a model.
"""

from collections.abc import Iterable, Iterator, Sequence

from evalkit.gate import CaseResult, add_parts, decide_verdict
from evalkit.gate.looks import decide_looks
from evalkit.gate.waiving import apply_waivers
from evalkit.records.attempt import Attempt
from evalkit.records.judgment import Judgment
from evalkit.records.label import LabelledItem
from evalkit.records.lookup import find_attempts, find_scores, group_judgments, with_scores
from evalkit.records.outcomes import Outcomes
from evalkit.records.run import StoredRun, SuiteSnapshot
from evalkit.records.score import Score
from evalkit.records.verdict import SuiteVerdict, Verdict
from evalkit.workflows.gate_settings import gate_settings
from evalkit.workflows.judged.deciding import SuiteJudges
from evalkit.workflows.outcomes import OutcomeBook
from evalkit.workflows.scoring import SuiteScoring
from evalkit.workflows.tabled_cases import HELD_CASES, TabledCases


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
    attempts: Iterable[Attempt],
    scores: Iterable[Score],
    judgments: Iterable[Judgment] = (),
    labels: Iterable[LabelledItem] = (),
) -> Verdict:
    """The verdict over the suites. An attempt that is missing is unknown, never left out.

    Attempts and scores are gone over several times. `labels` were given to outputs of this very
    run.
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
        attempts: Iterable[Attempt],
        scores: Iterable[Score],
        judgments: Iterable[Judgment] = (),
        labels: Iterable[LabelledItem] = (),
        *,
        outcomes: Outcomes | None = None,
    ) -> None:
        """Reads every attempt, unless their `outcomes` are known. An attempt at a case that its
        suite does not have is none."""
        self._attempts = find_attempts(attempts)
        self._scores = find_scores(scores)
        self._judgments = tuple(judgments)
        self._labels = tuple(labels)
        self._tabled: dict[tuple[str, int], TabledCases] = {}
        if outcomes is None:
            outcomes = self._read(snapshots, attempts, scores)
        self.outcomes = outcomes

    def _read(
        self,
        snapshots: Iterable[SuiteSnapshot],
        attempts: Iterable[Attempt],
        scores: Iterable[Score],
    ) -> Outcomes:
        scorings = {snapshot.suite: SuiteScoring(snapshot) for snapshot in snapshots}
        book = OutcomeBook(scorings, self._attempts)
        judged = group_judgments(self._judgments)
        for attempt, mine in with_scores(attempts, scores):
            book.put(attempt, mine, judged.get(attempt.place, {}))
        return book.outcomes

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
        asked = snapshot.suite, trials
        tabled = self._tabled.get(asked)
        if tabled is None:
            tabled = TabledCases(snapshot, self.outcomes.suites[snapshot.suite], trials)
            if sum(map(len, self._tabled.values())) + len(tabled) <= HELD_CASES:
                self._tabled[asked] = tabled
        return tabled


def table_of(run: StoredRun) -> ResultTable:
    """What became of every attempt of a stored run; `StoredRun.once` holds it."""
    return ResultTable(run.snapshots, run.attempts, run.scores, run.judgments, run.labels)
