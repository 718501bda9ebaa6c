"""Providers as the configuration names them, built and asked."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from evalkit.config.model import Config
from evalkit.config.routes import HTTP_KINDS, Provider
from evalkit.errors import Refused
from evalkit.records.call import Message, Request
from evalkit.workflows.wiring import Wiring
from tests.servers.replay_server import Exchange, ReplayServer

ASKED = Request(model="claude", messages=(Message(role="user", content="On?"),), key="k")


def config(**provider: Any) -> Config:
    return Config.model_validate(
        {"providers": {"hosted": provider}, "models": {"m": {"provider": "hosted"}}}
    )


@pytest.mark.parametrize("kind", sorted(HTTP_KINDS))
def test_every_kind_over_http_is_built_under_its_own_identity(tmp_path: Path, kind: str) -> None:
    wiring = Wiring(tmp_path, environ={})
    given = config(kind=kind, base_url="https://llm.example/v1/")
    provider = wiring.provider(given, "m", suite="s")
    assert (provider.name, provider.identity) == ("hosted", f"{kind} https://llm.example/v1")


@pytest.mark.parametrize(
    ("kind", "address"), [(kind, url) for kind, url in HTTP_KINDS.items() if url is not None]
)
def test_a_vendor_with_one_address_needs_none(tmp_path: Path, kind: str, address: str) -> None:
    provider = Wiring(tmp_path, environ={}).provider(config(kind=kind), "m", suite="s")
    assert provider.identity == f"{kind} {address}"


@pytest.mark.parametrize("kind", [kind for kind, url in HTTP_KINDS.items() if url is None])
def test_a_vendor_with_an_address_for_each_customer_needs_it(kind: str) -> None:
    with pytest.raises(ValidationError, match="needs a base_url"):
        Provider.model_validate({"kind": kind})


def test_a_recording_has_the_identity_of_what_was_recorded(tmp_path: Path) -> None:
    given = config(kind="anthropic", recordings="recordings")
    recorded = Wiring(tmp_path, environ={}).provider(given, "m", suite="s")
    live = Wiring(tmp_path, environ={}, live=True).provider(given, "m", suite="s")
    assert (recorded.origin, live.origin) == ("recording", "live")
    assert recorded.identity == live.identity == "anthropic https://api.anthropic.com/v1"


def test_a_key_that_is_not_set_is_refused_before_any_call(tmp_path: Path) -> None:
    given = config(kind="gemini", api_key_env="GEMINI_KEY")
    with pytest.raises(Refused, match=r"\$GEMINI_KEY, which is not set"):
        Wiring(tmp_path, environ={}).provider(given, "m", suite="s")


def test_a_built_provider_asks_with_the_key_of_the_environment(tmp_path: Path) -> None:
    server = ReplayServer().start()
    server.reply = Exchange({"content": [{"type": "text", "text": "yes"}]})
    wiring = Wiring(tmp_path, environ={"LLM_KEY": "key-123"})
    given = config(kind="anthropic", base_url=f"{server.url}/v1", api_key_env="LLM_KEY")

    async def ask() -> str:
        try:
            provider = wiring.provider(given, "m", suite="s")
            return (await provider.complete(ASKED, timeout_s=5)).content
        finally:
            await wiring.close()

    try:
        assert asyncio.run(ask()) == "yes"
    finally:
        server.stop()
    assert server.sent[0].headers["x-api-key"] == "key-123"
