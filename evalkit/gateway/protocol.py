"""The connection below the application: limits on what comes before there is a request.

The server has none of its own for a head that never ends, and answers what it cannot parse in plain
text; clients of this gateway read JSON.
"""

import secrets
from asyncio import AbstractEventLoop, TimerHandle, Transport
from typing import Any

import msgspec
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from evalkit.config.gateway import GatewayRules
from evalkit.gateway.doors.openai_errors import error_body
from evalkit.gateway.exchange import refusal_headers
from evalkit.gateway.operation import RETRY_S, Operation
from evalkit.gateway.refusals import Refusal


class WholeAnswers(Transport):
    """Writes to a transport, the head of an answer together with what follows it: the server hands
    over one after the other, and every write is a packet that somebody is woken for."""

    def __init__(self, transport: Transport, loop: AbstractEventLoop) -> None:
        """A head that nothing follows leaves with the next turn of the `loop`."""
        super().__init__()
        self._transport = transport
        self._loop = loop
        self._head = b""

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Send it, behind what is held back."""
        if not self._head and data[-4:] == b"\r\n\r\n" and data[:9] == b"HTTP/1.1 ":
            self._head = bytes(data)
            self._loop.call_soon(self._flush)
            return
        head, self._head = self._head, b""
        self._transport.write(head + data if head else data)

    def _flush(self) -> None:
        if self._head:
            self.write(b"")

    def close(self) -> None:
        """Close it, once all is sent."""
        self._flush()
        self._transport.close()

    def is_closing(self) -> bool:
        """Whether it was closed."""
        return self._transport.is_closing()

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """What is known of it."""
        return self._transport.get_extra_info(name, default)


class GuardedProtocol(HttpToolsProtocol):
    """One connection. `operation` is set by the subclass that `guarded` makes."""

    operation: Operation
    _head_due: TimerHandle | None = None
    _head_bytes = 0
    _in_head = True

    @property
    def rules(self) -> GatewayRules:
        """The limits now."""
        return self.operation.rules

    def connection_made(self, transport: Transport) -> None:  # type: ignore[override]
        """Take it, or refuse it where there are too many."""
        super().connection_made(transport)
        self.transport = WholeAnswers(transport, self.loop)
        if len(self.connections) > self.rules.max_connections:
            self._refuse(_TOO_MANY)
            return
        self._expect_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Nobody waits for its head any more."""
        self._expect_no_head()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Count what belongs to a head; parse it as long as it is not too long."""
        if self.transport.is_closing():
            return
        if self._in_head:
            self._head_bytes += len(data)
            if self._head_due is None:
                self._expect_head()
        super().data_received(data)
        # the parser may have found the end of the head in these very bytes
        if self._in_head and self._head_bytes > self.rules.max_header_bytes:
            self._refuse(_TOO_LONG)

    def on_message_begin(self) -> None:
        """A head begins, perhaps of a request that was sent before the last one was answered."""
        self._in_head = True
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """The head is whole: a request, or one that has too much of it."""
        size = len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers)
        self._in_head = False
        self._head_bytes = 0
        self._expect_no_head()
        if len(self.headers) > self.rules.max_headers or size > self.rules.max_header_bytes:
            self._refuse(_TOO_LONG)
            return
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """A part of the body, unless its request was refused."""
        if not self.transport.is_closing():
            super().on_body(body)

    def on_message_complete(self) -> None:
        """The end of the body; what follows is the head of another request."""
        self._in_head = True
        if not self.transport.is_closing():
            super().on_message_complete()

    def send_400_response(self, msg: str) -> None:
        """What cannot be parsed as HTTP."""
        self._expect_no_head()
        if not self.transport.is_closing():
            self._refuse(_NO_HTTP)

    def _expect_head(self) -> None:
        self._head_due = self.loop.call_later(self.rules.header_timeout_s, self._late)

    def _expect_no_head(self) -> None:
        if self._head_due is not None:
            self._head_due.cancel()
            self._head_due = None

    def _late(self) -> None:
        self._head_due = None
        if self._in_head and not self.transport.is_closing():
            self.transport.close()

    def _refuse(self, refusal: Refusal) -> None:
        """Answer in place of the application, and close."""
        self._expect_no_head()
        id_ = secrets.token_hex(12)
        body = msgspec.json.encode(error_body(refusal, id_))
        headers = {
            "content-type": "application/json",
            "content-length": str(len(body)),
            "connection": "close",
            "x-request-id": id_,
            "request-id": id_,
        } | refusal_headers(refusal)
        phrase = _PHRASES[refusal.status]
        head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        self.transport.write(
            f"HTTP/1.1 {refusal.status} {phrase}\r\n{head}\r\n".encode("latin-1") + body
        )
        self.transport.close()


def guarded(operation: Operation) -> type[Any]:
    """The protocol with the limits that a process has at the moment."""
    return type("GuardedProtocol", (GuardedProtocol,), {"operation": operation})


_PHRASES = {
    400: "Bad Request",
    431: "Request Header Fields Too Large",
    503: "Service Unavailable",
}
_TOO_MANY = Refusal(
    status=503,
    kind="overloaded",
    code="too_many_connections",
    message="too many connections are open",
    retry=True,
    retry_after_s=RETRY_S,
)
_TOO_LONG = Refusal(
    status=431,
    kind="too_large",
    code="headers_too_large",
    message="the headers are too many or too long",
)
_NO_HTTP = Refusal(
    status=400,
    kind="invalid_request",
    code="invalid_request",
    message="this cannot be read as HTTP/1.1",
)
