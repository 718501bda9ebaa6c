"""What clients do to a connection, over sockets: the server below the gateway in this process."""

import asyncio
import json
import logging
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
import uvicorn
from uvicorn.server import ServerState

from evalkit.errors import PolicyBlocked
from evalkit.gateway.app import build_app
from evalkit.gateway.operation import Operation
from evalkit.gateway.protocol import guarded
from evalkit.records.call import Piece
from tests.unit.gateway.application import FakeService, FakeSession, operating

BODY = json.dumps({"model": "plain", "messages": [{"role": "user", "content": "hi"}]}).encode()
STREAM = json.dumps(json.loads(BODY) | {"stream": True}).encode()
CHUNKED = b"%x\r\n%s\r\n0\r\n" % (len(BODY), BODY)
BLOCKED = PolicyBlocked("x", "x")
KEY = b"x-api-key: good\r\n"


def post(more: bytes = b"", body: bytes = BODY) -> bytes:
    head = b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-length: %d\r\n" % len(body)
    return head + more + b"\r\n" + body


def post_chunked(more: bytes, body: bytes) -> bytes:
    head = b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n"
    return head + more + b"\r\n" + body


class Endless(FakeSession):
    """Streams one piece after the other for ever."""

    async def stream(self, *asked: Any, **more: Any) -> AsyncIterator[Any]:
        try:
            while True:
                yield Piece(text="word ")
                await asyncio.sleep(0.001)
        finally:
            self.left()

    def left(self) -> None:
        """Nobody listens any more."""


class Service(FakeService):
    """Its sessions never end by themselves; `left` is set once one has lost its listener."""

    def __init__(self) -> None:
        super().__init__()
        self.left = asyncio.Event()

    @asynccontextmanager
    async def session(self, route: str, holder: Any, *, end_user: str) -> Any:
        session = Endless(None)
        session.left = self.left.set  # type: ignore[method-assign]
        yield session


Connect = Callable[[], Awaitable[tuple[asyncio.StreamReader, asyncio.StreamWriter]]]


class Door:
    """A server that listens. `protocols` are its connections."""

    def __init__(self, port: int, state: ServerState) -> None:
        self.port = port
        self.state = state

    async def connect(self, **how: Any) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection("127.0.0.1", self.port, **how)

    async def ask(self, sent: bytes) -> bytes:
        """All that comes back until the gateway closes."""
        reader, writer = await self.connect()
        try:
            writer.write(sent)
            return await reader.read()
        finally:
            writer.close()


@asynccontextmanager
async def listening(
    service: FakeService, operation: Operation, app: Any = None
) -> AsyncIterator[Door]:
    """The gateway, or another `app`, behind the connections that the gateway has."""

    @asynccontextmanager
    async def around() -> AsyncIterator[None]:
        yield

    app = app or build_app(service, operation, around=around)
    config = uvicorn.Config(app, http=guarded(operation), ws="none", log_config=None)
    config.load()
    state = ServerState()
    listener = socket.create_server(("127.0.0.1", 0))
    server = await asyncio.get_running_loop().create_server(
        lambda: config.http_protocol_class(config=config, server_state=state, app_state={}),
        sock=listener,
    )
    try:
        yield Door(listener.getsockname()[1], state)
    finally:
        server.close()


def answered(*sent: bytes, **rules: Any) -> bytes:
    """What the gateway answers to each of these, on one connection each; all of it."""

    async def work() -> bytes:
        async with listening(FakeService(BLOCKED), operating(**rules)) as door:
            return b"".join([await door.ask(each) for each in sent])

    return asyncio.run(work())


CLOSE = b"connection: close\r\n"


@pytest.mark.parametrize(
    ("where", "status"), [("before the body", b"403"), ("behind it", b"401"), ("nowhere", b"401")]
)
def test_a_key_is_a_header_and_no_trailer(where: str, status: bytes) -> None:
    head = KEY if where == "before the body" else b""
    tail = KEY if where == "behind it" else b""
    sent = post_chunked(CLOSE + head, CHUNKED + tail + b"\r\n")
    assert answered(sent).startswith(b"HTTP/1.1 " + status)


