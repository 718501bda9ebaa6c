"""An OpenAI-compatible server that misbehaves on command, and keeps its own books.

What a request gets is decided by the first of these that says something:

1. `server.script("rate_limit", "ok")`: the next requests take these acts in order;
2. `server.decide`, a function from the request to an act (or None);
3. a mark in the request's messages, `[[server: rate_limit, reset, ok]]`: the first request with
   this very body takes the first act, the second the next, and so on; the last one stays;
4. `ok`.

The text of a good answer is `server.answer(request)`, or what a mark `[[reply: …]]` says, or "ok".
Acts are names of the table ACTS, with an argument after a colon where one makes sense
(`rate_limit:2`, `status:418`, `slow:0.2`). As a script it serves until it is stopped:

    python tests/servers/openai_server.py --script rate_limit,ok    # prints {"url": ".../v1"}
    curl .../stats
"""

import argparse
import asyncio
import json
import re
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest

NEVER_S = 3600.0


@dataclass(frozen=True)
class SeenRequest:
    """A request as it arrived: header names in lower case, the body as JSON and as text."""

    path: str
    headers: dict[str, str]
    body: dict[str, Any]
    text: str

    @property
    def prompt(self) -> str:
        """All messages as one text."""
        return "\n".join(str(message.get("content")) for message in self.body.get("messages", []))


@dataclass
class Books:
    """What the server would bill: every request for which it made an answer, delivered or not.

    `in_flight` are requests that it has not answered yet, `most_in_flight` the most at one time.
    """

    requests: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    usd: float = 0.0
    connections: int = 0
    in_flight: int = 0
    most_in_flight: int = 0
    acts: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True)
class Raw:
    """What goes over the wire: bytes after `delay_s`, then perhaps a broken connection.

    With `over_s` they drip, in 20 pieces over that time.
    """

    data: bytes
    delay_s: float = 0.0
    over_s: float = 0.0
    reset: bool = False
    close: bool = False


