"""OpenAI's Responses: what a client sends, and what it gets back. Nothing is stored."""

from collections.abc import Iterator
from typing import Any

from evalkit.gateway.asked import Asked
from evalkit.gateway.door import AnswerStream
from evalkit.gateway.doors.openai_errors import error_body
from evalkit.gateway.doors.openai_form import read_choice, read_function, read_output
from evalkit.gateway.doors.openai_response_body import response_body
from evalkit.gateway.doors.openai_response_events import ResponseEvents
from evalkit.gateway.doors.reading import Fields, call_of, read_body, text_of_parts
from evalkit.gateway.refusals import Refusal, unreadable
from evalkit.records.asset import Output, Role, Tool
from evalkit.records.call import Completion, Message, ToolCall

_PARAMS = {
    "max_output_tokens": "max_tokens",
    "temperature": "temperature",
    "top_p": "top_p",
    "parallel_tool_calls": "parallel_tool_calls",
}
_ROLES: dict[str, Role] = {
    "system": "system",
    "developer": "system",
    "user": "user",
    "assistant": "assistant",
}
_PARTS = ("input_text", "output_text", "text")


class Responses:
    """The door at /v1/responses."""

    path = "/v1/responses"

    def read(self, body: bytes) -> Asked:
        """The request. Raises Declined."""
        fields = read_body(body)
        params: dict[str, Any] = {}
        fields.move(_PARAMS, params)
        if (choice := read_choice(fields.take("tool_choice"), wrapped=False)) is not None:
            params["tool_choice"] = choice
        for name, allowed in (
            ("store", (False,)),
            ("background", (False,)),
            ("truncation", ("disabled",)),
            ("service_tier", ("auto", "default")),
            ("metadata", ({},)),
            ("include", ([],)),
        ):
            fields.only(name, *allowed)
        if (reasoning := fields.take("reasoning")) is not None:
            given = Fields(reasoning, "reasoning")
            given.move({"effort": "reasoning_effort"}, params)
            given.done()
        tools = [_tool(Fields(item, path)) for path, item in fields.items("tools")]
        instructions = fields.text_or("instructions", "")
        told = [Message(role="system", content=instructions)] if instructions else []
        asked = Asked(
            model=fields.text("model"),
            messages=(*told, *_input(fields)),
            tools=tuple(tool for tool, _ in tools),
            params=params,
            output=_output(fields.take("text"), params),
            stream=fields.flag("stream"),
            end_user=fields.text_or("user", "") or fields.text_or("safety_identifier", ""),
            strict=frozenset(tool.name for tool, is_strict in tools if is_strict),
        )
        if (options := fields.take("stream_options")) is not None:
            given = Fields(options, "stream_options")
            given.only("include_obfuscation", False)
            given.done()
        fields.done()
        return asked

    def answer(self, asked: Asked, completion: Completion, *, request_id: str, at: int) -> Any:
        """A response."""
        return response_body(asked, completion, id_=f"resp_{request_id}", at=at)

    def stream(self, asked: Asked, *, request_id: str, at: int) -> AnswerStream:
        """Its events."""
        return ResponseEvents(asked, f"resp_{request_id}", at)

    def error(self, refusal: Refusal, request_id: str) -> Any:
        """OpenAI's error object."""
        return error_body(refusal, request_id)


def _input(fields: Fields) -> tuple[Message, ...]:
    """The turns; calls that follow each other are one turn of the model's."""
    value = fields.take("input")
    if isinstance(value, str):
        return (Message(role="user", content=value),)
    if not isinstance(value, list) or not value:
        raise unreadable("input has to be a text, or a list of at least one item", "input")
    messages: list[Message] = []
    for message in _items(value):
        last = messages[-1] if messages else None
        if last is not None and message.tool_calls and last.role == "assistant":
            message = Message(
                role="assistant",
                content=last.content,
                tool_calls=(*last.tool_calls, *message.tool_calls),
            )
            messages.pop()
        messages.append(message)
    return tuple(messages)


def _items(value: list[Any]) -> Iterator[Message]:
    for number, item in enumerate(value):
        fields = Fields(item, f"input[{number}]")
        kind = fields.text_or("type", "message")
        if kind == "message":
            yield _message(fields)
        elif kind == "function_call":
            yield Message(role="assistant", content="", tool_calls=(_call(fields),))
        elif kind == "function_call_output":
            output = text_of_parts(fields.take("output"), fields.at("output"), _PARTS)
            yield Message(role="tool", content=output, tool_call_id=fields.text("call_id"))
        else:
            message = f"{fields.path}: an item of type {kind!r} cannot be translated"
            raise unreadable(message, fields.path)
        # what a response called its item: there is nothing stored that it could refer to
        fields.text_or("id", "")
        fields.only("status", "completed", "incomplete")
        fields.done()


def _message(fields: Fields) -> Message:
    role = _ROLES.get(wrote := fields.text("role"))
    if role is None:
        path = fields.at("role")
        raise unreadable(f"{path}: {wrote!r} cannot be translated; {', '.join(_ROLES)} can", path)
    content = fields.take("content")
    if isinstance(content, list):
        content = [_without_marks(part) for part in content]
    return Message(role=role, content=text_of_parts(content, fields.at("content"), _PARTS))


def _without_marks(part: Any) -> Any:
    """A part of an answer that comes back: empty lists of marks say nothing."""
    if not isinstance(part, dict):
        return part
    kept = {k: v for k, v in part.items() if k not in ("annotations", "logprobs") or v}
    if kept.get("type") == "refusal":
        return {"type": "text", "text": kept.get("refusal")}
    return kept


def _call(fields: Fields) -> ToolCall:
    return call_of(fields.text("call_id"), fields.text("name"), fields.text("arguments"))


def _tool(fields: Fields) -> tuple[Tool, bool]:
    if (kind := fields.text("type")) != "function":
        raise unreadable(
            f"{fields.path}: a tool of type {kind!r} cannot be translated", fields.path
        )
    return read_function(fields)


def _output(value: Any, params: dict[str, Any]) -> Output:
    if value is None:
        return Output()
    fields = Fields(value, "text")
    fields.move({"verbosity": "verbosity"}, params)
    form = fields.take("format")
    fields.done()
    if form is None:
        return Output()
    given = Fields(form, "text.format")
    kind = given.text("type")
    if kind == "json_schema":
        return read_output(given)
    given.done()
    if kind == "json_object":
        return Output(kind="json")
    if kind != "text":
        raise unreadable(f"text.format.type: {kind!r} cannot be translated", "text.format.type")
    return Output()
