"""Load for an HTTP server, measured from the moment at which each request was due.

`send_on_time` is an open loop: requests leave when a schedule says so, whether or not earlier ones
were answered, and what a server that stalls keeps waiting counts as waiting. `send_in_turn` is a
closed loop: a fixed number of connections, each of which asks again once it has its answer.
Requests are bytes made beforehand and answers are parsed as far as needed to find their end, so
that little of the machine goes into this side.
"""

import asyncio
import random
import re
import selectors
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import urlsplit

# Waits of select() are exact to microseconds; those of epoll are rounded up to a millisecond.
# It takes no file with a number from 1,024 on.
MOST_IN_FLIGHT = 900
# servers close what is idle for 5 s and more
_LONGEST_IDLE_S = 2.0
_TEXT = re.compile(rb'"content": ?"[^"]')
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)\r\n", re.IGNORECASE)
_CHUNKED = re.compile(rb"\r\ntransfer-encoding: *chunked\r\n", re.IGNORECASE)
_LAST_CHUNK = b"0\r\n\r\n"
Result = TypeVar("Result")


@dataclass(slots=True)
class Answer:
    """What became of one request; moments are the event loop's, in seconds. Status 0: nothing came.

    `text_s` is when the first text of a streamed answer was there, None for one that is whole.
    """

    due_s: float
    status: int = 0
    done_s: float = 0.0
    text_s: float | None = None
    body: bytes = b""

    @property
    def took_ms(self) -> float:
        """From when it was due to its last byte."""
        return (self.done_s - self.due_s) * 1000

    @property
    def first_text_ms(self) -> float:
        """From when it was due to the first text of a stream."""
        assert self.text_s is not None, "no text came"
        return (self.text_s - self.due_s) * 1000


class _Connection(asyncio.Protocol):
    """One keep-alive connection with one request on it at a time."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._transport: asyncio.Transport | None = None
        self._answer: Answer | None = None
        self._done: asyncio.Future[None] | None = None
        self._received = bytearray()
        self._ends_at: int | None = None  # of an answer that has a length
        self._body_at = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    @property
    def open(self) -> bool:
        return self._transport is not None and not self._transport.is_closing()

    async def ask(self, request: bytes, answer: Answer) -> None:
        """Send it and fill in the answer."""
        assert self._transport is not None
        self._answer, self._done = answer, self._loop.create_future()
        self._received.clear()
        self._body_at, self._ends_at = 0, None
        self._transport.write(request)
        await self._done

    def data_received(self, data: bytes) -> None:
        self._received += data
        answer = self._answer
        if answer is None:
            return
        if not self._body_at and not self._read_head(answer):
            return
        if self._ends_at is not None:
            if len(self._received) >= self._ends_at:
                self._finish(answer)
            return
        if answer.text_s is None and _TEXT.search(self._received, self._body_at):
            answer.text_s = self._loop.time()
        if self._received.endswith(_LAST_CHUNK):
            self._finish(answer)

    def _read_head(self, answer: Answer) -> bool:
        end = self._received.find(b"\r\n\r\n")
        if end < 0:
            return False
        head = bytes(self._received[: end + 2])
        answer.status = int(head[9:12])
        self._body_at = end + 4
        if (found := _LENGTH.search(head)) is not None:
            self._ends_at = self._body_at + int(found[1])
        elif not _CHUNKED.search(head):
            raise ValueError(f"an answer without a length: {head!r}")
        return True

    def _finish(self, answer: Answer) -> None:
        answer.done_s = self._loop.time()
        answer.body = bytes(self._received[self._body_at :])
        self._answer = None
        if self._done is not None and not self._done.done():
            self._done.set_result(None)

    def connection_lost(self, _error: Exception | None) -> None:
        if self._answer is not None:
            self._answer.status = 0
            self._finish(self._answer)

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()


class Target:
    """A server that is asked. Connections are kept and used again, those used last first."""

    def __init__(self, url: str) -> None:
        """`url` is an address; the path is the requests'."""
        parts = urlsplit(url)
        self.host, self.port = parts.hostname or "", parts.port or 80
        self._idle: list[tuple[float, _Connection]] = []  # since when
        self.in_flight = 0

    async def ask(self, request: bytes, due_s: float) -> Answer:
        """Send a request now; its time runs since `due_s`."""
        loop = asyncio.get_running_loop()
        answer = Answer(due_s)
        self.in_flight += 1
        try:
            connection = self._idle_connection(loop.time())
            if connection is None:
                _, connection = await loop.create_connection(
                    lambda: _Connection(loop), self.host, self.port
                )
            await connection.ask(request, answer)
            self._idle.append((loop.time(), connection))
        finally:
            self.in_flight -= 1
        return answer

    def _idle_connection(self, now_s: float) -> _Connection | None:
        while self._idle:
            since_s, connection = self._idle.pop()
            if connection.open and now_s - since_s < _LONGEST_IDLE_S:
                return connection
            connection.close()
        return None

    def close(self) -> None:
        """Close what is idle."""
        for _, connection in self._idle:
            connection.close()
        self._idle.clear()


def post(url: str, body: bytes, headers: dict[str, str]) -> bytes:
    """A request as bytes."""
    parts = urlsplit(url)
    named = {"host": parts.netloc, "content-type": "application/json"} | headers
    named["content-length"] = str(len(body))
    head = "".join(f"{name}: {value}\r\n" for name, value in named.items())
    return f"POST {parts.path} HTTP/1.1\r\n{head}\r\n".encode() + body


async def send_on_time(
    target: Target, requests: Sequence[bytes], per_s: float, *, seed: int
) -> list[Answer | None]:
    """Send the requests as a Poisson process of that rate: an answer each, None for one that was
    not sent since too many were in flight."""
    loop = asyncio.get_running_loop()
    draw = random.Random(seed)
    due_s = loop.time() + 0.05
    tasks: list[asyncio.Task[Answer] | None] = []
    for request in requests:
        due_s += draw.expovariate(per_s)
        if (wait_s := due_s - loop.time()) > 0:
            await asyncio.sleep(wait_s)
        if target.in_flight >= MOST_IN_FLIGHT:
            tasks.append(None)
        else:
            tasks.append(loop.create_task(target.ask(request, due_s)))
    return [None if task is None else await task for task in tasks]


async def send_in_turn(
    targets: Sequence[Target], requests: Sequence[bytes], at_once: int
) -> list[Answer]:
    """Send them all with `at_once` of them in flight, spread over the targets."""
    loop = asyncio.get_running_loop()
    left = iter(requests)
    answers: list[Answer] = []

    async def work(target: Target) -> None:
        for request in left:
            answers.append(await target.ask(request, loop.time()))

    await asyncio.gather(*(work(targets[number % len(targets)]) for number in range(at_once)))
    return answers


def run(work: Coroutine[Any, Any, Result]) -> Result:
    """Run on a loop that keeps time to microseconds."""

    def loop() -> asyncio.AbstractEventLoop:
        return asyncio.SelectorEventLoop(selectors.SelectSelector())

    with asyncio.Runner(loop_factory=loop) as runner:
        return runner.run(work)
