"""A response of OpenAI's Responses format from its events."""

from collections.abc import Sequence
from typing import Any

import msgspec

from evalkit.control.providers.error_bodies import error_from
from evalkit.control.providers.event_streams import Event, StreamedError
from evalkit.control.providers.streaming import StreamProtocol
from evalkit.records.call import CallPiece, Piece

_ENDS = frozenset({"response.completed", "response.incomplete", "response.failed"})


class _Event(msgspec.Struct):
    """As much of an event as is read."""

    type: str
    delta: str | None = None
    output_index: int = 0
    item: dict[str, Any] | None = None
    response: dict[str, Any] | None = None
    message: str | None = None
    code: str | None = None
    error: Any = None


_DECODER = msgspec.json.Decoder(_Event)
# Deltas are read by type: those of thoughts, of images and of tools of the vendor's are not ours.
_READ = frozenset(
    {
        "response.output_text.delta",
        "response.refusal.delta",
        "response.function_call_arguments.delta",
        "response.output_item.added",
        "response.output_item.done",
        "error",
        *_ENDS,
    }
)


class _Kind(msgspec.Struct):
    type: str


_KIND = msgspec.json.Decoder(_Kind)


class ResponseAssembler:
    """The last event holds the response itself; what came before is only passed on."""

    def __init__(self) -> None:
        """Nothing was said yet."""
        self._response: dict[str, Any] | None = None
        self._items: list[dict[str, Any]] = []
        self._call_of: dict[int, int] = {}

    @property
    def is_whole(self) -> bool:
        """Whether the response was given whole."""
        return self._response is not None

    @property
    def is_done(self) -> bool:
        """The same: nothing follows it."""
        return self.is_whole

    def take(self, event: Event) -> Sequence[Piece]:
        """What an event adds."""
        if event.data == "[DONE]" or _KIND.decode(event.data).type not in _READ:
            return ()
        read = _DECODER.decode(event.data)
        if read.type == "error":
            problem = read.error or {"message": read.message, "code": read.code}
            raise StreamedError(error_from(problem))
        if read.type in _ENDS:
            self._response = read.response
        elif read.type == "response.output_text.delta" and read.delta:
            return (Piece(text=read.delta),)
        elif read.type == "response.refusal.delta" and read.delta:
            return (Piece(refusal=read.delta),)
        elif read.type == "response.function_call_arguments.delta" and read.delta:
            index = self._call_of.get(read.output_index, 0)
            return (Piece(call=CallPiece(index=index, arguments=read.delta)),)
        elif read.item is not None:
            return self._item(read.type, read.item, read.output_index)
        return ()

    def _item(self, kind: str, item: dict[str, Any], output_index: int) -> Sequence[Piece]:
        if kind == "response.output_item.done":
            self._items.append(item)
        elif item.get("type") == "function_call":
            index = self._call_of.setdefault(output_index, len(self._call_of))
            call_id, name = str(item.get("call_id") or ""), str(item.get("name") or "")
            return (Piece(call=CallPiece(index=index, id=call_id, name=name)),)
        return ()

    def body(self) -> dict[str, Any]:
        """The response; a gateway that sends it without its output has sent it item by item."""
        response = self._response or {}
        return response if response.get("output") else response | {"output": self._items}


RESPONSES_STREAM = StreamProtocol(assembler=ResponseAssembler, settings={"stream": True})
