"""What a wire format is when its reply is streamed: another address or body, and an assembler.

An assembler puts the events together into the body that would have come without streaming, so that
one function reads both, and both say the same.
"""

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence
from typing import Any, Protocol

import msgspec

from evalkit.control.providers.event_streams import SSE, Event, read_sse
from evalkit.records.call import Piece


class Assembler(Protocol):
    """Puts one reply together."""

    @property
    def is_whole(self) -> bool:
        """Whether the end of the reply was seen."""

    @property
    def is_done(self) -> bool:
        """Whether nothing more is to come."""

    def take(self, event: Event) -> Sequence[Piece]:
        """What an event adds. Raises StreamedError, MalformedAnswer and msgspec's errors."""

    def body(self) -> dict[str, Any]:
        """The whole reply, as it would have come without streaming."""


class StreamProtocol(msgspec.Struct, frozen=True, kw_only=True):
    """How a format streams.

    `url_of(base_url, model)` is where it is asked, None where that is no other place; `settings`
    stand in the body beside all others. `events` reads the bytes; `needs` is the module that it
    needs and its extra, where not everybody has it.
    """

    assembler: Callable[[], Assembler]
    url_of: Callable[[str, str], str] | None = None
    settings: Mapping[str, Any]
    accept: str = SSE
    events: Callable[[AsyncIterator[bytes]], AsyncGenerator[Event, None]] = read_sse
    needs: tuple[str, str] | None = None
