"""Anthropic's Messages: what a client sends, and what it gets back."""

from typing import Any

import msgspec

from evalkit.control.providers.turns import arguments_object
from evalkit.gateway.asked import Asked
from evalkit.gateway.door import AnswerStream
from evalkit.gateway.doors.anthropic_events import MessageEvents
from evalkit.gateway.doors.anthropic_words import error_body, stop_reason_of, usage_body
from evalkit.gateway.doors.reading import Fields, read_body, schema_of, text_of_parts
from evalkit.gateway.refusals import Refusal, unreadable
from evalkit.records.asset import Output, Tool
from evalkit.records.call import Completion, Message, ToolCall

_PARAMS = {
    "max_tokens": "max_tokens",
    "temperature": "temperature",
    "top_p": "top_p",
    "top_k": "top_k",
    "stop_sequences": "stop",
}
_CHOICES = {"auto": "auto", "any": "required", "none": "none"}


class Messages:
    """The door at /v1/messages."""

    path = "/v1/messages"

    def read(self, body: bytes) -> Asked:
        """The request. Raises Declined."""
        fields = read_body(body)
        params: dict[str, Any] = {}
        fields.move(_PARAMS, params)
        if "max_tokens" not in params:
            raise unreadable("max_tokens has to be set", "max_tokens")
        _choose(fields.take("tool_choice"), params)
        for name, allowed in (
            ("service_tier", ("auto", "standard_only")),
            ("thinking", ({"type": "disabled"},)),
        ):
            fields.only(name, *allowed)
        tools = [_tool(Fields(item, path)) for path, item in fields.items("tools")]
        system = text_of_parts(fields.take("system"), "system")
        turns = [
            message
            for path, item in fields.items("messages")
            for message in _messages(Fields(item, path))
        ]
        if not turns:
            raise unreadable("messages has to hold at least one message", "messages")
        told = [Message(role="system", content=system)] if system else []
        asked = Asked(
            model=fields.text("model"),
            messages=(*told, *turns),
            tools=tuple(tool for tool, _ in tools),
            params=params,
            output=_output(fields.take("output_config"), params),
            stream=fields.flag("stream"),
            end_user=_user(fields.take("metadata")),
            strict=frozenset(tool.name for tool, is_strict in tools if is_strict),
        )
        fields.done()
        return asked

    def answer(self, asked: Asked, completion: Completion, *, request_id: str, at: int) -> Any:
        """A message."""
        reply = completion.reply
        text = reply.content if reply.refusal is None else reply.refusal
        blocks: list[dict[str, Any]] = [{"type": "text", "text": text}] if text else []
        blocks += [
            {"type": "tool_use", "id": call.id, "name": call.name, "input": arguments_object(call)}
            for call in reply.tool_calls
        ]
        return {
            "id": f"msg_{request_id}",
            "type": "message",
            "role": "assistant",
            "model": reply.model,
            "content": blocks,
            "stop_reason": stop_reason_of(reply),
            "stop_sequence": None,
            "usage": usage_body(reply.usage),
        }

    def stream(self, asked: Asked, *, request_id: str, at: int) -> AnswerStream:
        """Its events."""
        return MessageEvents(f"msg_{request_id}", asked.model)

    def error(self, refusal: Refusal, request_id: str) -> Any:
        """Anthropic's error object."""
        return error_body(refusal, request_id)


def _messages(fields: Fields) -> list[Message]:
    """A turn as the core has it: results of tools apart from what is said."""
    role, path = fields.text("role"), fields.at("role")
    if role not in ("user", "assistant"):
        raise unreadable(f"{path}: {role!r} cannot be translated; user and assistant can", path)
    content = fields.take("content")
    fields.done()
    where = fields.at("content")
    if isinstance(content, str):
        return [Message(role="user" if role == "user" else "assistant", content=content)]
    if not isinstance(content, list):
        raise unreadable(f"{where} has to be a text or a list of blocks", where)
    results: list[Message] = []
    texts: list[str] = []
    calls: list[ToolCall] = []
    for number, item in enumerate(content):
        block = Fields(item, f"{where}[{number}]")
        kind = block.text("type")
        if kind == "text":
            texts.append(block.text("text"))
        elif kind == "tool_use" and role == "assistant":
            calls.append(_call(block))
        elif kind == "tool_result" and role == "user":
            results.append(_result(block))
        else:
            raise unreadable(
                f"{block.path}: a block of type {kind!r} of the {role} cannot be translated",
                block.path,
            )
        block.done()
    if role == "assistant":
        return [Message(role="assistant", content="".join(texts), tool_calls=tuple(calls))]
    said = [Message(role="user", content=text) for text in texts if text]
    if not (results or said):
        raise unreadable(f"{where} says nothing", where)
    return [*results, *said]


def _call(block: Fields) -> ToolCall:
    arguments = block.take("input")
    if not isinstance(arguments, dict):
        raise unreadable(f"{block.at('input')} has to be an object", block.at("input"))
    return ToolCall(id=block.text("id"), name=block.text("name"), arguments=arguments)


def _result(block: Fields) -> Message:
    content = text_of_parts(block.take("content"), block.at("content"))
    if block.flag("is_error"):  # as the core tells a model that a tool failed
        content = msgspec.json.encode({"error": content}).decode()
    return Message(role="tool", content=content, tool_call_id=block.text("tool_use_id"))


def _tool(fields: Fields) -> tuple[Tool, bool]:
    fields.only("type", "custom")
    strict = fields.flag("strict")
    tool = Tool(
        name=fields.text("name"),
        description=fields.text_or("description", ""),
        parameters=schema_of(fields, "input_schema", applied=strict),
    )
    fields.done()
    return tool, strict


def _choose(value: Any, params: dict[str, Any]) -> None:
    if value is None:
        return
    fields = Fields(value, "tool_choice")
    kind = fields.text("type")
    if kind == "tool":
        function = {"name": fields.text("name")}
        params["tool_choice"] = {"type": "function", "function": function}
    elif kind in _CHOICES:
        params["tool_choice"] = _CHOICES[kind]
    else:
        path = fields.at("type")
        raise unreadable(f"{path}: {kind!r} cannot be translated", path)
    if fields.flag("disable_parallel_tool_use"):
        params["parallel_tool_calls"] = False
    fields.done()


def _output(value: Any, params: dict[str, Any]) -> Output:
    if value is None:
        return Output()
    fields = Fields(value, "output_config")
    fields.move({"effort": "reasoning_effort"}, params)
    form = fields.take("format")
    fields.done()
    if form is None:
        return Output()
    given = Fields(form, "output_config.format")
    given.only("type", "json_schema")
    schema = schema_of(given, "schema", applied=True)
    given.done()
    return Output(kind="json", schema=schema)


def _user(value: Any) -> str:
    if value is None:
        return ""
    fields = Fields(value, "metadata")
    user = fields.text_or("user_id", "")
    fields.done()
    return user
