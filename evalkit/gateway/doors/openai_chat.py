"""OpenAI's chat completions: what a client sends, and what it gets back."""

from typing import Any

from evalkit.control.providers.turns import arguments_text
from evalkit.gateway.asked import Asked
from evalkit.gateway.door import AnswerStream
from evalkit.gateway.doors.openai_errors import error_body
from evalkit.gateway.doors.openai_form import read_choice, read_function, read_output
from evalkit.gateway.doors.reading import Fields, call_of, read_body, text_of_parts
from evalkit.gateway.doors.sse import event
from evalkit.gateway.refusals import Refusal, unreadable
from evalkit.records.asset import Output, Role, Tool
from evalkit.records.call import Completion, Message, Piece, ToolCall, Usage

# what a model is told, under the names that the core and its providers have for it
_PARAMS = {
    name: name
    for name in (
        "max_tokens",
        "max_completion_tokens",
        "temperature",
        "top_p",
        "stop",
        "seed",
        "presence_penalty",
        "frequency_penalty",
        "logit_bias",
        "reasoning_effort",
        "verbosity",
        "parallel_tool_calls",
    )
}
_ROLES: dict[str, Role] = {
    "system": "system",
    "developer": "system",
    "user": "user",
    "assistant": "assistant",
    "tool": "tool",
}


class ChatCompletions:
    """The door at /v1/chat/completions."""

    path = "/v1/chat/completions"

    def read(self, body: bytes) -> Asked:
        """The request. Raises Declined."""
        fields = read_body(body)
        params: dict[str, Any] = {}
        fields.move(_PARAMS, params)
        if (choice := read_choice(fields.take("tool_choice"), wrapped=True)) is not None:
            params["tool_choice"] = choice
        for name, allowed in (
            ("n", (1,)),
            ("store", (False,)),
            ("logprobs", (False,)),
            ("service_tier", ("auto", "default")),
            ("modalities", (["text"],)),
            ("metadata", ({},)),
        ):
            fields.only(name, *allowed)
        tools, strict = _tools(fields)
        stream = fields.flag("stream")
        asked = Asked(
            model=fields.text("model"),
            messages=_messages(fields),
            tools=tools,
            params=params,
            output=_output(fields.take("response_format")),
            stream=stream,
            usage=_wants_usage(fields.take("stream_options"), stream=stream),
            end_user=fields.text_or("user", "") or fields.text_or("safety_identifier", ""),
            strict=strict,
        )
        fields.done()
        return asked

    def answer(self, asked: Asked, completion: Completion, *, request_id: str, at: int) -> Any:
        """A chat.completion."""
        reply = completion.reply
        message: dict[str, Any] = {
            "role": "assistant",
            "content": reply.content if reply.refusal is None else None,
            "refusal": reply.refusal,
        }
        if reply.tool_calls:
            message["content"] = reply.content or None
            message["tool_calls"] = [call_body(call) for call in reply.tool_calls]
        choice = {
            "index": 0,
            "message": message,
            "logprobs": None,
            "finish_reason": reply.finish_reason,
        }
        return {
            "id": f"chatcmpl-{request_id}",
            "object": "chat.completion",
            "created": at,
            "model": reply.model,
            "choices": [choice],
            "usage": usage_body(reply.usage),
        }

    def stream(self, asked: Asked, *, request_id: str, at: int) -> AnswerStream:
        """Its chunks."""
        return ChatChunks(asked, f"chatcmpl-{request_id}", at)

    def error(self, refusal: Refusal, request_id: str) -> Any:
        """OpenAI's error object."""
        return error_body(refusal, request_id)


