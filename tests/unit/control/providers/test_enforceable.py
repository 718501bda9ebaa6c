"""What of a JSON Schema a vendor with a closed dialect is sent."""

from typing import Any

import pytest

from evalkit.control.providers.enforceable import enforceable

QUEUE = {"type": "object", "properties": {"queue": {"type": "string"}}}


def test_objects_that_say_nothing_of_other_keys_are_closed_at_every_depth() -> None:
    inner = {"type": "array", "items": QUEUE}
    sent = enforceable({"type": "object", "properties": {"all": inner}, "required": ["all"]})
    closed = {**QUEUE, "additionalProperties": False}
    assert sent == {
        "type": "object",
        "properties": {"all": {"type": "array", "items": closed}},
        "required": ["all"],
        "additionalProperties": False,
    }


def test_bounds_and_patterns_are_left_to_the_scorers() -> None:
    number = {"type": "number", "minimum": 0, "maximum": 1, "description": "A share."}
    text = {"type": "string", "pattern": "^a", "maxLength": 3, "format": "regex"}
    day = {"type": "string", "format": "date"}
    sent = enforceable(
        {"type": "object", "properties": {"n": number, "t": text, "d": day}, "minProperties": 1}
    )
    assert sent is not None
    assert sent["properties"] == {
        "n": {"type": "number", "description": "A share."},
        "t": {"type": "string"},
        "d": day,
    }
    assert "minProperties" not in sent


def test_alternatives_and_references_are_kept() -> None:
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$defs": {"q": QUEUE},
        "oneOf": [{"$ref": "#/$defs/q"}, {"type": "null"}],
    }
    assert enforceable(schema) == {
        "$defs": {"q": {**QUEUE, "additionalProperties": False}},
        "anyOf": [{"$ref": "#/$defs/q"}, {"type": "null"}],
    }


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "object"},
        {"type": "object", "properties": {}},
        {**QUEUE, "additionalProperties": True},
        {**QUEUE, "additionalProperties": {"type": "string"}},
        {**QUEUE, "patternProperties": {"^x": {}}},
        {"type": "object", "properties": {"any": {}}},
        {"type": "object", "properties": {"any": True}},
        {"type": "array", "items": {"type": ["object", "null"]}},
    ],
)
def test_a_schema_that_is_open_on_purpose_is_not_sent(schema: dict[str, Any]) -> None:
    assert enforceable(schema) is None
