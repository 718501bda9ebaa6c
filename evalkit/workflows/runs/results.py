"""What a run knows so far: its attempts, their scores, and which of them passed."""

from dataclasses import dataclass, field

import msgspec

from evalkit.records.attempt import Attempt, Place
from evalkit.records.judgment import Judgment
from evalkit.records.score import Score
from evalkit.workflows.deciding import SuiteScoring


@dataclass(slots=True)
class RunResults:
    """What is known of the run so far, by place."""

    scorings: dict[str, SuiteScoring]
    attempts: dict[Place, Attempt] = field(default_factory=dict)
    scores: dict[Place, tuple[Score, ...]] = field(default_factory=dict)
    passes: dict[Place, bool | None] = field(default_factory=dict)
    judgments: dict[Place, dict[str, Judgment]] = field(default_factory=dict)

    def take(self, attempt: Attempt) -> bool | None:
        """Score an attempt and keep both. Returns whether it passed."""
        place = attempt.place
        scoring = self.scorings[attempt.suite]
        scores = scoring.scores(attempt, self.judgments.get(place, {}))
        passed = scoring.passed(scores, attempt)
        # spans are in the journal, and would be held in memory by every attempt of the run
        self.attempts[place] = msgspec.structs.replace(attempt, spans=())
        self.scores[place] = scores
        self.passes[place] = passed
        return passed

    def take_judgment(self, judgment: Judgment) -> None:
        """Keep what a judge said of an attempt that was taken, and score that again."""
        self.judgments.setdefault(judgment.place, {})[judgment.scorer] = judgment
        self.take(self.attempts[judgment.place])

    def judged(self, scorer: str, place: Place) -> bool:
        """Whether this judge has been asked about the attempt; an error says nothing."""
        found = self.judgments.get(place, {}).get(scorer)
        return found is not None and found.opinion.state != "error"

    def all_judgments(self) -> tuple[Judgment, ...]:
        """Every judgment so far."""
        return tuple(each for place in self.judgments.values() for each in place.values())

    def known(self) -> tuple[list[Attempt], list[Score], tuple[Judgment, ...]]:
        """Every attempt so far, every score, and every judgment."""
        scores = [score for each in self.scores.values() for score in each]
        return list(self.attempts.values()), scores, self.all_judgments()
