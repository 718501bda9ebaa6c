"""A loopback HTTP server that answers from a table and remembers who asked for what.

`server.on("GET", "/repos/o/r/pulls/7", {...})` answers with JSON, `bytes` as they are, or a `Page`
with a status and headers of its own. A path without a query answers any query. `server.lists(...)`
answers a list in pages, with GitHub's and GitLab's Link header.
"""

import json
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit


@dataclass(frozen=True)
class Asked:
    """A request as it arrived; header names in lower case."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: Any


@dataclass(frozen=True)
class Page:
    """What is answered."""

    status: int = 200
    body: Any = b""
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def raw(self) -> bytes:
        return self.body if isinstance(self.body, bytes) else json.dumps(self.body).encode()


Answer = Callable[[Asked], Any]


class CiServer:
    """Serves between `with` and its end, on a free loopback port."""

    def __init__(self) -> None:
        self.asked: list[Asked] = []
        self._answers: dict[tuple[str, str], Answer] = {}
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def _serve(self) -> None:
                outer._handle(self)

            do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _serve

            def log_message(self, *arguments: Any) -> None:
                return None

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def on(self, method: str, path: str, answer: Any) -> None:
        """Answer with this, or with what it returns for the request where it is a function."""
        self._answers[method, path] = answer if callable(answer) else lambda asked: answer

    def lists(self, path: str, items: Sequence[Any], *, key: str | None = None) -> None:
        """Answer with a list, in pages, under `key` where it has one."""

        def page(asked: Asked) -> Page:
            number, size = int(asked.query.get("page", 1)), int(asked.query.get("per_page", 20))
            shown = list(items[(number - 1) * size : number * size])
            more = len(items) > number * size
            headers = {"link": f'<{self.url}{path}?page={number + 1}>; rel="next"'} if more else {}
            body = shown if key is None else {"total_count": len(items), key: shown}
            return Page(body=body, headers=headers)

        self.on("GET", path, page)

    def answer(self, asked: Asked) -> Any:
        """What is answered: from the table, unless a server of its own kind says otherwise."""
        answer = self._answers.get((asked.method, asked.path))
        return Page(404, {"message": "Not Found"}) if answer is None else answer(asked)

    def _handle(self, handler: BaseHTTPRequestHandler) -> None:
        parts = urlsplit(handler.path)
        raw = handler.rfile.read(int(handler.headers.get("content-length") or 0))
        asked = Asked(
            handler.command,
            parts.path,
            {name: values[-1] for name, values in parse_qs(parts.query).items()},
            {name.lower(): value for name, value in handler.headers.items()},
            json.loads(raw) if raw else None,
        )
        self.asked.append(asked)
        found = self.answer(asked)
        page = found if isinstance(found, Page) else Page(body=found)
        handler.send_response(page.status)
        for name, value in page.headers.items():
            handler.send_header(name, value)
        if page.status != 204:
            handler.send_header("content-length", str(len(page.raw)))
        handler.end_headers()
        handler.wfile.write(page.raw)
