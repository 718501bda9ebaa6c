"""A line of cases.jsonl is a case exactly where every part of it is in order."""

import io
import json
from typing import Any, BinaryIO

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from evalkit.config.assets import CaseFile
from evalkit.config.json_document import STRICT
from evalkit.records.case import Case
from evalkit.sources.case_lines import read_cases


class OneFile:
    """A tree with one file."""

    def __init__(self, content: bytes) -> None:
        self._content = content

    def open(self, path: str) -> BinaryIO:
        return io.BytesIO(self._content)


def read(line: bytes) -> Case | None:
    (found,) = read_cases(OneFile(line), "cases.jsonl")  # type: ignore[arg-type]
    assert found.case is not None or found.explain()
    return found.case


def checked(line: bytes) -> Case | None:
    """The case of a line whose every part is checked by its model."""
    try:
        CaseFile.model_validate(STRICT(line.decode()))
        return msgspec.json.decode(line, type=Case)
    except (ValueError, RecursionError):
        return None


TEXTS = st.one_of(
    st.sampled_from(["", "ok", " x", 'say "ok"', "a: b", '":', "\\", "\u00a0", "{[", "\ud800"]),
    st.text(max_size=3),
)
KEYS = st.one_of(
    st.sampled_from(["output", "contains", "regex", "blocked_by", "reference", "answer", "text"]),
    TEXTS,
)
VALUES = st.one_of(TEXTS, TEXTS, st.none(), st.integers(), st.lists(TEXTS, max_size=2))


@st.composite
def objects(draw: st.DrawFn, values: st.SearchStrategy[Any] = VALUES) -> str:
    """An object as somebody might write it: a key may stand there twice, spaces anywhere."""
    space = st.sampled_from(["", "", " "])
    pairs = draw(st.lists(st.tuples(KEYS, values), max_size=3))
    written = [
        f"{json.dumps(key)}{draw(space)}:{draw(space)}{json.dumps(value)}" for key, value in pairs
    ]
    return "{" + ",".join(written) + "}"


@st.composite
def lines(draw: st.DrawFn) -> bytes:
    """A line that may be a case."""
    parts = [
        f'"id": {json.dumps(draw(st.one_of(st.just("c-1"), TEXTS)))}',
        f'"input": {draw(objects(TEXTS) if draw(st.booleans()) else objects())}',
        f'"expected": {draw(objects(TEXTS) if draw(st.booleans()) else objects())}',
    ]
    if draw(st.booleans()):
        parts.append(f'"tags": {json.dumps(draw(st.lists(TEXTS, max_size=3)))}')
    if draw(st.integers(0, 5)) == 0:
        parts.append(draw(st.sampled_from(['"group": null', '"id": "c-1"', '"more": "x"'])))
    return ("{" + ", ".join(draw(st.permutations(parts))) + "}").encode("utf-8", "surrogatepass")


@given(lines())
@example(b'{"id":"c","input":{"a":"1","a":"2"},"expected" :{"output":"ok"}}')
@example(b'{"id":"c","input":{"a":"1"},"expected":{"output":"ok","output":"no"}}')
@example(b'{"id":"c","id":"d","input":{"a":"1"},"expected":{}}')
@example(b'{"id":"c","input":{"a":"1"},"expected":{},"tags":["x","x"]}')
@example(b'{"id":"c\\u0000","input":{"a":"1"},"expected":{}}')
def test_a_line_is_read_as_its_parts_are_checked(line: bytes) -> None:
    assert read(line) == checked(line)


@pytest.mark.parametrize(
    ("line", "case"),
    [
        (
            b'{"id":"c","input":{"text":"hi"},"expected":{"output":"ok"},"tags":["a","b"]}',
            Case(id="c", input={"text": "hi"}, expected={"output": "ok"}, tags=("a", "b")),
        ),
        (
            '{"expected": {"label": "ja"}, "input": {"text": "grün: \\"a\\""}, "id": "ü"}'.encode(),
            Case(id="ü", input={"text": 'grün: "a"'}, expected={"label": "ja"}),
        ),
        (b'{"id":"%s","input":{"a":""},"expected":{}}' % (b"x" * 201), None),
        (b'{"id":"c","input":{},"expected":{"output":"ok"}}', None),
        (b'{"id":"c","input":{"a":"1"},"expected":{"contains":""}}', None),
    ],
)
def test_a_case_of_texts_is_read_whole(line: bytes, case: Case | None) -> None:
    assert read(line) == case
