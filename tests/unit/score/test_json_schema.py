"""JSON Schema 2020-12: formats asserted, patterns in RE2, nothing fetched."""

import time
from typing import Any

import pytest

from evalkit.errors import ConfigError
from evalkit.records.score import Score
from evalkit.score.registry import build_scorers
from tests.unit.score.samples import answer, answer_json, case, score

ENTRY = {"json_schema": "s.json"}


def held_against(schema: Any, value: Any) -> Score:
    """A JSON reply against a schema."""
    return score(ENTRY, answer_json(value), case(), s=schema)


def problems_of(schema: Any) -> str:
    """What is said of a schema that is refused."""
    with pytest.raises(ConfigError) as refused:
        build_scorers([ENTRY], {"s.json": schema})
    assert all(problem.file == "s.json" for problem in refused.value.problems)
    return str(refused.value)


def test_a_reply_that_meets_the_schema_passes_and_another_fails() -> None:
    schema = {"type": "object", "required": ["a"], "properties": {"a": {"type": "integer"}}}
    assert held_against(schema, {"a": 1}).passed is True
    found = held_against(schema, {"a": "x" * 1_000})
    assert found.passed is False
    assert found.message.startswith("$.a: 'xxx")
    assert len(found.message) <= 200


def test_several_errors_are_counted() -> None:
    schema = {"properties": {"a": {"type": "integer"}, "b": {"type": "integer"}}}
    assert "(and 1 more)" in held_against(schema, {"a": "x", "b": "y"}).message


@pytest.mark.parametrize("output", ["no json", "", "{", '{"a": NaN}'])
def test_a_reply_that_is_no_json_fails_every_schema(output: str) -> None:
    assert score(ENTRY, answer(output), case(), s={}).passed is False
    assert score(ENTRY, answer(None, state="refused"), case(), s={}).passed is False


@pytest.mark.parametrize(
    ("schema", "meets", "breaks"),
    [
        ({"prefixItems": [{"type": "string"}], "items": False}, ["a"], ["a", 1]),
        ({"dependentRequired": {"a": ["b"]}}, {"a": 1, "b": 2}, {"a": 1}),
        ({"contains": {"const": 1}, "maxContains": 1}, [1, 2], [1, 1]),
        (
            {"properties": {"a": {}}, "unevaluatedProperties": False},
            {"a": 1},
            {"a": 1, "b": 1},
        ),
        (
            {"$defs": {"n": {"type": "number"}}, "items": {"$ref": "#/$defs/n"}},
            [1],
            ["1"],
        ),
        ({"const": 1}, 1.0, True),
        ({"enum": [None]}, None, False),
    ],
)
def test_keywords_of_the_draft_are_applied(schema: Any, meets: Any, breaks: Any) -> None:
    assert held_against(schema, meets).passed is True
    assert held_against(schema, breaks).passed is False


@pytest.mark.parametrize(
    ("name", "meets", "breaks"),
    [
        ("date", "2026-11-24", "2026-13-01"),
        ("date-time", "2026-11-24T10:00:00Z", "2026-11-24 10:00"),
        ("time", "10:00:00Z", "25:00:00Z"),
        ("duration", "P3D", "3 days"),
        ("email", "a@example.com", "a@"),
        ("email", "a@example.com", "a b@example.com"),
        ("hostname", "example.com", "-example.com"),
        ("ipv4", "192.0.2.1", "192.0.2.256"),
        ("ipv6", "2001:db8::1", "2001:db8:::1"),
        ("uri", "https://example.com/a", "example com"),
        ("uuid", "7f2c5a3e-8f0e-4b0e-9d3b-6a1c2d3e4f50", "7f2c5a3e"),
        ("json-pointer", "/a/0", "a/0"),
        ("regex", "^a+$", "("),
    ],
)
def test_a_format_is_an_assertion(name: str, meets: str, breaks: str) -> None:
    assert held_against({"format": name}, meets).passed is True
    assert held_against({"format": name}, breaks).passed is False


