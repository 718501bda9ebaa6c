"""The connection below the application: limits on what comes around a request, and on what leaves.

The server has none of its own for a head that never ends, for what stands between the chunks of a
body and behind them, and for a client that does not read. It leaves out the body of a request that
offers another protocol, and answers what it cannot parse in plain text; clients of this gateway
read JSON.
"""

import secrets
import sys
from asyncio import AbstractEventLoop, TimerHandle, Transport
from typing import Any

import httptools
import msgspec
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from evalkit.config.gateway import GatewayRules
from evalkit.gateway.doors.openai_errors import error_body
from evalkit.gateway.exchange import BREAK_OFF, refusal_headers
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
    _socket: Transport
    _answering: Any = None
    _head_due: TimerHandle | None = None
    _head_bytes = 0
    _in_head = True
    _body_due: TimerHandle | None = None
    _between_bytes = 0
    _offers_other = False
    _data = b""
    _unread: int | None = None

    @property
    def rules(self) -> GatewayRules:
        """The limits now."""
        return self.operation.rules

    def connection_made(self, transport: Transport) -> None:  # type: ignore[override]
        """Take it, or refuse it where there are too many."""
        super().connection_made(transport)
        self._socket = transport
        self.transport = WholeAnswers(transport, self.loop)
        if len(self.connections) > self.rules.max_connections:
            self._refuse(_TOO_MANY)
            return
        self._expect_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Nobody waits for it any more, and whoever answers it learns that nobody listens."""
        self._expect_no_head()
        self._expect_no_body()
        if (cycle := self._answering) is not None and not cycle.response_complete:
            # the server tells only the request that came last, which may wait behind this one
            cycle.disconnected = True
            cycle.message_event.set()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Count what belongs to a head; parse it as long as it is not too long."""
        if self.transport.is_closing():
            return
        if self._in_head:
            self._head_bytes += len(data)
            if self._head_due is None:
                self._expect_head()
        else:
            self._between_bytes += len(data)
        self._data = data
        super().data_received(data)
        self._between_bytes = max(0, self._between_bytes)
        if self._between_bytes > self.rules.max_header_bytes:
            self._refuse(_TOO_LONG)
        # the parser may have found the end of the head in these very bytes
        if self._in_head and self._head_bytes > self.rules.max_header_bytes:
            self._refuse(_TOO_LONG)

    def on_message_begin(self) -> None:
        """A head begins, perhaps of a request that was sent before the last one was answered."""
        self._in_head = True
        super().on_message_begin()

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header; what stands behind the body is none, whatever it is called."""
        if self._in_head:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """The head is whole: a request, or one that has too much of it."""
        if self.parser.should_upgrade() and self.parser.get_method() != b"CONNECT":
            self._offers_other = True  # it is read anew, see below
            return
        size = len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers)
        self._in_head = False
        # what came behind the head in the same bytes, about
        self._between_bytes = max(0, self._head_bytes - size - _LINE_BYTES)
        self._head_bytes = 0
        self._expect_no_head()
        if len(self.headers) > self.rules.max_headers or size > self.rules.max_header_bytes:
            self._refuse(_TOO_LONG)
            return
        self.scope["state"][BREAK_OFF] = self._socket.abort
        super().on_headers_complete()
        if 0 < len(self.pipeline) <= _MOST_BEHIND:
            # who does not read does not learn either that the client has left
            self.flow.resume_reading()

    def on_body(self, body: bytes) -> None:
        """A part of the body, unless its request was refused."""
        self._between_bytes -= len(body) + _CHUNK_BYTES
        if not self.transport.is_closing():
            super().on_body(body)

    def on_message_complete(self) -> None:
        """The end of the body; what follows is the head of another request."""
        if self._offers_other:
            return
        self._in_head = True
        self._between_bytes = 0
        self._expect_no_body()
        if not self.transport.is_closing():
            super().on_message_complete()

    def on_response_complete(self) -> None:
        """The answer is sent; what is left of the body has to come in time all the same."""
        super().on_response_complete()
        if self.cycle.response_complete and self.cycle.more_body:
            self._body_due = self.loop.call_later(self.rules.body_timeout_s, self._socket.close)

    def abort_if_stuck(self) -> None:
        """Break it off where it was closed and its client has read nothing since the last look.

        A transport that was closed waits for its client, however long that takes.
        """
        left = self._socket.get_write_buffer_size() if self._socket.is_closing() else None
        if left is not None and left == self._unread:
            self._socket.abort()
        self._unread = left

    def _start_asgi_task(self, cycle: Any, app: Any) -> None:
        self._answering = cycle
        super()._start_asgi_task(cycle, app)

    def _unsupported_upgrade_warning(self) -> None:
        """Read a request that offers another protocol as if it did not: Java's client offers HTTP/2
        with each.

        The parser leaves its body out; the exception that is being handled says where that begins.
        """
        stopped = sys.exc_info()[1]
        if stopped is None or not self._offers_other:
            return
        self._offers_other = False
        line = b"%s %s HTTP/1.1" % (self.parser.get_method(), self.url)
        kept = [b"%s: %s" % each for each in self.headers if each[0] not in _OFFERING]
        head = b"\r\n".join([line, *kept, b"", b""])
        self.parser = httptools.HttpRequestParser(self)
        self.parser.set_dangerous_leniencies(lenient_data_after_close=True)
        self.data_received(head + self._data[stopped.args[0] :])

    def send_400_response(self, msg: str) -> None:
        """What cannot be parsed as HTTP."""
        self._refuse(_NO_HTTP)

    def _expect_head(self) -> None:
        self._head_due = self.loop.call_later(self.rules.header_timeout_s, self._late)

    def _expect_no_head(self) -> None:
        if self._head_due is not None:
            self._head_due.cancel()
            self._head_due = None

    def _expect_no_body(self) -> None:
        if self._body_due is not None:
            self._body_due.cancel()
            self._body_due = None

    def _late(self) -> None:
        self._head_due = None
        if self._in_head and not self.transport.is_closing():
            self.transport.close()

    def _refuse(self, refusal: Refusal) -> None:
        """Answer in place of the application, and close."""
        self._expect_no_head()
        if self.transport.is_closing():
            return
        cycle = self._answering
        if cycle is not None and cycle.response_started and not cycle.response_complete:
            self._socket.abort()  # two answers in one would be neither
            return
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


# of a request's first line without its address, and of a chunk's head and end
_LINE_BYTES = 32
_CHUNK_BYTES = 20
# requests that are read although an earlier one is not answered yet
_MOST_BEHIND = 8
_OFFERING = (b"connection", b"upgrade", b"http2-settings")
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
