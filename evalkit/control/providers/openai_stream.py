"""A chat completion from its streamed chunks."""

from collections.abc import Sequence
from typing import Any

import msgspec

from evalkit.control.providers.error_bodies import error_from
from evalkit.control.providers.event_streams import Event, StreamedError
from evalkit.control.providers.guardrails import merge_filters
from evalkit.control.providers.streaming import StreamProtocol
from evalkit.records.call import CallPiece, Piece

END = "[DONE]"


class _Function(msgspec.Struct):
    name: str | None = None
    arguments: str | None = None


class _Call(msgspec.Struct):
    index: int | None = None
    id: str | None = None
    function: _Function | None = None


class _Delta(msgspec.Struct):
    content: str | None = None
    refusal: str | None = None
    tool_calls: list[_Call] | None = None


class _Choice(msgspec.Struct):
    index: int = 0
    delta: _Delta | None = None
    finish_reason: str | None = None
    content_filter_results: Any = None
    error: Any = None


class _Chunk(msgspec.Struct):
    """As much of a chunk as is read."""

    choices: list[_Choice] | None = None
    id: str | None = None
    model: str | None = None
    usage: Any = None
    prompt_filter_results: Any = None
    error: Any = None


_DECODER = msgspec.json.Decoder(_Chunk)


class ChatAssembler:
    """Puts the first choice together.

    The last chunk holds the usage alone, and after it stands `[DONE]`; some endpoints leave out
    either. A finish reason is the end all the same.
    """

    def __init__(self) -> None:
        """Nothing was said yet."""
        self.is_done = False
        self._text: list[str] = []
        self._refusal: list[str] = []
        self._calls: list[dict[str, Any]] = []
        self._call_of: dict[int, int] = {}
        self._finish_reason: str | None = None
        self._filters: dict[str, Any] = {}
        self._body: dict[str, Any] = {}

    @property
    def is_whole(self) -> bool:
        """Whether a finish reason was given."""
        return self._finish_reason is not None

    def take(self, event: Event) -> Sequence[Piece]:
        """What a chunk adds."""
        if event.data == END:
            self.is_done = True
            return ()
        chunk = _DECODER.decode(event.data)
        problem = chunk.error or (chunk.choices and chunk.choices[0].error)
        if problem:
            raise StreamedError(error_from(problem))
        for name in ("id", "model", "usage", "prompt_filter_results"):
            if value := getattr(chunk, name):
                self._body[name] = value
        pieces: list[Piece] = []
        for choice in chunk.choices or ():
            if choice.index == 0:
                self._finish_reason = choice.finish_reason or self._finish_reason
                merge_filters(self._filters, choice.content_filter_results)
                pieces += self._said(choice.delta or _Delta())
        return pieces

    def _said(self, delta: _Delta) -> list[Piece]:
        pieces: list[Piece] = []
        if delta.content:
            self._text.append(delta.content)
            pieces.append(Piece(text=delta.content))
        if delta.refusal:
            self._refusal.append(delta.refusal)
            pieces.append(Piece(refusal=delta.refusal))
        pieces += [Piece(call=self._called(call)) for call in delta.tool_calls or ()]
        return pieces

    def _called(self, call: _Call) -> CallPiece:
        """A piece of a call. Some endpoints give no index, others the same one to every call."""
        given = call.function or _Function()
        known = self._place(call, is_named=bool(given.name))
        if known is None:
            known = len(self._calls)
            function = {"name": "", "arguments": ""}
            self._calls.append({"id": "", "type": "function", "function": function})
        if call.index is not None:
            self._call_of[call.index] = known
        kept = self._calls[known]
        kept["id"] = kept["id"] or call.id or ""
        if given.name and not kept["function"]["name"]:
            kept["function"]["name"] = given.name
        kept["function"]["arguments"] += given.arguments or ""
        return CallPiece(
            index=known, id=call.id or "", name=given.name or "", arguments=given.arguments or ""
        )

    def _place(self, call: _Call, *, is_named: bool) -> int | None:
        """Which call a piece belongs to, None for a new one."""
        if call.index is not None:
            known = self._call_of.get(call.index)
        else:
            is_next = not self._calls or (is_named and not call.id)
            known = None if is_next else len(self._calls) - 1
        if known is not None and call.id and self._calls[known]["id"] not in ("", call.id):
            return None
        return known

    def body(self) -> dict[str, Any]:
        """The completion."""
        message: dict[str, Any] = {"content": "".join(self._text)}
        if self._refusal:
            message["refusal"] = "".join(self._refusal)
        if self._calls:
            message["tool_calls"] = self._calls
        choice = {
            "message": message,
            "finish_reason": self._finish_reason,
            "content_filter_results": self._filters,
        }
        return {**self._body, "choices": [choice]}


CHAT_STREAM = StreamProtocol(
    assembler=ChatAssembler,
    settings={"stream": True, "stream_options": {"include_usage": True}},
)
