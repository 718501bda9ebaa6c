"""Bytes as they arrive to events, for the two ways that vendors stream.

Server-sent events are parsed by httpx-sse, Amazon's frames by botocore. Where the bytes are cut
makes no difference to either.
"""

import codecs
from collections.abc import AsyncGenerator, AsyncIterator
from typing import NamedTuple

from evalkit.control.providers.answers import MalformedAnswer
from evalkit.control.providers.error_bodies import ErrorBody

SSE = "text/event-stream"
AMAZON = "application/vnd.amazon.eventstream"


class Event(NamedTuple):
    """One event: its name, empty where a vendor gives none, and its JSON."""

    name: str
    data: str | bytes


class StreamedError(Exception):
    """An error that came in the place of the rest of a reply."""

    def __init__(self, error: ErrorBody) -> None:
        """Keep the error as the vendor wrote it."""
        self.error = error
        super().__init__(error.message)


async def read_sse(chunks: AsyncIterator[bytes]) -> AsyncGenerator[Event, None]:
    """Server-sent events; those without data (comments, pings) are left out. Raises
    UnicodeDecodeError for bytes that are no UTF-8."""
    import httpx
    from httpx_sse import EventSource

    sound = _utf_8(chunks)
    source = EventSource(httpx.Response(200, headers={"content-type": SSE}, content=sound))
    async for event in source.aiter_sse():
        if event.data:
            yield Event(event.event, event.data)


async def _utf_8(chunks: AsyncIterator[bytes]) -> AsyncGenerator[bytes, None]:
    """The same bytes without a byte order mark, which would hide the first event; what is no UTF-8
    raises, where httpx would put other letters for it."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    began, kept = False, b""
    async for chunk in chunks:
        decoder.decode(chunk)
        if not began:
            chunk = kept + chunk
            if len(chunk) < len(codecs.BOM_UTF8):
                kept = chunk
                continue
            began, chunk = True, chunk.removeprefix(codecs.BOM_UTF8)
        yield chunk
    decoder.decode(b"", final=True)


async def read_amazon(chunks: AsyncIterator[bytes]) -> AsyncGenerator[Event, None]:
    """Amazon's event stream. Raises StreamedError for an exception among its events, and
    MalformedAnswer for frames whose checksums do not fit."""
    from botocore.eventstream import EventStreamBuffer, ParserError

    buffer = EventStreamBuffer()
    async for chunk in chunks:
        buffer.add_data(chunk)
        try:
            for message in buffer:
                headers = message.headers
                if headers.get(":message-type") != "event":
                    raise StreamedError(_amazon_error(headers, message.payload))
                yield Event(str(headers.get(":event-type", "")), message.payload)
        except ParserError as error:
            raise MalformedAnswer(f"the stream is not whole: {error}") from None


def _amazon_error(headers: dict[str, object], payload: bytes) -> ErrorBody:
    """An exception has its name in a header, and its words in the payload or in another header."""
    from evalkit.control.providers.error_bodies import error_in

    name = str(headers.get(":exception-type") or headers.get(":error-code") or "")
    words = error_in(payload).message or str(headers.get(":error-message") or "")
    return ErrorBody(message=words, code=name[:1].upper() + name[1:])
