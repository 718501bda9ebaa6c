"""The arguments of a tool call: held to the tool's JSON Schema, and known again by their digest."""

import json
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

import msgspec

from evalkit.config.patterns import PatternError
from evalkit.control.ruling import POLICY_ERROR, Ruling
from evalkit.records.asset import Tool
from evalkit.records.digest import digest_of

RULE = "tools.arguments"
# what a placeholder in a text may break although the value it stands for kept it
_OF_TEXTS = frozenset({"pattern", "format", "minLength", "maxLength"})
_EXPECTED: Mapping[str, str] = {
    "minimum": "at least {}",
    "maximum": "at most {}",
    "exclusiveMinimum": "more than {}",
    "exclusiveMaximum": "less than {}",
    "multipleOf": "a multiple of {}",
    "minLength": "at least {} characters",
    "maxLength": "at most {} characters",
    "minItems": "at least {} items",
    "maxItems": "at most {} items",
    "minProperties": "at least {} keys",
    "maxProperties": "at most {} keys",
    "format": "a text of format {}",
    "pattern": "a text that matches {}",
    "uniqueItems": "items that differ",
    "type": "a value of type {}",
    "const": "{}",
    "enum": "one of {}",
}


def rule_arguments(
    tool: Tool, arguments: Mapping[str, Any], placeholders: Mapping[str, str], *, shadow: bool
) -> Ruling:
    """Whether the arguments of a call meet `tool.parameters`.

    The message names the place and what was expected there, never the value. `placeholders` are
    those that stand for personal data in this session: a text that holds one is excused from what
    only the data itself could meet.
    """
    if not tool.parameters:
        return Ruling(True, RULE, f"{tool.name} says nothing of its arguments")
    try:
        validator = _validator(json.dumps(tool.parameters))
        errors = [
            error
            for error in validator.iter_errors(dict(arguments))
            if not _is_excused(error, placeholders)
        ]
        if not errors:
            return Ruling(True, RULE, f"{tool.name}: the arguments meet its schema")
        worst = min(errors, key=lambda error: (len(error.absolute_path), error.json_path))
    except (_CannotCheck, RecursionError, ArithmeticError, PatternError) as error:
        # of a tool that a program declares; those of a project are checked where they are loaded
        message = f"{tool.name}: the schema of its arguments cannot be applied: {error}"
        return Ruling(False, POLICY_ERROR, message)
    more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
    message = f"{tool.name}: {worst.json_path}: expected {_expected(worst)}{more}"
    return Ruling(False, RULE, message, shadow=shadow)


class _CannotCheck(Exception):
    """A schema that is unsound, or that refers to something outside of it."""


class _Guarded:
    """A validator whose own failures are `_CannotCheck`."""

    def __init__(self, schema: Any) -> None:
        from evalkit.validation.soundness import schema_problems
        from evalkit.validation.validator import build_validator

        problems = schema_problems(schema)
        if problems:
            raise _CannotCheck(problems[0])
        self._validator = build_validator(schema)

    def iter_errors(self, value: Any) -> Iterator[Any]:
        yield from self._validator.iter_errors(value)


@lru_cache(maxsize=512)
def _validator(schema: str) -> _Guarded:
    return _Guarded(json.loads(schema))


def _is_excused(error: Any, placeholders: Mapping[str, str]) -> bool:
    """Whether only a placeholder is what does not fit."""
    return (
        bool(placeholders)
        and error.validator in _OF_TEXTS
        and isinstance(error.instance, str)
        and any(name in error.instance for name in placeholders)
    )


def _expected(error: Any) -> str:
    """What a schema asks for at one place, in words, from the schema alone."""
    keyword, value = error.validator, error.validator_value
    if keyword == "required":
        missing = [name for name in value if name not in error.instance]
        return f"the key {', '.join(missing)}" if missing else "all of its keys"
    if keyword in ("additionalProperties", "unevaluatedProperties"):
        known = ", ".join(error.schema.get("properties", {})) or "none"
        return f"no key but its own: {known}"
    words = _EXPECTED.get(keyword)
    if words is None:
        return f"what {keyword} asks for"
    if keyword == "enum":
        return words.format(", ".join(_shown(each) for each in value[:8]))
    if keyword == "type":
        return words.format(value if isinstance(value, str) else " or ".join(value))
    return words.format(value if isinstance(value, str) else _shown(value))


def _shown(value: Any) -> str:
    from evalkit.validation.wording import show

    return show(value)


def digest_arguments(arguments: Mapping[str, Any], placeholders: Mapping[str, str]) -> str:
    """What tells one call's arguments from another's: `sha256:…`, whatever the order of their keys.

    Placeholders count as the values that they stand for. Two sessions number their data each for
    itself, so that `[EMAIL_1]` of one is somebody else than `[EMAIL_1]` of the other.
    """
    plain = _restored(dict(arguments), placeholders) if placeholders else dict(arguments)
    try:
        return digest_of(plain)
    except (ValueError, TypeError, RecursionError, msgspec.MsgspecError):
        # what no digest can be taken of equals nothing but itself
        return digest_of(repr(plain))


def _restored(value: Any, placeholders: Mapping[str, str]) -> Any:
    if isinstance(value, str):
        for name, meant in placeholders.items():
            if name in value:
                value = value.replace(name, f"\0{meant}\0")
        return value
    if isinstance(value, dict):
        return {
            str(_restored(key, placeholders)): _restored(each, placeholders)
            for key, each in value.items()
        }
    if isinstance(value, list | tuple):
        return [_restored(each, placeholders) for each in value]
    return value
