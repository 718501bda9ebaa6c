"""pydantic's errors in plain words: where, what is wrong, what was expected."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import msgspec
from pydantic import BaseModel, ValidationError

from evalkit.config.base import PATTERN_WORDS
from evalkit.config.document import PathPart
from evalkit.config.shape import keys_at

_QUOTED = re.compile(r"'([^']*)'|(?<![\w'])(\d+)(?![\w'])")
_KEY_MARK = "[key]"


class Complaint(msgspec.Struct, frozen=True, kw_only=True):
    """One thing wrong at `path`. `found` was perhaps meant to be one of `options`."""

    path: tuple[PathPart, ...]
    message: str
    at_key: bool = False
    show_value: bool = True
    expected: str | None = None
    found: str | None = None
    options: tuple[str, ...] = ()


class _Located(msgspec.Struct, frozen=True):
    """An error with its path in the document; `union` is where it left a choice of types."""

    path: tuple[PathPart, ...]
    union: tuple[PathPart, ...] | None
    at_key: bool
    error: Mapping[str, Any]


def describe(error: ValidationError, model: type[BaseModel], data: Any) -> Iterable[Complaint]:
    """Every error, once: what a union says about each of its types is joined into one."""
    located = [_locate(each, data) for each in error.errors(include_url=False)]
    unions: dict[tuple[PathPart, ...], list[_Located]] = {}
    for each in located:
        if each.union is not None:
            unions.setdefault(each.union, []).append(each)
    done = set()
    for each in located:
        if each.union is None:
            yield _complaint(each, model)
        elif each.union not in done:
            done.add(each.union)
            yield from _choice(unions[each.union], model)


def _locate(error: Mapping[str, Any], data: Any) -> _Located:
    """Follow the error's location through the data; what is not in it names a type of a union."""
    path: list[PathPart] = []
    union: tuple[PathPart, ...] | None = None
    parts: Sequence[PathPart] = error["loc"]
    for index, part in enumerate(parts):
        last = index == len(parts) - 1
        if last and part == _KEY_MARK:
            return _Located(tuple(path), union, True, error)
        inside = (isinstance(data, dict) and part in data) or (
            isinstance(data, list) and isinstance(part, int) and part < len(data)
        )
        if inside:
            path.append(part)
            data = data[part]
        elif last and error["type"] == "missing":
            path.append(part)
        elif union is None:
            union = tuple(path)
    return _Located(tuple(path), union, False, error)


def _choice(errors: Sequence[_Located], model: type[BaseModel]) -> Iterable[Complaint]:
    """What to say where none of several types fits."""
    deeper: dict[tuple[PathPart, ...], list[_Located]] = {}
    for each in errors:
        if each.path != each.union:
            deeper.setdefault(each.path, []).append(each)
    for at_one_place in deeper.values() if deeper else [errors]:
        yield from _one_of([_complaint(each, model) for each in at_one_place])


def _one_of(complaints: Sequence[Complaint]) -> Iterable[Complaint]:
    """One complaint of all that types of a union say about one place."""
    if len(complaints) == 1:
        yield complaints[0]
        return
    expected = [each.expected for each in complaints if each.expected]
    if not expected:
        yield complaints[0]
        return
    yield Complaint(
        path=complaints[0].path,
        message="wrong value",
        expected=", or ".join(dict.fromkeys(expected)),
    )


def _complaint(each: _Located, model: type[BaseModel]) -> Complaint:
    kind, context = each.error["type"], each.error.get("ctx", {})
    if kind == "extra_forbidden":
        options = keys_at(model, each.path[:-1])
        return Complaint(
            path=each.path,
            message="unknown key",
            at_key=True,
            show_value=False,
            expected=f"one of {', '.join(options)}" if options else None,
            found=str(each.path[-1]),
            options=options,
        )
    if kind == "missing":
        return Complaint(path=each.path, message="is missing", show_value=False)
    if kind == "value_error":
        return Complaint(path=each.path, message=str(context["error"]), show_value=False)
    found = str(each.path[-1]) if each.at_key else str(each.error.get("input"))
    options = _options(context) if kind == "literal_error" else ()
    return Complaint(
        path=each.path,
        message="wrong name" if each.at_key else "wrong value",
        at_key=each.at_key,
        show_value=not each.at_key,
        expected=_expected(kind, context, each.error["msg"]),
        found=found if options else None,
        options=options,
    )


def _options(context: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(text or number for text, number in _QUOTED.findall(context["expected"]))


def _expected(kind: str, context: Mapping[str, Any], otherwise: str) -> str:
    make = _EXPECTED.get(kind)
    return otherwise if make is None else make(context)


def _number(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _constant(words: str) -> Callable[[Mapping[str, Any]], str]:
    return lambda _: words


_EXPECTED: dict[str, Callable[[Mapping[str, Any]], str]] = {
    "string_type": _constant("a text (in quotes if it looks like something else)"),
    "string_unicode": _constant("a text without half of a surrogate pair"),
    "int_type": _constant("a whole number"),
    "int_from_float": _constant("a whole number"),
    "float_type": _constant("a number"),
    "bool_type": _constant("true or false"),
    "list_type": _constant("a list"),
    "dict_type": _constant("a mapping (key: value)"),
    "model_type": _constant("a mapping (key: value)"),
    "model_attributes_type": _constant("a mapping (key: value)"),
    "none_required": _constant("nothing (null)"),
    "finite_number": _constant("a finite number"),
    "literal_error": lambda c: (
        f"one of {', '.join(_options(c))}" if len(_options(c)) > 1 else f"{', '.join(_options(c))}"
    ),
    "greater_than": lambda c: f"more than {_number(c['gt'])}",
    "greater_than_equal": lambda c: f"at least {_number(c['ge'])}",
    "less_than": lambda c: f"less than {_number(c['lt'])}",
    "less_than_equal": lambda c: f"at most {_number(c['le'])}",
    "string_too_short": lambda c: (
        "a text that is not empty"
        if c["min_length"] == 1
        else f"at least {c['min_length']} characters"
    ),
    "string_too_long": lambda c: f"at most {c['max_length']} characters",
    "too_short": lambda c: (
        f"at least {c['min_length']} entr{'y' if c['min_length'] == 1 else 'ies'}"
    ),
    "too_long": lambda c: f"at most {c['max_length']} entries",
    "string_pattern_mismatch": lambda c: PATTERN_WORDS.get(
        c["pattern"], f"a text that matches {c['pattern']}"
    ),
}
