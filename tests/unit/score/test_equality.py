"""Equality of JSON values."""

import json
from itertools import permutations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalkit.score.equality import describe, differences, equal
from evalkit.score.normalisation import normalise, normalise_text
from evalkit.score.wording import MISSING

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-3, 3)
    | st.sampled_from([-1.0, 0.0, 0.5, 1.0, 1e300])
    | st.sampled_from(["", "a", "1", "true", "null"])
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("ab"), inner),
    max_leaves=6,
)


def canonical(value: Any) -> Any:
    """The value as something hashable that is equal exactly when the JSON is: the oracle."""
    match value:
        case bool():
            return "bool", value
        case int() | float():
            return "number", value
        case list():
            return "list", tuple(map(canonical, value))
        case dict():
            return "object", frozenset((key, canonical(each)) for key, each in value.items())
    return type(value).__name__, value


@pytest.mark.parametrize(
    ("left", "right"),
    [
        (1, "1"),
        (True, 1),
        (False, 0),
        (True, "true"),
        (None, ""),
        (None, False),
        (None, "null"),
        ({}, []),
        ([], None),
        ({"a": None}, {}),
        ([1, 2], [2, 1]),
        ([1], [1, 1]),
        ("a", "A"),
        ("a", "a "),
        ("\u00e9", "e\u0301"),
        (0.1 + 0.2, 0.3),
        (2**63, float(2**63) + 2048),
    ],
)
def test_values_of_other_types_order_or_spelling_differ(left: Any, right: Any) -> None:
    assert not equal(left, right)
    assert not equal(right, left)


@pytest.mark.parametrize(
    ("left", "right"),
    [
        (1, 1.0),
        (0, -0.0),
        ({"a": 1, "b": [2]}, {"b": [2.0], "a": 1}),
        (None, None),
        ("", ""),
        ({}, {}),
    ],
)
def test_numbers_are_equal_by_value_and_keys_have_no_order(left: Any, right: Any) -> None:
    assert equal(left, right)


@given(VALUES, VALUES)
def test_two_values_are_equal_exactly_when_their_canonical_forms_are(left: Any, right: Any) -> None:
    assert equal(left, right) == (canonical(left) == canonical(right))


@given(VALUES)
def test_a_value_equals_what_it_is_after_a_round_trip_through_json(value: Any) -> None:
    assert equal(value, json.loads(json.dumps(value)))


def test_each_difference_has_its_path_and_both_values() -> None:
    expected = {"intent": "refund", "fields": {"amount": 12, "items": [1, 2]}}
    found = {"intent": "refund", "fields": {"amount": "12", "items": [1], "note": None}}
    assert list(differences(expected, found)) == [
        ("fields.amount", 12, "12"),
        ("fields.items[1]", 2, MISSING),
        ("fields.note", MISSING, None),
    ]


def test_a_missing_key_is_told_from_a_null() -> None:
    (difference,) = differences({"email": None}, {})
    assert describe(difference) == "email: expected null, found nothing"


def test_nothing_is_normalised_by_default() -> None:
    assert normalise(" Straße  X ", ()) == " Straße  X "


@pytest.mark.parametrize(
    ("step", "before", "after"),
    [
        ("strip", "\n a  B ", "a  B"),
        ("casefold", "Straße", "strasse"),
        ("collapse_spaces", " a \n\t b ", " a b "),
        ("nfc", "e\u0301", "\u00e9"),
    ],
)
def test_each_step_does_what_its_name_says_and_nothing_else(
    step: str, before: str, after: str
) -> None:
    assert normalise_text(before, [step]) == after


@given(
    st.text(max_size=20), st.lists(st.sampled_from(["strip", "casefold", "collapse_spaces", "nfc"]))
)
def test_the_order_in_which_steps_are_named_is_no_matter(text: str, steps: list[str]) -> None:
    results = {normalise_text(text, order) for order in permutations(dict.fromkeys(steps))}
    assert len(results) == 1


def test_texts_inside_a_value_are_normalised_and_keys_are_not() -> None:
    assert normalise({"A": [" B ", {"C": "D"}, 1, None]}, ["strip", "casefold"]) == {
        "A": ["b", {"C": "d"}, 1, None]
    }
