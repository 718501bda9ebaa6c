"""An OPA server asked over real HTTP: its answers, its silences, and its token."""

from collections.abc import Iterator
from typing import Any

import pytest

from evalkit.control.providers.transport import build_transport
from evalkit.control.rego.server import OpaServer
from evalkit.control.ruling import Ruling
from tests.servers.replay_server import Exchange, ReplayServer

DOCUMENT = {"act": "authorize", "tool": {"name": "refund", "arguments": {"amount": 2**64}}}


@pytest.fixture
def opa() -> Iterator[ReplayServer]:
    server = ReplayServer().start()
    yield server
    server.stop()


def ask(url: str, document: dict[str, Any] = DOCUMENT, **settings: Any) -> list[Ruling]:
    server = OpaServer(
        url,
        package="evalkit.policy",
        shadow=False,
        transport=build_transport,
        timeout_s=settings.pop("timeout_s", 5.0),
        **settings,
    )
    try:
        return list(server.check(document))
    finally:
        server.close()


def test_the_document_is_sent_as_the_data_api_wants_it(opa: ReplayServer) -> None:
    opa.reply = Exchange({"result": {"deny": [{"rule": "limit", "message": "too much"}]}})
    (ruling,) = ask(opa.url)
    assert (ruling.rule, ruling.stops) == ("rego.evalkit.policy.limit", True)
    (sent,) = opa.sent
    assert (sent.path, sent.body) == ("/v1/data/evalkit/policy", {"input": DOCUMENT})
    assert "authorization" not in sent.headers


def test_the_token_comes_from_the_environment_and_is_nowhere_else(opa: ReplayServer) -> None:
    opa.reply = Exchange({"code": "unauthorized", "message": "Bearer s3cret is wrong"}, status=401)
    (ruling,) = ask(opa.url, token_env="OPA_TOKEN", environ={"OPA_TOKEN": "s3cret"})
    assert opa.sent[0].headers["authorization"] == "Bearer s3cret"
    assert "s3cret" not in ruling.message


def test_without_its_token_the_server_is_not_asked(opa: ReplayServer) -> None:
    (ruling,) = ask(opa.url, token_env="OPA_TOKEN", environ={})
    assert (ruling.rule, ruling.stops) == ("policy.error", True)
    assert "OPA_TOKEN" in ruling.message
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
    (ruling,) = ask(opa.url)
    assert (ruling.rule, ruling.stops) == ("policy.error", True)


def test_a_server_that_is_not_there_decides_nothing() -> None:
    server = ReplayServer().start()
    server.stop()
    (ruling,) = ask(server.url)
    assert (ruling.rule, ruling.stops) == ("policy.error", True)


def test_a_document_that_json_cannot_hold_is_not_sent(opa: ReplayServer) -> None:
    (ruling,) = ask(opa.url, {"amount": float("nan")})
    assert (ruling.rule, ruling.stops) == ("policy.error", True)
    assert not opa.sent
