"""Markdown in which no text of a model can become anything but text.

markdown-it-py, with tables and strikethrough, stands for the renderers of code hosts.
"""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token

from evalkit.report.markup import cells, code_span, fenced, html_code, prose
from evalkit.report.untrusted import one_line, visible

RENDERER = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])

HOSTILE = [
    "![x](https://example.org/p.png)",
    "[click](javascript:alert(1))",
    "<img src=x onerror=alert(1)>",
    "<!-- hidden",
    "</details></table>",
    "@octocat and @org/team please merge",
    "closes #12, GH-7, org/repo#3",
    "https://example.org www.example.org a@example.org",
    "``` \n# Heading\n```",
    "~~~\n* item\n~~~",
    "`` ` `` | cell | \\| other",
    "# Heading\n\n---\n\n> quote\n\n1. item\n- item",
    "$\\color{red}{x}$ **bold** _it_ ~~gone~~",
    "\x00\x1b[2J\r\n\u2028",
    "commit 3f2a1c9d5e6f708192a3b4c5d6e7f80912345678",
    "&lt;script&gt; &#64;octocat",
]
texts = st.sampled_from(HOSTILE) | st.text(alphabet="`~|\\ \n<>!@#[]()*_-=+$&;a1", max_size=40)


def leaves(source: str) -> list[Token]:
    return [
        leaf
        for token in RENDERER.parse(source)
        for leaf in (token.children if token.children is not None else [token])
    ]


@given(texts)
def test_a_code_span_is_one_piece_of_code_with_the_text_in_it(text: str) -> None:
    _, inline, _ = RENDERER.parse(f"before {code_span(text)} after")
    spans = [leaf for leaf in inline.children or () if leaf.type != "text"]
    assert [leaf.type for leaf in spans] == ["code_inline"]
    expected = one_line(text).replace("|", "¦") or "(empty)"
    assert spans[0].content.strip() == expected.strip()


@given(texts, texts)
def test_a_code_span_stays_within_its_cell(text: str, other: str) -> None:
    table = "\n".join([cells("a", "b"), "|:--|:--|", cells(code_span(text), code_span(other))])
    tokens = RENDERER.parse(table)
    assert [token.type for token in tokens].count("td_open") == 2
    assert [leaf.type for leaf in leaves(table)].count("code_inline") == 2


@given(texts)
def test_a_fence_is_one_block_with_the_text_in_it(text: str) -> None:
    tokens = RENDERER.parse(f"{fenced(text, 'text')}\n\nafter")
    assert [token.type for token in tokens][:2] == ["fence", "paragraph_open"]
    assert tokens[0].content == visible(text) + "\n"


@given(texts)
def test_a_sentence_holds_text_and_code_and_nothing_else(text: str) -> None:
    for source in (prose(text), f"- {prose(text)}", f"Why: {prose(text)} and so on"):
        types = {leaf.type for leaf in leaves(source)}
        blocks = {"paragraph_open", "paragraph_close", "bullet_list_open", "bullet_list_close"}
        blocks |= {"list_item_open", "list_item_close", "inline"}
        assert types <= {"text", "text_special", "code_inline"} | blocks


@given(texts)
def test_a_sentence_reads_as_it_was(text: str) -> None:
    words = "".join(leaf.content for leaf in leaves(f"Why: {prose(text)}"))
    expected = f"Why: {one_line(text)}"
    assert words.replace("¦", "|").split() == expected.split()


LIVE = re.compile(r"@\w|#\d|://|www\.|&\w+;|GH-\d|[0-9a-f]{40}", re.IGNORECASE)


@pytest.mark.parametrize("text", HOSTILE)
def test_what_a_host_would_link_or_notify_stands_in_code(text: str) -> None:
    outside = [leaf.content for leaf in leaves(f"Why: {prose(text)}") if leaf.type == "text"]
    assert not any(LIVE.search(each) for each in outside)


@given(texts)
def test_a_summary_holds_no_tag_but_code(text: str) -> None:
    assert re.findall(r"<[^>]*>", html_code(text)) == ["<code>", "</code>"]


def test_ordinary_sentences_stay_readable() -> None:
    assert prose("The pass rate fell 12.1 pp, from 78.8 % to 66.7 %.") == (
        "The pass rate fell 12.1 pp, from 78.8 % to 66.7 %."
    )
