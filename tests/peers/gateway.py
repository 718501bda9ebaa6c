"""`evalkit serve` in a process of its own, in front of an upstream that says what a test wants."""

import json
import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from tests.cli.conftest import call_evalkit

EVALKIT = [sys.executable, "-m", "evalkit"]


@dataclass
class Upstream:
    """A chat-completions server. `says` are its answers in turn, the last one for ever: a text, a
    message, its `deltas`, or an error's status. It keeps the bodies it got, and the pieces that it
    could send."""

    says: list[Any] = field(default_factory=lambda: ["fine"])
    bodies: list[dict[str, Any]] = field(default_factory=list)
    hold: threading.Event | None = None
    broken: threading.Event = field(default_factory=threading.Event)
    url: str = ""

    def next(self) -> Any:
        return self.says[0] if len(self.says) == 1 else self.says.pop(0)


@contextmanager
def upstream(kind: type[Upstream] = Upstream, **keys: Any) -> Iterator[Upstream]:
    """The server, until the block ends; its `kind` says what it answers."""
    it = kind(**keys)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            it.bodies.append(body)
            said = it.next()
            if isinstance(said, int):
                self._send(said, {"error": {"message": f"no: {said}", "code": "x"}})
                return
            message = said if isinstance(said, dict) else {"content": said}
            called = message.get("tool_calls") or "deltas" in message
            ends = "tool_calls" if called else "stop"
            if body.get("stream"):
                self._stream(message, ends)
                return
            choice = {"index": 0, "message": {"role": "assistant"} | message, "finish_reason": ends}
            self._send(200, {"id": "up-1", "model": "up", "choices": [choice], "usage": USAGE})

        def _send(self, status: int, body: Any) -> None:
            raw = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(raw)))
            self.end_headers()
            self.wfile.write(raw)

        def _stream(self, message: dict[str, Any], ends: str) -> None:
            self.send_response(200)
            self.send_header("content-type", "text/event-stream")
            self.send_header("connection", "close")
            self.end_headers()
            try:
                for delta in deltas(message):
                    self._event({"choices": [{"index": 0, "delta": delta}]})
                while it.hold is not None and not it.hold.wait(0.02):
                    self._event({"choices": [{"index": 0, "delta": {"content": "more "}}]})
                self._event({"choices": [{"index": 0, "delta": {}, "finish_reason": ends}]})
                self._event({"choices": [], "usage": USAGE})
                self.wfile.write(b"data: [DONE]\n\n")
            except OSError:
                it.broken.set()
            self.close_connection = True

        def _event(self, body: dict[str, Any]) -> None:
            frame = {"id": "up-1", "object": "chat.completion.chunk", "model": "up"}
            self.wfile.write(b"data: " + json.dumps(frame | body).encode() + b"\n\n")
            self.wfile.flush()

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    it.url = f"http://127.0.0.1:{server.server_address[1]}/v1"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield it
    finally:
        if it.hold is not None:
            it.hold.set()
        server.shutdown()
        server.server_close()


USAGE = {"prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18}


def deltas(message: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """A message in small pieces, or in those that it names itself."""
    if "deltas" in message:
        yield from message["deltas"]
        return
    yield {"role": "assistant", "content": ""}
    text = message.get("content") or ""
    for at in range(0, len(text), 3):
        yield {"content": text[at : at + 3]}
    for index, call in enumerate(message.get("tool_calls") or ()):
        arguments = call["function"]["arguments"]
        first = {"name": call["function"]["name"], "arguments": ""}
        yield {
            "tool_calls": [
                {"index": index, "id": call["id"], "type": "function", "function": first}
            ]
        }
        for at in range(0, len(arguments), 5):
            part = {"arguments": arguments[at : at + 5]}
            yield {"tool_calls": [{"index": index, "function": part}]}


def part(index: int, arguments: str, *, id_: str = "", name: str = "") -> dict[str, Any]:
    """A delta with a piece of a tool call."""
    function = {"arguments": arguments} | ({"name": name} if name else {})
    return {"tool_calls": [{"index": index, "function": function} | ({"id": id_} if id_ else {})]}


# what models stream that are not OpenAI's: calls by turns, a text in between, names late or often
CALLS_BY_TURNS = {
    "deltas": [
        part(0, "", id_="c0", name="lookup"),
        part(1, '{"id":', id_="c1"),
        part(0, '{"id":', name="lookup"),
        {"content": "One moment."},
        part(1, " 2}", name="notify"),
        part(0, " 1}", id_="c0", name="lookup"),
    ]
}
CONFIG = """\
version: 1
providers:
  up: {{kind: openai, base_url: "{url}"}}
models:
  one: {{provider: up, id: up-model, price: {{input_usd_per_mtok: 1, output_usd_per_mtok: 2}}}}
routes:
  - {{name: plain, models: {{primary: one}}, max_tokens: 500}}
  - name: careful
    models: {{primary: one}}
    max_tokens: 500
    policies: {{pii_redaction: true, disallow_actions: [refund], blocked_phrases: [falcon]}}
  - {{name: cited, models: {{primary: one}}, max_tokens: 500, require_citations: true}}
{routes}{more}
"""


@dataclass
class Gateway:
    """A gateway that serves. `url` ends with /v1; `key` may use every route."""

    root: Path
    url: str
    key: str
    process: subprocess.Popen[str]
    told: list[str]
    heard: threading.Event

    def add_key(self, *flags: str) -> str:
        """A further key."""
        return add_key(self.root, *flags)


def add_key(root: Path, *flags: str) -> str:
    """A key made as an operator makes one."""
    made = call_evalkit("key", "add", *flags, cwd=root)
    assert made.returncode == 0, made.stderr
    return made.stdout.strip()


@contextmanager
def gateway(
    root: Path, url: str, more: str = "", *flags: str, routes: str = "run: {retries: 0}\n"
) -> Iterator[Gateway]:
    """`evalkit serve` over a project, in front of the upstream at `url`.

    `routes` goes on with the list of routes and what follows it, `more` is what comes last.
    """
    root.mkdir(parents=True, exist_ok=True)
    (root / "evalkit.yaml").write_text(
        CONFIG.format(url=url, routes=routes, more=more), encoding="utf-8"
    )
    key = add_key(root, "--user", "u1", "--team", "support")
    told: list[str] = []
    heard = threading.Event()
    with serving(root, *flags, told=told, heard=heard) as (address, process):
        yield Gateway(root, address, key, process, told, heard)


@contextmanager
def serving(
    root: Path,
    *flags: str,
    told: list[str] | None = None,
    heard: threading.Event | None = None,
) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """A process that serves the project; its address ends with /v1. What it says goes into `told`,
    and `heard` is set."""
    told = [] if told is None else told
    heard = heard or threading.Event()
    process = subprocess.Popen(
        [*EVALKIT, "serve", "--port", "0", *flags],
        cwd=root,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"NO_COLOR": "1"},
    )
    assert process.stderr is not None
    for line in process.stderr:
        told.append(line)
        if found := re.search(r"listening at (https?://\S+?);", line):
            break
    else:
        raise AssertionError("".join(told))

    def listen() -> None:
        for line in process.stderr or ():
            told.append(line)
            heard.set()

    drain = threading.Thread(target=listen, daemon=True)
    drain.start()
    try:
        yield f"{found.group(1)}/v1", process
    finally:
        process.terminate()
        process.wait(40)
        drain.join(5)
        process.stderr.close()
