"""JSON as models write it: read so that every reader of the text sees the same value."""

import json
from functools import lru_cache
from typing import Any

import msgspec


def decode_json(text: str) -> Any:
    """The value of a JSON text.

    A key that stands twice in an object is refused: some readers take the first one and others the
    last, so a scorer could pass what a program does not do. Raises msgspec.DecodeError,
    UnicodeError for half of a surrogate pair, and RecursionError for what is nested too deep.
    """
    value = msgspec.json.decode(text)
    if "{" in text:
        # an answer is read by each policy and scorer that looks at it
        (_check_keys if len(text) > _LONGEST_REMEMBERED else _check_keys_once)(text)
    return value


def may_be_container(text: str) -> bool:
    """Whether a text may be a JSON object or array; most answers in words are told apart by that,
    without an exception."""
    return text.lstrip(_JSON_SPACE)[:1] in _OPENINGS


def _unique(pairs: list[tuple[str, Any]]) -> None:
    seen = set()
    for key, _ in pairs:
        if key in seen:
            raise msgspec.DecodeError(f"the key {key!r} stands twice in one object")
        seen.add(key)


def _skip(number: str) -> None:
    """Only keys are looked at here, and a number may have more digits than Python converts."""


_DECODER = json.JSONDecoder(
    object_pairs_hook=_unique, parse_int=_skip, parse_float=_skip, strict=False
)
_LONGEST_REMEMBERED = 4_096
_JSON_SPACE = " \t\n\r"
_OPENINGS = frozenset("{[")


def _check_keys(text: str) -> None:
    _DECODER.decode(text)


_check_keys_once = lru_cache(maxsize=64)(_check_keys)
