"""Schemas that would never be done are given up; what they say is the same otherwise."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from evalkit.validation.bounded import TooManySteps
from evalkit.validation.validator import build_validator, meets


def branching(keyword: str, depth: int = 40) -> dict[str, Any]:
    """A schema of `depth` lines that asks for two to the power of `depth` looks."""
    parts: dict[str, Any] = {
        f"d{number}": {keyword: [{"$ref": f"#/$defs/d{number + 1}"}] * 2} for number in range(depth)
    }
    return {"$ref": "#/$defs/d0", "$defs": {**parts, f"d{depth}": {"type": "string"}}}


def nested(depth: int) -> Any:
    """An object in an object in an object."""
    return {"a": nested(depth - 1)} if depth else {}


TWICE = {
    "$ref": "#/$defs/n",
    "$defs": {"n": {"properties": {"a": {"allOf": [{"$ref": "#/$defs/n"}] * 2}}}},
}
ITEMS = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 2) | st.sampled_from([0.0, 1.0, 1.5, "", "a"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("ab"), inner),
    max_leaves=6,
)


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        (branching("anyOf"), 1),
        (branching("oneOf"), "a"),
        (branching("allOf"), "a"),
        (TWICE, nested(60)),
        ({"items": {"type": "integer"}}, list(range(3_000))),
    ],
    ids=["anyOf", "oneOf", "allOf", "a reference to itself, twice", "many items"],
)
def test_what_takes_too_many_steps_is_given_up(schema: Any, value: Any) -> None:
    validator = build_validator(schema, most_steps=2_000)
    with pytest.raises(TooManySteps):
        list(validator.iter_errors(value))
    with pytest.raises(TooManySteps):
        validator.is_valid(value)


def test_steps_are_counted_for_each_value_anew() -> None:
    validator = build_validator({"type": "integer", "minimum": 0}, most_steps=10)
    assert all(validator.is_valid(number) for number in range(100))


@given(st.lists(ITEMS, max_size=6))
def test_unique_items_are_those_that_differ_as_json(items: list[Any]) -> None:
    schema = {"uniqueItems": True}
    assert meets(schema, items) is Draft202012Validator(schema).is_valid(items)


def test_a_long_list_of_objects_is_looked_at_once() -> None:
    items = [{"id": number, "tags": [number]} for number in range(20_000)]
    assert meets({"uniqueItems": True}, items)
    assert not meets({"uniqueItems": True}, [*items, {"tags": [7.0], "id": 7}])


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("date-time", "1" * 100_000),
        ("duration", "P" + "1Y" * 50_000),
        ("hostname", "a." * 50_000),
        ("idn-hostname", "é." * 50_000),
        ("email", "a@" * 50_000),
        ("ipv6", ":" * 100_000),
        ("uri", "a:" + "//" * 50_000),
        ("iri", "é" * 50_000),
        ("uri-template", "{" * 100_000),
        ("json-pointer", "/~" * 50_000),
        ("regex", "(" * 50_000),
    ],
)
def test_a_format_is_checked_in_time(name: str, text: str) -> None:
    assert meets({"format": name}, text) in (True, False)
