"""The candidates of two runs as the arms of one, read from their bundles as they are asked for."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

import msgspec

from evalkit.records.attempt import Attempt, Place, VariantName
from evalkit.records.judgment import Judgment
from evalkit.records.lookup import find_attempts
from evalkit.records.run import StoredRun
from evalkit.records.score import Score
from evalkit.workflows.scored_anew import ScoredAnew

_TESTED: VariantName = "candidate"


class Arm:
    """The candidate of a run under the name that it has in a comparison, scored anew.

    A pair was judged against another baseline, so that its judge says nothing here.
    """

    def __init__(self, run: StoredRun, name: VariantName, suites: Collection[str]) -> None:
        """Of a run's attempts in some of its suites; nothing is read yet."""
        self._name = name
        self._run = run
        self._suites = frozenset(suites)
        self._found = find_attempts(run.attempts)
        self._pairs = {
            (snapshot.suite, judge.scorer)
            for snapshot in run.snapshots
            for judge in snapshot.judges
            if judge.rubric.compare == "pair"
        }
        judgments = [
            msgspec.structs.replace(each, variant=name)
            for each in run.judgments
            if each.variant == _TESTED
        ]
        self._scored = ScoredAnew(run.snapshots, self, judgments)
        self.judgments = tuple(
            each for each in judgments if (each.suite, each.scorer) not in self._pairs
        )

    def __iter__(self) -> Iterator[Attempt]:
        """Its attempts."""
        for attempt in self._run.attempts:
            if attempt.variant == _TESTED and attempt.suite in self._suites:
                yield self._named(attempt)

    def _named(self, attempt: Attempt) -> Attempt:
        if attempt.variant == self._name:
            return attempt
        return msgspec.structs.replace(attempt, variant=self._name)

    def at(self, place: Place) -> Attempt | None:
        """The attempt of that place."""
        found = self._found.at((place[0], _TESTED, *place[2:]))
        return None if found is None else self._named(found)

    def of_case(self, suite: str, variant: str, case: str) -> Mapping[int, Attempt]:
        """The attempts at a case by trial; `variant` is the arm's name."""
        made = self._found.of_case(suite, _TESTED, case)
        return {trial: self._named(attempt) for trial, attempt in made.items()}

    def scores_of(self, attempt: Attempt) -> Sequence[Score]:
        """What an attempt of the arm scores."""
        scores = self._scored.of_attempt(attempt)
        if not self._pairs:
            return scores
        return [
            _said_nothing(each) if (each.suite, each.scorer) in self._pairs else each
            for each in scores
        ]


class PairedAttempts:
    """Implements FindsAttempts for both arms, one after the other."""

    def __init__(self, arms: Mapping[str, Arm]) -> None:
        """The arms by name."""
        self._arms = arms

    def __iter__(self) -> Iterator[Attempt]:
        """The attempts of all arms."""
        for arm in self._arms.values():
            yield from arm

    def at(self, place: Place) -> Attempt | None:
        """The attempt of that place."""
        arm = self._arms.get(place[1])
        return None if arm is None else arm.at(place)

    def of_case(self, suite: str, variant: str, case: str) -> Mapping[int, Attempt]:
        """The attempts at a case in one arm, by trial."""
        arm = self._arms.get(variant)
        return {} if arm is None else arm.of_case(suite, variant, case)


class PairedScores:
    """Implements ScoresAttempts for both arms."""

    in_order = True

    def __init__(self, arms: Mapping[str, Arm]) -> None:
        """The arms by name."""
        self._arms = arms

    def __iter__(self) -> Iterator[Score]:
        """The scores of all attempts, in their order."""
        for arm in self._arms.values():
            for attempt in arm:
                yield from arm.scores_of(attempt)

    def of(self, place: Place) -> Sequence[Score]:
        """The scores of one attempt."""
        arm = self._arms.get(place[1])
        attempt = None if arm is None else arm.at(place)
        return () if arm is None or attempt is None else arm.scores_of(attempt)

    def of_attempt(self, attempt: Attempt) -> Sequence[Score]:
        """The scores of an attempt that is at hand."""
        return self._arms[attempt.variant].scores_of(attempt)


def paired_judgments(arms: Iterable[Arm]) -> tuple[Judgment, ...]:
    """What judges said of either arm."""
    return tuple(judgment for arm in arms for judgment in arm.judgments)


def _said_nothing(score: Score) -> Score:
    return msgspec.structs.replace(
        score,
        state="not_applicable",
        passed=None,
        found=None,
        message="judged against another baseline",
    )
