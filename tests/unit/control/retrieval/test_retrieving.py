"""A session's retrieval from shared indexes: who may read, what is cut, what the trace says."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from evalkit.config.indexes import Scopes
from evalkit.config.routes import Route
from evalkit.control.retrieval.catalogue import Catalogue
from evalkit.control.retrieval.folder import FolderRetriever
from evalkit.control.retrieval.ranking import Bm25Ranker
from evalkit.control.session import ControlSession
from evalkit.errors import ConfigError, PolicyBlocked, ProviderError
from evalkit.records.call import Message
from evalkit.records.case import Document
from evalkit.records.index import IndexContent
from tests.unit.control.fakes import World, route_with, traced

GRANTED = Scopes.model_validate({"teams": {"support": ["support"]}, "orgs": {"acme": ["legal"]}})


def content(*documents: Document) -> IndexContent:
    return IndexContent(name="kb", rank="bm25", files={}, documents=documents, digest="sha256:0")


def doc(name: str, *scopes: str) -> Document:
    return Document(id=name, index="kb", text=f"refund {name}", scopes=scopes)


PAGES = content(doc("a#1"), doc("b#1", "legal"), doc("c#1", "support", "legal"), doc("d#1"))


class CountingRanker:
    """Everything matches, in its own order."""

    asked: list[str]

    def __init__(self, texts: Sequence[str]) -> None:
        self.size = len(texts)
        self.asked = []

    def order(self, query: str) -> Sequence[int]:
        self.asked.append(query)
        return range(self.size)


class Service:
    """An index that is asked over a wire."""

    remote = True

    def __init__(self, *found: Document, error: ProviderError | None = None) -> None:
        self.found = found
        self.error = error
        self.asked: list[tuple[str, int, str]] = []

    async def find(self, query: str, *, k: int, identity: str) -> tuple[Document, ...]:
        self.asked.append((query, k, identity))
        if self.error is not None:
            raise self.error
        return self.found


def session(
    shared: Any, *, identity: dict[str, str] | None = None, route: Route | None = None, **keys: Any
) -> ControlSession:
    catalogue = Catalogue(shared={"kb": shared} if shared else {}, granted=GRANTED, **keys)
    world = World(route=route or route_with(), catalogue=catalogue)
    return world.plane.open_for(identity or {})


def folder() -> FolderRetriever:
    return FolderRetriever(PAGES, Bm25Ranker)


def retrieved(opened: ControlSession, query: str = "refund") -> list[str]:
    return [document.id for document in asyncio.run(opened.retrieve("kb", query))]


@pytest.mark.parametrize(
    ("identity", "ids"),
    [
        ({}, ["a#1", "d#1"]),
        ({"team": "sales"}, ["a#1", "d#1"]),
        ({"team": "support"}, ["a#1", "c#1", "d#1"]),
        ({"org": "acme"}, ["a#1", "b#1", "c#1", "d#1"]),
        ({"user": "support"}, ["a#1", "d#1"]),
    ],
)
def test_documents_outside_the_scopes_of_an_identity_are_never_shown(
    identity: dict[str, str], ids: list[str]
) -> None:
    assert retrieved(session(folder(), identity=identity)) == ids


def test_documents_out_of_scope_are_traced_by_id() -> None:
    opened = session(folder())
    retrieved(opened)
    (decision,) = traced(opened, "documents.scopes")
    assert decision.outcome == "denied"
    assert decision.data == {"index": "kb", "refused": ["b#1", "c#1"]}
    assert "refund" not in decision.message


def test_an_index_with_scopes_is_refused_to_an_identity_without_them() -> None:
    opened = session(folder(), scopes={"kb": ["support"]}, identity={"org": "acme"})
    with pytest.raises(PolicyBlocked) as blocked:
        retrieved(opened)
    assert blocked.value.rule == "indexes.kb.scopes"
    assert traced(opened, "indexes.kb.scopes")[0].outcome == "denied"


def test_an_index_with_scopes_is_read_by_those_who_have_one() -> None:
    opened = session(folder(), scopes={"kb": ["support"]}, identity={"team": "support"})
    assert retrieved(opened) == ["a#1", "c#1", "d#1"]


def test_the_trace_names_what_each_limit_dropped() -> None:
    route = route_with(retrieval={"max_chunks": 3, "max_tokens": 8})
    opened = session(folder(), route=route, identity={"org": "acme"})
    assert retrieved(opened) == ["a#1", "b#1"]
    (chunks,) = traced(opened, "retrieval.max_chunks")
    (tokens,) = traced(opened, "retrieval.max_tokens")
    assert (chunks.outcome, chunks.data["documents"]) == ("changed", ["a#1", "b#1"])
    assert (chunks.data["dropped"], tokens.data["dropped"]) == (["d#1"], ["c#1"])
    assert "8 of 8 tokens" in tokens.message


def test_without_max_chunks_a_shared_index_gives_twenty() -> None:
    many = content(*(doc(f"p{number}#1") for number in range(30)))
    assert len(retrieved(session(FolderRetriever(many, Bm25Ranker)))) == 20


def test_one_query_over_one_index_is_ranked_once() -> None:
    built: list[CountingRanker] = []

    def build(texts: Sequence[str]) -> CountingRanker:
        built.append(CountingRanker(texts))
        return built[-1]

    shared = FolderRetriever(PAGES, build)
    for query in ("refund", "refund", "parcel", "refund"):
        retrieved(session(shared), query)
    assert [ranker.asked for ranker in built] == [["refund", "parcel"]]


def test_a_query_is_redacted_before_it_leaves_for_a_service() -> None:
    service = Service(doc("a"))
    redacting = route_with(policies={"pii_redaction": True}, retrieval={"max_chunks": 4})
    retrieved(session(service, route=redacting, identity={"user": "u"}), "bills of jo@example.org")
    retrieved(session(service, route=route_with()), "bills of jo@example.org")
    (first, k, identity), (second, default, nobody) = service.asked
    assert (first, k) == ("bills of [EMAIL_1]", 4) and identity.startswith("u-")
    assert (second, default, nobody) == ("bills of jo@example.org", 20, "")


def test_what_a_service_sends_too_much_is_dropped_and_named() -> None:
    service = Service(doc("a"), doc("b", "legal"), doc("c"))
    opened = session(service, route=route_with(retrieval={"max_chunks": 1}))
    assert retrieved(opened) == ["a"]
    assert traced(opened, "retrieval.max_chunks")[0].data["dropped"] == ["c"]


def test_personal_data_in_the_id_of_a_services_document_is_replaced() -> None:
    assert retrieved(session(Service(doc("mail/jo@example.org")))) == ["mail/[EMAIL_1]"]


def test_a_service_that_does_not_answer_is_traced() -> None:
    opened = session(Service(error=ProviderError("timeout", "no answer within 1 s")))
    with pytest.raises(ProviderError):
        retrieved(opened)
    (decision,) = traced(opened, "indexes.kb")
    assert (decision.outcome, decision.data) == ("failed", {"code": "timeout"})


def test_an_index_that_nobody_read_does_not_look_empty() -> None:
    with pytest.raises(ConfigError):
        retrieved(session(None, unread={"kb"}))


def test_retrieved_text_is_redacted_on_its_way_to_a_model() -> None:
    page = Document(id="p#1", index="kb", text="Write to jo@example.org for a refund")
    opened = session(
        FolderRetriever(content(page), Bm25Ranker),
        route=route_with(policies={"pii_redaction": True}),
    )
    (found,) = asyncio.run(opened.retrieve("kb", "refund"))
    call = opened.prepare([Message(role="user", content=found.text)])
    assert call.request.messages[0].content == "Write to [EMAIL_1] for a refund"
