"""What became of the attempts of a run, put down one by one."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from evalkit.records.attempt import Attempt
from evalkit.records.judgment import Judgment
from evalkit.records.lookup import FindsAttempts
from evalkit.records.outcomes import Outcomes, SuiteOutcomes
from evalkit.records.score import Score
from evalkit.workflows.scoring import SuiteScoring


class OutcomeBook:
    """Outcomes, and what reads them from attempts and their scores."""

    def __init__(self, scorings: Mapping[str, SuiteScoring], attempts: FindsAttempts) -> None:
        """Nothing is put down yet; `attempts` finds what is, when it is asked for later."""
        self._scorings = scorings
        self.outcomes = Outcomes(
            {
                suite: SuiteOutcomes(suite, scoring.snapshot.cases, attempts)
                for suite, scoring in scorings.items()
            }
        )

    def put(
        self,
        attempt: Attempt,
        scores: Sequence[Score],
        judgments: Mapping[str, Judgment] = MappingProxyType({}),
    ) -> bool | None:
        """Put an attempt down. Returns whether it passed.

        One at a case that its suite does not have is none, and None is returned.
        """
        scoring = self._scorings[attempt.suite]
        position = scoring.snapshot.cases.position(attempt.case)
        if position is None:
            return None
        result = scoring.result(scores, attempt, judgments)
        mode = None if result.passed else scoring.failure_mode(scores, attempt)
        self.outcomes.suites[attempt.suite].put(attempt, position, result, mode)
        return result.passed
