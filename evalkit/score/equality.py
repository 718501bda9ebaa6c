"""Equality of JSON values: types count, and numbers are equal by value.

`1` is not `"1"`, `true` is not `1`, a key that is missing is not null; `1` is `1.0`.
"""

from collections.abc import Iterator
from typing import Any

from evalkit.score.wording import MISSING, show

Difference = tuple[str, Any, Any]


def equal(expected: Any, found: Any) -> bool:
    """Whether two JSON values are the same."""
    return next(differences(expected, found), None) is None


def differences(expected: Any, found: Any, path: str = "") -> Iterator[Difference]:
    """Where two JSON values differ: path, expected value, found value, in the order expected.

    A path is `fields.amount` or `items[2]`, empty for the values themselves. MISSING stands for
    what one side lacks.
    """
    if isinstance(expected, dict) and isinstance(found, dict):
        for key in dict.fromkeys((*expected, *found)):
            at = f"{path}.{key}" if path else str(key)
            yield from differences(expected.get(key, MISSING), found.get(key, MISSING), at)
    elif isinstance(expected, list | tuple) and isinstance(found, list | tuple):
        for index in range(max(len(expected), len(found))):
            yield from differences(_item(expected, index), _item(found, index), f"{path}[{index}]")
    elif not _same_scalar(expected, found):
        yield path, expected, found


def describe(difference: Difference) -> str:
    """`fields.amount: expected 12, found null`."""
    path, expected, found = difference
    text = f"expected {show(expected)}, found {show(found)}"
    return f"{path}: {text}" if path else text


def _item(items: list[Any] | tuple[Any, ...], index: int) -> Any:
    return items[index] if index < len(items) else MISSING


def _same_scalar(expected: Any, found: Any) -> bool:
    if isinstance(expected, bool) or isinstance(found, bool):
        return expected is found
    if isinstance(expected, int | float) and isinstance(found, int | float):
        return expected == found
    return bool(expected == found)