class ChatChunks:
    """Writes chat.completion.chunk events."""

    def __init__(self, asked: Asked, id_: str, at: int) -> None:
        """`id_` is the answer's, the same in every chunk."""
        self._asked = asked
        self._frame = {
            "id": id_,
            "object": "chat.completion.chunk",
            "created": at,
            "model": asked.model,
        }

    def begin(self) -> bytes:
        """The chunk that says who speaks."""
        return self._chunk({"role": "assistant", "content": ""})

    def piece(self, piece: Piece) -> bytes:
        """More text, more of a refusal, or more of a call."""
        delta: dict[str, Any] = {}
        if piece.text:
            delta["content"] = piece.text
        if piece.refusal:
            delta["refusal"] = piece.refusal
        if (call := piece.call) is not None:
            function: dict[str, Any] = {"arguments": call.arguments}
            part: dict[str, Any] = {"index": call.index, "function": function}
            if call.name:  # the first piece of a call tells which it is
                part |= {"id": call.id, "type": "function"}
                function["name"] = call.name
            delta["tool_calls"] = [part]
        return self._chunk(delta) if delta else b""

    def end(self, completion: Completion) -> bytes:
        """How it ended, what was used if that was asked for, and that no more comes."""
        last = self._chunk({}, completion.reply.finish_reason)
        if self._asked.usage:
            usage = usage_body(completion.reply.usage)
            last += event(self._frame | {"choices": [], "usage": usage})
        return last + b"data: [DONE]\n\n"

    def error(self, refusal: Refusal, request_id: str) -> bytes:
        """The error in the place of a chunk: clients of this format raise it as theirs."""
        return event(error_body(refusal, request_id))

    def _chunk(self, delta: dict[str, Any], finish_reason: str | None = None) -> bytes:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish_reason}
        chunk = self._frame | {"choices": [choice]}
        return event(chunk | {"usage": None} if self._asked.usage else chunk)


def usage_body(usage: Usage) -> dict[str, Any]:
    """Tokens as chat completions count them: cached ones are inside the prompt's."""
    return {
        "prompt_tokens": usage.input_tokens,
        "completion_tokens": usage.output_tokens,
        "total_tokens": usage.total,
        "prompt_tokens_details": {"cached_tokens": usage.cached_tokens},
        "completion_tokens_details": {"reasoning_tokens": usage.reasoning_tokens},
    }


def call_body(call: ToolCall) -> dict[str, Any]:
    """A tool call of a message."""
    function = {"name": call.name, "arguments": arguments_text(call)}
    return {"id": call.id, "type": "function", "function": function}


def _messages(fields: Fields) -> tuple[Message, ...]:
    messages = tuple(_message(Fields(item, path)) for path, item in fields.items("messages"))
    if not messages:
        raise unreadable("messages has to hold at least one message", "messages")
    return messages


def _message(fields: Fields) -> Message:
    role = _ROLES.get(wrote := fields.text("role"))
    if role is None:
        path = fields.at("role")
        raise unreadable(f"{path}: {wrote!r} cannot be translated; {', '.join(_ROLES)} can", path)
    calls = tuple(_call(Fields(item, path)) for path, item in fields.items("tool_calls"))
    refused = fields.text_or("refusal", "")
    content = text_of_parts(fields.take("content"), fields.at("content"))
    message = Message(
        role=role,
        content=content or refused,
        tool_calls=calls,
        tool_call_id=fields.text("tool_call_id") if role == "tool" else "",
    )
    for name in ("audio", "annotations", "function_call"):
        fields.only(name, [])
    fields.done()
    return message


def _call(fields: Fields) -> ToolCall:
    fields.only("type", "function")
    function = Fields(fields.take("function"), fields.at("function"))
    call = call_of(fields.text("id"), function.text("name"), function.text("arguments"))
    function.done()
    fields.only("index", *range(128))  # clients send back what a stream told them
    fields.done()
    return call


def _tools(fields: Fields) -> tuple[tuple[Tool, ...], frozenset[str]]:
    """The tools, and the names of those whose calls have to meet their schema."""
    tools: list[Tool] = []
    strict: set[str] = set()
    for path, item in fields.items("tools"):
        outer = Fields(item, path)
        if (kind := outer.text("type")) != "function":
            raise unreadable(f"{path}: a tool of type {kind!r} cannot be translated", path)
        tool, is_strict = read_function(Fields(outer.take("function"), outer.at("function")))
        outer.done()
        tools.append(tool)
        strict |= {tool.name} if is_strict else set()
    return tuple(tools), frozenset(strict)


def _output(value: Any) -> Output:
    """What form the answer has to have."""
    if value is None:
        return Output()
    fields = Fields(value, "response_format")
    kind = fields.text("type")
    if kind == "text":
        output = Output()
    elif kind == "json_object":
        output = Output(kind="json")
    elif kind == "json_schema":
        output = read_output(Fields(fields.take("json_schema"), "response_format.json_schema"))
    else:
        path = "response_format.type"
        raise unreadable(f"{path}: {kind!r} cannot be translated", path)
    fields.done()
    return output


def _wants_usage(value: Any, *, stream: bool) -> bool:
    if value is None:
        return not stream
    fields = Fields(value, "stream_options")
    wanted = fields.flag("include_usage")
    fields.only("include_obfuscation", False)
    fields.done()
    return wanted
