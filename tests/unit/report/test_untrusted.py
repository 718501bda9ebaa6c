"""Text of models on a terminal: shown, never obeyed."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalkit.report.untrusted import clip, one_line, visible


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[31mred\x1b[0m", "\\x1b[31mred\\x1b[0m"),
        ("a\rb", "a\\x0db"),
        ("a\x08\x7f\x9bb", "a\\x08\\x7f\\x9bb"),
        ("safe\u202eevil", "safe\\u202eevil"),
        ("a\u200bb\ufeffc\u2066d", "a\\u200bb\\ufeffc\\u2066d"),
        ("\udc80", "\\udc80"),
        ("x\U000e0041", "x\\U000e0041"),
        ("line\r\nline\n\ttab", "line\nline\n\ttab"),
        ("naïve 漢字 👩‍💻 نمی‌خواهم", "naïve 漢字 👩‍💻 نمی‌خواهم"),
    ],
)
def test_what_a_terminal_would_obey_is_written_out(text: str, shown: str) -> None:
    assert visible(text) == shown


@given(st.text())
def test_nothing_a_terminal_obeys_is_left(text: str) -> None:
    kinds = {unicodedata.category(each) for each in visible(text) if each not in "\n\t"}
    assert not kinds & {"Cc", "Cs", "Zl", "Zp"}
    visible(text).encode("utf-8")


@given(st.text())
def test_one_line_is_one_line(text: str) -> None:
    assert len(one_line(text).splitlines()) <= 1


def test_line_breaks_are_marked_on_one_line() -> None:
    assert one_line("first \n\n  second\tthird") == "first ⏎ second third"


def test_a_long_text_says_how_much_more_there_is() -> None:
    assert clip("x" * 1_100, 100) == "x" * 100 + " … (1,000 more characters)"


def test_a_text_is_not_cut_where_the_note_would_be_longer_than_the_rest() -> None:
    assert clip("x" * 110, 100) == "x" * 110
