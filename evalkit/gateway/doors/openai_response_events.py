"""A response as OpenAI streams it: items and parts that open, grow and close, all numbered."""

from typing import Any

from evalkit.gateway.asked import Asked
from evalkit.gateway.doors.openai_errors import error_body
from evalkit.gateway.doors.openai_response_body import (
    call_item,
    frame_of,
    message_item,
    response_body,
    text_part,
)
from evalkit.gateway.doors.sse import event
from evalkit.gateway.refusals import Refusal
from evalkit.records.call import CallPiece, Completion, Piece, ToolCall


class ResponseEvents:
    """Writes the events of one response."""

    def __init__(self, asked: Asked, id_: str, at: int) -> None:
        """`id_` is the response's, `at` when it began in seconds since 1970."""
        self._asked, self._id, self._at = asked, id_, at
        self._number = -1
        self._items = 0
        self._text = ""
        self._refusal = ""
        self._call: ToolCall | None = None
        self._index = -1
        self._arguments = ""
        self._calls = 0

    def begin(self) -> bytes:
        """That it was created and is under way."""
        frame = frame_of(self._asked, id_=self._id, at=self._at)
        return self._event("response.created", response=frame) + self._event(
            "response.in_progress", response=frame
        )

    def piece(self, piece: Piece) -> bytes:
        """More text, more of a refusal, or more of a call."""
        if piece.call is not None:
            return self._close_message() + self._grow_call(piece.call)
        if piece.refusal:
            closed = b"" if self._refusal else self._close_message() + self._close_call()
            opened = (
                b"" if self._refusal else self._open_message({"type": "refusal", "refusal": ""})
            )
            self._refusal += piece.refusal
            return closed + opened + self._part("response.refusal.delta", delta=piece.refusal)
        if not piece.text:
            return b""
        closed = b"" if self._text else self._close_message() + self._close_call()
        opened = b"" if self._text else self._open_message(text_part(""))
        self._text += piece.text
        delta = self._part("response.output_text.delta", delta=piece.text, logprobs=[])
        return closed + opened + delta

    def end(self, completion: Completion) -> bytes:
        """The whole response."""
        body = response_body(self._asked, completion, id_=self._id, at=self._at)
        closed = self._close_message() + self._close_call()
        return closed + self._event(f"response.{body['status']}", response=body)

    def error(self, refusal: Refusal, request_id: str) -> bytes:
        """That it failed, and the error, which clients of this format raise as theirs."""
        error = error_body(refusal, request_id)["error"]
        failed = frame_of(self._asked, id_=self._id, at=self._at) | {
            "status": "failed",
            "error": {"code": "server_error", "message": refusal.message},
        }
        told = self._event("response.failed", response=failed)
        about = {key: error[key] for key in ("code", "message", "param")}
        return told + self._event("error", **about, error=error)

    def _open_message(self, part: dict[str, Any]) -> bytes:
        item = message_item(self._id, None, status="in_progress")
        return self._item("response.output_item.added", item) + self._part(
            "response.content_part.added", part=part
        )

    def _close_message(self) -> bytes:
        text, refusal = self._text, self._refusal
        if not (text or refusal):
            return b""
        self._text = self._refusal = ""
        if text:
            part = text_part(text)
            done = self._part("response.output_text.done", text=text, logprobs=[])
        else:
            part = {"type": "refusal", "refusal": refusal}
            done = self._part("response.refusal.done", refusal=refusal)
        done += self._part("response.content_part.done", part=part)
        done += self._item("response.output_item.done", message_item(self._id, part))
        self._items += 1
        return done

    def _grow_call(self, piece: CallPiece) -> bytes:
        opened = b""
        if self._call is None or piece.index != self._index:
            opened = self._close_call()
            self._index = piece.index
            self._call = ToolCall(id=piece.id, name=piece.name, arguments=None)
            item = call_item(self._id, self._calls, self._call, status="in_progress")
            opened += self._item("response.output_item.added", item)
        if not piece.arguments:
            return opened
        self._arguments += piece.arguments
        return opened + self._of_call(
            "response.function_call_arguments.delta", delta=piece.arguments
        )

    def _close_call(self) -> bytes:
        if self._call is None:
            return b""
        call = ToolCall(id=self._call.id, name=self._call.name, arguments=None, raw=self._arguments)
        done = self._of_call(
            "response.function_call_arguments.done", arguments=self._arguments, name=call.name
        )
        done += self._item("response.output_item.done", call_item(self._id, self._calls, call))
        self._call, self._arguments = None, ""
        self._calls += 1
        self._items += 1
        return done

    def _part(self, kind: str, **about: Any) -> bytes:
        item_id = message_item(self._id, None)["id"]
        return self._event(
            kind, item_id=item_id, output_index=self._items, content_index=0, **about
        )

    def _of_call(self, kind: str, **about: Any) -> bytes:
        assert self._call is not None
        item_id = call_item(self._id, self._calls, self._call, status="in_progress")["id"]
        return self._event(kind, item_id=item_id, output_index=self._items, **about)

    def _item(self, kind: str, item: dict[str, Any]) -> bytes:
        return self._event(kind, output_index=self._items, item=item)

    def _event(self, kind: str, **about: Any) -> bytes:
        self._number += 1
        return event({"type": kind, "sequence_number": self._number} | about, name=kind)
