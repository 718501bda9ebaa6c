"""The schemas inside a JSON Schema, with their paths."""

from collections.abc import Iterator
from typing import Any

import msgspec

from evalkit.config.problems import Path

# Keywords whose value is a schema, a list of schemas, or a mapping of names to schemas.
ONE = (
    "additionalProperties",
    "unevaluatedProperties",
    "items",
    "unevaluatedItems",
    "contains",
    "propertyNames",
    "not",
    "if",
    "then",
    "else",
    "contentSchema",
)
SEVERAL = ("allOf", "anyOf", "oneOf", "prefixItems")
NAMED = ("properties", "patternProperties", "$defs", "definitions", "dependentSchemas")
# These look at the same value as the schema they stand in.
_IN_PLACE = ("not", "if", "then", "else", "allOf", "anyOf", "oneOf", "dependentSchemas")

KEYWORDS = frozenset(
    (
        *ONE,
        *SEVERAL,
        *NAMED,
        *("$schema", "$id", "$ref", "$anchor", "$dynamicRef", "$dynamicAnchor", "$comment"),
        *("$vocabulary", "title", "description", "default", "examples", "deprecated"),
        *("readOnly", "writeOnly", "type", "enum", "const", "format", "pattern"),
        *("multipleOf", "maximum", "exclusiveMaximum", "minimum", "exclusiveMinimum"),
        *("maxLength", "minLength", "maxItems", "minItems", "uniqueItems"),
        *("maxContains", "minContains", "maxProperties", "minProperties"),
        *("required", "dependentRequired", "contentEncoding", "contentMediaType"),
    )
)


class Subschema(msgspec.Struct, frozen=True):
    """A schema that is an object, and its path."""

    path: Path
    schema: dict[str, Any]


def subschemas(schema: Any, path: Path = ()) -> Iterator[Subschema]:
    """The schema itself and every schema inside it that is an object."""
    if isinstance(schema, dict):
        yield Subschema(path, schema)
        for key, inner in _children(schema):
            yield from subschemas(inner, (*path, *key))


def in_place(each: Subschema) -> Iterator[Subschema]:
    """The schemas that a schema applies to the very value it is applied to."""
    for key, inner in _children(each.schema):
        if key[0] in _IN_PLACE and isinstance(inner, dict):
            yield Subschema((*each.path, *key), inner)


def _children(schema: dict[str, Any]) -> Iterator[tuple[Path, Any]]:
    for key, value in schema.items():
        if key in ONE:
            yield (key,), value
        elif key in SEVERAL and isinstance(value, list):
            for index, inner in enumerate(value):
                yield (key, index), inner
        elif key in NAMED and isinstance(value, dict):
            for name, inner in value.items():
                yield (key, name), inner