def test_a_placeholder_has_the_format_of_what_it_stands_for_and_no_other() -> None:
    assert held_against({"format": "email"}, "[EMAIL_1]").passed is True
    assert held_against({"format": "ipv4"}, "[IP_2]").passed is True
    assert held_against({"format": "email"}, "[PHONE_1]").passed is False
    assert held_against({"format": "email"}, "x [EMAIL_1]").passed is False


def test_a_placeholder_that_breaks_a_pattern_is_explained() -> None:
    found = held_against({"pattern": "^[+][0-9]+$"}, "[PHONE_1]")
    assert found.passed is False
    assert "personal data is replaced" in found.message
    assert "personal data" not in held_against({"pattern": "^a$"}, "b").message


def test_patterns_of_values_and_of_names_are_searched_by_re2() -> None:
    schema = {"patternProperties": {"^n_": {"type": "number"}}, "additionalProperties": False}
    assert held_against(schema, {"n_a": 1}).passed is True
    assert held_against(schema, {"n_a": "1"}).passed is False
    found = held_against(schema, {"m": 1})
    assert '"m" must not be there' in found.message
    rest = {"patternProperties": {"^n_": {}}, "additionalProperties": {"type": "null"}}
    assert held_against(rest, {"n_a": 1, "m": None}).passed is True
    assert held_against(rest, {"n_a": 1, "m": 1}).passed is False
    assert held_against({"pattern": r"^\pL+\z"}, "Grüße").passed is True


def test_a_pattern_that_backtracks_elsewhere_takes_no_time() -> None:
    evil, text = "^(a+)+$", "a" * 20_000 + "!"
    started = time.perf_counter()
    assert held_against({"pattern": evil}, text).passed is False
    names = {"patternProperties": {evil: False}, "additionalProperties": True}
    assert held_against(names, {text: 1}).passed is True
    closed = {"patternProperties": {evil: {}}, "additionalProperties": False}
    assert held_against(closed, {text: 1}).passed is False
    assert time.perf_counter() - started < 2


@pytest.mark.parametrize(
    ("schema", "said"),
    [
        ({"type": "strnig"}, "$.type"),
        ({"properties": {"a": {"pattern": r"(?=a)"}}}, "not RE2 syntax"),
        ({"$defs": {"a": {"patternProperties": {r"(a)\1": {}}}}}, "not RE2 syntax"),
        ({"$ref": "https://example.com/other.json"}, "not followed"),
        ({"items": {"$ref": "other.json#/a"}}, "not followed"),
        ({"items": {"$ref": "#/$defs/missing"}}, "points at nothing"),
        ({"$schema": "http://json-schema.org/draft-07/schema#"}, "draft-07"),
        ({"patternProperties": {"a": {}}, "unevaluatedProperties": False}, "not supported"),
        ([], "a schema is an object"),
        ("object", "a schema is an object"),
        (None, "a schema is an object"),
    ],
)
def test_an_unfit_schema_is_refused_when_built(schema: Any, said: str) -> None:
    assert said in problems_of(schema)


def test_every_problem_of_a_schema_is_reported() -> None:
    text = problems_of({"properties": {"a": {"pattern": "("}, "b": {"$ref": "#/nowhere"}}})
    assert "RE2" in text
    assert "points at nothing" in text


def test_data_inside_a_schema_is_not_taken_for_a_schema() -> None:
    schema = {"enum": [{"pattern": "(", "$ref": "nowhere"}], "properties": {"$ref": {}}}
    assert held_against(schema, {"pattern": "(", "$ref": "nowhere"}).passed is True


def test_a_reference_to_the_schema_itself_works_to_any_sane_depth() -> None:
    tree = {"type": "array", "items": {"$ref": "#"}}
    assert held_against(tree, [[[]], []]).passed is True
    assert held_against(tree, [[1]]).passed is False


def test_a_check_that_breaks_down_is_an_error_and_not_a_verdict() -> None:
    for schema, value in (
        ({"$ref": "#"}, 1),  # never ends
        ({"multipleOf": 0.5}, 10**400),  # no float is that large
    ):
        found = score(ENTRY, answer("{}", parsed=value), case(), s=schema)
        assert (found.state, found.passed) == ("error", None)


def test_a_schema_that_is_not_there_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"s\.json is not there"):
        build_scorers([ENTRY], {})
