"""A retrieval service: what it is sent, what its answers and failures come to."""

import asyncio
import random
import socket
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from evalkit.config.indexes import HttpIndex
from evalkit.control.providers.transport import build_transport
from evalkit.control.retrieval.http import HttpRetriever
from evalkit.errors import ProviderError, Refused
from evalkit.records.case import Document
from tests.servers.replay_server import Exchange, ReplayServer
from tests.unit.control.fakes import FakeClock

KEY = "key-0123456789abcdef"
FOUND = {"documents": [{"id": "b", "text": "second"}, {"id": "a", "text": "first", "score": 2}]}


@pytest.fixture
def server() -> Iterator[ReplayServer]:
    server = ReplayServer()
    server.start()
    yield server
    server.stop()


def ask(
    server: ReplayServer,
    *queries: str,
    reply: Exchange | None = None,
    clock: FakeClock | None = None,
    environ: Mapping[str, str] | None = None,
    retries: int = 0,
    url: str | None = None,
    **settings: Any,
) -> list[tuple[Document, ...]]:
    """Ask a service for each of the queries, with one retriever."""
    server.reply = reply or Exchange(FOUND)

    async def every() -> list[tuple[Document, ...]]:
        transport = build_transport()
        retriever = HttpRetriever(
            "kb",
            HttpIndex.model_validate({"url": url or f"{server.url}/search", **settings}),
            transport=transport,
            clock=clock or FakeClock(),
            environ=environ or {},
            retries=retries,
            jitter=random.Random(7),
        )
        try:
            return [await retriever.find(query, k=5, identity="u-1") for query in queries]
        finally:
            await transport.close()

    return asyncio.run(every())


def refused(server: ReplayServer, **keys: Any) -> ProviderError:
    with pytest.raises(ProviderError) as caught:
        ask(server, "refund", **keys)
    return caught.value


def test_the_query_is_posted_and_the_order_of_the_answer_kept(server: ReplayServer) -> None:
    (found,) = ask(server, "refund")
    assert [(each.id, each.index, each.text) for each in found] == [
        ("b", "kb", "second"),
        ("a", "kb", "first"),
    ]
    (sent,) = server.sent
    assert sent.path == "/search"
    assert sent.body == {"query": "refund", "k": 5, "identity": "u-1"}
    assert "authorization" not in sent.headers


def test_equal_queries_are_asked_once(server: ReplayServer) -> None:
    ask(server, "refund", "parcel", "refund")
    assert [sent.body["query"] for sent in server.sent] == ["refund", "parcel"]


@pytest.mark.parametrize(
    ("settings", "header", "value"),
    [({}, "authorization", f"Bearer {KEY}"), ({"key_header": "X-Api-Key"}, "x-api-key", KEY)],
)
def test_the_key_travels_in_its_header(
    server: ReplayServer, settings: dict[str, str], header: str, value: str
) -> None:
    ask(server, "refund", environ={"KB_KEY": KEY}, key_env="KB_KEY", **settings)
    assert server.sent[0].headers[header] == value


def test_without_its_key_a_service_is_not_asked(server: ReplayServer) -> None:
    with pytest.raises(Refused, match=r"\$KB_KEY, which is not set"):
        ask(server, "refund", key_env="KB_KEY")
    assert server.sent == []


def test_scopes_of_a_document_come_along(server: ReplayServer) -> None:
    reply = Exchange({"documents": [{"id": "a", "text": "x", "scopes": ["legal"], "more": 1}]})
    assert ask(server, "refund", reply=reply)[0][0].scopes == ("legal",)


@pytest.mark.parametrize(
    "body",
    [
        b"<html>",
        b"",
        {"results": []},
        [],
        {"documents": [{"id": "a"}]},
        {"documents": [{"id": " ", "text": "x"}]},
        {"documents": [{"id": "a", "text": "x"}, {"id": "a", "text": "y"}]},
        {"documents": [{"id": "a", "text": "x", "scopes": "legal"}]},
        {"error": "no such collection"},
    ],
)
def test_an_answer_of_another_form_is_malformed(server: ReplayServer, body: Any) -> None:
    error = refused(server, reply=Exchange(body), retries=2)
    assert (error.code, error.retryable) == ("malformed_reply", False)
    assert "index kb" in str(error) and len(server.sent) == 1


def test_no_documents_are_an_answer(server: ReplayServer) -> None:
    assert ask(server, "refund", reply=Exchange({"documents": []})) == [()]


def test_a_server_error_is_tried_again_and_then_told(server: ReplayServer) -> None:
    clock = FakeClock()
    error = refused(
        server, reply=Exchange({"error": {"message": "overloaded"}}, 503), retries=2, clock=clock
    )
    assert error.code == "server_error" and "overloaded" in str(error)
    assert len(server.sent) == 3 and len(clock.slept) == 2


def test_retry_after_is_waited_for(server: ReplayServer) -> None:
    clock = FakeClock()
    refused(server, reply=Exchange({}, 429, {"retry-after": "7"}), retries=1, clock=clock)
    assert clock.slept == [7.0]


def test_a_refused_key_is_not_quoted(server: ReplayServer) -> None:
    error = refused(
        server,
        reply=Exchange({"error": {"message": f"bad key {KEY}"}}, 401),
        environ={"KB_KEY": KEY},
        key_env="KB_KEY",
    )
    assert error.code == "authentication" and KEY not in str(error)


def test_a_body_that_breaks_off_is_an_error(server: ReplayServer) -> None:
    error = refused(server, reply=Exchange(FOUND, missing=100))
    assert error.retryable


def test_a_service_that_is_down_is_a_connection_error(server: ReplayServer) -> None:
    error = refused(server, url="http://127.0.0.1:9/search")
    assert error.code == "connection" and "index kb was not reached" in str(error)


def test_a_service_that_accepts_and_says_nothing_is_a_timeout(server: ReplayServer) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/search"
        error = refused(server, url=url, timeout_s=0.2)
    assert (error.code, error.retryable) == ("timeout", True)
