"""OPA's data API over real Rego: policies are put in as modules, documents are asked for by POST.

It answers as the published REST API says: `{"result": …}`, `{}` for what is undefined, a `code` and
a `message` with a status of 400 or 401. It evaluates with evalkit's own engine, in a process of
its own, so it stands for the protocol and not for another implementation of the language.
"""

import json
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

_ENGINE = Path(__file__).with_name("opa_engine.py")


class OpaServer:
    """Serves in a thread on a free loopback port between `start` and `stop`.

    With a `token` it wants it as bearer; `asked` are the input documents that came.
    """

    def __init__(self, modules: dict[str, str], *, token: str | None = None) -> None:
        self.modules = modules
        self.token = token
        self.asked: list[dict[str, Any]] = []
        opa = self
        lock = threading.Lock()

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["content-length"])))
                with lock:
                    status, answer = opa.answer(self.path, dict(self.headers), body)
                raw = json.dumps(answer).encode()
                self.send_response(status)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(raw)))
                self.end_headers()
                self.wfile.write(raw)

            def log_message(self, format: str, *args: Any) -> None:
                return None

        self._engine = subprocess.Popen(
            [sys.executable, "-I", str(_ENGINE)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def start(self) -> "OpaServer":
        self._thread.start()
        return self

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(10)
        self._engine.communicate()

    def answer(
        self, path: str, headers: dict[str, str], body: dict[str, Any]
    ) -> tuple[int, dict[str, Any]]:
        given = {name.lower(): value for name, value in headers.items()}.get("authorization")
        if self.token is not None and given != f"Bearer {self.token}":
            return 401, {"code": "unauthorized", "message": "request rejected by policy"}
        if not path.startswith("/v1/data/"):
            return 404, {"code": "resource_not_found", "message": path}
        self.asked.append(body["input"])
        query = "data." + path.removeprefix("/v1/data/").replace("/", ".")
        found = self._evaluated({"modules": self.modules, "input": body["input"], "query": query})
        if "error" in found:
            return 500, {"code": "internal_error", "message": found["error"]}
        return 200, found

    def _evaluated(self, asked: dict[str, Any]) -> dict[str, Any]:
        assert self._engine.stdin and self._engine.stdout
        self._engine.stdin.write(json.dumps(asked) + "\n")
        self._engine.stdin.flush()
        answer: dict[str, Any] = json.loads(self._engine.stdout.readline())
        return answer
