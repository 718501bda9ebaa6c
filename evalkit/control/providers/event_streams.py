"""Bytes as they arrive to events, for the two ways that vendors stream.

Server-sent events are parsed by httpx-sse, Amazon's frames by botocore. Where the bytes are cut
makes no difference to either.
"""

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
    """Server-sent events; those without data (comments, pings) are left out."""
    import httpx
    from httpx_sse import EventSource

    source = EventSource(httpx.Response(200, headers={"content-type": SSE}, content=chunks))
    async for event in source.aiter_sse():
        if event.data:
            yield Event(event.event, event.data)


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
