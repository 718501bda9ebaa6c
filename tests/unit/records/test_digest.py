"""Digests: pinned, because they stand in files that outlive this version."""

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalkit.records.asset import Tool
from evalkit.records.case import Case
from evalkit.records.digest import canonical_json, digest_of
from tests.unit.sources.conftest import content_digest


def test_a_digest_is_that_of_sorted_json_without_spaces() -> None:
    value = {"b": [1, 2.5, True, None], "a": "ü\n"}
    assert canonical_json(value) == '{"a":"ü\\n","b":[1,2.5,true,null]}'.encode()
    assert digest_of(value) == (
        "sha256:83da72dc0da9285e75965d745e4b893c5265e54a5ab899e70a127764fc08a312"
    )


def test_the_order_of_keys_does_not_matter_and_that_of_lists_does() -> None:
    assert digest_of({"a": 1, "b": 2}) == digest_of({"b": 2, "a": 1})
    assert digest_of([1, 2]) != digest_of([2, 1])


def test_records_have_the_digest_of_their_content() -> None:
    tool = {"name": "x", "description": "", "effect": "execute", "parameters": {}}
    assert digest_of(Tool(name="x")) == digest_of(tool)


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_what_is_not_json_has_no_digest(value: float) -> None:
    with pytest.raises(ValueError, match="JSON"):
        digest_of({"a": value})


def test_the_digest_of_cases_is_pinned() -> None:
    cases = [
        Case(id="a", input={"x": 0.1}, expected={"output": "ü"}, tags=("t",)),
        Case(id="b", input={"x": 10**20}, group="g"),
    ]
    assert content_digest(cases) == (
        "sha256:bc186a068e19f089860a69db3fa97e2fbb9161a37ce92afb28e5d63ac94b0106"
    )


def test_what_a_case_leaves_out_does_not_change_its_digest() -> None:
    plain = Case(id="a", input={"x": 1})
    assert content_digest([plain]) == content_digest([Case(id="a", input={"x": 1}, tags=())])
    assert content_digest([plain]) != content_digest([Case(id="a", input={"x": 1}, tags=("t",))])


def test_the_order_of_cases_is_part_of_their_digest() -> None:
    a, b = Case(id="a", input={"x": 1}), Case(id="b", input={"x": 1})
    assert content_digest([a, b]) != content_digest([b, a])


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=12,
)


@given(VALUES)
def test_whatever_the_content_it_is_written_as_json_writes_it(value: Any) -> None:
    plain = json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    assert canonical_json(value) == plain.encode()


def test_keys_that_are_numbers_are_sorted_as_numbers() -> None:
    assert canonical_json({10: "a", 9: "b"}) == b'{"9":"b","10":"a"}'


def test_a_text_with_half_of_a_pair_has_no_digest() -> None:
    with pytest.raises(UnicodeEncodeError):
        digest_of({"a": "\ud800"})
