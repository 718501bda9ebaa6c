"""A server that writes bytes as it is told, right or wrong: no HTTP library is between it and them.

The first part of a request's path names one of its acts, which gets the whole connection:
`http://127.0.0.1:PORT/reset_in_body/v1/chat/completions`.
"""

import asyncio
import json
import socket
import ssl
import struct
import threading
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

NEVER_S = 3600.0
TEXT = "yes"
USAGE = {"prompt_tokens": 10, "completion_tokens": 2, "total_tokens": 12}
TLS_HELLO = b"\x16"
Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@dataclass(frozen=True)
class Asked:
    """A request, and the connection that it came on. `number` counts those of its act from 1."""

    path: str
    headers: dict[str, str]
    body: dict[str, Any]
    writer: asyncio.StreamWriter
    number: int
    server: "ByteServer"

    @property
    def streams(self) -> bool:
        """Whether the reply is to come as a stream."""
        return bool(self.body.get("stream"))

    def write(self, data: bytes) -> None:
        """Write at once."""
        self.writer.write(data)

    async def stall(self) -> None:
        """Say nothing more, once all that was written is on its way."""
        await self.writer.drain()
        await self.server.stall()

    def reset(self) -> None:
        """Break the connection off, as a process that dies does."""
        reset(self.writer)


Act = Callable[[Asked], Awaitable[None]]


def reset(writer: asyncio.StreamWriter) -> None:
    """Break a connection off."""
    sock = writer.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


def completion(text: str | None = TEXT, **changes: Any) -> dict[str, Any]:
    """A good chat completion; `message` is added to its message."""
    message = {"role": "assistant", "content": text, **changes.pop("message", {})}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "model": "fake-1",
        "choices": [choice],
        "usage": USAGE,
        **changes,
    }


def chunks(*deltas: dict[str, Any], finish: str | None = "stop", **changes: Any) -> list[str]:
    """The same as the data of a stream's events."""
    head = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "model": "fake-1", **changes}
    events = [{**head, "choices": [{"index": 0, "delta": delta}]} for delta in deltas]
    if finish is not None:
        events.append({**head, "choices": [{"index": 0, "delta": {}, "finish_reason": finish}]})
    events.append({**head, "choices": [], "usage": changes.get("usage", USAGE)})
    return [*(json.dumps(event) for event in events), "[DONE]"]


def sse(*events: str | bytes) -> bytes:
    """Server-sent events."""
    raw = [event.encode() if isinstance(event, str) else event for event in events]
    return b"".join(b"data: " + event + b"\n\n" for event in raw)


def http(status: int, body: bytes, *headers: str, kind: str | None = "application/json") -> bytes:
    """A whole HTTP reply with its length."""
    lines = [f"HTTP/1.1 {status} Whatever", *headers]
    if kind is not None:
        lines.append(f"content-type: {kind}")
    if not any(line.lower().startswith(("content-length", "transfer-")) for line in lines):
        lines.append(f"content-length: {len(body)}")
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body


def good(asked: Asked) -> bytes:
    """A good reply, whole or as a stream."""
    if asked.streams:
        return http(200, sse(*chunks({"content": TEXT})), kind="text/event-stream")
    return http(200, json.dumps(completion()).encode())


class ByteServer:
    """Serves in a thread of its own on free loopback ports between `start` and `stop`.

    Its doors are ports: `plain` talks HTTP, `closed` refuses, `reset` breaks every connection off
    at its first byte, `mute` says nothing to it, and each of `secure` is a door with TLS.
    `seen` counts the requests of each act, `requests` holds them. `on_stall` is told, in the
    server's thread, when it goes on without a word.
    """

    def __init__(
        self, acts: Mapping[str, Act], *, secure: Mapping[str, ssl.SSLContext] | None = None
    ) -> None:
        self._acts = acts
        self.seen: Counter[str] = Counter()
        self.requests: list[Asked] = []
        self._doors: dict[str, int] = {}
        self.on_stall: Callable[[], None] = lambda: None
        self._secure = dict(secure or {})
        self._ready = threading.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopped: asyncio.Event | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), daemon=True)

    def url(self, act: str, *, door: str = "plain", host: str = "127.0.0.1") -> str:
        """The base URL under which every request gets the act."""
        scheme = "https" if door in self._secure else "http"
        return f"{scheme}://{host}:{self._doors[door]}/{act}/v1"

    def start(self) -> "ByteServer":
        self._thread.start()
        assert self._ready.wait(10), "the server did not start"
        return self

    def stop(self) -> None:
        if self._loop is not None and self._stopped is not None:
            self._loop.call_soon_threadsafe(self._stopped.set)
            self._thread.join(10)

    async def _serve(self) -> None:
        self._loop, self._stopped = asyncio.get_running_loop(), asyncio.Event()
        self._loop.set_exception_handler(lambda loop, context: None)  # broken on purpose
        servers = [
            await self._open("plain", self._converse),
            await self._open("reset", self._break_off),
            await self._open("mute", self._say_nothing),
            *[
                await self._open(name, self._converse, context)
                for name, context in self._secure.items()
            ],
        ]
        with socket.socket() as closed:  # bound and not listening: nobody else gets the port
            closed.bind(("127.0.0.1", 0))
            self._doors["closed"] = closed.getsockname()[1]
            self._ready.set()
            await self._stopped.wait()
        for server in servers:
            server.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _open(
        self, name: str, talk: Talk, context: ssl.SSLContext | None = None
    ) -> asyncio.Server:
        async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.current_task()
            assert task is not None
            self._tasks.add(task)
            try:
                await talk(reader, writer)
            except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
                pass
            finally:
                self._tasks.discard(task)
                writer.close()

        server = await asyncio.start_server(
            handle, "127.0.0.1", 0, backlog=1024, limit=2**20, ssl=context
        )
        self._doors[name] = server.sockets[0].getsockname()[1]
        return server

    async def _break_off(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(1)
        reset(writer)

    async def _say_nothing(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        await reader.readexactly(1)
        await self.stall()

    async def stall(self) -> None:
        """Tell it, and do nothing for ever."""
        self.on_stall()
        await asyncio.sleep(NEVER_S)

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while not writer.transport.is_closing():
            start = await reader.readexactly(1)
            if start == TLS_HELLO:  # as nginx answers who speaks TLS to its plain port
                writer.write(http(400, b"The plain HTTP request was sent to HTTPS port"))
                return
            head = (start + await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
            _, path, _ = head[0].split(" ", 2)
            pairs = (line.split(":", 1) for line in head[1:] if ":" in line)
            headers = {name.lower(): value.strip() for name, value in pairs}
            raw = await reader.readexactly(int(headers.get("content-length", "0")))
            name = path.strip("/").split("/")[0]
            if name == "http:" or head[0].startswith("CONNECT "):
                name = "proxied"
            self.seen[name] += 1
            body = json.loads(raw) if raw else {}
            asked = Asked(path, headers, body, writer, self.seen[name], self)
            self.requests.append(asked)
            await self._acts[name](asked)
            await writer.drain()
