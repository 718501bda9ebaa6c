"""Strict YAML: what reads differently than it looks is refused or stays a text."""

from typing import Any

import pytest

from evalkit.config.yaml_document import MAX_ALIASED, MAX_BYTES, parse_yaml
from evalkit.errors import ConfigError, Problem


def _data(text: str) -> Any:
    return parse_yaml(text.encode(), "a.yaml").data


def _problems(raw: bytes | str) -> list[Problem]:
    with pytest.raises(ConfigError) as raised:
        parse_yaml(raw.encode() if isinstance(raw, str) else raw, "a.yaml")
    return list(raised.value.problems)


def _only(raw: bytes | str) -> tuple[int | None, int | None, str]:
    (problem,) = _problems(raw)
    assert problem.file == "a.yaml"
    return problem.line, problem.column, problem.message


@pytest.mark.parametrize(
    "written",
    [
        "on", "off", "yes", "no", "Yes", "NO", "y", "n", "1_000", "1:30", "010", "-010",
        "2026-11-24", "2026-11-24T10:00:00Z", "0b11", "1e", "+", ".", "1.2.3", "v1", "=",
        "nan", "Infinity",
    ],
)  # fmt: skip
def test_what_yaml_1_1_reads_as_something_else_stays_a_text(written: str) -> None:
    assert _data(f"a: {written}\n") == {"a": written}


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("true", True), ("False", False), ("null", None), ("~", None), ("", None), ("0", 0),
        ("-17", -17), ("+3", 3), ("0x1F", 31), ("0o17", 15), (".95", 0.95), ("1.", 1.0),
        ("1e-3", 0.001), ("-0.5E2", -50.0), ("123456789012345678901", 123456789012345678901),
        ("'true'", "true"), ('"12"', "12"), ("!!str 12", "12"), ("! 12", "12"),
    ],
)  # fmt: skip
def test_core_scalars_have_their_value(written: str, value: object) -> None:
    found = _data(f"a: {written}\n")["a"]
    assert found == value and type(found) is type(value)


@pytest.mark.parametrize("written", [".nan", ".NaN", ".inf", "-.inf", "+.Inf", "1e999", "-1e400"])
def test_numbers_that_cannot_be_compared_are_refused(written: str) -> None:
    line, column, message = _only(f"a:\n  - {written}\n")
    assert (line, column) == (2, 5)
    assert "compared" in message or "too large" in message


def test_an_integer_without_end_is_refused() -> None:
    assert "digits" in _only(f"a: {'9' * 5000}")[2]


def test_a_bom_and_crlf_change_nothing() -> None:
    plain = "a: 1\nb: |\n  x\n  y\nc: [1, 2]\n"
    raw = b"\xef\xbb\xbf" + plain.replace("\n", "\r\n").encode()
    document = parse_yaml(raw, "a.yaml")
    assert document.data == _data(plain)
    assert document.position(("c", 1)) == (5, 8)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "latin-1"])
def test_other_encodings_are_refused_with_their_place(encoding: str) -> None:
    problem = _problems("a: 1\nb: Müller\n".encode(encoding))[0]
    assert problem.line in (1, 2)
    assert "UTF" in problem.message or "control character" in problem.message


def test_the_byte_that_is_not_utf_8_is_named_with_its_place() -> None:
    (problem,) = _problems("a: ü\nb: Mü".encode() + b"\xfcller\n")
    assert (problem.line, problem.column) == (2, 6)
    assert problem.message == "byte 0xfc is not UTF-8"
    assert problem.suggestion == "save the file as UTF-8"


def test_control_characters_are_refused() -> None:
    assert _only("a: 1\nb: x\x07y\n") == (2, 5, "the control character U+0007 is not text")
    assert _only("a: x\x00\n")[:2] == (1, 5)


@pytest.mark.parametrize("text", ["", "\n\n", "# only a comment\n", "\ufeff"])
def test_an_empty_file_is_said_to_be_empty(text: str) -> None:
    assert _only(text) == (1, 1, "is empty")


