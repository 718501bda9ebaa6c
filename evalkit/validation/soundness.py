"""What keeps a JSON Schema from being applied safely, looked for before any reply meets it.

Keywords and formats that would check nothing are found where schemas are loaded; this is what the
validator itself relies on, also for a schema that comes out of a bundle.
"""

from collections.abc import Iterator
from functools import cache
from typing import TYPE_CHECKING, Any

from evalkit.config.patterns import PatternError, compile_pattern
from evalkit.records.asset import JSON_SCHEMA_DIALECT
from evalkit.validation.wording import clip, show

if TYPE_CHECKING:
    from referencing import Registry


@cache
def local_registry() -> "Registry[Any]":
    """The meta-schemas and nothing else: a reference that leaves the schema finds nothing."""
    from jsonschema_specifications import REGISTRY  # type: ignore[import-untyped] # it has none

    registry: Registry[Any] = REGISTRY
    return registry


def schema_problems(schema: Any) -> list[str]:
    """Everything wrong with a schema, in words; empty for a sound one."""
    from jsonschema import Draft202012Validator
    from jsonschema.exceptions import SchemaError

    # No formats here: "regex" would hold a pattern to the syntax of `re`, and RE2 reads it.
    no_formats: Any = None
    if not isinstance(schema, dict | bool):
        return [f"a schema is an object, true or false, not {show(schema)}"]
    if isinstance(schema, dict) and _dialect(schema) != JSON_SCHEMA_DIALECT:
        return [f"$schema is {show(schema['$schema'])}; evalkit reads {JSON_SCHEMA_DIALECT}"]
    try:
        Draft202012Validator.check_schema(schema, format_checker=no_formats)
    except SchemaError as error:
        return [clip(f"{error.json_path}: {error.message}")]
    return list(dict.fromkeys(_problems(schema)))


def _dialect(schema: dict[str, Any]) -> str:
    return str(schema.get("$schema", JSON_SCHEMA_DIALECT)).removesuffix("#")


def _problems(schema: Any) -> Iterator[str]:
    from referencing.jsonschema import DRAFT202012

    keywords: set[str] = set()
    resource = DRAFT202012.create_resource(schema)
    pending = [(local_registry().resolver_with_root(resource), resource)]
    while pending:
        resolver, each = pending.pop()
        if isinstance(each.contents, dict):
            keywords |= each.contents.keys()
            yield from _pattern_problems(each.contents)
            yield from _dangling(each.contents, resolver)
        pending += [(resolver.in_subresource(sub), sub) for sub in each.subresources()]
    if {"patternProperties", "unevaluatedProperties"} <= keywords:
        # jsonschema would search the names for the patterns with `re`, which can take forever
        yield "patternProperties beside unevaluatedProperties is not supported; name the properties"


def _pattern_problems(schema: dict[str, Any]) -> Iterator[str]:
    patterns = [schema["pattern"]] if "pattern" in schema else []
    for pattern in (*patterns, *schema.get("patternProperties", {})):
        try:
            compile_pattern(pattern)
        except PatternError as error:
            yield str(error)


def _dangling(schema: dict[str, Any], resolver: Any) -> Iterator[str]:
    from referencing.exceptions import Unresolvable

    for keyword in ("$ref", "$dynamicRef"):
        reference = schema.get(keyword)
        if reference is None:
            continue
        try:
            resolver.lookup(reference)
        except Unresolvable:
            yield (
                f"{keyword} {show(reference)} points at nothing in this schema; other files and "
                "addresses are not followed"
            )
