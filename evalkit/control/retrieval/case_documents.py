"""The documents that a case brings along: BM25 over words, ties in the order given.

A case has a handful of them, so an index is not worth its making: this takes 0.2 ms for ten, where
importing a library alone takes 0.2 s. `folder` uses one; a test holds the two against each other.
"""

import math
import re
from collections import Counter
from collections.abc import Sequence

from evalkit.records.case import Document

# Robertson and Zaragoza (2009), "The Probabilistic Relevance Framework": the usual constants.
K1 = 1.2
B = 0.75
_WORD = re.compile(r"\w+")


class CaseDocuments:
    """Implements Retriever over the documents of one case. It gives all of them, ranked."""

    remote = False

    def __init__(self, documents: Sequence[Document]) -> None:
        """`documents` are those of one index."""
        self._documents = documents

    async def find(self, query: str, *, k: int, identity: str) -> tuple[Document, ...]:
        """Every document, best first."""
        return tuple(rank(self._documents, query))


def rank(documents: Sequence[Document], query: str) -> list[Document]:
    """The documents, best first. Nothing is left out: a cap on how many is the route's."""
    terms = set(words(query))
    if len(documents) < 2 or not terms:
        return list(documents)
    counts = [Counter(words(document.text)) for document in documents]
    sizes = [count.total() for count in counts]
    mean_size = sum(sizes) / len(sizes) or 1.0
    weights = {term: _weight(term, counts) for term in sorted(terms)}
    scores = [
        sum(
            weight * count[term] * (K1 + 1) / (count[term] + K1 * (1 - B + B * size / mean_size))
            for term, weight in weights.items()
            if count[term]
        )
        for count, size in zip(counts, sizes, strict=True)
    ]
    order = sorted(range(len(documents)), key=lambda index: -scores[index])
    return [documents[index] for index in order]


def _weight(term: str, counts: Sequence[Counter[str]]) -> float:
    """How much a term tells: the fewer documents hold it, the more. Never negative."""
    holding = sum(1 for count in counts if count[term])
    return math.log(1 + (len(counts) - holding + 0.5) / (holding + 0.5))


def words(text: str) -> list[str]:
    """The words of a text, as both rankers by words see them."""
    return _WORD.findall(text.casefold())
