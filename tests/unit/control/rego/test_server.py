"""An OPA server asked over real HTTP: its answers, its silences, and its token."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from evalkit.control.providers.transport import build_transport
from evalkit.control.rego.decision import Undecided
from evalkit.control.rego.server import OpaServer
from evalkit.control.ruling import Ruling
from tests.servers.replay_server import Exchange, ReplayServer

DOCUMENT = {"act": "authorize", "tool": {"name": "refund", "arguments": {"amount": 2**64}}}


@pytest.fixture
def opa() -> Iterator[ReplayServer]:
    server = ReplayServer().start()
    yield server
    server.stop()


def ask(url: str, document: dict[str, Any] = DOCUMENT, **settings: Any) -> tuple[Ruling, ...]:
    async def asked() -> tuple[Ruling, ...]:
        transport = build_transport()
        server = OpaServer(
            url,
            package="evalkit.policy",
            shadow=False,
            transport=transport,
            timeout_s=settings.pop("timeout_s", 5.0),
            **settings,
        )
        try:
            return await server.rule(document)
        finally:
            await transport.close()

    return asyncio.run(asked())


def test_the_document_is_sent_as_the_data_api_wants_it(opa: ReplayServer) -> None:
    opa.reply = Exchange({"result": {"deny": [{"rule": "limit", "message": "too much"}]}})
    (ruling,) = ask(opa.url)
    assert (ruling.rule, ruling.stops) == ("rego.evalkit.policy.limit", True)
    (sent,) = opa.sent
    assert (sent.path, sent.body) == ("/v1/data/evalkit/policy", {"input": DOCUMENT})
    assert "authorization" not in sent.headers


def test_the_token_comes_from_the_environment_and_is_nowhere_else(opa: ReplayServer) -> None:
    opa.reply = Exchange({"code": "unauthorized", "message": "Bearer s3cret is wrong"}, status=401)
    with pytest.raises(Undecided) as undecided:
        ask(opa.url, token_env="OPA_TOKEN", environ={"OPA_TOKEN": "s3cret"})
    assert opa.sent[0].headers["authorization"] == "Bearer s3cret"
    assert "s3cret" not in str(undecided.value)


def test_without_its_token_the_server_is_not_asked(opa: ReplayServer) -> None:
    with pytest.raises(Undecided, match="OPA_TOKEN"):
        ask(opa.url, token_env="OPA_TOKEN", environ={})
    assert not opa.sent


@pytest.mark.parametrize(
    "reply",
    [
        Exchange({}),  # an undefined document
        Exchange({"result": None}),
        Exchange({"result": {"warn": []}}),
        Exchange({"result": {"allow": "yes"}}),
        Exchange({"result": {"deny": []}}, status=500),
        Exchange(b"<html>"),
        Exchange(b""),
        Exchange(b"\xff\xfe"),
        Exchange(b"[" * 100_000),
        Exchange({"result": {"deny": []}}, missing=10),
    ],
)
def test_a_strange_answer_is_no_decision(opa: ReplayServer, reply: Exchange) -> None:
    opa.reply = reply
    with pytest.raises(Undecided):
        ask(opa.url)


def test_a_server_that_is_not_there_decides_nothing() -> None:
    server = ReplayServer().start()
    server.stop()
    with pytest.raises(Undecided, match="cannot be asked"):
        ask(server.url)


def test_a_document_that_json_cannot_hold_is_not_sent(opa: ReplayServer) -> None:
    with pytest.raises(Undecided):
        ask(opa.url, {"amount": float("nan")})
    assert not opa.sent
