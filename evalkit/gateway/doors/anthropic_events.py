"""A message as Anthropic streams it: blocks that open and close, one after the other."""

from typing import Any

from evalkit.gateway.doors.anthropic_words import error_body, stop_reason_of, usage_body
from evalkit.gateway.doors.sse import event
from evalkit.gateway.refusals import Refusal
from evalkit.records.call import CallPiece, Completion, Piece, Usage

_TEXT = -1  # of the text; calls are known by their index


class MessageEvents:
    """Writes the events of one message."""

    def __init__(self, id_: str, model: str) -> None:
        """`model` is what the client asked for: which one answers is known at the end."""
        self._id = id_
        self._model = model
        self._blocks = 0
        self._open: int | None = None

    def begin(self) -> bytes:
        """The frame of the message. What was used is told where it ends."""
        message: dict[str, Any] = {
            "id": self._id,
            "type": "message",
            "role": "assistant",
            "model": self._model,
            "content": [],
            "stop_reason": None,
            "stop_sequence": None,
            "usage": usage_body(Usage()),
        }
        return _named({"type": "message_start", "message": message})

    def piece(self, piece: Piece) -> bytes:
        """More text, a refusal's as well, or more of a call."""
        if piece.call is not None:
            return self._call(piece.call)
        text = piece.text or piece.refusal
        if not text:
            return b""
        opened = self._enter(_TEXT, {"type": "text", "text": ""})
        return opened + self._delta({"type": "text_delta", "text": text})

    def end(self, completion: Completion) -> bytes:
        """Why it ended and what was used."""
        reply = completion.reply
        delta = {"stop_reason": stop_reason_of(reply), "stop_sequence": None}
        last = {"type": "message_delta", "delta": delta, "usage": usage_body(reply.usage)}
        return self._close() + _named(last) + _named({"type": "message_stop"})

    def error(self, refusal: Refusal, request_id: str) -> bytes:
        """The error in the place of what was still to come."""
        return _named(error_body(refusal, request_id))

    def _call(self, call: CallPiece) -> bytes:
        block = {"type": "tool_use", "id": call.id, "name": call.name, "input": {}}
        opened = self._enter(call.index, block)
        if not call.arguments:
            return opened
        return opened + self._delta({"type": "input_json_delta", "partial_json": call.arguments})

    def _enter(self, which: int, block: dict[str, Any]) -> bytes:
        """Open a block where it is not the one that is open."""
        if self._open == which:
            return b""
        closed = self._close()
        self._open = which
        start = {"type": "content_block_start", "index": self._blocks, "content_block": block}
        return closed + _named(start)

    def _close(self) -> bytes:
        if self._open is None:
            return b""
        self._open = None
        self._blocks += 1
        return _named({"type": "content_block_stop", "index": self._blocks - 1})

    def _delta(self, delta: dict[str, Any]) -> bytes:
        return _named({"type": "content_block_delta", "index": self._blocks, "delta": delta})


def _named(body: dict[str, Any]) -> bytes:
    return event(body, name=body["type"])
