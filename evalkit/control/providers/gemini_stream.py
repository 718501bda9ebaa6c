"""A generateContent reply from its streamed chunks, each of which is one of its own."""

from collections.abc import Sequence
from typing import Any
from urllib.parse import quote, urlsplit, urlunsplit

import msgspec

from evalkit.control.providers.answers import MalformedAnswer
from evalkit.control.providers.event_streams import Event, StreamedError
from evalkit.control.providers.gemini_errors import google_error
from evalkit.control.providers.protocol import below
from evalkit.control.providers.streaming import StreamProtocol
from evalkit.records.call import CallPiece, Piece


class _Content(msgspec.Struct):
    parts: list[dict[str, Any]] | None = None


class _Candidate(msgspec.Struct, rename="camel"):
    index: int = 0
    content: _Content | None = None
    finish_reason: str | None = None
    finish_message: str | None = None
    safety_ratings: list[Any] | None = None


class _Chunk(msgspec.Struct, rename="camel"):
    """As much of a chunk as is read."""

    candidates: list[_Candidate] | None = None
    prompt_feedback: Any = None
    usage_metadata: Any = None
    model_version: str | None = None
    response_id: str | None = None
    error: Any = None


_DECODER = msgspec.json.Decoder(_Chunk)
_LAST = {
    "prompt_feedback": "promptFeedback",
    "usage_metadata": "usageMetadata",
    "model_version": "modelVersion",
    "response_id": "responseId",
}


class ContentAssembler:
    """Puts the first candidate together. Usage is counted anew in every chunk, the last one holds;
    the stream just ends."""

    is_done = False

    def __init__(self) -> None:
        """Nothing was said yet."""
        self._parts: list[dict[str, Any]] = []
        self._candidate: dict[str, Any] = {}
        self._ratings: list[Any] = []
        self._body: dict[str, Any] = {}
        self._calls = 0

    @property
    def is_whole(self) -> bool:
        """Whether it was said why the reply ends, or why there is none."""
        feedback = self._body.get("promptFeedback")
        is_blocked = isinstance(feedback, dict) and bool(feedback.get("blockReason"))
        return "finishReason" in self._candidate or is_blocked

    def take(self, event: Event) -> Sequence[Piece]:
        """What a chunk adds."""
        chunk = _DECODER.decode(event.data)
        if chunk.error:
            raise StreamedError(google_error(chunk.error))
        for name, there in _LAST.items():
            if value := getattr(chunk, name):
                self._body[there] = value
        pieces: list[Piece] = []
        for candidate in chunk.candidates or ():
            if candidate.index != 0:
                continue
            if candidate.finish_reason:
                self._candidate["finishReason"] = candidate.finish_reason
            self._ratings += candidate.safety_ratings or ()
            for part in (candidate.content.parts if candidate.content else None) or ():
                self._parts.append(part)
                pieces += self._said(part)
        return pieces

    def _said(self, part: dict[str, Any]) -> list[Piece]:
        call, text = part.get("functionCall"), part.get("text")
        if isinstance(call, dict):
            name, call_id = call.get("name"), call.get("id") or ""
            if not isinstance(name, str) or not isinstance(call_id, str):
                raise MalformedAnswer("a tool call of the reply names no tool")
            self._calls += 1
            arguments = msgspec.json.encode(call.get("args") or {}).decode()
            index = self._calls - 1
            return [Piece(call=CallPiece(index=index, id=call_id, name=name, arguments=arguments))]
        if isinstance(text, str) and text and not part.get("thought"):
            return [Piece(text=text)]
        return []

    def body(self) -> dict[str, Any]:
        """The reply."""
        if not self._candidate and not self._parts:
            return self._body
        candidate = {"content": {"parts": self._parts}, "safetyRatings": self._ratings}
        return {**self._body, "candidates": [candidate | self._candidate]}


def stream_url_of(base_url: str, model: str) -> str:
    """Where a model is asked for a stream of server-sent events."""
    parts = urlsplit(below(base_url, f"/models/{quote(model, safe='')}:streamGenerateContent"))
    query = f"{parts.query}&" * bool(parts.query) + "alt=sse"
    return urlunsplit(parts._replace(query=query))


CONTENT_STREAM = StreamProtocol(assembler=ContentAssembler, url_of=stream_url_of, settings={})
