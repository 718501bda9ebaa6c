"""Ranking, and the policies where the configuration leaves something open."""

import asyncio
from typing import Any

import pytest

from evalkit.control.policy import cited_documents, rule_citations, rule_retrieval
from evalkit.control.retrieval.case_documents import rank
from evalkit.records.case import Case, Document
from tests.unit.control.fakes import ROUTE, World, documents, route_with, traced


def doc(name: str, text: str) -> Document:
    return Document(id=name, index="kb", text=text)


REFUND = doc("a", "How a refund is paid and how long a refund takes")
LOGIN = doc("b", "Signing in, and what to do about a lost password")
PLANS = doc("c", "Plans and prices, and how a plan is changed")


def names(found: list[Document]) -> list[str]:
    return [document.id for document in found]


@pytest.mark.parametrize(
    ("query", "best"), [("lost password", "b"), ("REFUND!", "a"), ("change my plan", "c")]
)
def test_the_document_that_shares_the_rare_words_comes_first(query: str, best: str) -> None:
    assert names(rank([REFUND, LOGIN, PLANS], query))[0] == best


def test_nothing_is_left_out_by_ranking() -> None:
    assert sorted(names(rank([REFUND, LOGIN, PLANS], "password"))) == ["a", "b", "c"]


@pytest.mark.parametrize("query", ["", "???", "zebra"])
def test_without_a_shared_word_the_given_order_stays(query: str) -> None:
    assert names(rank([PLANS, REFUND, LOGIN], query)) == ["c", "a", "b"]


def test_ties_keep_the_given_order() -> None:
    same = [doc("x", "one refund"), doc("y", "one refund"), doc("z", "one refund")]
    assert names(rank(same, "refund")) == ["x", "y", "z"]


def test_words_of_any_language_count() -> None:
    found = rank([doc("de", "Auszahlung zurückgehalten"), doc("ja", "払い戻し 方法")], "払い戻し")
    assert names(found)[0] == "ja"


def test_empty_documents_do_not_break_ranking() -> None:
    assert names(rank([doc("a", ""), doc("b", "")], "refund")) == ["a", "b"]


def test_the_cut_takes_the_best_and_not_the_first() -> None:
    case = Case(id="c", input={}, documents=(PLANS, LOGIN, REFUND))
    route = route_with(retrieval={"max_chunks": 1})
    found = asyncio.run(World(route=route, case=case).open().retrieve("kb", "refund"))
    assert [document.id for document in found] == ["a"]


def test_max_chunks_of_zero_returns_nothing() -> None:
    case = Case(id="c", input={}, documents=(PLANS,))
    session = World(route=route_with(retrieval={"max_chunks": 0}), case=case).open()
    assert asyncio.run(session.retrieve("kb", "plan")) == ()
    assert traced(session, "retrieval.max_chunks")[0].outcome == "changed"


def test_without_a_list_any_index_may_be_read_and_with_an_empty_one_none() -> None:
    assert rule_retrieval(ROUTE, "anything").allowed
    assert not rule_retrieval(route_with(retrieval={"allow_indexes": []}), "anything").allowed


def test_an_index_that_holds_nothing_is_empty_and_not_an_error() -> None:
    assert asyncio.run(World().open().retrieve("kb", "x")) == ()


def test_documents_of_other_indexes_are_never_returned() -> None:
    case = Case(id="c", input={}, documents=documents("kb", "k-1") + documents("hr", "h-1"))
    found = asyncio.run(World(case=case).open().retrieve("kb", "h-1"))
    assert [document.id for document in found] == ["k-1"]


@pytest.mark.parametrize(
    ("content", "parsed", "cited"),
    [
        ("see [kb-1] and [kb-2], again [kb-1]", None, ("kb-1", "kb-2")),
        ("see [kb-1, kb-2]", None, ("kb-1", "kb-2")),
        ("an invented one [kb-999]", None, ("kb-999",)),
        ("[sic] [EMAIL_1] [link](x) [2026]", None, ()),
        ("text [kb-1]", {"citations": ["kb-2"]}, ("kb-2",)),
        ("text [kb-1]", {"citations": []}, ()),
        ("[kb-1\n]", None, ()),
        ("", None, ()),
        ("text [kb-1]", {"answer": "yes"}, ("kb-1",)),
        ("text [kb-1]", {"citations": "kb-2"}, ("kb-1",)),
        ("text [kb-1]", ["kb-2"], ("kb-1",)),
        ("", {"citations": [7, "kb-1"]}, ("7", "kb-1")),
    ],
)
def test_what_counts_as_a_citation(content: str, parsed: Any, cited: tuple[str, ...]) -> None:
    assert cited_documents(content, parsed, known={"kb-1", "kb-2"}) == cited


@pytest.mark.parametrize(
    ("citations", "allowed"),
    [
        (["kb-1"], True),
        (["kb-1", "kb-2"], False),
        (["kb-9"], False),
        ([], False),
        ([None], False),
        ("kb-1", False),
    ],
)
def test_every_citation_has_to_be_retrieved(citations: Any, allowed: bool) -> None:
    ruling = rule_citations(
        "", {"citations": citations}, known={"kb-1", "kb-2"}, retrieved={"kb-1"}
    )
    assert ruling.allowed is allowed
