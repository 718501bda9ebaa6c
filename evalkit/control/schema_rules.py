"""A value against a JSON Schema, in words that never quote the value."""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import msgspec

from evalkit.config.patterns import PatternError

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


class CannotCheck(Exception):
    """A schema that is unsound, refers to something outside of it, or never ends."""


def check_schema(schema: Any) -> None:
    """Raise CannotCheck for a schema that no value can be held to."""
    try:
        _validator(msgspec.json.encode(schema))
    except (RecursionError, ArithmeticError, PatternError, msgspec.MsgspecError) as error:
        raise CannotCheck(str(error)) from None


def schema_fault(schema: Any, value: Any, placeholders: Mapping[str, str]) -> str | None:
    """Where `value` does not meet `schema` and what was expected there; None where it does.

    `placeholders` are those that stand for personal data in this session: a text that holds one is
    excused from what only the data itself could meet. Raises CannotCheck.
    """
    try:
        validator = _validator(msgspec.json.encode(schema))
        errors = [
            error for error in validator.iter_errors(value) if not _is_excused(error, placeholders)
        ]
        if not errors:
            return None
        worst = min(errors, key=lambda error: (len(error.absolute_path), error.json_path))
        more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
        return f"{worst.json_path}: expected {_expected(worst)}{more}"
    except (RecursionError, ArithmeticError, PatternError, msgspec.MsgspecError) as error:
        raise CannotCheck(str(error)) from None


@lru_cache(maxsize=512)
def _validator(schema: bytes) -> Any:
    """Schemas of a project are checked where they are loaded, those of a program's tools here."""
    from evalkit.validation.soundness import schema_problems
    from evalkit.validation.validator import build_validator

    decoded = msgspec.json.decode(schema)
    problems = schema_problems(decoded)
    if problems:
        raise CannotCheck(problems[0])
    return build_validator(decoded)


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
