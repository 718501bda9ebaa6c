"""Providers as the configuration names them, built and asked."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from evalkit.config.model import Config
from evalkit.config.routes import HTTP_KINDS, Provider, Route
from evalkit.control.providers.faulty import FaultyProvider
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


def two_models(**spare: Any) -> tuple[Config, Route]:
    """A route whose models are behind `hosted`, which has no key here, and behind `spare`."""
    hosted = {"kind": "openai", "base_url": "https://llm.example/v1", "api_key_env": "LLM_KEY"}
    given = Config.model_validate(
        {
            "providers": {
                "hosted": hosted | spare,
                "spare": {"kind": "scripted", "path": "spare.jsonl"},
            },
            "models": {"m": {"provider": "hosted"}, "n": {"provider": "spare"}},
            "routes": [{"name": "r", "models": {"primary": "m", "fallback": "n"}}],
        }
    )
    return given, given.routes[0]


def test_a_drill_breaks_the_provider_of_the_first_model_which_then_needs_no_key(
    tmp_path: Path,
) -> None:
    given, route = two_models()
    wiring = Wiring(tmp_path, environ={})
    wiring.drill({"primary": "down"})
    broken = wiring.provider(given, "m", suite="s", route=route)
    assert isinstance(broken, FaultyProvider)
    assert (broken.name, broken.origin) == ("hosted", "live")
    assert broken.identity == "openai https://llm.example/v1"
    assert not isinstance(wiring.provider(given, "n", suite="s", route=route), FaultyProvider)
    assert wiring.broken == {"primary": {"hosted"}}


def test_primary_is_of_routes_that_are_tested_and_a_name_is_of_all(tmp_path: Path) -> None:
    given, _ = two_models(without_key="spare")
    wiring = Wiring(tmp_path, environ={})
    wiring.drill({"primary": "down"})
    assert not isinstance(wiring.provider(given, "n", suite="s"), FaultyProvider)
    assert wiring.broken == {}
    wiring.drill({"spare": "slow"})
    assert isinstance(wiring.provider(given, "n", suite="s"), FaultyProvider)


@pytest.mark.parametrize("named", ["hosted", "spare"])
def test_a_stand_in_is_broken_under_its_own_name_and_under_that_of_whom_it_stands_in_for(
    tmp_path: Path, named: str
) -> None:
    given, _ = two_models(without_key="spare")
    wiring = Wiring(tmp_path, environ={})
    wiring.drill({named: "429"})
    broken = wiring.provider(given, "m", suite="s")
    assert isinstance(broken, FaultyProvider)
    assert (broken.name, broken.origin, wiring.broken) == (named, "scripted", {named: {named}})
