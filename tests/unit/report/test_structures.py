"""Structured outputs: the places where two JSON values differ."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evalkit.report.structures import ABSENT, Difference, diff_values, dotted

scalars = st.none() | st.booleans() | st.integers(-3, 3) | st.text("ab", max_size=2)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("ab_", max_size=3), inner),
    max_leaves=8,
)


@pytest.mark.parametrize(
    ("before", "after", "differences"),
    [
        ({"a": 1}, {"a": 1}, []),
        ({"a": 1}, {"a": 2}, [Difference("a", 1, 2)]),
        (
            {"a": {"b": [{"c": "x"}]}},
            {"a": {"b": [{"c": "y"}]}},
            [Difference("a.b[0].c", "x", "y")],
        ),
        ({"a": 1}, {"a": True}, [Difference("a", 1, True)]),
        ([[False, ""]], [[0, ""]], [Difference("[0][0]", False, 0)]),
        ({"a": 1}, {"a": 1.0}, [Difference("a", 1, 1.0)]),
        ({"a": None}, {}, [Difference("a", None, ABSENT)]),
        ({}, {"a": None}, [Difference("a", ABSENT, None)]),
        ({"a": [1, 2, 3]}, {"a": [2, 3]}, [Difference("a[0]", 1, ABSENT)]),
        ({"__a__": 1}, {"__a__": 2}, [Difference("__a__", 1, 2)]),
        ([], {}, [Difference("", [], {})]),
        ("x", "y", [Difference("", "x", "y")]),
    ],
)
def test_each_place_is_named_with_both_values(
    before: Any, after: Any, differences: list[Difference]
) -> None:
    assert diff_values(before, after) == differences


def test_differences_come_in_the_order_of_the_output() -> None:
    before = {"intent": 1, "priority": 1, "fields": {"z": 1, "a": 1}}
    after = {"fields": {"a": 2, "z": 2}, "priority": 2, "intent": 2, "new": 2}
    assert [each.path for each in diff_values(before, after)] == [
        "intent",
        "priority",
        "fields.z",
        "fields.a",
        "new",
    ]


@settings(deadline=None)  # the first example pays for an import
@given(values, values)
def test_values_differ_exactly_when_their_json_does(before: Any, after: Any) -> None:
    equal = json.dumps(before, sort_keys=True) == json.dumps(after, sort_keys=True)
    assert (diff_values(before, after) == []) == equal


def test_keys_that_are_no_plain_words_are_quoted() -> None:
    assert dotted(["fields", "unit price", 2, "x"]) == 'fields["unit price"][2].x'
