"""An OpenAI-compatible endpoint with a fixed latency, for measuring clients.

It answers every POST after `--latency-ms` with the same reply under a new id, does as little work
as it can (a raw asyncio protocol, the reply is bytes made once) and counts. It runs in a process of
its own, so that a client's CPU time is the client's.

    python benchmarks/server.py --latency-ms 50          # prints {"url": "http://127.0.0.1:PORT/v1"}
    curl http://127.0.0.1:PORT/stats                     # {"requests": N, "connections": C, ...}

A request for a stream gets its first word after `--latency-ms` and a further one every
`--token-ms`. `GET /v1/models` lists its one model, any other GET tells what it saw (`Counters`).
It ends on SIGINT or SIGTERM, and when its standard input closes where `--until-stdin-closes` is
given, so that a benchmark that dies takes it along.
"""

import argparse
import asyncio
import contextlib
import json
import os
import re
import signal
import sys
import time
from typing import Any

ID = b"chatcmpl-00000000"
# ids of vendors are mostly letters; one of digits alone may be somebody's telephone number
_LETTERS = bytes.maketrans(b"0123456789", b"ABCDEFGHIJ")
# a body that asks for a stream, however it is spaced
STREAM = re.compile(rb'"stream": ?true')
STREAM_HEAD = (
    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
)
MODELS = b'{"object": "list", "data": [{"id": "bench", "object": "model", "owned_by": "bench"}]}'


class Counters:
    """What the server saw; moments are the monotonic clock's, which a machine's processes share."""

    def __init__(self) -> None:
        self.requests = 0
        self.connections = 0
        self.in_flight = 0
        self.max_in_flight = 0
        self.busy_s = 0.0  # the sum of what all requests took here: over time, the mean in flight
        self.first_request_s: float | None = None
        self.last_answer_s: float | None = None

    def arrived(self) -> float:
        """A request came; returns when."""
        now = time.monotonic()
        self.requests += 1
        self.in_flight += 1
        self.max_in_flight = max(self.max_in_flight, self.in_flight)
        if self.first_request_s is None:
            self.first_request_s = now
        return now

    def answered(self, arrived_s: float) -> None:
        """The request that came at `arrived_s` has its reply."""
        self.last_answer_s = time.monotonic()
        self.in_flight -= 1
        self.busy_s += self.last_answer_s - arrived_s


class ReplyTemplate:
    """A reply as bytes, with the id's place left open."""

    def __init__(self, content: str, *, input_tokens: int, output_tokens: int) -> None:
        body = json.dumps(
            {
                "id": ID.decode(),
                "object": "chat.completion",
                "created": 1700000000,
                "model": "bench",
                "choices": [
                    {
                        "index": 0,
                        "message": {"role": "assistant", "content": content, "refusal": None},
                        "finish_reason": "stop",
                    }
                ],
                "usage": {
                    "prompt_tokens": input_tokens,
                    "completion_tokens": output_tokens,
                    "total_tokens": input_tokens + output_tokens,
                },
            }
        ).encode()
        self._before, self._after = _http(body).split(ID)
        words = re.findall(r"\S+\s*", content)
        self._events = [
            *(_event({"choices": [_delta({"content": word})]}) for word in words),
            _event({"choices": [_delta({}, "stop")]}),
            _event(
                {
                    "choices": [],
                    "usage": {
                        "prompt_tokens": input_tokens,
                        "completion_tokens": output_tokens,
                        "total_tokens": input_tokens + output_tokens,
                    },
                }
            )
            + _chunk(b"data: [DONE]\n\n")
            + b"0\r\n\r\n",
        ]

    def numbered(self, number: int) -> bytes:
        """The whole HTTP reply with its own id."""
        return b"%bchatcmpl-%b%b" % (self._before, _letters(number), self._after)

    def streamed(self, number: int) -> list[bytes]:
        """The parts of the HTTP reply as a stream, one a moment; the first one has the head."""
        named = b"chatcmpl-" + _letters(number)
        first, *rest = (each.replace(ID, named) for each in self._events)
        return [STREAM_HEAD + first, *rest]


