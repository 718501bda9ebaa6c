"""HTTP out: what never became a reply is mapped, and nothing of the request leaks."""

import asyncio
import base64
import gzip
import ssl
import traceback
from collections.abc import Iterator
from pathlib import Path

import aiohttp
import pytest
from aiohttp.http_exceptions import ContentEncodingError, HttpProcessingError

from evalkit.control.providers.transport import (
    HttpTransport,
    build_transport,
    environment_proxy,
)
from evalkit.control.providers.transport_errors import host_of, map_error
from evalkit.errors import ProviderError
from evalkit.ports import HttpReply
from evalkit.records.attempt import FailureMode
from tests.servers.openai_server import OpenAIServer
from tests.unit.control.providers.fakes import SECRET, run

HEADERS = {"authorization": f"Bearer {SECRET}", "content-type": "application/json"}


def post(url: str, transport: HttpTransport | None = None, timeout_s: float = 5.0) -> HttpReply:
    """One POST with a key in its headers."""

    async def work() -> HttpReply:
        opened = transport or build_transport()
        try:
            return await opened.post(
                url + "/chat/completions",
                headers=HEADERS,
                body=b'{"model": "m", "messages": []}',
                timeout_s=timeout_s,
            )
        finally:
            await opened.close()

    return run(work())


def failure(
    url: str, transport: HttpTransport | None = None, timeout_s: float = 5.0
) -> ProviderError:
    with pytest.raises(ProviderError) as caught:
        post(url, transport, timeout_s)
    return caught.value


def all_kinds(*roots: type[BaseException]) -> Iterator[type[BaseException]]:
    for kind in roots:
        yield kind
        yield from all_kinds(*kind.__subclasses__())


FOREIGN = sorted(
    {
        kind
        for kind in all_kinds(aiohttp.ClientError, HttpProcessingError, OSError)
        if kind.__module__.split(".")[0] in ("aiohttp", "ssl", "builtins")
    },
    key=lambda kind: (kind.__module__, kind.__name__),
)


def test_the_foreign_errors_are_really_walked() -> None:
    names = {kind.__name__ for kind in FOREIGN}
    assert {
        "ServerDisconnectedError",
        "SocketTimeoutError",
        "ConnectionResetError",
        "SSLError",
    } <= names
    assert len(FOREIGN) > 60


@pytest.mark.parametrize("kind", FOREIGN, ids=lambda kind: f"{kind.__module__}.{kind.__name__}")
def test_every_foreign_error_is_mapped(kind: type[BaseException]) -> None:
    error = kind.__new__(kind)
    assert isinstance(error, Exception)
    mapped = map_error(error, where="llm.example", timeout_s=5)
    assert mapped is not None, f"{kind} is not mapped"
    assert str(mapped).startswith("llm.example: ")


@pytest.mark.parametrize("kind", [KeyError, ValueError, TypeError, RuntimeError, AssertionError])
def test_a_bug_is_not_taken_for_the_network(kind: type[Exception]) -> None:
    assert map_error(kind("bug"), where="h", timeout_s=5) is None


@pytest.mark.parametrize("cause", [*all_kinds(HttpProcessingError)])
def test_a_reply_that_cannot_be_read_is_mapped_by_what_was_wrong_with_it(
    cause: type[Exception],
) -> None:
    wrapped = aiohttp.ClientPayloadError("…")
    inner = wrapped.__cause__ = cause.__new__(cause)
    direct = map_error(inner, where="h", timeout_s=5)
    assert vars(map_error(wrapped, where="h", timeout_s=5) or wrapped) == vars(direct or inner)


@pytest.mark.parametrize(
    ("kind", "code", "retryable", "may_be_billed"),
    [
        (aiohttp.ClientConnectorError, FailureMode.CONNECTION, True, False),
        (aiohttp.ClientConnectorDNSError, FailureMode.CONNECTION, True, False),
        (aiohttp.ClientConnectorSSLError, FailureMode.CONNECTION, True, False),
        (aiohttp.ClientConnectorCertificateError, FailureMode.CONNECTION, False, False),
        (aiohttp.ClientProxyConnectionError, FailureMode.CONNECTION, True, False),
        (aiohttp.ConnectionTimeoutError, FailureMode.TIMEOUT, True, False),
        (aiohttp.SocketTimeoutError, FailureMode.TIMEOUT, True, True),
        (aiohttp.ServerDisconnectedError, FailureMode.CONNECTION, True, True),
        (aiohttp.ClientOSError, FailureMode.CONNECTION, True, True),
        (aiohttp.ClientPayloadError, FailureMode.CONNECTION, True, True),
        (aiohttp.InvalidURL, FailureMode.BAD_REQUEST, False, False),
        (ContentEncodingError, FailureMode.MALFORMED_REPLY, True, True),
        (HttpProcessingError, FailureMode.CONNECTION, True, True),
        (TimeoutError, FailureMode.TIMEOUT, True, True),
        (ssl.SSLError, FailureMode.CONNECTION, True, True),
        (ConnectionResetError, FailureMode.CONNECTION, True, True),
    ],
)
def test_errors_tell_whether_the_request_had_left(
    kind: type[Exception], code: FailureMode, retryable: bool, may_be_billed: bool
) -> None:
    mapped = map_error(kind.__new__(kind), where="h", timeout_s=5)
    assert mapped is not None
    assert (mapped.code, mapped.retryable, mapped.may_be_billed) == (
        code,
        retryable,
        may_be_billed,
    )


