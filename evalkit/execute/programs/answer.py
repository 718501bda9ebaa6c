"""What a program gives back for a case, read strictly: an output, and what it tells of its work."""

import re
from collections.abc import Mapping
from typing import Any

import msgspec

from evalkit.records.call import ToolCall, Usage

# What is longer is nobody's answer, and every reader of the bundle would have to hold it.
MAX_BYTES = 16 * 1024 * 1024
_SHOWN_CHARS = 2_000
_MOST_TOKENS = 10**12


class TargetFailed(Exception):
    """The program gave no answer that can be read; the text says why. It is the target's result."""


class ProgramAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """An answer in the documented form. Costs are the program's own, None where it tells none."""

    output: Any
    tool_calls: tuple[ToolCall, ...] | None = None
    documents: tuple[str, ...] | None = None
    usage: Usage | None = None
    cost_usd: float | None = None


_PARTS = tuple(ProgramAnswer.__struct_fields__)


def read_answer(value: Any) -> ProgramAnswer:
    """The answer of a function or a command: an object of the documented form, or its output.

    An object is of that form when it has an `output` and nothing that the form does not have.
    Raises TargetFailed.
    """
    if isinstance(value, dict) and "output" in value and set(value) <= set(_PARTS):
        return _checked(value)
    if value is None:
        raise TargetFailed("it gave nothing back; expected a text, an object or a list")
    if isinstance(value, bool | int | float):
        return ProgramAnswer(output=str(value) if isinstance(value, float) else _plain(value))
    return ProgramAnswer(output=value)


def pick_answer(value: Any, paths: Mapping[str, str]) -> ProgramAnswer:
    """The answer in a reply of any form, whose parts stand at these dotted paths.

    Raises TargetFailed for a reply without an output.
    """
    found = {part: _at(value, path) for part, path in paths.items()}
    picked = {part: each for part, each in found.items() if each is not _MISSING}
    if "output" not in picked:
        raise TargetFailed(f"the reply has nothing at `{paths['output']}`, which is its output")
    return _checked(picked)


_MISSING = object()
_INDEX = re.compile("[0-9]{1,9}")


def _at(value: Any, path: str) -> Any:
    for part in path.split("."):
        if isinstance(value, Mapping) and part in value:
            value = value[part]
        elif isinstance(value, list) and _INDEX.fullmatch(part) and int(part) < len(value):
            value = value[int(part)]
        else:
            return _MISSING
    return value


def _checked(value: Mapping[str, Any]) -> ProgramAnswer:
    told = {part: each for part, each in value.items() if each is not None or part == "output"}
    if told["output"] is None:
        raise TargetFailed("its output is null; expected a text, an object or a list")
    documents = told.get("documents")
    if isinstance(documents, list):
        # documents as retrieval returns them, or their ids
        told["documents"] = [
            each.get("id") if isinstance(each, dict) else each for each in documents
        ]
    calls = told.get("tool_calls")
    if isinstance(calls, list):
        told["tool_calls"] = [
            {"arguments": {}, **each} if isinstance(each, dict) else each for each in calls
        ]
    try:
        answer = msgspec.convert(told, ProgramAnswer)
    except msgspec.ValidationError as error:
        raise TargetFailed(f"what it tells of its work has the wrong form: {error}") from None
    cost = answer.cost_usd
    if cost is not None and not 0 <= cost < float("inf"):
        raise TargetFailed(f"its cost_usd is {cost}; expected USD, 0 or more")
    if answer.usage is not None:
        for name, tokens in msgspec.structs.asdict(answer.usage).items():
            if not 0 <= tokens <= _MOST_TOKENS:
                raise TargetFailed(
                    f"its usage.{name} is {str(tokens)[:40]}; expected 0 to 10**12 tokens"
                )
    return answer


def _plain(value: bool | int) -> str:
    return ("true" if value else "false") if isinstance(value, bool) else str(value)


def clip_tail(text: str) -> str:
    """The end of what a program wrote, which mostly says what went wrong."""
    text = text.strip()
    return text if len(text) <= _SHOWN_CHARS else f"…{text[-_SHOWN_CHARS:]}"
