"""What a reply cites: the list of a JSON reply, or marks in a text."""

import pytest

from evalkit.execute.citations import find_citations

KNOWN = {"cl-1", "cl-2", "cl-3"}


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("See [cl-2] and [cl-1], then [cl-2] again.", ("cl-2", "cl-1")),
        ("Both [cl-1, cl-3].", ("cl-1", "cl-3")),
        ("A footnote [1] and [EMAIL_1] are no citations.", ()),
        ("[cl-1\n]", ()),
        ("", ()),
        (None, ()),
    ],
)
def test_a_text_cites_known_documents_by_marks(text: str | None, found: tuple[str, ...]) -> None:
    assert find_citations(text, None, KNOWN) == found


def test_a_json_reply_cites_its_list_and_keeps_what_does_not_exist() -> None:
    parsed = {"answer": "yes [cl-3]", "citations": ["cl-1", "cl-99", "cl-1", 7, None]}
    assert find_citations("irrelevant [cl-2]", parsed, KNOWN) == ("cl-1", "cl-99")


def test_an_empty_list_cites_nothing_whatever_the_text_marks() -> None:
    assert find_citations("[cl-1]", {"citations": []}, KNOWN) == ()


@pytest.mark.parametrize("parsed", [{"citations": "cl-1"}, {"answer": 1}, ["cl-1"], 5])
def test_a_json_reply_without_a_list_is_read_as_text(parsed: object) -> None:
    assert find_citations("[cl-1]", parsed, KNOWN) == ("cl-1",)
