"""Retrieval that never found anything: two variants without documents are equal, and green."""

from collections import Counter
from collections.abc import Iterable, Iterator

from evalkit.gate.wording import count
from evalkit.records.attempt import Attempt

# A case may well ask for what is not there; that all of so many do is a fault of the index.
_FEWEST = 3


def fruitless_retrieval(attempts: Iterable[Attempt]) -> Iterator[str]:
    """A warning for each variant of a suite and index that gave no document to any retrieval."""
    asked: Counter[tuple[str, str, str]] = Counter()
    found: set[tuple[str, str, str]] = set()
    for attempt in attempts:
        for decision in attempt.decisions:
            index = decision.data.get("index")
            if decision.act != "retrieve" or decision.rule != "retrieval.max_chunks" or not index:
                continue
            key = (attempt.suite, str(attempt.variant), str(index))
            asked[key] += 1
            if decision.data.get("documents"):
                found.add(key)
    for key, number in asked.items():
        if number >= _FEWEST and key not in found:
            suite, variant, index = key
            yield (
                f"suite {suite}, {variant}: index {index} gave no document to any of "
                f"{count(number, 'retrieval')}, so nothing of it was tested"
            )
