"""Ids of judged outputs: spacing and Unicode's composition do not count, everything else does."""

import re
import unicodedata
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from evalkit.records.case import Document
from evalkit.records.judgment import Subject
from evalkit.records.subject import subject_id

TEXTS = st.text(max_size=30)
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=8,
)
SPACES = st.text(st.sampled_from(" \t\n\r\u00a0\u2028\u3000"), min_size=1, max_size=4)


def of(output: Any, **more: Any) -> str:
    """The id of an output."""
    return subject_id(Subject(**{"input": {"q": "Where?"}, "output": output, **more}))


def spaced(value: Any, spaces: str) -> Any:
    """The value with every run of spaces in its texts another one, and more at both ends."""
    if isinstance(value, str):
        words = unicodedata.normalize("NFD", value).split()
        return spaces + spaces.join(words) + spaces
    if isinstance(value, list):
        return [spaced(each, spaces) for each in value]
    if isinstance(value, dict):
        return {key: spaced(each, spaces) for key, each in value.items()}
    return value


def same(value: Any) -> Any:
    """What an output is as far as its id goes, by another road than the code's: JSON has one
    number for 1 and none for True."""
    if isinstance(value, str):
        return ("text", re.sub(r"\s+", " ", unicodedata.normalize("NFC", value)).strip())
    if isinstance(value, list):
        return ("list", tuple(same(each) for each in value))
    if isinstance(value, dict):
        return ("object", frozenset((key, same(each)) for key, each in value.items()))
    return (type(value).__name__, repr(value))


@given(VALUES, SPACES)
def test_spacing_and_composition_of_an_output_change_no_id(value: Any, spaces: str) -> None:
    assert of(spaced(value, spaces)) == of(value)
    assert of("x", other=spaced(value, spaces)) == of("x", other=value)


@given(VALUES, VALUES)
def test_outputs_that_differ_otherwise_have_other_ids(one: Any, two: Any) -> None:
    assume(same(one) != same(two))
    assert of(one) != of(two)


@pytest.mark.parametrize(
    ("one", "two"),
    [
        ("Thanks", "thanks"),
        ("Thanks.", "Thanks"),
        ("a b", "ab"),
        ("ﬁne", "fine"),  # alike only in NFKC
        ("1", 1),
        (1, 1.0),
        (1, True),
        (0, False),
        (None, "null"),
        ("", None),
        ([], {}),
        (["a", "b"], ["b", "a"]),
        ({"a": "x"}, {"b": "x"}),
        ({"a ": "x"}, {"a": "x"}),
        ({"a": "x", "b": None}, {"a": "x"}),
        (2**70, 2**70 + 1),
    ],
)
def test_nothing_but_spacing_is_alike(one: Any, two: Any) -> None:
    assert of(one) != of(two)


def test_keys_have_no_order() -> None:
    assert of({"a": 1, "b": 2}) == of({"b": 2, "a": 1})
    assert of({"a": 2**70, "b": 2}) == of({"b": 2, "a": 2**70})


def test_input_reference_and_documents_count_letter_by_letter() -> None:
    documents = (Document(id="d1", index="kb", text="It is  here."),)
    plain = of("x", reference="There.", documents=documents)
    assert plain != of("x", reference="There. ", documents=documents)
    assert plain != of("x", reference="There.")
    assert plain != of(
        "x", reference="There.", documents=(Document(id="d1", index="kb", text="It is here."),)
    )
    assert of("x", input={"q": "Where? "}) != of("x")


def test_both_outputs_of_a_pair_count_and_in_their_order() -> None:
    assert of("a", other="b") != of("a")
    assert of("a", other="b") != of("b", other="a")


def test_what_is_not_given_does_not_count() -> None:
    assert of("x", reference=None, documents=(), other=None) == of("x")


def test_an_id_is_short_hexadecimal_and_stays_what_it_is() -> None:
    """Labels and verdicts are stored under it."""
    assert re.fullmatch(r"[0-9a-f]{16}", of("x"))
    assert of({"reply": "Thank  you.\n"}) == of({"reply": "Thank you."}) == "7b632aa4edaa58fd"


@pytest.mark.parametrize("number", [float("nan"), float("inf"), float("-inf")])
def test_what_is_no_json_has_no_id(number: float) -> None:
    with pytest.raises(ValueError, match="is no JSON"):
        of({"score": [number]})
