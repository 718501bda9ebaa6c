"""Ranking the documents of an index against a query: BM25 over words, ties in the order given."""

import math
import re
from collections import Counter
from collections.abc import Sequence

from evalkit.records.case import Document

# Robertson and Zaragoza (2009), "The Probabilistic Relevance Framework": the usual constants.
_K1 = 1.2
_B = 0.75
_WORD = re.compile(r"\w+")


def rank(documents: Sequence[Document], query: str) -> list[Document]:
    """The documents, best first. Nothing is left out: a cap on how many is the route's."""
    terms = set(_words(query))
    if len(documents) < 2 or not terms:
        return list(documents)
    counts = [Counter(_words(document.text)) for document in documents]
    sizes = [count.total() for count in counts]
    mean_size = sum(sizes) / len(sizes) or 1.0
    weights = {term: _weight(term, counts) for term in sorted(terms)}
    scores = [
        sum(
            weight
            * count[term]
            * (_K1 + 1)
            / (count[term] + _K1 * (1 - _B + _B * size / mean_size))
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


def _words(text: str) -> list[str]:
    return _WORD.findall(text.casefold())
