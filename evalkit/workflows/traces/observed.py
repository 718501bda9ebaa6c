"""What a stored session showed, as a case needs it: what was asked, what the world answered."""

import re
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import msgspec

from evalkit.control.telemetry import attributes as names
from evalkit.control.telemetry.describing import MOST_CONTENT
from evalkit.errors import Refused
from evalkit.records.asset import Role
from evalkit.records.call import Message, ToolCall
from evalkit.records.case import Document
from evalkit.records.json_text import decode_json, may_be_container
from evalkit.records.span import SessionTrace, Span

_CUT = re.compile(r" … \([0-9,]+ more characters\)")
_LONGEST_NOTE = 40


class ObservedCall(msgspec.Struct, frozen=True, kw_only=True):
    """A tool call and what came of it: `result`, or the tool's `error`; `told` is False where the
    trace does not know. `arguments` is None where they were no JSON object, or were cut."""

    name: str
    arguments: dict[str, Any] | None
    result: Any = None
    error: str | None = None
    told: bool = True


class Observed(msgspec.Struct, frozen=True, kw_only=True):
    """A session with content. Every text is redacted.

    `asked` are the messages of its first answered call, `says` what the user went on to say,
    `answer` and `asks_for` the text and the tool calls of its last answer. `calls` are all tool
    calls with their results, `documents` what retrieval gave, each once, `lost` the ids of those
    whose texts the trace does not hold. `blocked_by` is the rule that ended the session. `cut`
    names the parts that are too long to stand in a trace whole. `heard` are the messages of its
    last answered call, which is the whole conversation where `follows`: every call's messages go on
    from those of the call before.
    """

    asked: tuple[Message, ...]
    answer: str
    model: str
    prompt: str = ""
    says: tuple[str, ...] = ()
    asks_for: tuple[ToolCall, ...] = ()
    calls: tuple[ObservedCall, ...] = ()
    documents: tuple[Document, ...] = ()
    lost: tuple[str, ...] = ()
    blocked_by: str | None = None
    cut: tuple[str, ...] = ()
    heard: tuple[Message, ...] = ()
    follows: bool = True

    @property
    def all_calls(self) -> tuple[ToolCall, ...]:
        """What the model asked for in the whole conversation, its last answer included."""
        earlier = (call for message in self.heard for call in message.tool_calls)
        return (*earlier, *self.asks_for)


class _Part(msgspec.Struct, frozen=True, kw_only=True):
    """A text, a tool call, or a tool's result, as spans hold parts of messages."""

    type: str
    content: str = ""
    id: str = ""
    name: str = ""
    arguments: Any = None
    result: str = ""


class _Said(msgspec.Struct, frozen=True, kw_only=True):
    role: Role
    parts: tuple[_Part, ...] = ()


class _Named(msgspec.Struct, frozen=True, kw_only=True):
    id: str


