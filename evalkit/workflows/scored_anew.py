"""The scores of stored attempts, made again as they are asked for, and never held."""

from collections.abc import Iterable, Iterator, Sequence

from evalkit.records.attempt import Attempt, Place
from evalkit.records.judgment import Judgment
from evalkit.records.lookup import find_attempts, group_judgments
from evalkit.records.run import SuiteSnapshot
from evalkit.records.score import Score
from evalkit.workflows.scoring import SuiteScoring


class ScoredAnew:
    """Implements ScoresAttempts: whoever goes over attempts has their scores without a file.

    What somebody wrote into scores.jsonl does not decide. Raises ConfigError for broken scorers
    when the first score is asked for.
    """

    in_order = True

    def __init__(
        self,
        snapshots: Iterable[SuiteSnapshot],
        attempts: Iterable[Attempt],
        judgments: Iterable[Judgment] = (),
    ) -> None:
        """`attempts` may be gone over several times; nothing is scored yet."""
        self._attempts = attempts
        self._found = find_attempts(attempts)
        self._scorings = {snapshot.suite: SuiteScoring(snapshot) for snapshot in snapshots}
        self._judged = group_judgments(judgments)

    def __iter__(self) -> Iterator[Score]:
        """Every score, in the order of the attempts."""
        for attempt in self._attempts:
            yield from self.of_attempt(attempt)

    def of(self, place: Place) -> Sequence[Score]:
        """The scores of one attempt."""
        attempt = self._found.at(place)
        return () if attempt is None else self.of_attempt(attempt)

    def of_attempt(self, attempt: Attempt) -> Sequence[Score]:
        """The scores of an attempt that is at hand."""
        judged = self._judged.get(attempt.place, {})
        return self._scorings[attempt.suite].scores(attempt, judged)
