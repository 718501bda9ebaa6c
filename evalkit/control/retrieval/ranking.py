"""How the chunks of a folder are held against a query: by words, or by meaning."""

import hashlib
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from evalkit.control.retrieval.case_documents import K1, B, words
from evalkit.ports import Vectors

# Scores that are equal on paper differ in their last digits by the order of their sums.
_DIGITS = 9

Encoder = Callable[[Sequence[str]], Sequence[Sequence[float]]]


class Ranker(Protocol):
    """Ranks the texts that it was made of."""

    def order(self, query: str) -> Sequence[int]:
        """Places of the texts that match, best first, ties in their own order."""


class Bm25Ranker:
    """BM25 as Lucene has it, through bm25s. A text that shares no word with a query is no match."""

    def __init__(self, texts: Sequence[str]) -> None:
        """Index the texts. The library is imported here, when the first query comes."""
        import bm25s

        tokens = [words(text) for text in texts]
        self._known = {word for each in tokens for word in each}
        self._index: Any = None
        if self._known:
            self._index = bm25s.BM25(k1=K1, b=B, method="lucene", dtype="float64")
            self._index.index(tokens, show_progress=False)

    def order(self, query: str) -> Sequence[int]:
        """Only texts that share a word with the query."""
        import numpy as np

        terms = sorted(self._known.intersection(words(query)))
        if not terms:
            return ()
        scores = np.round(self._index.get_scores(terms), _DIGITS)
        ranked = np.argsort(-scores, kind="stable")
        return [int(place) for place in ranked if scores[place] > 0]


class EmbeddingRanker:
    """Cosine of sentence embeddings. Every text matches, more or less.

    Embeddings of texts are kept by the digest of their content, so that an unchanged text is never
    embedded again; those of queries are not, since a query may hold somebody's data.
    """

    def __init__(
        self, texts: Sequence[str], *, encode: Encoder, model: str, vectors: Vectors
    ) -> None:
        """Embed what is not known yet. `model` names the encoder with its version.

        Raises StoreError.
        """
        import numpy as np

        keys = [hashlib.sha256(f"{model}\0{text}".encode()).hexdigest() for text in texts]
        known = dict(vectors.get(keys))
        missing = {key: text for key, text in zip(keys, texts, strict=True) if key not in known}
        if missing:
            made = encode(list(missing.values()))
            fresh = {
                key: np.asarray(vector, dtype=np.float32).tobytes()
                for key, vector in zip(missing, made, strict=True)
            }
            vectors.put(fresh)
            known |= fresh
        self._encode = encode
        self._matrix = np.stack([np.frombuffer(known[key], dtype=np.float32) for key in keys])

    def order(self, query: str) -> Sequence[int]:
        """Every text."""
        import numpy as np

        vector = np.asarray(self._encode([query])[0], dtype=np.float32)
        scores = np.round(self._matrix @ vector, 6)
        return [int(place) for place in np.argsort(-scores, kind="stable")]
