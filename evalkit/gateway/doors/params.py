"""What a parameter has to be before the core is handed it: its kind. What it may be, models say."""

from collections.abc import Callable
from typing import Any

from evalkit.gateway.refusals import unreadable

_Check = Callable[[Any], bool]


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_flag(value: Any) -> bool:
    return isinstance(value, bool)


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _are_texts(value: Any) -> bool:
    return _is_text(value) or (isinstance(value, list) and all(map(_is_text, value)))


def _are_numbers_by_name(value: Any) -> bool:
    return isinstance(value, dict) and all(map(_is_number, value.values()))


_KINDS: dict[str, tuple[_Check, str]] = {
    "max_tokens": (_is_count, "a whole number of at least 1"),
    "max_completion_tokens": (_is_count, "a whole number of at least 1"),
    "temperature": (_is_number, "a number"),
    "top_p": (_is_number, "a number"),
    "top_k": (_is_whole, "a whole number"),
    "stop": (_are_texts, "a text or a list of texts"),
    "seed": (_is_whole, "a whole number"),
    "presence_penalty": (_is_number, "a number"),
    "frequency_penalty": (_is_number, "a number"),
    "logit_bias": (_are_numbers_by_name, "an object of numbers"),
    "reasoning_effort": (_is_text, "a text"),
    "verbosity": (_is_text, "a text"),
    "parallel_tool_calls": (_is_flag, "true or false"),
}


def check_param(name: str, value: Any, path: str) -> None:
    """Raise Declined for a value of another kind than the core's parameter has."""
    check, words = _KINDS.get(name, (None, ""))
    if check is not None and not check(value):
        raise unreadable(f"{path} has to be {words}", path)