@pytest.mark.parametrize(
    "endless",
    [b"0\r\n" + b"a: b\r\n" * 1000, b"0\r\na: " + b"b" * 5000, b"1;" + b"x" * 5000],
    ids=["trailers", "a trailer", "an extension"],
)
@pytest.mark.parametrize("key", [KEY, b""], ids=["with a key", "without"])
def test_what_stands_around_the_chunks_of_a_body_is_limited(key: bytes, endless: bytes) -> None:
    told = answered(post_chunked(key, endless), max_header_bytes=4096)
    assert told.startswith(b"HTTP/1.1 431 ")


def test_a_body_in_very_small_chunks_is_read() -> None:
    chunks = b"".join(b"1\r\n%c\r\n" % letter for letter in BODY)
    padded = b"".join(b"1\r\n \r\n" for _ in range(2000))
    sent = post_chunked(CLOSE + KEY, padded + chunks + b"0\r\n\r\n")
    assert answered(sent, max_header_bytes=4096).startswith(b"HTTP/1.1 403 ")


def test_a_body_that_goes_on_after_its_refusal_ends_in_time() -> None:
    async def work() -> None:
        async with listening(FakeService(), operating(body_timeout_s=0.05)) as door:
            reader, writer = await door.connect()
            writer.write(post(body=b" " * 100_000)[:-90_000])  # no key
            assert (await reader.readline()).startswith(b"HTTP/1.1 401 ")
            rest = asyncio.ensure_future(reader.read())
            while not rest.done():
                writer.write(b" ")
                await asyncio.wait([rest], timeout=0.01)
            writer.close()

    asyncio.run(asyncio.wait_for(work(), 20))


def test_an_offer_of_another_protocol_is_left_aside() -> None:
    offer = b"connection: Upgrade, HTTP2-Settings\r\nupgrade: h2c\r\nhttp2-settings: AAM\r\n"
    told = answered(post(offer + KEY) + post(CLOSE + KEY))
    assert told.count(b"HTTP/1.1 403 ") == 2, "both were read, with their bodies"


def test_a_client_that_leaves_is_noticed_although_it_had_asked_for_more() -> None:
    async def work() -> None:
        service = Service()
        async with listening(service, operating()) as door:
            reader, writer = await door.connect()
            writer.write(post(KEY, STREAM) + post(KEY))
            await reader.readuntil(b"word ")
            writer.close()
            await service.left.wait()

    asyncio.run(asyncio.wait_for(work(), 20))


def test_a_stream_that_takes_too_long_is_broken_off(caplog: pytest.LogCaptureFixture) -> None:
    async def work() -> bytes:
        service, operation = Service(), operating(request_timeout_s=0.1)
        async with listening(service, operation) as door:
            told = await door.ask(post(KEY, STREAM))
            await service.left.wait()
            assert not operation.in_flight
            return told

    with caplog.at_level(logging.WARNING):
        try:
            told = asyncio.run(asyncio.wait_for(work(), 20))
        except ConnectionResetError:
            told = b"word "
    assert b"word " in told
    assert not told.endswith(b"0\r\n\r\n"), "half an answer does not look whole"
    assert not caplog.records, "nothing is wrong with the gateway"


def test_who_does_not_read_an_answer_is_let_go_of() -> None:
    async def large(scope: Any, receive: Any, send: Any) -> None:
        body = b"x" * 24_000_000
        length = (b"content-length", b"%d" % len(body))
        await send({"type": "http.response.start", "status": 200, "headers": [length]})
        await send({"type": "http.response.body", "body": body})

    async def work() -> None:
        async with listening(FakeService(), operating(), large) as door:
            reader, writer = await door.connect()
            writer.write(b"GET / HTTP/1.1\r\nhost: x\r\n" + CLOSE + b"\r\n")
            await reader.read(10)
            (protocol,) = door.state.connections
            look: Callable[[], None] = protocol.abort_if_stuck  # type: ignore[union-attr]
            look()
            await reader.readexactly(2_000_000)
            look()
            assert door.state.connections, "one that reads slowly is given its time"
            await asyncio.sleep(0)
            while door.state.connections:
                look()
                await asyncio.sleep(0)
            writer.close()

    asyncio.run(asyncio.wait_for(work(), 20))
