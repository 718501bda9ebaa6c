"""Two JSON values by the places where they differ."""

import json
import re
from collections.abc import Iterator, Sequence
from itertools import zip_longest
from typing import Any, Final

import msgspec

_Keys = tuple[str | int, ...]
_ENCODE = json.JSONEncoder(ensure_ascii=False, default=str).encode
_PLAIN_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_\-]*")


class _Absent:
    """The value of a place that one side does not have."""

    def __repr__(self) -> str:
        return "absent"


ABSENT: Final = _Absent()


class Difference(msgspec.Struct, frozen=True):
    """A place, as `fields.amount` or `items[2]`, and what either side has there (or ABSENT)."""

    path: str
    before: Any
    after: Any


def diff_values(before: Any, after: Any) -> list[Difference]:
    """Every place where the two differ, in the order of the first value. 1, 1.0 and true differ.

    Objects are walked by key. Where arrays differ, deepdiff finds which items came, went or
    changed; it takes a third of a second to import, so only then. Raises RecursionError for values
    nested too deeply to walk.
    """
    return [Difference(dotted(keys), old, new) for keys, old, new in _walk(before, after, keys=())]


def _walk(before: Any, after: Any, keys: _Keys) -> Iterator[tuple[_Keys, Any, Any]]:
    if isinstance(before, dict) and isinstance(after, dict):
        for key in dict.fromkeys((*before, *after)):
            yield from _walk(before.get(key, ABSENT), after.get(key, ABSENT), (*keys, key))
    elif isinstance(before, list) and isinstance(after, list):
        if encode(before) != encode(after):
            yield from _walk_arrays(before, after, keys)
    elif before is not after and (type(before) is not type(after) or before != after):
        yield keys, before, after


def _walk_arrays(
    before: list[Any], after: list[Any], keys: _Keys
) -> Iterator[tuple[_Keys, Any, Any]]:
    from deepdiff.diff import DeepDiff
    from deepdiff.helper import notpresent

    tree = DeepDiff(before, after, view="tree", verbose_level=2, ignore_private_variables=False)
    changes = [change for group in tree.values() for change in group]
    found = [(change.path(output_format="list"), change.t1, change.t2) for change in changes]
    if not found:  # what is equal in Python is the same to deepdiff: 0 and false, 1 and 1.0
        for index, (old, new) in enumerate(zip_longest(before, after, fillvalue=ABSENT)):
            yield from _walk(old, new, (*keys, index))
    for path, old, new in sorted(found, key=lambda each: _position(before, each[0])):
        yield (
            (*keys, *path),
            ABSENT if old is notpresent else old,
            ABSENT if new is notpresent else new,
        )


def dotted(keys: Sequence[str | int]) -> str:
    """Keys as people write them: `items[2].name`, `fields["unit price"]`."""
    path = ""
    for key in keys:
        if isinstance(key, int):
            path += f"[{key}]"
        elif _PLAIN_KEY.fullmatch(key):
            path += f".{key}" if path else key
        else:
            path += f"[{encode(key)}]"
    return path


def encode(value: Any) -> str:
    """A JSON value on one line, in any script."""
    try:
        return _ENCODE(value)
    except RecursionError:
        return "(nested too deeply to show)"


def _position(value: Any, keys: Sequence[str | int]) -> tuple[int, ...]:
    """Where a place stands in a value; keys that it lacks come last."""
    position = []
    for key in keys:
        if isinstance(value, dict):
            position.append(list(value).index(key) if key in value else len(value))
            value = value.get(key)
        elif isinstance(value, list) and isinstance(key, int):
            position.append(key)
            value = value[key] if key < len(value) else None
        else:
            break
    return tuple(position)
