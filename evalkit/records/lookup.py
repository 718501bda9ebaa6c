"""Attempts, scores and judgments of a run found by what they are about.

What a bundle holds finds its own lines; for sequences that are held in memory an index is made.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Protocol, runtime_checkable

from evalkit.records.attempt import Attempt, Place
from evalkit.records.judgment import Judgment
from evalkit.records.score import Score


@runtime_checkable
class FindsAttempts(Protocol):
    """Attempts that are found by their place."""

    def at(self, place: Place) -> Attempt | None:
        """The attempt of that place."""

    def of_case(self, suite: str, variant: str, case: str) -> Mapping[int, Attempt]:
        """The attempts at a case in one arm, by trial."""


@runtime_checkable
class FindsScores(Protocol):
    """Scores that are found by the place of their attempt."""

    @property
    def in_order(self) -> bool:
        """Whether those of each attempt stand together, in the order of the attempts."""

    def of(self, place: Place) -> Sequence[Score]:
        """The scores of one attempt."""


@runtime_checkable
class ScoresAttempts(FindsScores, Protocol):
    """Scores that are made of an attempt when they are asked for."""

    def of_attempt(self, attempt: Attempt) -> Sequence[Score]:
        """The scores of an attempt that is at hand."""


class HeldAttempts:
    """Implements FindsAttempts for attempts in memory."""

    def __init__(self, attempts: Iterable[Attempt]) -> None:
        """Index them; the last of a place counts."""
        self._cases: defaultdict[tuple[str, str, str], dict[int, Attempt]] = defaultdict(dict)
        for attempt in attempts:
            self._cases[attempt.place[:3]][attempt.trial] = attempt

    def at(self, place: Place) -> Attempt | None:
        """The attempt of that place."""
        return self._cases.get(place[:3], {}).get(place[3])

    def of_case(self, suite: str, variant: str, case: str) -> Mapping[int, Attempt]:
        """The attempts at a case in one arm, by trial."""
        return self._cases.get((suite, variant, case), {})


class HeldScores:
    """Implements FindsScores for scores in memory."""

    in_order = False

    def __init__(self, scores: Iterable[Score]) -> None:
        """Index them."""
        self._places: defaultdict[Place, list[Score]] = defaultdict(list)
        for score in scores:
            self._places[score.place].append(score)

    def of(self, place: Place) -> Sequence[Score]:
        """The scores of one attempt."""
        return self._places.get(place, ())


def find_attempts(attempts: Iterable[Attempt]) -> FindsAttempts:
    """What finds these attempts."""
    return attempts if isinstance(attempts, FindsAttempts) else HeldAttempts(attempts)


def find_scores(scores: Iterable[Score]) -> FindsScores:
    """What finds these scores."""
    return scores if isinstance(scores, FindsScores) else HeldScores(scores)


def with_scores(
    attempts: Iterable[Attempt], scores: Iterable[Score]
) -> Iterator[tuple[Attempt, Sequence[Score]]]:
    """Every attempt with its scores; those that stand in order are read along with them."""
    if isinstance(scores, ScoresAttempts):
        for attempt in attempts:
            yield attempt, scores.of_attempt(attempt)
        return
    found = find_scores(scores)
    groups = _groups(scores) if found.in_order else iter(())
    ahead = next(groups, None)
    for attempt in attempts:
        if ahead is not None and ahead[0] == attempt.place:
            yield attempt, ahead[1]
            ahead = next(groups, None)
        else:
            yield attempt, found.of(attempt.place)


def _groups(scores: Iterable[Score]) -> Iterator[tuple[Place, Sequence[Score]]]:
    """Scores that follow each other and are of one attempt, together."""
    place, group = None, list[Score]()
    for score in scores:
        if score.place != place:
            if place is not None:
                yield place, group
            place, group = score.place, []
        group.append(score)
    if place is not None:
        yield place, group


def group_judgments(judgments: Iterable[Judgment]) -> Mapping[Place, dict[str, Judgment]]:
    """The judgments of every attempt, by scorer."""
    grouped: defaultdict[Place, dict[str, Judgment]] = defaultdict(dict)
    for judgment in judgments:
        grouped[judgment.place][judgment.scorer] = judgment
    return dict(grouped)
