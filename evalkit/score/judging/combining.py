"""Several calls to one opinion: both orders of a pair, then the members of a panel."""

from collections import Counter
from collections.abc import Iterable, Sequence

import msgspec

from evalkit.records.asset import Rubric, RubricScale
from evalkit.records.judgment import JudgeCall, JudgmentState, Opinion

# where nobody is left to decide: what is told of calls that ended differently
_WORST_FIRST: tuple[JudgmentState, ...] = ("error", "refused", "unparseable", "abstained")


def passing_score(scale: RubricScale, threshold: float | None) -> float:
    """The lowest score that passes: the rubric's own, else the calibration's, else the middle."""
    if scale.pass_from is not None:
        return scale.pass_from
    return (scale.lowest + scale.highest) / 2 if threshold is None else threshold


def combine(rubric: Rubric, calls: Sequence[JudgeCall], threshold: float | None) -> Opinion:
    """The opinion that calls come to.

    A member of a panel that was asked in both orders speaks where both agree and abstains where
    they differ. A panel decides by the majority of its members (graded: by the mean score of those
    that have one, if they are a majority). Where there is none, it is an error if members that
    could not be reached could still make one, else it abstains.
    """
    by_route: dict[str, list[JudgeCall]] = {}
    for call in calls:
        by_route.setdefault(call.route, []).append(call)
    members = [_member(each) for each in by_route.values()]
    joined = members[0] if len(members) == 1 else _panel(rubric, members)
    passed, score = joined.passed, joined.score
    if joined.state == "judged" and rubric.scale.kind == "graded" and score is not None:
        passed = score >= passing_score(rubric.scale, threshold)
    return Opinion(
        state=joined.state,
        passed=passed,
        score=score,
        split=_split(rubric, calls, threshold),
        calls=tuple(calls),
    )


def decided_by(opinion: Opinion, rubric: Rubric, threshold: float | None) -> Opinion:
    """The opinion by a threshold that may be another one than when it was given."""
    if rubric.scale.kind != "graded" or not opinion.calls:
        return opinion
    return combine(rubric, opinion.calls, threshold)


class _Voice(msgspec.Struct, frozen=True):
    state: JudgmentState
    passed: bool | None = None
    score: float | None = None


def _member(calls: Sequence[JudgeCall]) -> _Voice:
    """One judge, in one order or in both."""
    first = calls[0]
    if len(calls) == 1:
        return _Voice(first.state, first.passed, first.score)
    if any(call.state != "judged" for call in calls):
        return _Voice(_least(call.state for call in calls))
    if len({call.passed for call in calls}) > 1:
        return _Voice("abstained")
    return _Voice("judged", first.passed)


def _panel(rubric: Rubric, members: Sequence[_Voice]) -> _Voice:
    judged = [each for each in members if each.state == "judged"]
    # members that could not be reached: they may be the ones that decide
    open_ = sum(each.state == "error" for each in members)
    majority = len(members) / 2
    if rubric.scale.kind == "graded":
        scores = [each.score for each in judged if each.score is not None]
        if len(scores) > majority:
            return _Voice("judged", None, sum(scores) / len(scores))
        most = len(scores)
    else:
        votes = Counter(each.passed for each in judged)
        for vote, number in votes.items():
            if number > majority:
                return _Voice("judged", vote)
        most = max(votes.values(), default=0)
    if open_ and most + open_ > majority:
        return _Voice("error")
    if judged:
        return _Voice("abstained")
    return _Voice(_least(each.state for each in members if each.state != "error"))


def _least(states: Iterable[JudgmentState]) -> JudgmentState:
    found = set(states)
    return next(state for state in _WORST_FIRST if state in found)


def _split(rubric: Rubric, calls: Sequence[JudgeCall], threshold: float | None) -> bool | None:
    """Whether calls that have a verdict differ; None with fewer than two."""
    limit = passing_score(rubric.scale, threshold)
    said = [
        call.passed if call.score is None else call.score >= limit
        for call in calls
        if call.state == "judged"
    ]
    return None if len(said) < 2 else len(set(said)) > 1
