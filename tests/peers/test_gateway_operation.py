"""Operating the gateway: health, figures, limits, TLS, and stopping."""

import json
import re
import signal
import socket
import sqlite3
import ssl
import threading
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
import trustme
from prometheus_client.parser import text_string_to_metric_families

from evalkit.store.gateway_keys import GatewayKeys
from tests.peers.gateway import Gateway, Upstream, gateway, upstream

LIMITS = """\
gateway: {max_body_bytes: 2000, max_header_bytes: 4096, max_headers: 30, header_timeout_s: 0.3,
          body_timeout_s: 0.3, max_in_flight: 6, max_connections: 20, drain_s: 20}
budgets:
  - {scope: user, max_tokens: 100000, window: month}
  - {scope: route, for: plain, max_usd: 7, window: month}
"""
HELLO = [{"role": "user", "content": "hello"}]


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Upstream, Gateway]]:
    root: Path = tmp_path_factory.mktemp("gateway")
    with upstream() as up, gateway(root, up.url, LIMITS) as door:
        yield up, door


@pytest.fixture
def up(served: tuple[Upstream, Gateway]) -> Upstream:
    served[0].says = ["fine"]
    return served[0]


@pytest.fixture
def door(served: tuple[Upstream, Gateway]) -> Gateway:
    return served[1]


# to make a client takes longer than most of these requests
HTTP = httpx.Client(timeout=60)


@pytest.fixture(scope="module", autouse=True)
def _close() -> Iterator[None]:
    with HTTP:
        yield


def base(door: Gateway) -> str:
    return door.url.removesuffix("/v1")


def ask(door: Gateway, route: str = "plain", **more: Any) -> httpx.Response:
    return HTTP.post(
        f"{door.url}/chat/completions",
        json={"model": route, "messages": HELLO, **more},
        headers={"authorization": f"Bearer {door.key}"},
    )


@contextmanager
def streaming(door: Gateway) -> Iterator[Iterator[str]]:
    """A stream that has begun."""
    body = {"model": "plain", "messages": HELLO, "stream": True}
    headers = {"authorization": f"Bearer {door.key}"}
    url = f"{door.url}/chat/completions"
    with HTTP.stream("POST", url, json=body, headers=headers) as stream:
        parts = stream.iter_text()
        next(parts)
        yield parts


def raw(door: Gateway, sent: bytes) -> bytes:
    """All that comes back for some bytes, until the gateway closes."""
    at = httpx.URL(door.url)
    with closing(socket.create_connection((at.host, at.port or 0), timeout=30)) as connection:
        connection.sendall(sent)
        answer = b""
        while part := connection.recv(65_536):
            answer += part
        return answer


def test_who_watches_needs_no_key_to_learn_that_it_lives_and_is_ready(door: Gateway) -> None:
    assert HTTP.get(f"{base(door)}/healthz").json() == {"status": "alive"}
    assert HTTP.get(f"{base(door)}/readyz").json() == {"status": "ready"}
    assert HTTP.head(f"{base(door)}/healthz").status_code == 200


def test_figures_are_for_a_key_for_metrics_which_opens_nothing_else(door: Gateway) -> None:
    assert HTTP.get(f"{base(door)}/metrics").status_code == 401
    headers = {"x-api-key": door.key}
    assert HTTP.get(f"{base(door)}/metrics", headers=headers).status_code == 403
    assert HTTP.get(f"{base(door)}/metrics", headers=scraper(door)).status_code == 200
    assert HTTP.get(f"{door.url}/models", headers=scraper(door)).status_code == 403


