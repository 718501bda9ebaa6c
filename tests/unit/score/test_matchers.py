"""Matchers: what fits, what does not, and which are none."""

from typing import Any

import pytest

from evalkit.score.matchers import check_matchers, is_matcher, matches
from evalkit.score.scorer import ScorerError

FITS: list[tuple[Any, Any]] = [
    ({"$any": True}, None),
    ({"$approx": 12.5, "$abs": 0.01}, 12.509),
    ({"$approx": 200, "$rel": 0.01}, 202),
    ({"$approx": 200, "$abs": 1, "$rel": 0.01}, 202),
    ({"$approx": 3}, 3.0),
    ({"$one_of": ["a", {"$min": 3}]}, 4),
    ({"$contains": "refund"}, "a refund of 3"),
    ({"$regex": "^ORD-[0-9]+$"}, "ORD-17"),
    ({"$min": 1, "$max": 3}, 3),
    ({"$schema": {"type": "object", "required": ["id"]}}, {"id": 1}),
    ({"$subset": {"id": 7}}, {"id": 7, "note": "x"}),
    ({"$equal": {"$any": True}}, {"$any": True}),
    ({"order": {"$regex": "ORD"}, "n": [1, {"$any": True}]}, {"order": "ORD-1", "n": [1, "x"]}),
]

MISSES: list[tuple[Any, Any]] = [
    ({"$approx": 12.5, "$abs": 0.01}, 12.6),
    ({"$approx": 1}, True),
    ({"$approx": 1}, "1"),
    ({"$one_of": ["a", "b"]}, "c"),
    ({"$contains": "refund"}, ["refund"]),
    ({"$regex": "^a$"}, 3),
    ({"$min": 1}, 0),
    ({"$max": 1}, "0"),
    ({"$schema": {"type": "object", "required": ["id"]}}, {}),
    ({"$schema": {"type": "string", "pattern": "^(a+)+$"}}, "a" * 5_000 + "b"),
    ({"$subset": {"id": 7}}, {"note": "x"}),
    ({"$subset": {"id": 7}}, [7]),
    ({"a": {"$any": True}}, {}),
    ({"a": {"$any": True}}, {"a": 1, "b": 2}),
    ([{"$any": True}], []),
    (1, True),
]

BROKEN: list[tuple[Any, str]] = [
    ({"$aproximately": 3}, r"\$aproximately is no matcher; known are \$any"),
    ({"$abs": 0.1}, "tolerances of \\$approx"),
    ({"$approx": "12"}, r"\$approx takes a number"),
    ({"$approx": True}, r"\$approx takes a number"),
    ({"$approx": 1, "$abs": -1}, "0 or more"),
    ({"$regex": "(a"}, "not RE2 syntax"),
    ({"$regex": ""}, "takes a text"),
    ({"$one_of": []}, "a list of values"),
    ({"$one_of": [{"$nothing": 1}]}, "is no matcher"),
    ({"$schema": {"type": "nothing"}}, r"\$schema"),
    ({"$schema": {"$ref": "https://example.com/x.json"}}, "not followed"),
    ({"$subset": []}, "takes a mapping"),
    ({"$any": False}, r"\$any: true"),
    ({"a": [{"b": {"$what": 1}}]}, r"\$what is no matcher"),
]


@pytest.mark.parametrize(("expected", "found"), FITS)
def test_a_value_that_fits_matches(expected: Any, found: Any) -> None:
    check_matchers(expected)
    assert matches(expected, found)


@pytest.mark.parametrize(("expected", "found"), MISSES)
def test_a_value_that_does_not_fit_does_not_match(expected: Any, found: Any) -> None:
    check_matchers(expected)
    assert not matches(expected, found)


@pytest.mark.parametrize(("expected", "message"), BROKEN)
def test_a_matcher_that_is_none_is_refused(expected: Any, message: str) -> None:
    with pytest.raises(ScorerError, match=message):
        check_matchers(expected)


@pytest.mark.parametrize("value", [{}, {"$a": 1, "b": 2}, {"b": 2}, ["$any"], "$any"])
def test_only_a_mapping_whose_keys_are_all_marked_is_a_matcher(value: Any) -> None:
    assert not is_matcher(value)
