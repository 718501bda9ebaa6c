"""Personal data and secrets out of texts, a numbered placeholder in: `[EMAIL_1]`, `[PHONE_2]`.

One value has one placeholder however it is written, and numbers follow the first appearance. A
redactor that is primed with a case numbers what the case holds first, so that a reply, scored live
or years later from the bundle, meets the same placeholders in `expected`. Names of people and
postal addresses are not found: they need a language model, not a pattern.
"""

import json
import re
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Any

import msgspec

from evalkit.control.redaction.boundaries import (
    BLOCK_END,
    CONTEXT,
    LONGEST_STRETCH,
    last_place,
    open_block,
)
from evalkit.control.redaction.finding import Finding
from evalkit.control.redaction.search import find_all, plain_view
from evalkit.control.redaction.signs import has_sign
from evalkit.records.case import Case
from evalkit.records.json_text import decode_json, may_be_container
from evalkit.records.placeholder import SMALLEST_NUMBER, placeholder

# JSON may hide any letter as \u0040; these two would change the text's meaning if shown plainly.
_ESCAPED = re.compile(r"\\u00([2-7][0-9a-fA-F])(?<!\\u0022)(?<!\\u005[cC])")
# what nobody sees and people paste, or hide with: no part of any value
_UNSEEN = re.compile(
    r"[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2061-\u206f"
    r"\u3164\ufe00-\ufe0f\ufeff\uffa0\U000e0000-\U000e0fff]"
)
_ESCAPE_LENGTH = len(r"\u0040")
_NO_DIGITS = re.compile(r"\D+")
_LONGEST_LOOK = 4_096
# No personal number has more digits than this.
_LARGEST_NUMBER = 10**20


