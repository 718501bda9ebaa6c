"""Phrases that may not be said: found in what a model is sent and in what it answers."""

import json
import re
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any, Literal, NamedTuple

import msgspec

from evalkit.config.patterns import PatternError, compile_pattern
from evalkit.config.permissions import BlockedPhrase
from evalkit.control.plain_text import is_marked, is_plain, plain_view, views
from evalkit.control.ruling import POLICY_ERROR, Ruling
from evalkit.records.call import Message, Reply, ToolCall
from evalkit.records.json_text import decode_json

RULE = "policies.blocked_phrases"
BLOCKED = "[BLOCKED]"
Side = Literal["request", "reply"]
SIDES: tuple[Side, ...] = ("request", "reply")

_SURROGATE = re.compile(r"[\ud800-\udfff]")


class CompiledPhrase(msgspec.Struct, frozen=True):
    """A phrase with its pattern. `number` is its place in the list, from 1: what it says is told
    nowhere. A `literal` ends where its words end."""

    number: int
    phrase: BlockedPhrase
    source: str
    pattern: Any
    literal: bool

    def spans(self, text: str) -> Iterator[tuple[int, int]]:
        """Where it stands in a text."""
        seen = _SURROGATE.sub("?", text)
        plain = is_plain(seen)
        if not self.literal or plain:
            yield from self._found(seen)
        if plain and "\\" not in seen:
            return
        for view in views(seen, folded=self.literal):
            for start, end in self._found(view.letters):
                yield view.place_of(start, end)

    def _found(self, text: str) -> Iterator[tuple[int, int]]:
        for match in self.pattern.finditer(text):
            start, end = match.span()
            if start < end and not (self.literal and _is_inside_word(text, start, end)):
                yield start, end


class _Meant(NamedTuple):
    """The phrases of one side, and what matches wherever one of their patterns does."""

    phrases: tuple[CompiledPhrase, ...]
    any_of: Any

    def may_hold(self, text: str) -> bool:
        """Whether one of them may stand in a text: most texts are looked at once, for all."""
        if self.any_of is None or "\\" in text or not is_plain(text):
            return True
        return self.any_of.search(text.encode()) is not None


def _any_of(patterns: Sequence[str]) -> Any:
    """One pattern for all; None where RE2 does not take them together."""
    try:
        return compile_pattern("|".join(f"(?:{each})" for each in patterns))
    except PatternError:
        return None


class PhraseScreen:
    """The blocked phrases of a route, on one side after the other."""

    def __init__(self, phrases: Sequence[BlockedPhrase]) -> None:
        """Compile them; their patterns are RE2's, as the configuration checked."""
        self._phrases = tuple(
            CompiledPhrase(
                number,
                phrase,
                source := phrase.pattern or _literal(phrase.text or ""),
                compile_pattern(source),
                literal=phrase.pattern is None,
            )
            for number, phrase in enumerate(phrases, start=1)
        )
        self._meant: Mapping[Side, _Meant] = {side: self._of(side) for side in SIDES}

    def on(self, side: Side) -> Sequence[CompiledPhrase]:
        """The phrases that are looked for on one side."""
        return self._meant[side].phrases

    def _of(self, side: Side) -> "_Meant":
        meant = tuple(each for each in self._phrases if each.phrase.where in (side, "both"))
        return _Meant(meant, _any_of([each.source for each in meant]))

    def request(self, messages: Sequence[Message]) -> tuple[Sequence[Message], list[Ruling]]:
        """The messages as they may leave, and what there is to say of them."""
        return self._screened("request", messages, lambda run: [run.message(m) for m in messages])

    def reply(self, reply: Reply, offered: Collection[str] = ()) -> tuple[Reply, list[Ruling]]:
        """The reply as it may be handed on, and what there is to say of it.

        A tool's name that was not `offered` is the model's own word.
        """
        return self._screened("reply", reply, lambda run: run.reply(reply, offered))

    def _screened(
        self, side: Side, given: Any, screen: Callable[["_Pass"], Any]
    ) -> tuple[Any, list[Ruling]]:
        meant = self._meant[side]
        if not meant.phrases:
            return given, []
        one = _Pass(meant)
        try:
            screened = screen(one)
        except RecursionError:
            message = f"the {side} is nested too deep to be searched for blocked phrases"
            return given, [Ruling(False, POLICY_ERROR, message)]
        return screened, [
            Ruling(
                each.phrase.mode == "redact",
                RULE,
                f"blocked phrase {each.number} of the route, {one.counts[each.number]} times in "
                f"the {side}",
                shadow=each.phrase.mode == "warn",
                changes=each.phrase.mode == "redact",
                data={"phrase": each.number, "count": one.counts[each.number], "where": side},
            )
            for each in meant.phrases
            if one.counts[each.number]
        ]


