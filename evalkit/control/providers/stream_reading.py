"""Reading one streamed reply: its pieces while they arrive, and what is known when they end."""

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing

import msgspec

from evalkit.control.providers.answers import MalformedAnswer
from evalkit.control.providers.error_bodies import ErrorBody
from evalkit.control.providers.event_streams import StreamedError
from evalkit.control.providers.streaming import StreamProtocol
from evalkit.ports import HttpStream
from evalkit.records.call import Piece


def is_stream(reply: HttpStream, way: StreamProtocol) -> bool:
    """Whether the body is a stream: a success that does not say that it is something else."""
    kind = reply.headers.get("content-type", "").partition(";")[0].strip().lower()
    return 200 <= reply.status < 300 and kind in ("", way.accept)


class StreamReading:
    """Reads a stream to its end, which is told by the format or by the bytes.

    Afterwards `error` is an error that came in the place of the rest, and `malformed` says what
    was no event of the format; `has_said` tells that something of the reply had come.
    """

    def __init__(self, way: StreamProtocol) -> None:
        """Nothing is read yet."""
        self._way = way
        self._assembler = way.assembler()
        self.events = 0
        self.has_said = False
        self.error: ErrorBody | None = None
        self.malformed: str | None = None

    @property
    def is_whole(self) -> bool:
        """Whether the end of the reply was seen."""
        return self._assembler.is_whole

    def body(self) -> bytes:
        """The whole reply, as it would have come without streaming."""
        return msgspec.json.encode(self._assembler.body())

    async def pieces(self, chunks: AsyncIterator[bytes]) -> AsyncGenerator[Piece, None]:
        """The pieces as they arrive. Raises what `chunks` raises."""
        try:
            async with aclosing(self._way.events(chunks)) as events:
                async for event in events:
                    self.events += 1
                    for piece in self._assembler.take(event):
                        self.has_said = True
                        yield piece
                    if self._assembler.is_done:
                        return
        except StreamedError as error:
            self.error = error.error
        except (MalformedAnswer, msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            self.malformed = str(error)
