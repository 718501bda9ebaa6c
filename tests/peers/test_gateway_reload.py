"""SIGHUP: the configuration is read again, and no request is dropped."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from evalkit.store.gateway_keys import GatewayKeys
from tests.cli.conftest import call_evalkit
from tests.peers.gateway import CONFIG, Gateway, gateway, upstream

HTTP = httpx.Client(timeout=60)


@pytest.fixture(scope="module", autouse=True)
def _close() -> Iterator[None]:
    with HTTP:
        yield


def ask(door: Gateway, route: str, **headers: str) -> httpx.Response:
    body = {"model": route, "messages": [{"role": "user", "content": "hello"}]}
    headers = {"authorization": f"Bearer {door.key}"} | headers
    return HTTP.post(f"{door.url}/chat/completions", json=body, headers=headers)


@contextmanager
def streaming(door: Gateway, route: str) -> Iterator[Iterator[str]]:
    body = {"model": route, "messages": [{"role": "user", "content": "hello"}], "stream": True}
    headers = {"authorization": f"Bearer {door.key}"}
    url = f"{door.url}/chat/completions"
    with HTTP.stream("POST", url, json=body, headers=headers) as stream:
        parts = stream.iter_text()
        next(parts)
        yield parts


def reload(door: Gateway, text: str) -> str:
    """What the gateway says of a configuration."""
    (door.root / "evalkit.yaml").write_text(text, encoding="utf-8")
    said = len(door.told)
    door.process.send_signal(signal.SIGHUP)
    while "reloaded" not in "".join(door.told[said:]):
        door.heard.wait(20)
        door.heard.clear()
    return "".join(door.told[said:])


def test_new_requests_meet_the_new_configuration_and_old_ones_end_on_theirs(tmp_path: Path) -> None:
    with upstream(hold=threading.Event()) as up, gateway(tmp_path, up.url) as door:
        old = (door.root / "evalkit.yaml").read_text(encoding="utf-8")
        assert ask(door, "plain", **{"x-evalkit-session": "s1"}).status_code == 200
        with streaming(door, "plain") as parts:
            new = old.replace("{name: plain,", "{name: other,", 1)
            assert "reloaded: 3 routes are in force" in reload(door, new)
            assert ask(door, "plain").status_code == 404
            assert ask(door, "other").status_code == 200
            assert up.hold is not None
            up.hold.set()
            assert "data: [DONE]" in "".join(parts)
        strict = new.replace("{name: other,", "{name: other, policies: {blocked_phrases: [fine]},")
        assert ask(door, "other", **{"x-evalkit-session": "s2"}).status_code == 200
        reload(door, strict)
        assert ask(door, "other").status_code == 403
        # a session that goes on is under what is in force now
        assert ask(door, "other", **{"x-evalkit-session": "s2"}).status_code == 403
    shown = call_evalkit("audit", "show", "--json", cwd=tmp_path)
    assert shown.stdout.count("policy.in_force") >= 7


def test_one_that_is_not_in_order_is_told_and_changes_nothing(tmp_path: Path) -> None:
    with upstream() as up, gateway(tmp_path / "project", up.url) as door:
        broken = (door.root / "evalkit.yaml").read_text(encoding="utf-8") + "nonsense: 1\n"
        told = reload(door, broken)
        assert "not reloaded, the configuration before stays in force" in told
        assert "nonsense" in told
        another = tmp_path / "evalkit.yaml"
        (door.root / "evalkit.yaml").rename(another)
        door.heard.clear()
        door.process.send_signal(signal.SIGHUP)
        assert door.heard.wait(20)
        assert "not reloaded" in door.told[-1], "another project, above this one, is not served"
        assert ask(door, "plain").status_code == 200


def test_limits_of_a_provider_hold_on_and_change_with_the_configuration(tmp_path: Path) -> None:
    with upstream() as up, gateway(tmp_path, up.url) as door:
        old: Any = (door.root / "evalkit.yaml").read_text(encoding="utf-8")
        assert "kind: openai" in CONFIG
        reload(door, old.replace("kind: openai,", "kind: openai, limits: {max_concurrency: 3},"))
        assert ask(door, "plain").status_code == 200
        assert allowed(door) == "3.0"
        reload(door, old.replace("kind: openai,", "kind: openai, limits: {max_concurrency: 5},"))
        assert ask(door, "plain").status_code == 200
        assert allowed(door) in ("3.0", "4.0", "5.0")
        reload(door, old.replace("kind: openai,", "kind: openai, limits: {max_concurrency: 1},"))
        assert allowed(door) == "1.0"


def allowed(door: Gateway) -> str:
    key, _ = GatewayKeys(door.root, now=lambda: datetime.now(UTC)).add(purpose="metrics")
    scraper = {"x-api-key": key}
    told = HTTP.get(f"{door.url.removesuffix('/v1')}/metrics", headers=scraper).text
    prefix = 'evalkit_provider_calls_allowed{provider="up"} '
    (line,) = (each for each in told.splitlines() if each.startswith(prefix))
    return line.removeprefix(prefix)
