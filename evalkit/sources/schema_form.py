"""Whether a JSON Schema has the form that its metaschema asks for, without loading a validator.

`check` and `run` see mostly valid schemas, and importing jsonschema takes a second, so valid ones
are recognised here. A schema that is not recognised is left to jsonschema, which also explains.
"""

from collections.abc import Callable
from typing import Any

from evalkit.records.asset import JSON_SCHEMA_DIALECT
from evalkit.sources.schema_walk import NAMED, ONE, SEVERAL

_TYPES = frozenset(("null", "boolean", "object", "array", "number", "string", "integer"))


def is_well_formed(schema: Any) -> bool:
    """True only for what the 2020-12 metaschema accepts; False does not mean that it refuses."""
    if isinstance(schema, bool):
        return True
    return isinstance(schema, dict) and all(
        _FORM.get(key, _anything)(value) for key, value in schema.items()
    )


def _anything(_: Any) -> bool:
    return True


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_bool(value: Any) -> bool:
    return isinstance(value, bool)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _is_names(value: Any) -> bool:
    return (
        isinstance(value, list)
        and all(isinstance(name, str) for name in value)
        and len(set(value)) == len(value)
    )


def _is_type(value: Any) -> bool:
    if isinstance(value, list):
        return bool(value) and _is_names(value) and _TYPES.issuperset(value)
    return isinstance(value, str) and value in _TYPES


def _is_several(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(is_well_formed(each) for each in value)


def _is_named(value: Any) -> bool:
    return isinstance(value, dict) and all(is_well_formed(each) for each in value.values())


def _is_dependent(value: Any) -> bool:
    return isinstance(value, dict) and all(_is_names(names) for names in value.values())


def _is_own_part(value: Any) -> bool:
    return isinstance(value, str) and value.startswith("#") and value.isascii()


_FORM: dict[str, Callable[[Any], bool]] = {
    **dict.fromkeys(ONE, is_well_formed),
    **dict.fromkeys(SEVERAL, _is_several),
    **dict.fromkeys(NAMED, _is_named),
    **dict.fromkeys(
        ("title", "description", "$comment", "format", "pattern", "contentEncoding"), _is_text
    ),
    **dict.fromkeys(("deprecated", "readOnly", "writeOnly", "uniqueItems"), _is_bool),
    **dict.fromkeys(("maximum", "exclusiveMaximum", "minimum", "exclusiveMinimum"), _is_number),
    **dict.fromkeys(
        ("maxLength", "minLength", "maxItems", "minItems", "maxContains", "minContains"), _is_count
    ),
    **dict.fromkeys(("maxProperties", "minProperties"), _is_count),
    "multipleOf": lambda value: _is_number(value) and value > 0,
    "required": _is_names,
    "dependentRequired": _is_dependent,
    "type": _is_type,
    "enum": lambda value: isinstance(value, list),
    "examples": lambda value: isinstance(value, list),
    "contentMediaType": _is_text,
    "$schema": lambda value: value == JSON_SCHEMA_DIALECT,
    "$ref": _is_own_part,
    "$dynamicRef": _is_own_part,
    # Rare, and with a grammar of their own: left to the validator.
    **dict.fromkeys(("$id", "$anchor", "$dynamicAnchor", "$vocabulary"), lambda _: False),
}
