"""Retrieval that never found anything: two variants without documents are equal, and green."""

from collections import Counter
from collections.abc import Iterator

from evalkit.gate.wording import count
from evalkit.records.attempt import Attempt

# A case may well ask for what is not there; that all of so many do is a fault of the index.
_FEWEST = 3


class RetrievalCount:
    """Counts retrievals as attempts end: their journal leaves out decisions that allowed."""

    def __init__(self) -> None:
        """Nothing was retrieved yet."""
        self._asked: Counter[tuple[str, str, str]] = Counter()
        self._found: set[tuple[str, str, str]] = set()

    def note(self, attempt: Attempt) -> None:
        """Take in an attempt that was just made."""
        for decision in attempt.decisions:
            index = decision.data.get("index")
            if decision.act != "retrieve" or decision.rule != "retrieval.max_chunks" or not index:
                continue
            key = (attempt.suite, str(attempt.variant), str(index))
            self._asked[key] += 1
            if decision.data.get("documents"):
                self._found.add(key)

    def warnings(self) -> Iterator[str]:
        """A warning for each variant of a suite and index that gave no document to any."""
        for key, number in self._asked.items():
            if number >= _FEWEST and key not in self._found:
                suite, variant, index = key
                yield (
                    f"suite {suite}, {variant}: index {index} gave no document to any of "
                    f"{count(number, 'retrieval')}, so nothing of it was tested"
                )
