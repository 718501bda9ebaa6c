"""A server that repeats the headers of every request wherever it can, keys and all."""

import json
import threading
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Body = dict[str, Any]


def _chat(text: str) -> Body:
    call = {"id": text[:60], "type": "function", "function": {"name": "f", "arguments": text}}
    message = {"role": "assistant", "content": text, "tool_calls": [call]}
    return {
        "id": text,
        "model": text,
        "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
    }


def _response(text: str) -> Body:
    content = [{"type": "output_text", "text": text}]
    item = {"type": "message", "role": "assistant", "content": content}
    return {"id": text, "model": text, "status": "completed", "output": [item]}


def _message(text: str) -> Body:
    content = [{"type": "text", "text": text}]
    return {"id": text, "type": "message", "model": text, "content": content}


def _generated(text: str) -> Body:
    content = {"parts": [{"text": text}]}
    candidate = {"content": content, "finishReason": "STOP"}
    return {"candidates": [candidate], "modelVersion": text, "responseId": text}


def _converse(text: str) -> Body:
    message = {"role": "assistant", "content": [{"text": text}]}
    return {"output": {"message": message}, "stopReason": "end_turn"}


# How a request is recognised, and how its format says a text.
FORMATS: tuple[tuple[str, Callable[[str], Body]], ...] = (
    ("/chat/completions", _chat),
    ("/responses", _response),
    ("/messages", _message),
    (":generateContent", _generated),
    ("/converse", _converse),
)


class EchoingServer:
    """Serves in a thread on a free loopback port between `start` and `stop`.

    What a request gets is told by the first of `acts` whose name is in its body: a status, or
    `broken` for half a body, `page` for a page of HTML; all others get a reply. `on_request` hears
    of each one before it is answered.
    """

    def __init__(self, acts: Mapping[str, int | str]) -> None:
        self.acts = acts
        self.seen: list[Mapping[str, str]] = []
        self.on_request: Callable[[], None] = lambda: None
        echoing = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                raw = self.rfile.read(int(self.headers["content-length"])).decode()
                echoing.seen.append(dict(self.headers.items()))
                echoing.on_request()
                text = "\n".join(f"{name}: {value}" for name, value in self.headers.items())
                status, body, kind = echoing.answer(self.path, raw, text)
                self.send_response(status)
                self.send_header("content-type", kind)
                for name in ("x-request-id", "request-id", "apim-request-id", "x-amzn-requestid"):
                    self.send_header(name, text.replace("\n", " "))
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: Any) -> None:
                return None

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    def answer(self, path: str, asked: str, text: str) -> tuple[int, bytes, str]:
        """Status, body and content type."""
        say = next(say for mark, say in FORMATS if mark in path)
        act = next((act for words, act in self.acts.items() if words in asked), None)
        if act is None:
            return 200, json.dumps(say(text)).encode(), "application/json"
        if act == "broken":
            return 200, json.dumps(say(text)).encode()[:-5], "application/json"
        if act == "page":
            return 502, f"<html><title>{text}</title></html>".encode(), "text/html"
        error = {"message": text, "type": text, "code": text, "status": text}
        return int(act), json.dumps({"error": error, "message": text}).encode(), "application/json"

    @property
    def url(self) -> str:
        """The origin."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def start(self) -> "EchoingServer":
        self._thread.start()
        return self

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(10)
