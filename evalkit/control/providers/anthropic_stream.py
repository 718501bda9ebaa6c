"""A Messages reply from its events."""

from collections.abc import Sequence
from typing import Any

import msgspec

from evalkit.control.providers.answers import MalformedAnswer
from evalkit.control.providers.error_bodies import error_from
from evalkit.control.providers.event_streams import Event, StreamedError
from evalkit.control.providers.streaming import StreamProtocol
from evalkit.records.call import CallPiece, Piece


class _Delta(msgspec.Struct):
    type: str | None = None
    text: str | None = None
    partial_json: str | None = None
    stop_reason: str | None = None
    stop_details: Any = None


class _Event(msgspec.Struct):
    """As much of an event as is read."""

    type: str
    index: int = 0
    message: dict[str, Any] | None = None
    content_block: dict[str, Any] | None = None
    delta: _Delta | None = None
    usage: dict[str, Any] | None = None
    error: Any = None


_DECODER = msgspec.json.Decoder(_Event)


class MessageAssembler:
    """The usage at the start counts the input, and the one at the end all of it, cumulatively."""

    def __init__(self) -> None:
        """Nothing was said yet."""
        self.is_done = False
        self._message: dict[str, Any] = {}
        self._blocks: dict[int, dict[str, Any]] = {}
        self._call_of: dict[int, int] = {}
        self._end: _Delta | None = None
        self._used: dict[str, Any] = {}

    @property
    def is_whole(self) -> bool:
        """Whether it was said why the reply ends."""
        return self._end is not None

    def take(self, event: Event) -> Sequence[Piece]:
        """What an event adds; kinds that are not known yet add nothing."""
        read = _DECODER.decode(event.data)
        if read.type == "error":
            raise StreamedError(error_from(read.error))
        if read.type == "message_start":
            self._message = read.message or {}
        elif read.type == "content_block_start":
            return self._start(read.index, read.content_block or {})
        elif read.type == "content_block_delta":
            return self._add(read.index, read.delta or _Delta())
        elif read.type == "message_delta":
            if read.delta is not None and read.delta.stop_reason is not None:
                self._end = read.delta
            self._used |= {name: n for name, n in (read.usage or {}).items() if n is not None}
        elif read.type == "message_stop":
            self.is_done = True
        return ()

    def _start(self, index: int, block: dict[str, Any]) -> Sequence[Piece]:
        self._blocks[index] = dict(block)
        if block.get("type") == "tool_use":
            self._blocks[index] |= {"input": None, "partial_json": ""}
            call = self._call_of.setdefault(index, len(self._call_of))
            call_id, name = str(block.get("id") or ""), str(block.get("name") or "")
            return (Piece(call=CallPiece(index=call, id=call_id, name=name)),)
        text = block.get("text")
        return (Piece(text=text),) if isinstance(text, str) and text else ()

    def _add(self, index: int, delta: _Delta) -> Sequence[Piece]:
        block = self._blocks.get(index)
        if block is None:
            raise MalformedAnswer("the stream goes on with a block that it did not begin")
        if delta.type == "text_delta" and delta.text:
            block["text"] = (block.get("text") or "") + delta.text
            return (Piece(text=delta.text),)
        if delta.type == "input_json_delta" and index in self._call_of and delta.partial_json:
            block["partial_json"] += delta.partial_json
            call = CallPiece(index=self._call_of[index], arguments=delta.partial_json)
            return (Piece(call=call),)
        return ()

    def body(self) -> dict[str, Any]:
        """The message."""
        end = self._end or _Delta()
        usage = self._message.get("usage")
        return self._message | {
            "content": [self._blocks[index] for index in sorted(self._blocks)],
            "stop_reason": end.stop_reason,
            "stop_details": end.stop_details,
            # Without the last usage nobody has counted the reply.
            "usage": {**(usage or {}), **self._used} if "output_tokens" in self._used else None,
        }


MESSAGES_STREAM = StreamProtocol(assembler=MessageAssembler, settings={"stream": True})
