"""Files cut into chunks: nothing lost, nothing too long, the same every time."""

import re
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalkit.config.indexes import Chunking
from evalkit.records.token_estimate import estimate_tokens
from evalkit.sources.chunking import cut_text

PAGE = """\
# Returns

Thirty days.

## Refunds

Paid to the card.

```
# no heading, a comment
```

## Parcels
"""


def test_a_heading_begins_a_chunk_and_one_in_a_code_block_does_not() -> None:
    assert cut_text(PAGE, Chunking(max_chars=500)) == [
        "# Returns\n\nThirty days.",
        "## Refunds\n\nPaid to the card.\n\n```\n# no heading, a comment\n```",
        "## Parcels",
    ]


def test_headings_without_text_stay_with_what_follows() -> None:
    assert cut_text("# A\n## B\n\ntext\n", Chunking(max_chars=500)) == ["# A\n## B\n\ntext"]


def test_a_long_section_is_cut_between_paragraphs() -> None:
    section = "\n\n".join(letter * 30 for letter in "abcd")
    assert cut_text(section, Chunking(max_chars=62)) == [
        f"{'a' * 30}\n\n{'b' * 30}",
        f"{'c' * 30}\n\n{'d' * 30}",
    ]


def test_a_long_paragraph_is_cut_between_words() -> None:
    chunks = cut_text("word " * 100, Chunking(max_chars=54))
    assert set(chunks[:-1]) == {" ".join(["word"] * 11)}


def test_the_overlap_repeats_whole_words_of_the_chunk_before() -> None:
    text = " ".join(f"w{number}" for number in range(100))
    chunks = cut_text(text, Chunking(max_chars=60, overlap=12))
    for before, after in pairwise(chunks):
        shared = [word for word in after.split() if word in before.split()]
        assert shared and len(" ".join(shared)) <= 12
        assert before.endswith(" ".join(shared)) and after.startswith(" ".join(shared))


@pytest.mark.parametrize("text", ["", "\n\n \n", "\ufeff".strip("\ufeff")])
def test_no_text_makes_no_chunk(text: str) -> None:
    assert cut_text(text, Chunking(max_chars=50)) == []


@given(
    st.text(st.sampled_from("ab é😀\n#`"), max_size=600),
    st.integers(50, 120),
    st.integers(0, 25),
)
def test_every_letter_is_in_a_chunk_and_no_chunk_is_too_long(
    text: str, limit: int, overlap: int
) -> None:
    chunks = cut_text(text, Chunking(max_chars=limit, overlap=overlap))
    assert all(chunk.strip() and len(chunk) <= limit for chunk in chunks)
    plain = cut_text(text, Chunking(max_chars=limit))
    assert re.sub(r"\s", "", "".join(plain)) == re.sub(r"\s", "", text)
    assert cut_text(text, Chunking(max_chars=limit, overlap=overlap)) == chunks


@given(st.text(st.sampled_from("ab é😀\n"), max_size=600), st.integers(20, 60))
def test_a_limit_in_tokens_holds_by_the_estimate(text: str, limit: int) -> None:
    chunks = cut_text(text, Chunking(max_tokens=limit))
    assert all(estimate_tokens(chunk) <= limit for chunk in chunks)
