"""JSON Schema files: valid, self-contained, and without anything that checks nothing."""

from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote

from evalkit.config.document import Document
from evalkit.config.patterns import pattern_error
from evalkit.config.problems import Locator, Path, listed, suggest
from evalkit.errors import ConfigError, Problem
from evalkit.ports import FileTree
from evalkit.records.asset import JSON_SCHEMA_DIALECT
from evalkit.sources.reading import Explain, Reader
from evalkit.sources.schema_form import is_well_formed
from evalkit.sources.schema_walk import KEYWORDS, Subschema, in_place, subschemas

FORMATS = (
    "date-time",
    "date",
    "time",
    "duration",
    "email",
    "idn-email",
    "hostname",
    "idn-hostname",
    "ipv4",
    "ipv6",
    "uri",
    "uri-reference",
    "iri",
    "iri-reference",
    "uuid",
    "uri-template",
    "json-pointer",
    "relative-json-pointer",
    "regex",
)


def load_schema(reader: Reader, path: str, missing: Explain) -> dict[str, Any] | None:
    """The JSON Schema in a file, or None once its problems are noted."""

    def make(document: Document) -> dict[str, Any] | None:
        problems = list(schema_problems(Locator(document), document.data))
        reader.problems += problems
        return None if problems else document.data

    return reader.once(path, missing, make)


def read_schema(tree: FileTree, path: str) -> dict[str, Any]:
    """The JSON Schema in a file of a tree. Raises ConfigError for one that is not in order."""
    reader = Reader(tree)
    schema = load_schema(reader, path, lambda message: Problem(file=path, message=message))
    if schema is None:
        raise ConfigError(reader.problems)
    return schema


def schema_problems(
    locator: Locator, schema: Any, at: Path = (), *, checks: bool = True
) -> Iterator[Problem]:
    """What is wrong with the JSON Schema at `at`.

    With `checks` it is one that evalkit itself applies, so keywords and formats that would
    check nothing are problems too.
    """
    if not isinstance(schema, dict):
        yield locator.problem(at, "is no JSON Schema", value=schema, expected="an object")
        return
    if not is_well_formed(schema):
        broken = list(_form_problems(locator, schema, at))
        yield from broken
        if broken:
            return
    found = list(subschemas(schema, at))
    yield from _reference_problems(locator, schema, found, at)
    for each in found:
        yield from _pattern_problems(locator, each)
        if checks:
            yield from _idle_problems(locator, each)


def _form_problems(locator: Locator, schema: Any, at: Path) -> Iterator[Problem]:
    # Only a schema that is probably broken pays for this import, which takes a second.
    from jsonschema import Draft202012Validator

    meta = Draft202012Validator(Draft202012Validator.META_SCHEMA)
    for error in meta.iter_errors(schema):
        path = (*at, *error.absolute_path)
        yield locator.problem(path, f"is no valid JSON Schema: {error.message[:200]}")


def _reference_problems(
    locator: Locator, schema: dict[str, Any], found: list[Subschema], at: Path
) -> Iterator[Problem]:
    dialect = schema.get("$schema", JSON_SCHEMA_DIALECT)
    if dialect.rstrip("#") != JSON_SCHEMA_DIALECT:
        path = (*at, "$schema")
        yield locator.problem(path, "another dialect", value=dialect, expected=JSON_SCHEMA_DIALECT)
    pointers = {_pointer(each.path[len(at) :]): each for each in found}
    anchors = {
        each.schema[key]: each
        for each in found
        for key in ("$anchor", "$dynamicAnchor")
        if key in each.schema
    }
    targets: dict[Path, Subschema] = {}
    for each in found:
        if each.path != at and "$id" in each.schema:
            path = (*each.path, "$id")
            yield locator.problem(path, "only the schema as a whole may have an $id")
        for key in ("$ref", "$dynamicRef"):
            reference = each.schema.get(key)
            if reference is None:
                continue
            path = (*each.path, key)
            target = pointers.get(unquote(reference)) or anchors.get(reference[1:])
            if not reference.startswith("#"):
                yield locator.problem(
                    path,
                    "a schema may only refer to its own parts; nothing is fetched",
                    value=reference,
                    expected="a reference that starts with #",
                )
            elif target is None:
                yield locator.problem(path, "refers to nothing in this schema", value=reference)
            else:
                targets[each.path] = target
    yield from _circles(locator, found, targets)


def _circles(
    locator: Locator, found: list[Subschema], targets: dict[Path, Subschema]
) -> Iterator[Problem]:
    """References that lead back without going any deeper into the value: they never end."""
    for start in targets:
        seen: set[Path] = set()
        open_ = [targets[start]]
        while open_:
            each = open_.pop()
            if each.path == start:
                yield locator.problem((*start, "$ref"), "refers to itself, which never ends")
                break
            if each.path not in seen:
                seen.add(each.path)
                open_ += in_place(each)
                if each.path in targets:
                    open_.append(targets[each.path])


def _pattern_problems(locator: Locator, each: Subschema) -> Iterator[Problem]:
    pattern = each.schema.get("pattern")
    if pattern is not None and (why := pattern_error(pattern)):
        yield locator.problem((*each.path, "pattern"), why, value=pattern)
    for pattern in each.schema.get("patternProperties", ()):
        if why := pattern_error(pattern):
            path = (*each.path, "patternProperties", pattern)
            yield locator.problem(path, why, at_key=True)


def _idle_problems(locator: Locator, each: Subschema) -> Iterator[Problem]:
    for key in each.schema:
        if key not in KEYWORDS and not key.startswith("x-"):
            yield locator.problem(
                (*each.path, key),
                "unknown keyword, which would check nothing",
                at_key=True,
                suggestion=suggest(key, KEYWORDS) or "start your own keywords with x-",
            )
    name = each.schema.get("format")
    if name is not None and name not in FORMATS:
        yield locator.problem(
            (*each.path, "format"),
            "unknown format, which would check nothing",
            value=name,
            expected=f"one of {listed(FORMATS, len(FORMATS))}",
            suggestion=suggest(name, FORMATS),
        )


def _pointer(path: Path) -> str:
    parts = (str(part).replace("~", "~0").replace("/", "~1") for part in path)
    return "#" + "".join(f"/{part}" for part in parts)
