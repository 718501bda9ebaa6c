"""What a reply cites: the list of a JSON reply, or marks in a text."""

from typing import Any

import pytest

from evalkit.control.policy import cited_documents
from evalkit.execute.citations import find_citations

KNOWN = {"cl-1", "cl-2", "cl-3", "preamble"}

TEXTS = [
    ("See [cl-2] and [cl-1], then [cl-2] again.", ("cl-2", "cl-1")),
    ("Both [cl-1, cl-3] and [preamble].", ("cl-1", "cl-3", "preamble")),
    ("Nobody has [cl-99].", ("cl-99",)),
    ("A footnote [1], [sic] and [EMAIL_1] are no citations.", ()),
    ("[cl-1\n]", ()),
    ("", ()),
]
REPLIES: list[tuple[Any, tuple[str, ...]]] = [
    ({"answer": "yes [cl-3]", "citations": ["cl-1", "cl-99", "cl-1"]}, ("cl-1", "cl-99")),
    ({"citations": []}, ()),
    ({"citations": [7]}, ("7",)),
    ({"citations": "cl-1"}, ("cl-2",)),
    ({"answer": 1}, ("cl-2",)),
    (["cl-1"], ("cl-2",)),
]


@pytest.mark.parametrize(("text", "found"), TEXTS)
def test_a_text_cites_by_marks_that_name_a_document_or_look_like_one(
    text: str, found: tuple[str, ...]
) -> None:
    assert find_citations(text, None, KNOWN) == found


@pytest.mark.parametrize(("parsed", "found"), REPLIES)
def test_a_json_reply_cites_its_list_and_is_read_as_text_without_one(
    parsed: Any, found: tuple[str, ...]
) -> None:
    assert find_citations("see [cl-2]", parsed, KNOWN) == found


@pytest.mark.parametrize(("text", "parsed"), [(text, None) for text, _ in TEXTS])
def test_the_policy_reads_a_text_alike(text: str, parsed: Any) -> None:
    assert find_citations(text, parsed, KNOWN) == cited_documents(text, parsed, known=KNOWN)


@pytest.mark.parametrize("parsed", [parsed for parsed, _ in REPLIES])
def test_the_policy_reads_a_json_reply_alike(parsed: Any) -> None:
    text = "see [cl-2]"
    assert find_citations(text, parsed, KNOWN) == cited_documents(text, parsed, known=KNOWN)