def test_figures_say_what_happened(up: Upstream, door: Gateway) -> None:
    before = figures(door)
    assert ask(door).status_code == 200
    assert "data: [DONE]" in ask(door, stream=True).text
    up.says = ["about the falcon"]
    assert ask(door, "careful").status_code == 403
    up.says = [500]
    assert ask(door).status_code == 502
    now = figures(door)

    def more(name: str, **labels: str) -> float:
        key = (name, tuple(sorted(labels.items())))
        return now.get(key, 0.0) - before.get(key, 0.0)

    chat = {"door": "/v1/chat/completions", "route": "plain"}
    assert more("evalkit_requests_total", **chat, status="200") == 2
    assert more("evalkit_requests_total", **chat, status="502") == 1
    assert more("evalkit_request_seconds_count", **chat) == 3
    assert more("evalkit_first_byte_seconds_count", **chat) == 1
    assert more("evalkit_tokens_total", route="plain", kind="input") == 22
    assert more("evalkit_usd_total", route="plain") > 0
    assert more("evalkit_blocks_total", route="careful", rule="policies.blocked_phrases") == 1
    assert now["evalkit_circuit", (("model", "up-model"), ("provider", "up"), ("state", "closed"))]
    assert now["evalkit_provider_calls", (("provider", "up"),)] == 0
    left = {labels: value for (name, labels), value in now.items() if "budget_left_usd" in name}
    ((labels, value),) = left.items()
    assert dict(labels) == {"scope": "route", "who": "plain", "window": "month"}
    assert 6.9 < value < 7
    told = [dict(labels)["who"] for (name, labels) in now if name == "evalkit_budget_left_tokens"]
    assert [re.fullmatch(r"u-[0-9a-f]{16}", who) is not None for who in told] == [True]


def scraper(door: Gateway) -> dict[str, str]:
    """The headers of who reads figures."""
    key, _ = GatewayKeys(door.root, now=lambda: datetime.now(UTC)).add(purpose="metrics")
    return {"authorization": f"Bearer {key}"}


def figures(door: Gateway) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    told = HTTP.get(f"{base(door)}/metrics", headers=scraper(door))
    assert told.headers["content-type"].startswith("text/plain; version=0.0.4")
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(told.text)
        for sample in family.samples
    }


def test_a_body_that_is_too_long_is_refused_before_it_is_read(door: Gateway) -> None:
    answer = ask(door, user="x" * 2000)
    assert answer.status_code == 413
    assert answer.headers["connection"] == "close"


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"GET /healthz HTTP/1.1\r\nhost: x\r\n" + b"a: b\r\n" * 40 + b"\r\n", 431),
        (b"GET /healthz HTTP/1.1\r\nhost: x\r\na: " + b"b" * 5000 + b"\r\n\r\n", 431),
        (b"GET /healthz HTTP/1.1\r\nhost: x\r\na: " + b"b" * 5000, 431),
        (b"GET /" + b"a" * 5000 + b" HTTP/1.1\r\nhost: x\r\n\r\n", 431),
        (b"nonsense\r\n\r\n", 400),
    ],
)
def test_what_comes_before_a_request_is_limited(door: Gateway, sent: bytes, status: int) -> None:
    head, _, body = raw(door, sent).partition(b"\r\n\r\n")
    assert head.startswith(f"HTTP/1.1 {status} ".encode())
    assert b"x-should-retry: false" in head
    assert json.loads(body)["error"]["request_id"].encode() in head


def test_a_head_that_does_not_end_is_closed(door: Gateway) -> None:
    assert raw(door, b"GET /healthz HTTP/1.1\r\nhost: x\r\n") == b""


def test_a_body_that_does_not_end_is_refused(door: Gateway) -> None:
    head = f"POST /v1/messages HTTP/1.1\r\nhost: x\r\nx-api-key: {door.key}\r\n"
    answer = raw(door, f"{head}content-length: 100\r\n\r\nhalf".encode())
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["type"] == "error"


def test_one_request_too_many_is_told_to_come_again(up: Upstream, door: Gateway) -> None:
    up.hold = threading.Event()
    try:
        with ExitStack() as open_streams:
            # a request counts until its trace is written: two would be those of the test before
            streams = [open_streams.enter_context(streaming(door)) for _ in range(6)]
            refused = ask(door)
            assert refused.status_code == 503
            assert refused.json()["error"]["code"] == "too_many_requests"
            assert refused.headers["retry-after"] == "1"
            assert "x-should-retry" not in refused.headers
            assert HTTP.get(f"{base(door)}/readyz").status_code == 200
            up.hold.set()
            for each in streams:
                assert "[DONE]" in "".join(each)
    finally:
        up.hold.set()
        up.hold = None


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/v1/nothing", 404),
        ("GET", "/", 404),
        ("POST", "/v1/messages/batches", 404),
        ("GET", "/v1/messages", 405),
        ("PUT", "/v1/chat/completions", 405),
        ("OPTIONS", "/v1/chat/completions", 405),
        ("POST", "/v1/chat/completions/", 404),
    ],
)
def test_what_is_not_there_is_told_in_the_nearest_format(
    door: Gateway, method: str, path: str, status: int
) -> None:
    headers = {"origin": "https://example.org", "access-control-request-method": "POST"}
    answer = HTTP.request(method, f"{base(door)}{path}", headers=headers)
    assert answer.status_code == status
    body = answer.json()
    assert (body.get("type") == "error") == path.startswith("/v1/messages")
    told = body["request_id"] if "type" in body else body["error"]["request_id"]
    assert told == answer.headers["x-request-id"]
    assert ("allow" in answer.headers) == (status == 405)
    assert not [name for name in answer.headers if name.startswith("access-control")]