def _letters(number: int) -> bytes:
    return (b"%08d" % number).translate(_LETTERS)


def _delta(delta: dict[str, str], finish_reason: str | None = None) -> dict[str, Any]:
    return {"index": 0, "delta": delta, "finish_reason": finish_reason}


def _event(body: dict[str, Any]) -> bytes:
    frame = {"id": ID.decode(), "object": "chat.completion.chunk", "created": 1700000000}
    return _chunk(b"data: %b\n\n" % json.dumps(frame | {"model": "bench"} | body).encode())


def _chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


def _http(body: bytes) -> bytes:
    head = (
        f"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


class Connection(asyncio.Protocol):
    """One keep-alive connection; requests on it are answered in order."""

    def __init__(
        self, counters: Counters, template: ReplyTemplate, latency_s: float, token_s: float
    ) -> None:
        self._counters = counters
        self._template = template
        self._latency_s = latency_s
        self._token_s = token_s
        self._buffer = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._counters.connections += 1

    def connection_lost(self, _error: Exception | None) -> None:
        self._transport = None

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while (end := self._buffer.find(b"\r\n\r\n")) >= 0:
            head = self._buffer[:end].lower()
            length = 0
            if (at := head.find(b"content-length:")) >= 0:
                length = int(head[at + 15 :].split(b"\r\n", 1)[0])
            if len(self._buffer) < end + 4 + length:
                return
            body = self._buffer[end + 4 : end + 4 + length]
            self._buffer = self._buffer[end + 4 + length :]
            self._answer(head, body)

    def _answer(self, head: bytes, body: bytes) -> None:
        if head.startswith(b"get /v1/models"):
            self._write(_http(MODELS))
            return
        if head.startswith(b"get "):
            self._write(_http(json.dumps(vars(self._counters)).encode()))
            return
        arrived_s = self._counters.arrived()
        loop, number = asyncio.get_running_loop(), self._counters.requests
        if STREAM.search(body):
            *parts, last = self._template.streamed(number)
            for at, part in enumerate(parts):
                loop.call_later(self._latency_s + at * self._token_s, self._write, part)
            ends_s = self._latency_s + len(parts) * self._token_s
            loop.call_later(ends_s, self._complete, last, arrived_s)
            return
        loop.call_later(self._latency_s, self._complete, self._template.numbered(number), arrived_s)

    def _complete(self, reply: bytes, arrived_s: float) -> None:
        self._counters.answered(arrived_s)
        self._write(reply)

    def _write(self, reply: bytes) -> None:
        if self._transport is not None:
            self._transport.write(reply)


async def serve(arguments: argparse.Namespace) -> None:
    """Listen until a signal comes, or until standard input closes."""
    counters = Counters()
    template = ReplyTemplate(
        arguments.content,
        input_tokens=arguments.input_tokens,
        output_tokens=arguments.output_tokens,
    )
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: Connection(
            counters, template, arguments.latency_ms / 1000, arguments.token_ms / 1000
        ),
        "127.0.0.1",
        arguments.port,
        backlog=4096,
    )
    port = server.sockets[0].getsockname()[1]
    print(json.dumps({"url": f"http://127.0.0.1:{port}/v1"}), flush=True)
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    if arguments.until_stdin_closes:

        def read_input() -> None:
            if not os.read(sys.stdin.fileno(), 1024):
                stop.set()

        loop.add_reader(sys.stdin, read_input)
    await stop.wait()
    server.close()


def main(argv: list[str] | None = None) -> None:
    """Parse the command line and serve."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--port", type=int, default=0, help="0: a free one")
    parser.add_argument("--latency-ms", type=float, default=50.0)
    parser.add_argument("--token-ms", type=float, default=10.0, help="between words of a stream")
    parser.add_argument("--content", default="ok", help="the text of every reply")
    parser.add_argument("--input-tokens", type=int, default=100)
    parser.add_argument("--output-tokens", type=int, default=10)
    parser.add_argument("--until-stdin-closes", action="store_true")
    arguments: Any = parser.parse_args(argv)
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(serve(arguments))


if __name__ == "__main__":
    main()
