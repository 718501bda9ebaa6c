"""A server that gives back exchanges as they are written down, and keeps what it was sent."""

import json
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True)
class Exchange:
    """A reply of JSON or bytes; `missing` bytes are promised and not sent, and where it `stalls`
    the connection stays open until the reader is gone. The body is sent in pieces that end at
    `cuts`."""

    body: Any
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    missing: int = 0
    cuts: tuple[int, ...] = ()
    stalls: bool = False


@dataclass(frozen=True)
class Sent:
    """A request as it arrived: header names in lower case."""

    path: str
    headers: dict[str, str]
    body: dict[str, Any]
    raw: bytes


class ReplayServer:
    """Serves in a thread on a free loopback port between `start` and `stop`; `reply` is what every
    POST gets."""

    def __init__(self) -> None:
        self.reply = Exchange({})
        self.sent: list[Sent] = []
        replay = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                raw = self.rfile.read(int(self.headers["content-length"]))
                names = {name.lower(): value for name, value in self.headers.items()}
                replay.sent.append(Sent(self.path, names, json.loads(raw), raw))
                reply = replay.reply
                is_raw = isinstance(reply.body, bytes)
                body = reply.body if is_raw else json.dumps(reply.body).encode()
                self.send_response(reply.status)
                for name, value in {"content-type": "application/json", **reply.headers}.items():
                    self.send_header(name, value)
                self.send_header("content-length", str(len(body) + reply.missing))
                self.send_header("connection", "close")
                self.end_headers()
                for start, end in zip((0, *reply.cuts), (*reply.cuts, len(body)), strict=True):
                    self.wfile.write(body[start:end])
                    self.wfile.flush()
                if reply.stalls:
                    self.rfile.read(1)  # returns when the reader closes

            def log_message(self, format: str, *args: Any) -> None:
                return None

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    @property
    def url(self) -> str:
        """The origin."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def start(self) -> "ReplayServer":
        self._thread.start()
        return self

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(10)
