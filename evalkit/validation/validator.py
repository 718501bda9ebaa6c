"""JSON Schema validators: RE2 searches their patterns, and references stay inside the schema."""

from collections.abc import Iterator
from functools import cache, lru_cache
from typing import Any

import msgspec

from evalkit.config.patterns import compile_pattern
from evalkit.validation.bounded import MOST_STEPS, BoundedValidator, counted, unique_items
from evalkit.validation.formats import format_checker
from evalkit.validation.soundness import local_registry
from evalkit.validation.wording import show


def build_validator(schema: Any, *, most_steps: int = MOST_STEPS) -> BoundedValidator:
    """A validator of a schema in which `schema_problems` finds nothing; formats are asserted."""
    made = _validator_class()(schema, registry=local_registry(), format_checker=format_checker())
    return BoundedValidator(made, most_steps=most_steps)


def meets(schema: Any, value: Any) -> bool:
    """Whether a value meets a schema in which `schema_problems` finds nothing.

    What is nested too deep to be checked does not, nor what takes too many steps.
    """
    try:
        return bool(kept_validator(msgspec.json.encode(schema)).is_valid(value))
    except (RecursionError, ArithmeticError):
        return False


@lru_cache(maxsize=1_000)
def kept_validator(schema: bytes) -> BoundedValidator:
    """The validator of a schema, given as JSON; the same object for the same bytes."""
    return build_validator(msgspec.json.decode(schema))


@cache
def _validator_class() -> Any:
    """The draft's validator with every pattern searched by RE2, and every keyword counted."""
    from jsonschema import Draft202012Validator, validators

    extend: Any = validators.extend  # untyped
    return extend(
        Draft202012Validator,
        counted(
            {
                **Draft202012Validator.VALIDATORS,
                "pattern": _pattern,
                "patternProperties": _pattern_properties,
                "additionalProperties": _additional_properties,
                "uniqueItems": unique_items,
            }
        ),
    )


def _matches(pattern: str, text: str) -> bool:
    return compile_pattern(pattern).search(text) is not None


def _pattern(validator: Any, pattern: str, instance: Any, schema: Any) -> Iterator[Any]:
    from jsonschema import ValidationError

    if isinstance(instance, str) and not _matches(pattern, instance):
        yield ValidationError(f"{show(instance)} does not match {show(pattern)}")


def _pattern_properties(
    validator: Any, patterns: dict[str, Any], instance: Any, schema: Any
) -> Iterator[Any]:
    if not isinstance(instance, dict):
        return
    for pattern, subschema in patterns.items():
        for key, value in instance.items():
            if _matches(pattern, key):
                yield from validator.descend(value, subschema, path=key, schema_path=pattern)


def _additional_properties(
    validator: Any, subschema: Any, instance: Any, schema: Any
) -> Iterator[Any]:
    from jsonschema import ValidationError

    if not isinstance(instance, dict):
        return
    known, patterns = schema.get("properties", {}), schema.get("patternProperties", {})
    extra = [
        key
        for key in instance
        if key not in known and not any(_matches(pattern, key) for pattern in patterns)
    ]
    if subschema is False:
        if extra:
            yield ValidationError(f"{', '.join(map(show, extra))} must not be there")
        return
    for key in extra:
        yield from validator.descend(instance[key], subschema, path=key)