def test_duplicate_keys_name_both_lines() -> None:
    line, column, message = _only("a: 1\nb: {x: 1, x: 2}\n")
    assert (line, column) == (2, 11)
    assert message == "the key stands here twice, first in line 2"


def test_keys_that_are_not_texts_are_refused_with_the_way_out() -> None:
    problems = _problems("1: a\ntrue: b\n.5: c\n~: d\non: e\n'2': f\n")
    assert [problem.line for problem in problems] == [1, 2, 3, 4]
    assert problems[0].suggestion == 'put it in quotes: "1"'


@pytest.mark.parametrize(
    ("text", "place", "words"),
    [
        ("a: !!python/object:os.system x", (1, 4), "tag"),
        ("a: !custom {x: 1}", (1, 4), "tag"),
        ("a: !!set {x, y}", (1, 4), "tag"),
        ("a: 1\n---\nb: 2\n", (2, 1), "second document"),
        ("base: &b {x: 1}\na:\n  <<: *b\n", (3, 3), "merge"),
        ("? [a, b]\n: 1\n", (1, 3), "key"),
        ("&k a: 1\n*k : 2\n", (2, 1), "alias"),
        ("a: *nothing\n", (1, 4), "no anchor"),
        ("a: &x [1, *x]\n", (1, 11), "itself"),
    ],
)
def test_what_yaml_can_do_and_nobody_needs_is_refused(
    text: str, place: tuple[int, int], words: str
) -> None:
    line, column, message = _only(text)
    assert (line, column) == place
    assert words in message


@pytest.mark.parametrize(
    ("text", "line"),
    [("a: [1, 2\nb: 3\n", 2), ("a: 'x\n", 2), ("a: b: c\n", 1), ("a:\n\tb: 1\n", 2)],
)
def test_syntax_errors_have_a_place(text: str, line: int) -> None:
    found, _, message = _only(text)
    assert found == line
    assert message.startswith("is not YAML: ")


def test_problems_before_a_syntax_error_are_reported_with_it() -> None:
    assert [problem.line for problem in _problems("a: 1\na: 2\nb: .nan\nc: [\n")] == [2, 3, 5]


def test_an_alias_repeats_a_value() -> None:
    assert _data("a: &x {k: [1]}\nb: *x\n") == {"a": {"k": [1]}, "b": {"k": [1]}}


def test_an_alias_bomb_is_refused_before_it_grows() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    for level in range(1, 40):
        copies = ", ".join([f"*a{level - 1}"] * 9)
        lines.append(f"a{level}: &a{level} [{copies}]")
    (problem,) = _problems("\n".join(lines))
    assert str(MAX_ALIASED) in problem.message
    assert problem.line is not None and problem.line < 6


@pytest.mark.parametrize("opening", ["[", "{a: "])
def test_nesting_without_end_is_refused(opening: str) -> None:
    assert "levels deep" in _problems("a: " + opening * 100_000)[0].message


def test_a_file_too_large_to_be_read_whole_says_what_to_do() -> None:
    (problem,) = _problems(b"#" * (MAX_BYTES + 1))
    assert problem.suggestion is not None and "cases.jsonl" in problem.suggestion


class TestPositions:
    document = parse_yaml(
        b"routes:\n  - name: x\n    models: {primary: a}\n\ntext: |\n  one\n  two\nplain: one\n",
        "a.yaml",
    )

    def test_a_value_and_its_key_have_places_of_their_own(self) -> None:
        path = ("routes", 0, "models", "primary")
        assert self.document.position(path) == (3, 23)
        assert self.document.position(path, key=True) == (3, 14)

    def test_what_is_missing_has_the_place_of_what_it_is_missing_from(self) -> None:
        assert self.document.position(("routes", 0, "owner")) == (2, 5)
        assert self.document.position(("routes", 0, "models", "fallback", 3)) == (3, 5)

    def test_the_whole_document_starts_at_its_first_key(self) -> None:
        assert self.document.position(()) == (1, 1)

    def test_lines_of_a_block_text_are_lines_of_the_file(self) -> None:
        assert self.document.text_line(("text",), 2) == 7
        assert self.document.text_line(("plain",), 1) == 8
