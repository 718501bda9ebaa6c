"""The turns of a conversation as formats want them: system texts apart, calls and results linked.

A call's result is a message of role `tool`. Formats find the call it belongs to by an id, which
some vendors leave out and others use again, so that ids are made good before anything is sent.
"""

from collections.abc import Sequence
from typing import Any, Literal

import msgspec

from evalkit.records.call import Message, ToolCall

Speaker = Literal["user", "assistant"]


def has_tool_turns(messages: Sequence[Message]) -> bool:
    """Whether a turn calls a tool or is a tool's result."""
    return any(message.tool_calls or message.role == "tool" for message in messages)


def is_result(message: Message) -> bool:
    """Whether it is the result of a call that is known; any other text of a tool is just text."""
    return message.role == "tool" and bool(message.tool_call_id)


def link_results(messages: Sequence[Message]) -> tuple[Message, ...]:
    """The messages with an id for every call, unique in the conversation, and with the id and the
    tool's name for every result.

    A result without an id is of the first open call of its name, or of any name where it has none.
    """
    if not has_tool_turns(messages):
        return tuple(messages)
    linked: list[Message] = []
    used: set[str] = set()
    waiting: list[tuple[str, ToolCall]] = []  # each with the id it came with
    for message in messages:
        if message.tool_calls:
            waiting = [(call.id, _with_id(call, used)) for call in message.tool_calls]
            calls = tuple(call for _, call in waiting)
            linked.append(msgspec.structs.replace(message, tool_calls=calls))
        elif message.role == "tool":
            linked.append(_linked(message, waiting))
        else:
            linked.append(message)
    return tuple(linked)


def _with_id(call: ToolCall, used: set[str]) -> ToolCall:
    """The call with an id that no earlier one has; `used` are theirs."""
    number, call_id = len(used), call.id
    while not call_id or call_id in used:
        number += 1
        call_id = f"call_{number}"
    used.add(call_id)
    return call if call_id == call.id else msgspec.structs.replace(call, id=call_id)


def _linked(message: Message, waiting: list[tuple[str, ToolCall]]) -> Message:
    """The result with its call's id and name, taken off those that wait."""
    for number, (came_with, call) in enumerate(waiting):
        if message.tool_call_id:
            is_its_call = message.tool_call_id == came_with
        else:
            is_its_call = message.name in ("", call.name)
        if is_its_call:
            del waiting[number]
            name = message.name or call.name
            return msgspec.structs.replace(message, tool_call_id=call.id, name=name)
    return message


def split_system(messages: Sequence[Message]) -> tuple[list[str], list[Message]]:
    """System texts, and the turns, for formats that part them.

    Where there are only system texts they are the user's: formats that part them want at least one
    turn.
    """
    system = [message.content for message in messages if message.role == "system"]
    turns = [message for message in messages if message.role != "system"]
    if not turns:
        return [], [Message(role="user", content=text) for text in system]
    return system, turns


def group_turns(
    turns: Sequence[Message], *, alternating: bool = False
) -> list[tuple[Speaker, list[Message]]]:
    """Who speaks, and the messages that are one turn of theirs; tools are heard through the user.

    All results of a turn's calls are one turn, with what the user says right after them. Where
    roles have to alternate, so is everything that one side says in a row.
    """
    groups: list[tuple[Speaker, list[Message]]] = []
    for message in turns:
        speaker: Speaker = "assistant" if message.role == "assistant" else "user"
        last = groups[-1] if groups else None
        if last is not None and last[0] == speaker and (alternating or is_result(last[1][0])):
            last[1].append(message)
        else:
            groups.append((speaker, [message]))
    return groups


def arguments_text(call: ToolCall) -> str:
    """A call's arguments as the text that OpenAI's formats want: what the model wrote, where it was
    no JSON object."""
    if call.arguments is None:
        return call.raw or "{}"
    return msgspec.json.encode(call.arguments).decode()


def arguments_object(call: ToolCall) -> dict[str, Any]:
    """The same as an object, for formats that take nothing else."""
    return call.arguments or {}
