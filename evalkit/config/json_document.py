"""Strict JSON: no duplicate keys, no NaN, and the place of every value once one is asked for."""

import json
import re
from bisect import bisect_right
from collections.abc import Callable
from typing import Any

from evalkit.config.document import MAX_DEPTH, Document, Node, Place
from evalkit.config.encoding import decode_text, place_in
from evalkit.config.scalars import finite
from evalkit.errors import ConfigError, Problem

_SPACE = re.compile(r"[ \t\n\r]*")
_HALF = re.compile("[\ud800-\udfff]")
_BARE = re.compile(r"[^\s,\]}]+")
_WORDS = {
    "Expecting value": "a value is missing or is not JSON",
    "Expecting property name enclosed in double quotes": "a key in double quotes is missing",
    "Expecting ':' delimiter": "a ':' is missing after the key",
    "Expecting ',' delimiter": "a ',' is missing",
    "Unterminated string starting at": "the text that starts here has no closing quote",
    "Invalid control character at": "a line break or tab stands inside a text",
    "Invalid \\escape": "the text has an unknown \\ escape",
    "Invalid \\uXXXX escape": "the text has a broken \\u escape",
    "Extra data": "something follows the end of the JSON value",
}


class _Repeated(ValueError):
    """An object has a key twice."""


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise _Repeated
    return found


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not a value that can be compared")


# Refuses what `json` accepts by itself: repeated keys, NaN, Infinity, floats that overflow.
_DECODER = json.JSONDecoder(
    object_pairs_hook=_unique, parse_constant=_no_constant, parse_float=finite
)
STRICT: Callable[[str], Any] = _DECODER.decode


def parse_json(raw: bytes, file: str, *, first_line: int = 1) -> Document:
    """The value of a JSON file, or of one line of a JSON Lines file that starts at `first_line`.

    Raises ConfigError with everything that is wrong in it.
    """
    text = decode_text(raw, file, first_line=first_line)
    if not text.strip():
        raise ConfigError([Problem(file=file, line=first_line, column=1, message="is empty")])
    problems: list[Problem] = []
    data: Any = None
    try:
        data = STRICT(text)
    except json.JSONDecodeError as error:
        raise ConfigError([_broken(text, error, file, first_line)]) from error
    except (ValueError, RecursionError) as error:
        problems = _Scanner(text, file, first_line).problems()
        problems = problems or [Problem(file=file, line=first_line, message=str(error))]
    if problems:
        raise ConfigError(problems)
    suspect = text.count("{") + text.count("[") > MAX_DEPTH or "\\ud" in text.casefold()
    if suspect and (found := _Scanner(text, file, first_line).problems()):
        raise ConfigError(found)
    return Document(file, data, lambda: _Scanner(text, file, first_line).scan())


def _broken(text: str, error: json.JSONDecodeError, file: str, first_line: int) -> Problem:
    """What the parser stumbled over; some Pythons see a trailing comma, others what follows."""
    at, words = error.pos, _WORDS.get(error.msg, error.msg)
    before = text[:at].rstrip()
    if text[at : at + 1] in ("}", "]") and before.endswith(","):
        at = len(before) - 1
    if text[at : at + 1] == ",":
        closing = text[at + 1 :].lstrip()[:1]
        words = f"a comma stands before the closing {closing}" if closing in ("}", "]") else words
    line, column = place_in(text[:at], first_line)
    return Problem(file=file, line=line, column=column, message=f"is not JSON: {words}")


class _Scanner:
    """Walks JSON that the parser has accepted, or refused for what is in it rather than its form.

    Bounded by MAX_DEPTH: below that level it notes a problem and stops.
    """

    def __init__(self, text: str, file: str, first_line: int) -> None:
        self._text = text
        self._file = file
        self._starts = [0]
        self._starts += [match.end() for match in re.finditer("\n", text)]
        self._first_line = first_line
        self._noted: list[Problem] = []

    def problems(self) -> list[Problem]:
        """Repeated keys, numbers that are none, half characters, too deep nesting."""
        try:
            self._value(self._skip(0), 0)
        except (RecursionError, ValueError, LookupError):
            # Too deep, or the parser stopped at a value before it saw that the form is broken too.
            return self._noted
        return self._noted

    def scan(self) -> Node:
        """The tree of places."""
        return self._value(self._skip(0), 0)[0]

    def _skip(self, at: int) -> int:
        match = _SPACE.match(self._text, at)
        return match.end() if match else at

    def _place(self, at: int) -> Place:
        line = bisect_right(self._starts, at)
        return self._first_line + line - 1, at - self._starts[line - 1] + 1

    def _value(self, at: int, depth: int) -> tuple[Node, int]:
        node = Node(None, *self._place(at))
        if depth > MAX_DEPTH:
            self._note(node, f"is nested more than {MAX_DEPTH} levels deep")
            raise RecursionError
        start = self._text[at]
        if start == "{":
            return node, self._object(node, at + 1, depth)
        if start == "[":
            return node, self._array(node, at + 1, depth)
        if start == '"':
            node.value, end = _DECODER.raw_decode(self._text, at)
            if _HALF.search(node.value):
                self._note(node, "the text has half of a surrogate pair")
            return node, end
        match = _BARE.match(self._text, at)
        if match is None:
            raise ValueError("a value is missing")
        self._bare(node, match.group())
        return node, match.end()

    def _bare(self, node: Node, word: str) -> None:
        try:
            node.value = STRICT(word)
        except ValueError as error:
            digits = "digits" in str(error)
            message = "the number has too many digits" if digits else str(error)
            self._note(node, message, value=word[:60])

    def _object(self, node: Node, at: int, depth: int) -> int:
        node.value = {}
        at = self._skip(at)
        while self._text[at] != "}":
            place = self._place(at)
            key, at = _DECODER.raw_decode(self._text, at)
            if not isinstance(key, str):
                raise ValueError("a key in double quotes is missing")
            if key in node.keys:
                line, column = node.keys[key]
                self._note(
                    Node(None, *place),
                    f"the key stands here twice, first in line {line}, column {column}",
                    key=key,
                )
            child, at = self._value(self._skip(self._skip(at) + 1), depth + 1)
            node.value[key] = child.value
            node.add(key, child, place)
            at = self._skip(at)
            if self._text[at] == ",":
                at = self._skip(at + 1)
        return at + 1

    def _array(self, node: Node, at: int, depth: int) -> int:
        node.value = []
        at = self._skip(at)
        while self._text[at] != "]":
            child, at = self._value(at, depth + 1)
            node.add(len(node.value), child)
            node.value.append(child.value)
            at = self._skip(at)
            if self._text[at] == ",":
                at = self._skip(at + 1)
        return at + 1

    def _note(self, node: Node, message: str, **more: str) -> None:
        self._noted.append(
            Problem(
                file=self._file,
                line=node.line,
                column=node.column,
                message=message,
                **more,  # type: ignore[arg-type]  # key and value are texts
            )
        )
