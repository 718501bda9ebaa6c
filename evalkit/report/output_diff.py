"""What a case's two sides said, as lines that show where they differ; every renderer uses these."""

from collections.abc import Sequence
from typing import Any

import msgspec

from evalkit.records.call import ToolCall
from evalkit.records.comparison import Side
from evalkit.report.structures import ABSENT, diff_values, encode
from evalkit.report.words import Segment, diff_words, shorten

_MOST_FIELDS = 12
_MOST_STRUCTURE = 40_000


class Line(msgspec.Struct, frozen=True):
    """One thing a side said: where in its output (empty: the whole), and the text in segments."""

    path: str
    segments: tuple[Segment, ...]

    @property
    def text(self) -> str:
        """The segments joined."""
        return "".join(text for text, _ in self.segments)

    @property
    def partly(self) -> bool:
        """Whether only a part of the text differs, so that the part is worth marking."""
        return len({changed for _, changed in self.segments}) > 1


class OutputDiff(msgspec.Struct, frozen=True):
    """The lines of both sides. `equal`: they said the same, and `after` holds all of it."""

    before: tuple[Line, ...]
    after: tuple[Line, ...]
    equal: bool = False


def diff_sides(before: Side | None, after: Side) -> OutputDiff:
    """Where the two outputs differ: structures field by field, texts word by word."""
    if before is None:
        return OutputDiff((), say(after))
    if _content(before) == _content(after):
        return OutputDiff((), say(after), equal=True)
    if before.state in ("error", None) or after.state in ("error", None):
        return OutputDiff(say(before), say(after))
    old, new = _diff_output(before, after)
    old_calls, new_calls = _diff_calls(before.tool_calls, after.tool_calls)
    if before.state != after.state or before.rule != after.rule:
        old, new = [*_state(before), *old], [*_state(after), *new]
    if not (old or old_calls) and _nothing(before):
        old = [_plain("nothing")]
    if not (new or new_calls) and _nothing(after):
        new = [_plain("nothing")]
    return OutputDiff((*old, *old_calls), (*new, *new_calls))


def say(side: Side) -> tuple[Line, ...]:
    """Everything a side said, with nothing to hold it against."""
    if side.state is None:
        return (_plain(state_text(side)),)
    lines = _state(side) if side.state != "answered" else []
    if side.output is not None:
        lines.append(_plain(side.output))
    elif side.parsed is not None:
        lines.append(_plain(encode(side.parsed)))
    lines += [Line("tool call", ((call_text(call), False),)) for call in side.tool_calls]
    return tuple(lines) or (_plain("nothing"),)


def call_text(call: ToolCall) -> str:
    """A tool call on one line: `refund({"order": "A-1"})`."""
    arguments = call.raw or "" if call.arguments is None else encode(call.arguments)
    return f"{call.name}({arguments})"


def state_text(side: Side) -> str:
    """A state in words: 'blocked by policies.disallow_actions', 'no result: timeout'."""
    if side.state is None:
        return "never attempted"
    if side.state == "error":
        words = f"no result: {side.failure_mode or 'error'}"
    elif side.state == "blocked":
        words = f"blocked by {side.rule or 'policy'}"
    elif side.state == "refused":
        words = "refused by the model"
    elif side.state == "invalid":
        words = f"no usable output: {side.failure_mode or 'invalid_output'}"
    else:
        return "answered"
    return f"{words}: {side.error}" if side.error else words


def _state(side: Side) -> list[Line]:
    return [Line("state", ((state_text(side), True),))]


def _content(side: Side) -> tuple[Any, ...]:
    calls = [call_text(call) for call in side.tool_calls]
    # the parsed output says no more than its text
    said = side.output if side.output is not None else encode(side.parsed)
    return side.state, side.rule, said, calls


def _nothing(side: Side) -> bool:
    return side.output is None and not side.tool_calls and side.state == "answered"


def _diff_output(before: Side, after: Side) -> tuple[list[Line], list[Line]]:
    structured = isinstance(before.parsed, dict | list) and isinstance(after.parsed, dict | list)
    if structured and max(len(before.output or ""), len(after.output or "")) <= _MOST_STRUCTURE:
        try:
            return _diff_structures(before.parsed, after.parsed)
        except RecursionError:
            pass  # nested past what can be walked: the texts are compared instead
    if before.output == after.output:
        return [], []
    old, new = _diff_texts("", before.output or "", after.output or "")
    return ([old] if before.output else []), ([new] if after.output else [])


def _diff_structures(before: Any, after: Any) -> tuple[list[Line], list[Line]]:
    old: list[Line] = []
    new: list[Line] = []
    differences = diff_values(before, after)
    for each in differences[:_MOST_FIELDS]:
        if isinstance(each.before, str) and isinstance(each.after, str):
            line_old, line_new = _diff_texts(each.path, encode(each.before), encode(each.after))
        else:
            line_old = Line(each.path, ((_value(each.before), True),))
            line_new = Line(each.path, ((_value(each.after), True),))
        old.append(line_old)
        new.append(line_new)
    more = len(differences) - _MOST_FIELDS
    if more > 0:
        note = _plain(f"({more} more places differ)")
        old, new = [*old, note], [*new, note]
    return old, new


def _value(value: Any) -> str:
    return "absent" if value is ABSENT else encode(value)


def _diff_texts(path: str, before: str, after: str) -> tuple[Line, Line]:
    old, new = diff_words(before, after)
    return Line(path, shorten(old)), Line(path, shorten(new))


def _diff_calls(
    before: Sequence[ToolCall], after: Sequence[ToolCall]
) -> tuple[list[Line], list[Line]]:
    """The calls of both sides, in order; nothing when they are the same."""
    old, new = [call_text(call) for call in before], [call_text(call) for call in after]
    if old == new:
        return [], []
    return _calls(old, new), _calls(new, old)


def _calls(own: Sequence[str], other: Sequence[str]) -> list[Line]:
    if not own:
        return [Line("tool call", (("none", True),))]
    return [Line("tool call", ((text, text not in other),)) for text in own]


def _plain(text: str) -> Line:
    return Line("", ((text, False),))