class _Read(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    index: str
    text: str


def observe(trace: SessionTrace) -> Observed:
    """What the session showed. It has content and an answered call (`check_may_become_case`).

    Raises Refused for content that is not of the form that sessions write.
    """
    try:
        return _observe(trace)
    except msgspec.ValidationError as error:
        raise Refused(
            f"trace {trace.trace_id[:8]} holds content that cannot be read ({error}), so nothing "
            "can be made of it"
        ) from error


def _observe(trace: SessionTrace) -> Observed:
    chats = [span for span in trace.spans if span.operation == "chat" and span.error is None]
    heard = [_messages(chat.attributes.get(names.INPUT_MESSAGES)) for chat in chats]
    first, last = heard[0], heard[-1]
    answers = _messages(chats[-1].attributes.get(names.OUTPUT_MESSAGES))
    answer = answers[-1] if answers else Message(role="assistant", content="")
    calls = tuple(_calls(trace, chats))
    documents, lost = _documents(trace)
    return Observed(
        asked=first,
        says=tuple(each.content for each in last[len(first) :] if each.role == "user"),
        answer=answer.content,
        asks_for=answer.tool_calls,
        model=str(chats[-1].attributes.get(names.MODEL) or chats[-1].name),
        prompt=_prompt(trace),
        calls=calls,
        documents=documents,
        lost=lost,
        blocked_by=_blocked_by(trace),
        cut=tuple(_cut(first, last, answer, calls, documents)),
        heard=last,
        follows=all(after[: len(before)] == before for before, after in pairwise(heard)),
    )


def _prompt(trace: SessionTrace) -> str:
    about = trace.spans[0].attributes
    parts = (about.get(names.PROMPT_NAME), about.get(names.PROMPT_VERSION))
    return "@".join(str(part) for part in parts if part)


def _messages(stored: Any) -> tuple[Message, ...]:
    """Messages as spans hold them, back as such. Raises msgspec.ValidationError."""
    return tuple(map(_message, msgspec.convert(stored or [], list[_Said])))


def _message(said: _Said) -> Message:
    text, calls, answers = "", [], ""
    for part in said.parts:
        if part.type == "text":
            text += part.content
        elif part.type == "tool_call":
            calls.append(ToolCall(id=part.id, name=part.name, arguments=_object(part.arguments)))
        else:
            text, answers = part.result, part.id
    return Message(role=said.role, content=text, tool_calls=tuple(calls), tool_call_id=answers)


def _object(value: Any) -> dict[str, Any] | None:
    return value if isinstance(value, dict) else None


def _calls(trace: SessionTrace, chats: list[Span]) -> Iterator[ObservedCall]:
    """Tool calls in their order: those that went through the session, then those whose results only
    stand in the messages that a model got. A call that was denied was never made."""
    seen = set()
    for span in trace.spans:
        if span.operation != "execute_tool":
            continue
        about = span.attributes
        seen.add(str(about.get(names.TOOL_CALL_ID, "")))
        if span.error is not None and span.error != "tool_error":
            continue
        yield ObservedCall(
            name=str(about.get(names.TOOL_NAME, span.name)),
            arguments=_object(about.get(names.TOOL_ARGUMENTS, {})),
            result=about.get(names.TOOL_RESULT),
            error=span.message if span.error is not None else None,
            told=span.error is not None or names.TOOL_RESULT in about,
        )
    for chat in chats:
        made: dict[str, ToolCall] = {}
        for message in _messages(chat.attributes.get(names.INPUT_MESSAGES)):
            made.update((call.id, call) for call in message.tool_calls)
            call = made.get(message.tool_call_id) if message.role == "tool" else None
            if call is not None and call.id not in seen:
                seen.add(call.id)
                yield ObservedCall(
                    name=call.name, arguments=call.arguments, result=_value(message.content)
                )


def _value(text: str) -> Any:
    """The JSON that a result was written as; a text that is none stays one."""
    if not may_be_container(text):
        return text
    try:
        return decode_json(text)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return text


def _documents(trace: SessionTrace) -> tuple[tuple[Document, ...], tuple[str, ...]]:
    found: dict[str, Document] = {}
    named: dict[str, None] = {}
    for span in trace.spans:
        if span.operation != "retrieval":
            continue
        about = span.attributes
        for one in msgspec.convert(about.get(names.RETRIEVED, []), list[_Named]):
            named[one.id] = None
        for each in msgspec.convert(about.get(names.RETRIEVED_TEXTS, []), list[_Read]):
            # without its scopes: whoever had them is only known by a pseudonym
            found.setdefault(each.id, Document(id=each.id, index=each.index, text=each.text))
    return tuple(found.values()), tuple(name for name in named if name not in found)


def _blocked_by(trace: SessionTrace) -> str | None:
    if trace.error != "PolicyBlocked":
        return None
    denied = [each.rule for each in trace.decisions if each.outcome == "denied"]
    return denied[-1] if denied else None


def _cut(
    first: tuple[Message, ...],
    last: tuple[Message, ...],
    answer: Message,
    calls: tuple[ObservedCall, ...],
    documents: tuple[Document, ...],
) -> Iterator[str]:
    """The parts that were cut when they were written."""
    for message in (*first, *last[len(first) :]):
        if _is_cut(message.content):
            yield f"a message of the {message.role}"
    if _is_cut(answer.content):
        yield "the answer"
    for call in calls:
        name = call.name[:_LONGEST_NOTE]
        if call.arguments is None:
            yield f"the arguments of a call of {name}"
        if _is_cut(call.result):
            yield f"a result of {name}"
    for document in documents:
        if _is_cut(document.text):
            yield f"the document {document.id[:_LONGEST_NOTE]}"


def _is_cut(value: Any) -> bool:
    long = isinstance(value, str) and len(value) > MOST_CONTENT
    return long and _CUT.fullmatch(value, MOST_CONTENT) is not None
