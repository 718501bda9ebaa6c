"""Scores that were given under one threshold, held against the threshold that decides now."""

from collections.abc import Iterable

import msgspec

from evalkit.records.judgment import Judgment
from evalkit.records.run import SuiteSnapshot
from evalkit.score.judging.combining import decided_by


def decided_alike(
    judgments: Iterable[Judgment], snapshots: Iterable[SuiteSnapshot]
) -> tuple[Judgment, ...]:
    """The judgments as the judges of `snapshots` decide them; those of no such judge as they are.

    The threshold of a graded scale is its calibration's, so it may have moved between two runs.
    """
    judges = {
        (snapshot.suite, judge.scorer): judge for snapshot in snapshots for judge in snapshot.judges
    }
    found = []
    for each in judgments:
        judge = judges.get((each.suite, each.scorer))
        if judge is not None:
            opinion = decided_by(each.opinion, judge.rubric, judge.standing.threshold)
            each = msgspec.structs.replace(each, opinion=opinion)
        found.append(each)
    return tuple(found)