def test_a_reply_comes_whole_with_lower_case_header_names(openai_server: OpenAIServer) -> None:
    openai_server.script("rate_limit:3")
    reply = post(openai_server.url)
    assert (reply.status, reply.headers["retry-after"]) == (429, "3")
    assert b"Slow down." in reply.body


def test_what_is_sent_is_what_was_given(openai_server: OpenAIServer) -> None:
    post(openai_server.url)
    seen = openai_server.seen[0]
    assert seen.text == '{"model": "m", "messages": []}'
    assert seen.headers["authorization"] == f"Bearer {SECRET}"
    assert seen.headers["user-agent"].startswith("evalkit/")


def test_a_redirect_is_not_followed(openai_server: OpenAIServer) -> None:
    openai_server.script("redirect")
    assert post(openai_server.url).status == 307
    assert len(openai_server.seen) == 1


@pytest.mark.parametrize(
    ("act", "code"),
    [
        ("reset", FailureMode.CONNECTION),
        ("truncated", FailureMode.CONNECTION),
        ("not_http", FailureMode.CONNECTION),
        ("broken_gzip", FailureMode.MALFORMED_REPLY),
        ("stall", FailureMode.TIMEOUT),
    ],
)
def test_what_breaks_after_sending_may_be_billed(
    openai_server: OpenAIServer, act: str, code: FailureMode
) -> None:
    openai_server.script(act)
    error = failure(openai_server.url, timeout_s=0.3 if act == "stall" else 10)
    assert (error.code, error.retryable, error.may_be_billed) == (code, True, True)


def test_a_reply_without_end_is_refused(openai_server: OpenAIServer) -> None:
    openai_server.script("huge:200000")
    error = failure(openai_server.url, HttpTransport(max_reply_bytes=100_000))
    assert error.code == FailureMode.MALFORMED_REPLY
    assert not error.retryable


def test_a_closed_port_is_a_connection_error_that_cost_nothing() -> None:
    error = failure("http://127.0.0.1:1")
    assert (error.code, error.retryable, error.may_be_billed) == (
        FailureMode.CONNECTION,
        True,
        False,
    )
    assert str(error).startswith("127.0.0.1:1: no connection")


@pytest.mark.parametrize("act", ["reset", "truncated", "not_http", "broken_gzip", "stall"])
def test_no_error_holds_the_request_and_its_key(openai_server: OpenAIServer, act: str) -> None:
    openai_server.script(act)
    error = failure(f"{openai_server.url}/chat/completions?key={SECRET}&to=", timeout_s=0.3)
    assert error.__cause__ is None and error.__context__ is None
    assert SECRET not in "".join(traceback.format_exception(error)) + str(vars(error))


def test_calls_at_once_share_one_timeout_each(openai_server: OpenAIServer) -> None:
    """A stalled call ends at its own time and takes no other with it."""
    openai_server.decide = lambda request: "stall" if "slow" in request.headers["x-case"] else None

    async def work() -> list[int | str]:
        transport = build_transport()

        async def call(case: str) -> int | str:
            try:
                reply = await transport.post(
                    openai_server.url + "/chat/completions",
                    headers=HEADERS | {"x-case": case},
                    body=b'{"model": "m", "messages": []}',
                    timeout_s=0.3 if case == "slow" else 10,
                )
                return reply.status
            except ProviderError as error:
                return error.code

        try:
            return await asyncio.gather(*(call(case) for case in ("a", "slow", "b")))
        finally:
            await transport.close()

    assert run(work()) == [200, "timeout", 200]


