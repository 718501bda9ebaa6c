"""Strict JSON: nothing is dropped or rounded away in silence, and everything has a place."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evalkit.config.document import MAX_DEPTH, Node
from evalkit.config.json_document import parse_json
from evalkit.errors import ConfigError, Problem


def _problems(raw: bytes | str) -> list[Problem]:
    with pytest.raises(ConfigError) as raised:
        parse_json(raw.encode() if isinstance(raw, str) else raw, "a.json")
    return list(raised.value.problems)


def _values(node: Node) -> object:
    if isinstance(node.value, dict):
        return {key: _values(child) for key, child in node.children.items()}
    if isinstance(node.value, list):
        return [_values(child) for child in node.children.values()]
    return node.value


def test_duplicate_keys_name_both_places() -> None:
    (problem,) = _problems('{"a": 1,\n "b": {"x": 1, "x": 2}}')
    assert (problem.line, problem.column, problem.key) == (2, 16, "x")
    assert problem.message == "the key stands here twice, first in line 2, column 8"


def test_every_problem_of_the_content_is_reported_at_once() -> None:
    found = _problems('{"a": NaN, "b": [1e999, -Infinity], "a": 1, "c": ' + "9" * 5000 + "}")
    assert [(problem.column, problem.value and problem.value[:9]) for problem in found] == [
        (7, "NaN"),
        (18, "1e999"),
        (25, "-Infinity"),
        (37, None),
        (50, "999999999"),
    ]


@pytest.mark.parametrize(
    ("text", "place", "words"),
    [
        ('{"a": 1,}', (1, 8), "comma stands before the closing }"),
        ('{"a": [1, \n ]}', (1, 9), "comma stands before the closing ]"),
        ('{"a" 1}', (1, 6), "':'"),
        ('{"a": 1 "b": 2}', (1, 9), "','"),
        ("{'a': 1}", (1, 2), "double quotes"),
        ('{"a": "x\n"}', (1, 9), "line break"),
        ('{"a": "x', (1, 7), "closing quote"),
        ('{"a": 1}\n{"b": 2}', (2, 1), "end of the JSON value"),
        ('{"a": \\}', (1, 7), "value"),
    ],
)
def test_broken_form_is_explained_at_its_place(
    text: str, place: tuple[int, int], words: str
) -> None:
    (problem,) = _problems(text)
    assert (problem.line, problem.column) == place
    assert problem.message.startswith("is not JSON: ")
    assert words in problem.message


def test_a_constant_before_broken_form_is_still_a_problem() -> None:
    assert "compared" in _problems('{"a": NaN, "b": [1')[0].message


@pytest.mark.parametrize("raw", [b"", b" \r\n", b"\xef\xbb\xbf"])
def test_an_empty_file_is_said_to_be_empty(raw: bytes) -> None:
    assert _problems(raw)[0].message == "is empty"


def test_half_of_a_surrogate_pair_is_refused() -> None:
    (problem,) = _problems('{"a": "\\ud83d\\ude00", "b": "\\uD83D"}')
    assert problem.column == 28
    assert "surrogate" in problem.message


@pytest.mark.parametrize("depth", [MAX_DEPTH + 5, 200_000])
def test_nesting_without_end_is_refused(depth: int) -> None:
    (problem,) = _problems("[" * depth + "]" * depth)
    assert "levels deep" in problem.message


def test_a_line_of_a_larger_file_keeps_its_number() -> None:
    document = parse_json(b'{"a": {"b": 2}}\r\n', "cases.jsonl", first_line=17)
    assert document.position(("a", "b")) == (17, 13)
    assert document.position(("a", "b"), key=True) == (17, 8)


def test_bytes_that_are_not_utf_8_have_a_place() -> None:
    (problem,) = _problems(b'{"a": "ok"\n,"b": "\xff"}')
    assert (problem.line, problem.column) == (2, 8)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)  # fmt: skip


@settings(deadline=None)
@given(value=JSON, indent=st.sampled_from([None, 1]), ascii_only=st.booleans())
def test_the_tree_of_places_holds_the_same_values(
    value: object, indent: int | None, ascii_only: bool
) -> None:
    text = json.dumps(value, indent=indent, ensure_ascii=ascii_only)
    document = parse_json(text.encode(), "a.json")
    assert document.data == value
    assert _values(document.root) == value