def test_a_gateway_that_is_told_to_stop_lets_streams_end(tmp_path: Path) -> None:
    with (
        upstream(hold=threading.Event()) as up,
        gateway(tmp_path, up.url, "gateway: {access_log: stderr}\n") as door,
    ):
        with streaming(door) as parts:
            door.process.send_signal(signal.SIGTERM)
            while (ready := HTTP.get(f"{base(door)}/readyz")).status_code == 200:
                pass
            assert ready.json() == {"status": "draining"}
            refused = ask(door)
            assert refused.status_code == 503
            assert refused.json()["error"]["code"] == "draining"
            assert up.hold is not None
            up.hold.set()
            assert "data: [DONE]" in "".join(parts)
        assert door.process.wait(30) == 0
    assert len(list((tmp_path / ".evalkit" / "traces").glob("*.jsonl"))) == 1


def test_a_second_signal_stops_at_once_and_says_that_something_was_cut_off(
    tmp_path: Path,
) -> None:
    with (
        upstream(hold=threading.Event()) as up,
        gateway(tmp_path, up.url) as door,
        streaming(door),
    ):
        door.process.send_signal(signal.SIGINT)
        while HTTP.get(f"{base(door)}/readyz").status_code == 200:
            pass
        door.process.send_signal(signal.SIGINT)
        assert door.process.wait(30) == 130
        assert up.broken.wait(20)


def test_what_does_not_end_in_time_is_cut_off_and_its_hold_is_settled(tmp_path: Path) -> None:
    more = "gateway: {drain_s: 0.1}\nbudgets: [{scope: user, max_tokens: 100000}]\n"
    with (
        upstream(hold=threading.Event()) as up,
        gateway(tmp_path, up.url, more) as door,
        streaming(door),
    ):
        door.process.send_signal(signal.SIGTERM)
        assert door.process.wait(30) == 130
        assert up.broken.wait(20)
    with closing(sqlite3.connect(tmp_path / ".evalkit" / "ledger.db")) as ledger:
        assert ledger.execute("SELECT count(*) FROM holds").fetchone() == (0,)
        ((spent, held),) = ledger.execute("SELECT spent_tokens, held_tokens FROM accounts")
    assert held == 0
    assert 0 < spent < 500, "what was written until then, and not the bound"


def test_one_connection_too_many_is_told_to_come_again(tmp_path: Path) -> None:
    limits = "gateway: {max_connections: 1, header_timeout_s: 60}\n"
    with gateway(tmp_path, "http://127.0.0.1:9/v1", limits) as door:
        at = httpx.URL(door.url)
        with closing(socket.create_connection((at.host, at.port or 0), timeout=30)):
            answer = raw(door, b"")
        assert answer.startswith(b"HTTP/1.1 503 ")
        assert b"retry-after: 1" in answer
        assert b"too_many_connections" in answer


def test_tls(tmp_path: Path) -> None:
    authority = trustme.CA()
    certificate = authority.issue_cert("127.0.0.1")
    cert, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    certificate.cert_chain_pems[0].write_to_path(cert)
    certificate.private_key_pem.write_to_path(key)
    trust = ssl.create_default_context()
    authority.configure_trust(trust)
    flags = ("--tls-cert", str(cert), "--tls-key", str(key))
    with upstream() as up, gateway(tmp_path / "project", up.url, "", *flags) as door:
        assert door.url.startswith("https://")
        told = httpx.get(f"{base(door)}/healthz", verify=trust)
        assert told.json() == {"status": "alive"}