def test_a_proxy_is_used_where_one_is_named(openai_server: OpenAIServer) -> None:
    proxy = openai_server.url.removesuffix("/v1")
    transport = HttpTransport(proxy_for=lambda url: proxy)
    reply = post("http://llm.invalid/v1", transport)
    assert reply.status == 404
    assert b"POST http://llm.invalid/v1/chat/completions" in reply.body


async def answered_by(reply: bytes, asked: list[bytes]) -> asyncio.Server:
    """A server on a free port that gives every connection these bytes, once it was asked."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(reply)
        await writer.drain()
        writer.close()

    return await asyncio.start_server(talk, "127.0.0.1", 0)


def posted_raw(reply: bytes, *, through: bool, max_reply_bytes: int = 10_000) -> bytes:
    """One POST that is answered with these bytes, `through` it as a proxy; what was asked."""
    asked: list[bytes] = []

    async def work() -> None:
        async with await answered_by(reply, asked) as server:
            address = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
            proxy = f"http://me:se%20cret@{address}" if through else None
            transport = HttpTransport(proxy_for=lambda url: proxy, max_reply_bytes=max_reply_bytes)
            url = "http://llm.invalid/v1" if through else f"http://{address}/v1"
            try:
                await transport.post(url, headers=HEADERS, body=b"{}", timeout_s=5)
            finally:
                await transport.close()

    run(work())
    return asked[0]


def test_a_proxy_hears_the_login_that_its_address_holds() -> None:
    reply = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}"
    login = b"Proxy-Authorization: Basic " + base64.b64encode(b"me:se cret")
    assert login in posted_raw(reply, through=True)


def test_a_reply_that_is_small_only_while_it_is_packed_is_refused() -> None:
    packed = gzip.compress(b"0" * 1_000_000)
    head = f"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: {len(packed)}\r\n\r\n"
    with pytest.raises(ProviderError, match="sent more than 10000 bytes"):
        posted_raw(head.encode() + packed, through=False)


def test_header_lines_of_one_name_are_joined_and_hold_text() -> None:
    lines = [b"X-A: one", b"x-a: two", b"x-b: \xff", b"content-length: 0"]
    asked: list[bytes] = []

    async def work() -> HttpReply:
        async with await answered_by(
            b"\r\n".join([b"HTTP/1.1 204 OK", *lines, b"", b""]), asked
        ) as server:
            port = server.sockets[0].getsockname()[1]
            transport = HttpTransport(proxy_for=lambda url: None)
            try:
                return await transport.request(
                    "GET", f"http://127.0.0.1:{port}/", headers={}, timeout_s=5
                )
            finally:
                await transport.close()

    headers = run(work()).headers
    assert (headers["x-a"], headers["x-b"]) == ("one, two", "\ufffd")


def test_a_proxy_that_cannot_be_used_says_so() -> None:
    transport = HttpTransport(proxy_for=lambda url: "socks5://127.0.0.1:9")
    with pytest.raises(ProviderError, match="socks5 proxy"):
        post("http://llm.invalid/v1", transport)


@pytest.mark.parametrize("content", [None, "no certificate"])
def test_authorities_that_cannot_be_read_are_named(
    content: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    named = tmp_path / "authorities.pem"
    if content is not None:
        named.write_text(content)
    monkeypatch.setenv("SSL_CERT_FILE", str(named))
    error = failure("https://127.0.0.1:1")
    assert str(error).startswith(f"SSL_CERT_FILE names {named}, which cannot be read")
    assert (error.code, error.retryable, error.may_be_billed) == ("connection", False, False)


@pytest.mark.parametrize(
    ("variables", "proxy"),
    [
        ({}, None),
        ({"https_proxy": "http://p.example:3128"}, "http://p.example:3128"),
        ({"https_proxy": "p.example:3128"}, "http://p.example:3128"),
        ({"all_proxy": "http://p.example:1"}, "http://p.example:1"),
        ({"http_proxy": "http://p.example:1"}, None),
        ({"https_proxy": "http://p.example:1", "no_proxy": "llm.example"}, None),
    ],
)
def test_the_environments_proxy_is_found(
    variables: dict[str, str], proxy: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name.upper(), raising=False)
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert environment_proxy("https://llm.example/v1") == proxy


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://llm.example/v1?key=abc", "llm.example"),
        ("http://me:pw@127.0.0.1:80/", "127.0.0.1:80"),
        ("http://llm.example:99999/", "llm.example"),
        ("nonsense", "the endpoint"),
    ],
)
def test_a_host_is_shown_without_anything_private(url: str, shown: str) -> None:
    assert host_of(url) == shown
