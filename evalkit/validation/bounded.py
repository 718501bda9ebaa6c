"""A validator that ends: what a schema of a few lines can ask for is more than any machine does.

References that branch, `anyOf` of `anyOf`, double the work with every level. Every keyword that is
applied is a step here, and a value that takes too many cannot be checked.
"""

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

MOST_STEPS = 100_000
"""Keywords applied to one value: a few seconds. A reply of a model takes hundreds."""

Keyword = Callable[[Any, Any, Any, Any], Iterable[Any] | None]


class TooManySteps(ArithmeticError):
    """A value that takes too long to be held against its schema."""

    def __init__(self) -> None:
        """There is nothing else to say."""
        super().__init__("the schema takes too many steps for this value")


class _Steps(threading.local):
    """What the validation that runs in this thread has left."""

    left = MOST_STEPS


_STEPS = _Steps()


def counted(keywords: Mapping[str, Keyword]) -> dict[str, Keyword]:
    """The keywords, each of which takes a step."""
    return {name: _counted(keyword) for name, keyword in keywords.items()}


def _counted(keyword: Keyword) -> Keyword:
    def step(validator: Any, value: Any, instance: Any, schema: Any) -> Iterable[Any] | None:
        _STEPS.left -= 1
        if _STEPS.left < 0:
            raise TooManySteps
        return keyword(validator, value, instance, schema)

    return step


class BoundedValidator:
    """A validator of one schema. Each method raises TooManySteps, RecursionError and the
    ArithmeticErrors of numbers that no float holds."""

    def __init__(self, validator: Any, *, most_steps: int = MOST_STEPS) -> None:
        """`validator` is one whose keywords are `counted`."""
        self._validator = validator
        self._most = most_steps

    def iter_errors(self, value: Any) -> Iterator[Any]:
        """Everything in which a value does not meet the schema."""
        _STEPS.left = self._most
        return iter(list(self._validator.iter_errors(value)))

    def is_valid(self, value: Any) -> bool:
        """Whether a value meets the schema."""
        _STEPS.left = self._most
        return bool(self._validator.is_valid(value))


def unique_items(validator: Any, wanted: Any, instance: Any, schema: Any) -> Iterator[Any]:
    """`uniqueItems` in one pass; each item against each other is minutes for a long list."""
    from jsonschema import ValidationError

    if not wanted or not isinstance(instance, list):
        return
    seen: set[Any] = set()
    for item in instance:
        known = _comparable(item)
        if known in seen:
            yield ValidationError("has items that are not unique")
            return
        seen.add(known)


def _comparable(value: Any) -> Any:
    """What is equal for equal JSON alone: 1 and 1.0 are, 1 and true are not."""
    if isinstance(value, bool):
        return ("truth", value)
    if isinstance(value, list):
        return ("list", *map(_comparable, value))
    if isinstance(value, dict):
        return ("object", frozenset((key, _comparable(each)) for key, each in value.items()))
    return value
