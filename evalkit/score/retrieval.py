"""The documents that a workflow retrieved against those it needed."""

import msgspec

from evalkit.config.scorers import RetrievalScorer
from evalkit.records.attempt import Attempt
from evalkit.records.case import Case
from evalkit.score.expected import expected_texts
from evalkit.score.scorer import Judgement, Scorer, ScorerError


class RetrievalExpectation(msgspec.Struct, frozen=True):
    """`documents` have to be found; none of `forbidden` may be seen.

    The id of a whole file stands for all chunks of it (`guide.md` for `guide.md#3`).
    """

    documents: tuple[str, ...]
    forbidden: tuple[str, ...]


class Retrieval(Scorer[RetrievalExpectation]):
    """Enough of the expected documents were retrieved, and nothing that had to stay away."""

    kind = "retrieval"

    def __init__(self, config: RetrievalScorer, *, label: str, gate: bool) -> None:
        """`config` has the least recall, and precision."""
        super().__init__(label=label, gate=gate)
        self._config = config

    def expectation(self, case: Case) -> RetrievalExpectation | None:
        """`expected.documents` and `expected.forbidden_documents`. Raises ScorerError."""
        wanted = expected_texts(case, "documents")
        forbidden = expected_texts(case, "forbidden_documents")
        if wanted is None and forbidden is None:
            return None
        both = sorted(set(wanted or ()) & set(forbidden or ()))
        if both:
            raise ScorerError(f"{', '.join(both)} cannot be expected and forbidden")
        return RetrievalExpectation(tuple(dict.fromkeys(wanted or ())), forbidden or ())

    def is_asked_by(self, case: Case) -> bool:
        """Always: only `expected` says which documents."""
        return True

    def judge(self, attempt: Attempt, expectation: RetrievalExpectation) -> Judgement:
        """Recall over the expected documents, precision over the retrieved ones."""
        seen = tuple(dict.fromkeys(attempt.documents))
        hits = [each for each in expectation.documents if any(_is_of(one, each) for one in seen)]
        useful = [one for one in seen if any(_is_of(one, each) for each in expectation.documents)]
        measures = (
            {"recall": len(hits) / len(expectation.documents)} if expectation.documents else {}
        )
        if seen and expectation.documents:
            measures["precision"] = len(useful) / len(seen)
        faults = []
        if measures.get("recall", 1.0) < self._config.min_recall:
            missing = ", ".join(each for each in expectation.documents if each not in hits)
            faults.append(
                f"recall is {measures['recall']:.2f}, expected {self._config.min_recall:.2f}: "
                f"{missing} not retrieved"
            )
        least = self._config.min_precision
        if least is not None and measures.get("precision", 1.0) < least:
            faults.append(f"precision is {measures['precision']:.2f}, expected {least:.2f}")
        for each in expectation.forbidden:
            if any(_is_of(one, each) for one in seen):
                faults.append(f"{each} was retrieved, which the case forbids")
        if faults:
            return Judgement(
                passed=False,
                message="; ".join(faults),
                expected=list(expectation.documents),
                found=list(seen),
                measures=measures,
            )
        got = f"{len(hits)} of {len(expectation.documents)} expected documents retrieved"
        return Judgement(passed=True, message=got, measures=measures)


def _is_of(found: str, wanted: str) -> bool:
    return found == wanted or found.startswith(f"{wanted}#")
