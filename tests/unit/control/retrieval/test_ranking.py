"""Ranking the chunks of a folder: by words through a library, by meaning through an encoder."""

import math
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evalkit import embedding
from evalkit.control.retrieval.case_documents import rank
from evalkit.control.retrieval.ranking import Bm25Ranker, EmbeddingRanker
from evalkit.records.case import Document

WORDS = st.lists(st.sampled_from(["refund", "parcel", "login", "the", "card"]), max_size=8)
TEXTS = ["a refund takes ten days", "signing in", "the card and the refund"]


def bm25(texts: list[str], query: str) -> list[float]:
    """The score of each text, term by term as Robertson and Zaragoza (2009) write it."""
    words = [text.split() for text in texts]
    mean = sum(map(len, words)) / len(words) or 1.0
    scores = [0.0] * len(texts)
    for term in sorted(set(query.split())):
        holding = sum(term in each for each in words)
        weight = math.log(1 + (len(texts) - holding + 0.5) / (holding + 0.5))
        for n, each in enumerate(words):
            count = each.count(term)
            scores[n] += weight * count * 2.2 / (count + 1.2 * (0.25 + 0.75 * len(each) / mean))
    return scores


@given(st.lists(WORDS.map(" ".join), min_size=2, max_size=8), WORDS.map(" ".join))
@settings(max_examples=60, deadline=None)  # the first one imports the library
def test_the_library_and_our_own_bm25_order_by_the_same_scores(
    texts: list[str], query: str
) -> None:
    documents = [Document(id=str(n), index="kb", text=text) for n, text in enumerate(texts)]
    matching = {n for n, text in enumerate(texts) if set(text.split()) & set(query.split())}
    ours = [n for n in (int(each.id) for each in rank(documents, query)) if n in matching]
    theirs = list(Bm25Ranker(texts).order(query))
    scores = bm25(texts, query)
    for order in (ours, theirs):
        assert set(order) == matching
        # equal scores may differ in their last digit, by the order in which terms are added
        assert all(scores[n] >= scores[m] - 1e-9 for n, m in pairwise(order))


@pytest.mark.parametrize("query", ["", "???", "zebra"])
def test_without_a_shared_word_nothing_matches(query: str) -> None:
    assert list(Bm25Ranker(TEXTS).order(query)) == []


def test_texts_without_words_match_nothing() -> None:
    assert list(Bm25Ranker(["?!", ""]).order("refund")) == []


def test_ties_keep_the_order_of_the_files() -> None:
    assert list(Bm25Ranker(["one refund", "x", "one refund"]).order("refund")) == [0, 2]


def test_the_order_is_one_in_every_process() -> None:
    program = (
        "from evalkit.control.retrieval.ranking import Bm25Ranker;"
        "r = Bm25Ranker([f'w{n % 7} w{n % 5} w{n % 3}' for n in range(60)]);"
        "print(list(r.order('w1 w2 w6')))"
    )
    said = {
        subprocess.run(
            [sys.executable, "-c", program],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(said) == 1


class DictVectors:
    """Embeddings in memory."""

    def __init__(self) -> None:
        self.held: dict[str, bytes] = {}

    def get(self, keys: Sequence[str]) -> Mapping[str, bytes]:
        return {key: self.held[key] for key in keys if key in self.held}

    def put(self, vectors: Mapping[str, bytes]) -> None:
        self.held.update(vectors)


class CountingEncoder:
    """Counts letters a, b and c: a vector whose meaning a test can see."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def __call__(self, texts: Sequence[str]) -> list[tuple[float, ...]]:
        self.asked += texts
        return [tuple(float(text.count(letter)) for letter in "abc") for text in texts]


def test_an_unchanged_text_is_never_embedded_again() -> None:
    vectors, encoder = DictVectors(), CountingEncoder()
    first = EmbeddingRanker(["aaa", "bb", "aaa"], encode=encoder, model="m 1", vectors=vectors)
    assert encoder.asked == ["aaa", "bb"]
    assert list(first.order("b")) == [1, 0, 2]
    again = EmbeddingRanker(["bb", "cc", "aaa"], encode=encoder, model="m 1", vectors=vectors)
    assert encoder.asked == ["aaa", "bb", "b", "cc"]
    assert list(again.order("c")) == [1, 0, 2]


def test_another_version_of_the_encoder_embeds_anew() -> None:
    vectors, encoder = DictVectors(), CountingEncoder()
    for model in ("m 1", "m 2"):
        EmbeddingRanker(["a"], encode=encoder, model=model, vectors=vectors)
    assert encoder.asked == ["a", "a"]


def test_queries_are_not_kept() -> None:
    vectors = DictVectors()
    ranker = EmbeddingRanker(["a"], encode=CountingEncoder(), model="m 1", vectors=vectors)
    ranker.order("somebody's data")
    assert len(vectors.held) == 1


@pytest.mark.embeddings
@pytest.mark.skipif(not embedding.is_installed(), reason="needs the extra `embeddings`")
def test_the_real_encoder_finds_by_meaning() -> None:
    texts = ["How long a reimbursement takes", "Changing the colour of the lamp"]
    ranker = EmbeddingRanker(
        texts, encode=embedding.embed, model=embedding.encoder_name(), vectors=DictVectors()
    )
    assert next(iter(ranker.order("when do I get my money back"))) == 0
