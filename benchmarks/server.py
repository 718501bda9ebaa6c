"""An OpenAI-compatible endpoint with a fixed latency, for measuring clients.

It answers every POST after `--latency-ms` with the same reply under a new id, does as little work
as it can (a raw asyncio protocol, the reply is bytes made once) and counts. It runs in a process of
its own, so that a client's CPU time is the client's.

    python benchmarks/server.py --latency-ms 50          # prints {"url": "http://127.0.0.1:PORT/v1"}
    curl http://127.0.0.1:PORT/stats                     # {"requests": N, "connections": C, ...}

`GET /v1/models` lists its one model, any other GET tells what it saw (`Counters`).
It ends on SIGINT or SIGTERM, and when its standard input closes where `--until-stdin-closes` is
given, so that a benchmark that dies takes it along.
"""

import argparse
import asyncio
import contextlib
import json
import os
import signal
import sys
import time
from typing import Any

ID = b"chatcmpl-00000000"
# ids of vendors are mostly letters; one of digits alone may be somebody's telephone number
_LETTERS = bytes.maketrans(b"0123456789", b"ABCDEFGHIJ")
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

    def numbered(self, number: int) -> bytes:
        """The whole HTTP reply with its own id."""
        letters = (b"%08d" % number).translate(_LETTERS)
        return b"%bchatcmpl-%b%b" % (self._before, letters, self._after)


def _http(body: bytes) -> bytes:
    head = (
        f"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


class Connection(asyncio.Protocol):
    """One keep-alive connection; requests on it are answered in order."""

    def __init__(self, counters: Counters, template: ReplyTemplate, latency_s: float) -> None:
        self._counters = counters
        self._template = template
        self._latency_s = latency_s
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
            self._buffer = self._buffer[end + 4 + length :]
            self._answer(head)

    def _answer(self, head: bytes) -> None:
        if head.startswith(b"get /v1/models"):
            self._write(_http(MODELS))
            return
        if head.startswith(b"get "):
            self._write(_http(json.dumps(vars(self._counters)).encode()))
            return
        arrived_s = self._counters.arrived()
        reply = self._template.numbered(self._counters.requests)
        loop = asyncio.get_running_loop()
        loop.call_later(self._latency_s, self._complete, reply, arrived_s)

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
        lambda: Connection(counters, template, arguments.latency_ms / 1000),
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
    parser.add_argument("--content", default="ok", help="the text of every reply")
    parser.add_argument("--input-tokens", type=int, default=100)
    parser.add_argument("--output-tokens", type=int, default=10)
    parser.add_argument("--until-stdin-closes", action="store_true")
    arguments: Any = parser.parse_args(argv)
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(serve(arguments))


if __name__ == "__main__":
    main()