class Redactor:
    """Replaces what is found, and remembers which placeholder stands for what."""

    def __init__(self) -> None:
        """Nothing is known yet."""
        self._names: dict[tuple[str, str], str] = {}
        self._numbers: dict[str, str] = {}
        self._counts: dict[str, int] = {}
        self._kinds: frozenset[str] | None = None
        self.replaced: dict[str, int] = {}
        self.kept: set[tuple[str, str]] = set()

    @classmethod
    def primed_with(cls, case: Case) -> "Redactor":
        """A redactor that knows what a case holds: input, documents, expected, then the rest.

        Keys are read in sorted order, so that the order of a file's keys changes no placeholder.
        """
        redactor = cls()
        redactor.redact_value(case.input)
        for document in case.documents:
            redactor.redact(document.text)
        for part in (
            case.expected,
            case.tools,
            case.conversation,
            case.approvals,
            case.identity,
            case.source,
        ):
            if part:
                redactor.redact_value(part)
        redactor.replaced.clear()
        return redactor

    def copy(self) -> "Redactor":
        """One that knows the same and goes its own way from here."""
        other = Redactor()
        other._names = dict(self._names)
        other._numbers = dict(self._numbers)
        other._counts = dict(self._counts)
        return other

    def limited_to(self, kinds: Collection[str]) -> "Redactor":
        """One that shares what is known, from here on too, and replaces only some kinds.

        What it finds of the others is left as it stands, and its kind and value are in `kept`.
        """
        other = Redactor()
        other._names, other._numbers, other._counts = self._names, self._numbers, self._counts
        other._kinds = kinds if isinstance(kinds, frozenset) else frozenset(kinds)
        return other

    @property
    def knows(self) -> tuple[tuple[str, str, str], ...]:
        """What stands for what: kind, value, placeholder, in the order they were met."""
        return tuple((kind, value, name) for (kind, value), name in self._names.items())

    def redact(self, text: str, *, lead: str = "") -> str:
        """The text with placeholders. `lead` is what stands before it where it was taken from.

        Applied to its own result it changes nothing.
        """
        if len(text) <= LONGEST_STRETCH:
            seen = text if text.isascii() else _UNSEEN.sub("", text)
            if not (self._numbers or "\\u00" in text or has_sign(lead + seen)):
                return text
            return self.redact_stretch(text, lead=lead)
        stream = StreamRedactor(self, lead=lead)
        return stream.feed(text) + stream.close()

    def is_plain(self, texts: Iterable[str]) -> bool:
        """Whether there is for certain nothing to redact in any of these texts; False says nothing.

        Short texts are mostly those of the sessions before, and are known to have no sign.
        """
        if self._numbers:
            return False
        for text in texts:
            if len(text) > _LONGEST_LOOK or not text.isascii():
                return False
            if "\\u00" in text or has_sign(text):
                return False
        return True

    def redact_stretch(self, text: str, *, before: str = "", lead: str = "") -> str:
        """As `redact`, for a stretch that stands behind `before`, which is only looked at."""
        whole = before + text
        unseen: Sequence[int] = ()
        if not whole.isascii():
            unseen = tuple(match.start() for match in _UNSEEN.finditer(whole))
            whole = _UNSEEN.sub("", whole) if unseen else whole
        escapes: Sequence[int] = ()
        if "\\u00" in whole:
            escapes = tuple(match.start() for match in _ESCAPED.finditer(whole))
            whole = _ESCAPED.sub(lambda match: chr(int(match[1], 16)), whole)
        parts, at = [], 0
        for found in self._found(whole, lead):
            start = _seen_place(unseen, _place(escapes, found.start)) - len(before)
            end = _seen_place(unseen, _place(escapes, found.end) - 1) + 1 - len(before)
            if start < at or self._keeps(found):
                continue
            name = self._name(found)
            if name is not None:
                parts += [text[at:start], name]
                at = end
                self.replaced[found.kind] = self.replaced.get(found.kind, 0) + 1
        return "".join([*parts, text[at:]]) if parts else text

    def replace_secret(self, text: str) -> str:
        """The placeholder of a text that is a secret as a whole."""
        found = Finding(0, len(text), "SECRET", text)
        return text if self._keeps(found) else self._name(found) or text

    def _found(self, text: str, lead: str) -> tuple[Finding, ...]:
        """What is found, with uncertain numbers only where one that is known may be among them."""
        found = find_all(text, lead, uncertain=False)
        if not (found or self._numbers):
            return found
        certain = Counter(each.digits for each in found if each.certain and each.digits)
        if not (certain or self._numbers):
            return found
        bare = _NO_DIGITS.sub("", plain_view(text))
        for number in {*certain, *self._numbers}:
            # looked ahead at, since a number may begin within itself
            if number in bare and len(re.findall(f"(?={number})", bare)) > certain[number]:
                return find_all(text, lead)
        return found

    def _keeps(self, found: Finding) -> bool:
        """Whether the finding is of a kind that is not replaced, which is noted."""
        if self._kinds is None or found.kind in self._kinds:
            return False
        if found.certain or found.digits in self._numbers:
            self.kept.add((found.kind, found.value))
        return True

    def _name(self, found: Finding) -> str | None:
        """The placeholder; None for a number that nothing says is personal."""
        if not found.certain:
            return self._numbers.get(found.digits)
        key = (found.kind, found.value)
        if key not in self._names:
            name = self._numbers.get(found.digits) if found.digits else None
            if name is None:
                number = self._counts[found.kind] = self._counts.get(found.kind, 0) + 1
                name = placeholder(found.kind, number)
            self._names[key] = name
        if found.digits:
            self._numbers.setdefault(found.digits, self._names[key])
        return self._names[key]

    def redact_value(self, value: Any, *, lead: str = "") -> Any:
        """JSON with every text in it redacted, keys too; a number that is one becomes a text."""
        if isinstance(value, str):
            return self.redact(value, lead=lead)
        if isinstance(value, dict):
            done = {
                key: (self.redact(str(key)), self.redact_value(value[key], lead=_lead(str(key))))
                for key in sorted(value, key=str)
            }
            return {done[key][0]: done[key][1] for key in value}
        if isinstance(value, list | tuple):
            return [self.redact_value(each, lead=lead) for each in value]
        if isinstance(value, int | float) and SMALLEST_NUMBER <= abs(value) < _LARGEST_NUMBER:
            text = str(int(value)) if value == int(value) else repr(value)
            redacted = self.redact(text, lead=lead)
            return value if redacted == text else redacted
        return value

    def redact_json(self, text: str) -> str:
        """A JSON text, still JSON: what only shows once it is parsed is replaced too.

        A text that is no JSON object or array is redacted as it stands: a bare number is mostly an
        answer in words, and a placeholder in quotes would equal none of what is expected.
        """
        redacted = self.redact(text)
        if not may_be_container(text):
            return redacted
        try:
            before = decode_json(redacted)
        except (msgspec.DecodeError, UnicodeError, RecursionError):
            before = None
        parsed = before
        if before is None:
            try:
                parsed = decode_json(text)
            except (msgspec.DecodeError, UnicodeError, RecursionError):
                return redacted
        if not isinstance(parsed, dict | list):
            return redacted
        try:
            after = self.redact_value(parsed)
            if after == before:
                return redacted
        except RecursionError:  # nested deeper than any answer is
            return redacted
        # json and not msgspec: a model may write an integer of any length
        return json.dumps(after, ensure_ascii=False, separators=(",", ":"))


