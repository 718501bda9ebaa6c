"""Why the attempts of a run failed: one code of the published list for each of them."""

from collections.abc import Iterable
from typing import Literal

from evalkit.records.attempt import Attempt, FailureMode, Place
from evalkit.records.run import StoredRun, SuiteSnapshot
from evalkit.records.score import Score
from evalkit.score.failure import failure_mode_of
from evalkit.workflows.deciding import SuiteScoring, group_scores


def failure_modes(
    snapshots: Iterable[SuiteSnapshot], attempts: Iterable[Attempt], scores: Iterable[Score]
) -> dict[Place, FailureMode]:
    """The code of every attempt that failed or has no result, by its place; of no other."""
    scorings = {snapshot.suite: SuiteScoring(snapshot) for snapshot in snapshots}
    by_place = group_scores(scores)
    found: dict[Place, FailureMode] = {}
    for attempt in attempts:
        scoring, mine = scorings[attempt.suite], by_place.get(attempt.place, [])
        if scoring.passed(mine, attempt):
            continue
        mode = failure_mode_of(attempt, mine, fallback=_fallback(scoring.snapshot))
        # a score that was lost keeps an attempt from passing, whatever the others say
        found[attempt.place] = mode or FailureMode.SCORER_ERROR
    return found


def modes_of(run: StoredRun) -> dict[Place, FailureMode]:
    """The same of a stored run."""
    return failure_modes(run.snapshots, run.attempts, run.scores)


def _fallback(snapshot: SuiteSnapshot) -> Literal["error", "accept"]:
    return "accept" if snapshot.fallback == "accept" else "error"
