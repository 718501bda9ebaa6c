"""What a run knows so far: attempts in its journal, their scores in a spool, judgments."""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from evalkit.records.attempt import Attempt, Place
from evalkit.records.judgment import Judgment
from evalkit.records.lookup import with_scores
from evalkit.records.run import SuiteSnapshot
from evalkit.records.score import Score
from evalkit.store.attempt_lines import AttemptLines
from evalkit.store.bundle import Bundle
from evalkit.store.keeping import Keeping
from evalkit.store.score_lines import ScoreLines
from evalkit.store.score_spool import ScoreSpool
from evalkit.workflows.outcomes import OutcomeBook
from evalkit.workflows.runs.arm_sums import ArmSums, RunSums, sum_arms
from evalkit.workflows.runs.fruitless import RetrievalCount
from evalkit.workflows.scoring import SuiteScoring

if TYPE_CHECKING:
    from evalkit.workflows.deciding import ResultTable

# what was written is read while calls are in the air, so that little is left to do after the last
_CATCH_UP = 256


class RunResults:
    """What is known of the run so far. A million attempts have to be possible, so that of each
    nothing is held here but what finds it."""

    def __init__(
        self, scorings: Mapping[str, SuiteScoring], bundle: Bundle, spool: ScoreSpool
    ) -> None:
        """Of a run whose journal may hold attempts already; `spool` takes the scores."""
        self._scorings = scorings
        self._bundle = bundle
        self._spool = spool
        self._unkept: ScoreLines | None = None
        self._attempts = bundle.attempts()
        self._book = OutcomeBook(scorings, self._attempts)
        self._sums = RunSums(self._book.outcomes)
        self._taken = 0
        self.judgments: dict[Place, dict[str, Judgment]] = {}
        self.retrieval = RetrievalCount()

    @property
    def attempts(self) -> AttemptLines:
        """Every attempt that was journalled."""
        self._attempts.refresh()
        return self._attempts

    def __len__(self) -> int:
        """How many places have an attempt, as far as the journal was read."""
        return len(self._attempts)

    def __contains__(self, place: object) -> bool:
        """Whether a place has an attempt with a result, as far as the journal was read."""
        found = self._attempts.at(place) if isinstance(place, tuple) else None
        return found is not None and found.has_result

    def take(self, attempt: Attempt) -> bool | None:
        """Score an attempt that was journalled. Returns whether it passed. Raises StoreError."""
        scores = self._scorings[attempt.suite].scores(attempt)
        self._spool.append(scores)
        self.retrieval.note(attempt)
        self._taken += 1
        if self._taken % _CATCH_UP == 0:
            self._spool.read(self.attempts)
        passed = self._book.put(attempt, scores)
        self._sums.add(attempt)
        return passed

    def take_judgment(self, judgment: Judgment) -> None:
        """Keep what a judge said of an attempt that was taken."""
        self.judgments.setdefault(judgment.place, {})[judgment.scorer] = judgment

    def judged(self, scorer: str, place: Place) -> bool:
        """Whether this judge has been asked about the attempt; an error says nothing."""
        found = self.judgments.get(place, {}).get(scorer)
        return found is not None and found.opinion.state != "error"

    def all_judgments(self) -> tuple[Judgment, ...]:
        """Every judgment so far."""
        return tuple(each for place in self.judgments.values() for each in place.values())

    def table(self, snapshots: Sequence[SuiteSnapshot]) -> "ResultTable":
        """What became of every attempt so far."""
        spooled = self._spool.read(self.attempts)
        scores = spooled if self._whole(spooled) else tuple(self._scored(spooled))
        return self.table_of(snapshots, scores)

    def table_of(
        self, snapshots: Sequence[SuiteSnapshot], scores: Sequence[Score]
    ) -> "ResultTable":
        """The same with the scores of every attempt, as `write_scores` gives them."""
        # loaded when calls were made: what decides is as much as all that makes the first one
        from evalkit.workflows.deciding import ResultTable

        # where judges spoke, or an attempt was not scored by this process, all are read again
        known = scores is self._spool.read(self._attempts)
        return ResultTable(
            snapshots,
            self._attempts,
            scores,
            self.all_judgments(),
            outcomes=self._book.outcomes if known else None,
        )

    def sums(self, table: "ResultTable") -> Mapping[tuple[str, str], ArmSums]:
        """What the attempts add up to, arm by arm; `table` is what became of them."""
        if table.outcomes is self._book.outcomes:
            return self._sums.arms
        return sum_arms(self._attempts, table.outcomes)

    def write_scores(self, keeping: Keeping) -> ScoreLines:
        """The scores of every attempt, in their order. They are scores.jsonl once that is kept."""
        attempts = self.attempts
        spooled = self._spool.read(attempts)
        if self._whole(spooled):
            keeping.begin(self._spool.sync)
            self._unkept = spooled
            return spooled
        self._bundle.write_scores(self._scored(spooled))
        return self._bundle.read_scores(attempts)

    def keep_scores(self) -> None:
        """Make what `write_scores` gave scores.jsonl, where it is not yet. Raises StoreError."""
        if self._unkept is not None:
            self._spool.keep(self._unkept)
            self._unkept = None

    def _whole(self, spooled: ScoreLines) -> bool:
        """Whether the spool holds what every attempt scores, in their order."""
        whole = spooled.in_order and spooled.groups == len(self._attempts)
        return whole and not self.judgments

    def _scored(self, spooled: ScoreLines) -> Iterator[Score]:
        """The scores of every attempt: of judged ones anew, of others as they were spooled."""
        for attempt, scores in with_scores(self._attempts, spooled):
            judged = self.judgments.get(attempt.place)
            if judged or not scores:
                yield from self._scorings[attempt.suite].scores(attempt, judged or {})
            else:
                yield from scores