def http(status: int, body: bytes | str | dict[str, Any], **headers: str) -> bytes:
    """A whole HTTP reply."""
    if isinstance(body, dict):
        body = json.dumps(body)
    raw = body.encode() if isinstance(body, str) else body
    lines = [f"HTTP/1.1 {status} Whatever", "content-type: application/json"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    if "content_length" not in headers:
        lines.append(f"content-length: {len(raw)}")
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + raw


def error(status: int, code: Any, message: str, kind: str = "error", **headers: str) -> Raw:
    """An error in OpenAI's format."""
    body = {"error": {"message": message, "type": kind, "param": None, "code": code}}
    return Raw(http(status, body, **headers))


def tokens(text: str) -> int:
    """This server's tokeniser: four bytes a token."""
    return -(-len(text.encode()) // 4)


class OpenAIServer:
    """Serves in a thread of its own on a free loopback port between `start` and `stop`.

    `usd_per_mtok` are the prices of input and output it bills by. With an `api_key` it refuses
    every other one, quoting it, as OpenAI does.
    """

    def __init__(
        self,
        *,
        usd_per_mtok: tuple[float, float] = (1.0, 4.0),
        api_key: str | None = None,
        port: int = 0,
    ) -> None:
        self.usd_per_mtok = usd_per_mtok
        self.api_key = api_key
        self.port = port
        self.seen: list[SeenRequest] = []
        self.books = Books()
        self.decide: Callable[[SeenRequest], str | None] = lambda request: None
        self.answer: Callable[[SeenRequest], str | None] = lambda request: None
        self._script: list[str] = []
        self._repeats: Counter[str] = Counter()
        self._lock = threading.Lock()
        self._ready = threading.Event()
        self.left_alone = threading.Event()  # set while nobody is connected
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopped: asyncio.Event | None = None
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), daemon=True)

    @property
    def url(self) -> str:
        """The base URL."""
        return f"http://127.0.0.1:{self.port}/v1"

    def script(self, *acts: str) -> None:
        """What the next requests get, in the order in which they arrive."""
        with self._lock:
            self._script.extend(acts)

    def start(self) -> "OpenAIServer":
        self._thread.start()
        if not self._ready.wait(10):
            raise RuntimeError("the server did not start")
        return self

    def stop(self) -> None:
        if self._loop is not None and self._stopped is not None and self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._stopped.set)
            self._thread.join(10)

    def join(self) -> None:
        """Wait until it is stopped."""
        self._thread.join()

    async def _serve(self) -> None:
        self._loop, self._stopped = asyncio.get_running_loop(), asyncio.Event()
        tasks: set[asyncio.Task[None]] = set()

        async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.current_task()
            assert task is not None
            tasks.add(task)
            self.books.connections += 1
            self.left_alone.clear()
            try:
                await self._converse(reader, writer)
            except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
                pass
            finally:
                tasks.discard(task)
                writer.close()
                if not tasks:
                    self.left_alone.set()

        server = await asyncio.start_server(handle, "127.0.0.1", self.port, backlog=1024)
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        await self._stopped.wait()
        server.close()
        for task in list(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
            method, path, _ = head[0].split(" ", 2)
            pairs = (line.split(":", 1) for line in head[1:] if ":" in line)
            headers = {name.lower(): value.strip() for name, value in pairs}
            body = await reader.readexactly(int(headers.get("content-length", "0")))
            books = self.books
            books.in_flight += 1
            books.most_in_flight = max(books.most_in_flight, books.in_flight)
            try:
                raw = self._respond(method, path, headers, body.decode())
                await asyncio.sleep(raw.delay_s)
            finally:
                books.in_flight -= 1
            step = len(raw.data) if not raw.over_s else -(-len(raw.data) // 20)
            for at in range(0, len(raw.data), step or 1):
                writer.write(raw.data[at : at + step])
                await writer.drain()
                await asyncio.sleep(raw.over_s / 20)
            if raw.reset:
                writer.transport.abort()
            if raw.reset or raw.close:
                return

    def _respond(self, method: str, path: str, headers: dict[str, str], text: str) -> Raw:
        if path == "/stats":
            return Raw(http(200, {**vars(self.books), "seen": len(self.seen)}))
        if method == "GET" and path == "/v1/models":
            return Raw(http(200, {"object": "list", "data": [{"id": "fake", "object": "model"}]}))
        if method != "POST" or path.split("?")[0] != "/v1/chat/completions":
            return error(404, None, f"Unknown request URL: {method} {path}")
        request = SeenRequest(path, headers, json.loads(text), text)
        with self._lock:
            self.seen.append(request)
            sent_key = headers.get("authorization", "").removeprefix("Bearer ")
            if self.api_key is not None and sent_key != self.api_key:
                words = f"Incorrect API key provided: {sent_key}. Find yours on the key page."
                return error(401, "invalid_api_key", words, "invalid_request_error")
            name, _, argument = self._act_for(request).partition(":")
            self.books.acts[name] += 1
            return ACTS[name](Asked(self, request, argument))

    def _act_for(self, request: SeenRequest) -> str:
        if self._script:
            return self._script.pop(0)
        if (decided := self.decide(request)) is not None:
            return decided
        if mark := re.search(r"\[\[server: *([^\]]+)\]\]", request.prompt):
            acts = [act.strip() for act in mark.group(1).split(",")]
            self._repeats[request.text] += 1
            return acts[min(self._repeats[request.text], len(acts)) - 1]
        return "ok"


@dataclass(frozen=True)
class Asked:
    """A request that is being answered, and the argument of its act."""

    server: OpenAIServer
    request: SeenRequest
    argument: str

    def seconds(self, default: float) -> float:
        """The argument as a number."""
        return float(self.argument) if self.argument else default

    def completion(self, *, usage: bool = True, **message: Any) -> dict[str, Any]:
        """A chat completion, entered into the books."""
        asked = self.request
        finish_reason = message.pop("finish_reason", "stop")
        if "content" not in message:
            mark = re.search(r"\[\[reply: *(.*?)\]\]", asked.prompt, re.DOTALL)
            said = self.server.answer(asked)
            message["content"] = said if said is not None else mark.group(1) if mark else "ok"
        cap = asked.body.get("max_tokens") or asked.body.get("max_completion_tokens")
        content = message["content"] or ""
        if cap is not None and tokens(content) > cap:
            content = content.encode()[: cap * 4].decode("utf-8", "ignore")
            message["content"], finish_reason = content, "length"
        given = message.get("refusal") or content or json.dumps(message.get("tool_calls") or "")[2:]
        spent = (sum(tokens(str(m.get("content"))) for m in asked.body["messages"]), tokens(given))
        books, prices = self.server.books, self.server.usd_per_mtok
        books.requests += 1
        books.input_tokens += spent[0]
        books.output_tokens += spent[1]
        books.usd += (spent[0] * prices[0] + spent[1] * prices[1]) / 1e6
        answer: dict[str, Any] = {
            "id": f"chatcmpl-{books.requests:06d}",
            "object": "chat.completion",
            "created": 1700000000,
            "model": f"{asked.body['model']}-0001",
            "choices": [
                {
                    "index": 0,
                    "message": {"role": "assistant", "refusal": None, **message},
                    "finish_reason": finish_reason,
                }
            ],
        }
        if usage:
            answer["usage"] = {
                "prompt_tokens": spent[0],
                "completion_tokens": spent[1],
                "total_tokens": sum(spent),
                "prompt_tokens_details": {"cached_tokens": spent[0] // 2},
            }
        return answer

    def ok(self, **message: Any) -> bytes:
        """The same as HTTP."""
        return http(200, self.completion(**message))


def _tool_call(asked: Asked) -> Raw:
    """`tool_call:NAME {json}`: the model wants a tool."""
    name, _, arguments = asked.argument.partition(" ")
    call = {"id": "call_1", "type": "function", "function": {"name": name, "arguments": arguments}}
    return Raw(asked.ok(content=None, tool_calls=[call], finish_reason="tool_calls"))


def _retry_at(asked: Asked) -> Raw:
    """`rate_limit_until:SECONDS`: Retry-After as a date."""
    at = datetime.now(UTC) + timedelta(seconds=asked.seconds(1))
    date = format_datetime(at, usegmt=True)
    return error(429, "rate_limit_exceeded", "Slow down.", "requests", retry_after=date)


ACTS: dict[str, Callable[[Asked], Raw]] = {
    "ok": lambda a: Raw(a.ok()),
    "slow": lambda a: Raw(a.ok(), delay_s=a.seconds(0.2)),
    "drip": lambda a: Raw(a.ok(), over_s=a.seconds(0.2)),
    "tool_call": _tool_call,
    "refusal": lambda a: Raw(a.ok(content=None, refusal="I can't help with that.")),
    "content_filter": lambda a: Raw(a.ok(content="", finish_reason="content_filter")),
    "prompt_filter": lambda a: error(400, "content_filter", "The prompt was filtered."),
    "empty": lambda a: Raw(a.ok(content="")),
    "no_usage": lambda a: Raw(http(200, a.completion(usage=False))),
    "no_choices": lambda a: Raw(http(200, {**a.completion(), "choices": []})),
    "not_json": lambda a: Raw(http(200, a.ok()[-60:-20])),
    "wrong_shape": lambda a: Raw(http(200, {"choices": "none", "id": 7})),
    "error_in_200": lambda a: error(200, a.argument or "server_error", "Something broke."),
    # Refused before any work: nothing is entered into the books.
    "rate_limit": lambda a: error(
        429, "rate_limit_exceeded", "Slow down.", "requests", retry_after=a.argument or "0"
    ),
    "rate_limit_ms": lambda a: error(
        429, "rate_limit_exceeded", "Slow down.", "tokens", retry_after_ms=a.argument or "1"
    ),
    "rate_limit_until": _retry_at,
    "rate_limit_bare": lambda a: error(429, "rate_limit_exceeded", "Slow down.", "requests"),
    "insufficient_quota": lambda a: error(
        429, "insufficient_quota", "You exceeded your current quota.", "insufficient_quota"
    ),
    "context_length": lambda a: error(
        400, "context_length_exceeded", "Too many tokens.", "invalid_request_error"
    ),
    "status": lambda a: error(int(a.argument), None, f"This is a {a.argument}."),
    # an answer that a proxy made, not the model
    "web_page": lambda a: Raw(
        b"HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: 20\r\n\r\n"
        b"<html>Log in!</html>"
    ),
    "mislabelled": lambda a: Raw(
        a.ok().replace(b"content-type: application/json", b"content-type: text/plain")
    ),
    "html": lambda a: Raw(http(502, "<html><title>502 Bad\nGateway</title></html>")),
    "redirect": lambda a: Raw(http(307, "", location="http://127.0.0.1:1/elsewhere")),
    "no_retry": lambda a: error(503, None, "Do not come back.", x_should_retry="false"),
    # Work was done and nothing whole arrives.
    "stall": lambda a: Raw(a.ok(), delay_s=NEVER_S),
    "reset": lambda a: Raw(a.ok()[:0], reset=True),
    "truncated": lambda a: Raw(a.ok()[:-30], close=True),
    "not_http": lambda a: Raw(b"\x00\x01" + a.ok()[:20] + b"\r\n\r\n", close=True),
    "broken_gzip": lambda a: Raw(http(200, a.ok(), content_encoding="gzip")),
    "huge": lambda a: Raw(http(200, b" " * int(a.argument or 40_000_000))),
}


@pytest.fixture
def openai_server() -> Iterator[OpenAIServer]:
    """A server for one test."""
    server = OpenAIServer().start()
    yield server
    server.stop()


def main() -> None:
    """Serve as a process of its own."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--port", type=int, default=0, help="0: a free one")
    parser.add_argument("--script", default="", help="acts of the first requests, with commas")
    parser.add_argument("--api-key", help="refuse every other key")
    arguments = parser.parse_args()
    server = OpenAIServer(port=arguments.port, api_key=arguments.api_key)
    server.script(*(act for act in arguments.script.split(",") if act))
    print(json.dumps({"url": server.start().url}), flush=True)
    try:
        server.join()
    except KeyboardInterrupt:
        server.stop()


if __name__ == "__main__":
    main()