def _seen_place(unseen: Sequence[int], place: int) -> int:
    """Where a letter is in the text as it was written, of which what stood at `unseen` was left
    out."""
    for at in unseen:
        if at > place:
            break
        place += 1
    return place


def _place(escapes: Sequence[int], place: int) -> int:
    """Where a place in the plain text is in the text as it was written, escapes at `escapes`."""
    for at in escapes:
        if at >= place:
            break
        place += _ESCAPE_LENGTH - 1
    return place


class StreamRedactor:
    """Redacts a text that comes in pieces, such as a model's answer while it is written.

    What it gives back, put together, is what `Redactor.redact` makes of the whole text, however it
    was cut. A piece is held back from the last place that no finding can lie across (see
    boundaries.py), in prose a word or two, and never more than 16 KiB: a stretch of that length
    without such a place, which no text that people write has, is cut there, and a value that lies
    across the cut may be missed. Of a private key, however long, all is replaced.
    """

    def __init__(self, redactor: Redactor, *, lead: str = "") -> None:
        """`redactor` gives the placeholders; `lead` is what stands before the text."""
        self._redactor = redactor
        self._lead = lead
        self._text = ""  # what is settled but may be looked at again, then what is held back
        self._start = 0
        self._seen = 0
        self._in_block = False

    @property
    def held(self) -> int:
        """How many characters are held back."""
        return len(self._text) - self._start

    def feed(self, piece: str) -> str:
        """What may be handed on now that this piece has come; often less or more than it."""
        self._text += piece
        settled = []
        while (end := self._next_end()) > self._start:
            settled.append(self._settle(end))
        keep = max(0, self._start - CONTEXT)
        if keep:
            self._text = self._text[keep:]
            self._start -= keep
            self._seen = max(0, self._seen - keep)
        return "".join(settled)

    def close(self) -> str:
        """The rest."""
        return self._settle(len(self._text)) if self.held else ""

    def _next_end(self) -> int:
        """Where what can be settled ends; where it starts if nothing can."""
        start, text = self._start, self._text
        limit = min(start + LONGEST_STRETCH, len(text))
        end = start
        if self._in_block:
            block_end = BLOCK_END.search(text, start, limit)
            if block_end is not None:
                end = block_end.end()
        else:
            end = last_place(text, start, limit, seen=self._seen)
        self._seen = limit
        if end == start and len(text) - start > LONGEST_STRETCH:
            return limit
        return end

    def _settle(self, end: int) -> str:
        start, text = self._start, self._text
        self._start = self._seen = end
        if self._in_block:
            self._in_block = BLOCK_END.search(text, start, end) is None
            return self._redactor.replace_secret(text[start:end])
        self._in_block = open_block(text, start, end) is not None
        lead, self._lead = self._lead, ""
        before = text[max(0, start - CONTEXT) : start]
        return self._redactor.redact_stretch(text[start:end], before=before, lead=lead)


def _lead(key: str) -> str:
    """What a key says of its value, in words: phoneNumber as "phone Number: "."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", key).replace("_", " ") + ": "


def redact_case(case: Case) -> Case:
    """The case as it may be stored: every text redacted as its attempts are.

    Ids, tags, group and the names of tools stay: other records refer to them.
    """
    return redact_primed(case, Redactor.primed_with(case))


def redact_primed(case: Case, redactor: Redactor) -> Case:
    """As `redact_case`, by a redactor that is primed with the case."""
    if not redactor.knows:
        return case  # what was looked through and holds nothing is not looked through again
    redact: Callable[[Any], Any] = redactor.redact_value
    return msgspec.structs.replace(
        case,
        input=redact(case.input),
        expected=redact(case.expected),
        documents=tuple(
            msgspec.structs.replace(document, text=redactor.redact(document.text))
            for document in case.documents
        ),
        tools={tool: redact(script) for tool, script in case.tools.items()},
        conversation=tuple(redact(turn) for turn in case.conversation),
        approvals={tool: redact(approval) for tool, approval in case.approvals.items()},
        identity=redact(case.identity),
        source=redact(case.source),
    )