class _Pass:
    """One look at one side: counts what is found and replaces what is to be redacted."""

    def __init__(self, meant: _Meant) -> None:
        self._meant = meant
        self.counts: Counter[int] = Counter()

    def message(self, message: Message) -> Message:
        """The message with its text and the arguments of its calls screened."""
        content = self.json_text(message.content)
        calls = tuple(self.call(call) for call in message.tool_calls)
        if content == message.content and calls == message.tool_calls:
            return message
        return msgspec.structs.replace(message, content=content, tool_calls=calls)

    def reply(self, reply: Reply, offered: Collection[str]) -> Reply:
        """The reply with its text, its refusal and its calls screened."""
        return msgspec.structs.replace(
            reply,
            content=self.json_text(reply.content),
            refusal=None if reply.refusal is None else self.text(reply.refusal),
            tool_calls=tuple(
                self.call(call)
                if call.name in offered
                else msgspec.structs.replace(self.call(call), name=self.text(call.name))
                for call in reply.tool_calls
            ),
        )

    def call(self, call: ToolCall) -> ToolCall:
        """The call with its arguments screened; what is no JSON object as a text."""
        if call.arguments is not None:
            arguments = self.value(call.arguments)
            if arguments == call.arguments:
                return call
            return msgspec.structs.replace(call, arguments=arguments, raw=None)
        raw = None if call.raw is None else self.text(call.raw)
        return msgspec.structs.replace(call, raw=raw)

    def json_text(self, text: str) -> str:
        """A text; one that is a JSON object or array is searched as what it stands for, since JSON
        can write every letter in another way."""
        if text.lstrip()[:1] in ("{", "["):
            try:
                parsed = decode_json(text)
            except (msgspec.DecodeError, UnicodeError, RecursionError):
                return self.text(text)
            if isinstance(parsed, dict | list):
                after = self.value(parsed)
                if after == parsed:
                    return text
                # json and not msgspec: a model may write an integer of any length
                return json.dumps(after, ensure_ascii=False, separators=(",", ":"))
        return self.text(text)

    def value(self, value: Any) -> Any:
        """JSON with every text in it screened, keys too, and numbers as they are written."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, dict):
            return {self.text(str(key)): self.value(each) for key, each in value.items()}
        if isinstance(value, list | tuple):
            return [self.value(each) for each in value]
        if isinstance(value, int | float) and not isinstance(value, bool):
            written = _written(value)
            screened = self.text(written)
            return value if screened == written else screened
        return value

    def text(self, text: str) -> str:
        """The text; every phrase is looked for in what was there."""
        if not self._meant.may_hold(text):
            return text
        replaced: list[tuple[int, int]] = []
        for each in self._meant.phrases:
            spans = merged_spans(each.spans(text))
            self.counts[each.number] += len(spans)
            if each.phrase.mode == "redact":
                replaced += spans
        if not replaced:
            return text
        parts, at = [], 0
        for start, end in merged_spans(replaced):
            parts += [text[at:start], BLOCKED]
            at = end
        return "".join([*parts, text[at:]])


def _written(number: float) -> str:
    try:
        return json.dumps(number)
    except ValueError:  # more digits than Python writes
        return ""


def merged_spans(spans: Iterator[tuple[int, int]] | list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Spans in their order, those that overlap as one."""
    merged: list[tuple[int, int]] = []
    for start, end in sorted(set(spans)):
        if merged and start < merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged


def _literal(text: str) -> str:
    """The pattern of a literal text: any case, and any white space between its words."""
    words = plain_view(text, folded=True).letters.split()
    return r"(?i)" + r"\s+".join(re.escape(word) for word in words)


def _is_inside_word(text: str, start: int, end: int) -> bool:
    """Whether a match begins or ends in the middle of a word."""
    before = start > 0 and text[start - 1].isalnum() and text[start].isalnum()
    if end == len(text):
        return before
    after = text[end].isalnum() and text[end - 1].isalnum()
    return before or after or is_marked(text[end - 1], text[end])
