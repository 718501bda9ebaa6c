"""A Converse reply from its events."""

from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

import msgspec

from evalkit.control.providers.event_streams import AMAZON, Event, read_amazon
from evalkit.control.providers.protocol import below
from evalkit.control.providers.streaming import StreamProtocol
from evalkit.records.call import CallPiece, Piece


class _ToolUse(msgspec.Struct, rename="camel"):
    tool_use_id: str | None = None
    name: str | None = None
    input: str | None = None


class _Part(msgspec.Struct, rename="camel"):
    text: str | None = None
    tool_use: _ToolUse | None = None


class _Event(msgspec.Struct, rename="camel"):
    """As much of an event's payload as is read; which members it has, its name says."""

    content_block_index: int = 0
    start: _Part | None = None
    delta: _Part | None = None
    stop_reason: str | None = None
    usage: Any = None
    trace: Any = None


_DECODER = msgspec.json.Decoder(_Event)


class ConverseAssembler:
    """Usage and the guardrails' trace come last, after the end of the message."""

    def __init__(self) -> None:
        """Nothing was said yet."""
        self.is_done = False
        self._blocks: dict[int, dict[str, Any]] = {}
        self._call_of: dict[int, int] = {}
        self._stop_reason: str | None = None
        self._body: dict[str, Any] = {}

    @property
    def is_whole(self) -> bool:
        """Whether it was said why the message ends."""
        return self._stop_reason is not None

    def take(self, event: Event) -> Sequence[Piece]:
        """What an event adds; kinds that are not known yet add nothing."""
        if event.name == "contentBlockStart":
            read = _DECODER.decode(event.data)
            return self._start(read.content_block_index, read.start or _Part())
        if event.name == "contentBlockDelta":
            read = _DECODER.decode(event.data)
            return self._add(read.content_block_index, read.delta or _Part())
        if event.name == "messageStop":
            self._stop_reason = _DECODER.decode(event.data).stop_reason or "end_turn"
        elif event.name == "metadata":
            read = _DECODER.decode(event.data)
            self._body |= {"usage": read.usage, "trace": read.trace}
            self.is_done = True
        return ()

    def _start(self, index: int, start: _Part) -> Sequence[Piece]:
        if start.tool_use is None:
            return ()
        call_id, name = start.tool_use.tool_use_id or "", start.tool_use.name or ""
        use = {"toolUseId": call_id, "name": name, "partialJson": ""}
        self._blocks[index] = {"toolUse": use}
        call = self._call_of.setdefault(index, len(self._call_of))
        return (Piece(call=CallPiece(index=call, id=call_id, name=name)),)

    def _add(self, index: int, delta: _Part) -> Sequence[Piece]:
        """Texts begin without a start of their own."""
        if delta.text:
            block = self._blocks.setdefault(index, {"text": ""})
            block["text"] = block.get("text", "") + delta.text
            return (Piece(text=delta.text),)
        if delta.tool_use is not None and delta.tool_use.input and index in self._call_of:
            self._blocks[index]["toolUse"]["partialJson"] += delta.tool_use.input
            call = CallPiece(index=self._call_of[index], arguments=delta.tool_use.input)
            return (Piece(call=call),)
        return ()

    def body(self) -> dict[str, Any]:
        """The reply."""
        content = [self._blocks[index] for index in sorted(self._blocks)]
        message = {"role": "assistant", "content": content}
        return {**self._body, "output": {"message": message}, "stopReason": self._stop_reason}


def stream_url_of(base_url: str, model: str) -> str:
    """Where a model is asked for a stream."""
    return below(base_url, f"/model/{quote(model, safe=':')}/converse-stream")


CONVERSE_STREAM = StreamProtocol(
    assembler=ConverseAssembler,
    url_of=stream_url_of,
    settings={},
    accept=AMAZON,
    events=read_amazon,
    needs=("botocore", "bedrock"),
)
