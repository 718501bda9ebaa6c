"""JSON Schemas: valid, self-contained, linear to apply, and every keyword checks something."""

import json
import subprocess
import sys
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError

from evalkit.config.json_document import parse_json
from evalkit.config.problems import Locator
from evalkit.errors import Problem
from evalkit.sources.schema_form import is_well_formed
from evalkit.sources.schemas import FORMATS, schema_problems


def _problems(schema: Any, **options: bool) -> list[Problem]:
    document = parse_json(json.dumps(schema).encode(), "schemas/a.json")
    return list(schema_problems(Locator(document), document.data, **options))


def _only(schema: Any) -> tuple[str | None, str]:
    (problem,) = _problems(schema)
    assert problem.line == 1 and problem.column is not None
    return problem.key, problem.message


GOOD = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "additionalProperties": False,
    "required": ["kind", "tree"],
    "properties": {
        "kind": {"enum": ["a", "b", None]},
        "mail": {"type": ["string", "null"], "format": "email", "pattern": "^[a-z]+@"},
        "tree": {"$ref": "#/$defs/node"},
        "x-note": {"type": "number", "multipleOf": 0.5, "minimum": 0},
    },
    "$defs": {
        "node": {
            "type": "object",
            "properties": {"children": {"type": "array", "items": {"$ref": "#/$defs/node"}}},
            "patternProperties": {"^n[0-9]$": True},
        },
    },
}


def test_an_ordinary_schema_has_no_problem() -> None:
    assert _problems(GOOD) == []


@pytest.mark.parametrize(
    ("schema", "key", "words"),
    [
        ({"type": "strin"}, "type", "no valid JSON Schema"),
        (
            {"properties": {"a": {"minLength": -1}}},
            "properties.a.minLength",
            "no valid JSON Schema",
        ),
        ({"required": "a"}, "required", "no valid JSON Schema"),
        ({"$ref": "https://example.org/a.json"}, "$ref", "nothing is fetched"),
        ({"$ref": "other.json#/a"}, "$ref", "nothing is fetched"),
        ({"$ref": "#/$defs/none"}, "$ref", "refers to nothing"),
        ({"$schema": "http://json-schema.org/draft-07/schema#"}, "$schema", "another dialect"),
        ({"pattern": "(?=a)"}, "pattern", "RE2"),
        ({"pattern": r"(a)\1"}, "pattern", "RE2"),
        ({"patternProperties": {"(?!a)": {}}}, "patternProperties.(?!a)", "RE2"),
        ({"requierd": ["a"]}, "requierd", "would check nothing"),
        ({"items": {"format": "emial"}}, "items.format", "would check nothing"),
        ({"$ref": "#"}, "$ref", "never ends"),
        ({"anyOf": [{"type": "null"}, {"$ref": "#"}]}, "anyOf[1].$ref", "never ends"),
        ({"properties": {"a": {"$id": "b"}}}, "properties.a.$id", "as a whole"),
    ],
)
def test_what_is_wrong_with_a_schema_is_said_at_its_place(
    schema: dict[str, Any], key: str, words: str
) -> None:
    found, message = _only(schema)
    assert found == key
    assert words in message


def test_two_definitions_that_lead_round_in_a_circle_are_refused() -> None:
    schema = {"$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"allOf": [{"$ref": "#/$defs/a"}]}}}
    assert {problem.key for problem in _problems(schema)} == {
        "$defs.a.$ref",
        "$defs.b.allOf[0].$ref",
    }


def test_anchors_and_escaped_pointers_are_found() -> None:
    schema = {
        "$id": "https://example.org/whole",
        "properties": {"a": {"$ref": "#there"}, "b": {"$ref": "#/$defs/x~1y%20z"}},
        "$defs": {"t": {"$anchor": "there"}, "x/y z": {"type": "null"}},
    }
    assert _problems(schema) == []


def test_a_typo_in_a_keyword_suggests_the_keyword() -> None:
    (problem,) = _problems({"type": "object", "additionalPropertys": False})
    assert problem.suggestion == "did you mean 'additionalProperties'?"


def test_own_keywords_start_with_x_and_names_of_properties_are_free() -> None:
    assert _problems({"x-owner": "desk", "properties": {"requierd": True, "format": True}}) == []


def test_schemas_of_arguments_may_hold_what_a_provider_understands() -> None:
    schema = {"properties": {"a": {"type": "string", "format": "cron", "hint": "x"}}}
    assert _problems(schema, checks=False) == []


@pytest.mark.parametrize("schema", [True, [], "x", 3, None])
def test_a_schema_file_holds_an_object(schema: Any) -> None:
    assert _only(schema)[1] == "is no JSON Schema"


def test_every_format_that_is_allowed_is_one_that_is_checked() -> None:
    checkable = set(Draft202012Validator.FORMAT_CHECKER.checkers)
    international = {"iri", "iri-reference"}  # checked by way of the URI they stand for
    assert set(FORMATS) - international <= checkable


VALUES = st.sampled_from(
    [True, 0, 1, -1, 1.5, "", "string", "object", "#", "#/x", "a b", None, [], ["a"], ["a", "a"],
     ["string"], ["string", "null"], [1], {}, {"a": ["b"]}, {"a": 1}, "%zz", "http://x/ü", "#ü"]
)  # fmt: skip
KEYS = st.sampled_from(
    [
        "type", "enum", "const", "required", "properties", "items",
        "allOf", "anyOf", "not", "minimum", "multipleOf", "minLength",
        "maxItems", "uniqueItems", "pattern", "format", "$ref", "$id",
        "$defs", "$anchor", "$dynamicRef", "$dynamicAnchor", "$comment", "$schema",
        "title", "default", "examples", "deprecated", "dependentRequired", "dependentSchemas",
        "patternProperties", "prefixItems", "if", "contentEncoding", "contentSchema", "$vocabulary",
        "definitions", "unevaluatedItems", "minContains", "other",
    ]
)  # fmt: skip
SCHEMAS = st.recursive(
    st.dictionaries(KEYS, VALUES, max_size=3),
    lambda inner: st.dictionaries(
        KEYS, VALUES | inner | st.lists(inner, max_size=2) | st.dictionaries(st.text("ab"), inner),
        max_size=3,
    ),
    max_leaves=6,
)  # fmt: skip


@settings(deadline=None)
@given(schema=SCHEMAS)
@example(schema=GOOD)
def test_what_is_taken_as_well_formed_meets_the_metaschema(schema: dict[str, Any]) -> None:
    if is_well_formed(schema):
        try:
            Draft202012Validator.check_schema(schema)
        except SchemaError as error:
            raise AssertionError(f"{schema} was taken as well-formed: {error.message}") from error


def test_ordinary_schemas_are_recognised_without_a_validator() -> None:
    assert is_well_formed(GOOD)


def test_a_project_in_order_loads_without_importing_a_validator(sample: Any) -> None:
    code = (
        "import sys\nfrom pathlib import Path\n"
        "from evalkit.sources.assets import load_assets\n"
        "from evalkit.sources.tree import WorkingTree\n"
        f"load_assets(WorkingTree(Path({str(sample.root)!r})))\n"
        "heavy = {'jsonschema', 'pandas', 'deepdiff', 'aiohttp', 'rich'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
