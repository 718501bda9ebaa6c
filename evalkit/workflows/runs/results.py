"""What a run knows so far: its attempts, their scores, and which of them passed."""

from dataclasses import dataclass, field

from evalkit.records.attempt import Attempt, Place
from evalkit.records.score import Score
from evalkit.workflows.deciding import SuiteScoring


@dataclass(slots=True)
class RunResults:
    """What is known of the run so far, by place."""

    scorings: dict[str, SuiteScoring]
    attempts: dict[Place, Attempt] = field(default_factory=dict)
    scores: dict[Place, tuple[Score, ...]] = field(default_factory=dict)
    passes: dict[Place, bool | None] = field(default_factory=dict)

    def take(self, attempt: Attempt) -> bool | None:
        """Score an attempt and keep both. Returns whether it passed."""
        scoring = self.scorings[attempt.suite]
        scores = scoring.scores(attempt)
        passed = scoring.passed(scores, attempt)
        self.attempts[attempt.place] = attempt
        self.scores[attempt.place] = scores
        self.passes[attempt.place] = passed
        return passed

    def known(self) -> tuple[list[Attempt], list[Score]]:
        """Every attempt so far, and every score."""
        return list(self.attempts.values()), [s for each in self.scores.values() for s in each]
