"""A text in pieces is redacted as the whole text is, and no part of a finding leaves too early."""

import random

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from evalkit.control.redaction import Redactor, StreamRedactor
from evalkit.control.redaction.boundaries import LONGEST_STRETCH
from tests.unit.control.test_signs import FRAGMENTS, ROWS, VALUES

PEM = (
    "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: made by me\nMIIE\n}\n-----END RSA PRIVATE KEY-----"
)
PLAIN = [
    *(
        "the parcel ",
        "came late. ",
        "Anna said, ",
        "and so on\n",
        '{"a": 1}\n',
        "12\n34\n",
        "。他来了，",
    ),
    *("seven ", "oh ", "john ", "example ", "com ", "Order A-31500 ", "555 0129 ", "5550129 ", PEM),
    *("-----BEGIN RSA PRIVATE KEY-----\n", "secret words here ", "key\n", ": a1b2c3d4e5 "),
]

texts = st.lists(
    st.one_of(
        st.sampled_from(PLAIN),
        st.sampled_from(FRAGMENTS),
        st.sampled_from(VALUES),
        st.text(max_size=4),
    ),
    max_size=14,
).map("".join)


def streamed(pieces: list[str]) -> list[str]:
    stream = StreamRedactor(Redactor())
    return [*(stream.feed(piece) for piece in pieces), stream.close()]


def cut(text: str, places: list[int]) -> list[str]:
    ends = sorted({place % (len(text) + 1) for place in places})
    return [text[a:b] for a, b in zip([0, *ends], [*ends, len(text)], strict=True)]


@settings(max_examples=300, deadline=None)
@given(texts, st.lists(st.integers(0, 10_000), max_size=12))
@example("call 555 0129 or write to john dot smith at example dot com and wait", [3, 9, 30, 44])
@example("plus four four seven seven double oh nine hundred four five six is it", [20, 40, 60])
@example(f"here is {PEM} and more of it", [40, 60, 80])
def test_pieces_give_what_the_whole_gives(text: str, places: list[int]) -> None:
    assert "".join(streamed(cut(text, places))) == Redactor().redact(text)


@settings(max_examples=100, deadline=None)
@given(texts)
def test_single_letters_give_what_the_whole_gives(text: str) -> None:
    assert "".join(streamed(list(text))) == Redactor().redact(text)


def test_the_corpus_letter_by_letter_is_redacted_as_a_whole() -> None:
    text = " and so it went on.\n".join(row["text"] for row in ROWS[::7])
    assert "".join(streamed(list(text))) == Redactor().redact(text)


@pytest.mark.parametrize("value", VALUES[::5])
def test_no_letter_of_a_finding_leaves_before_it_is_known(value: str) -> None:
    stream = StreamRedactor(Redactor())
    before = f"so here it is at last, the password: {value}"
    whole = Redactor().redact(before + " as it was")
    released = ""
    for letter in before:
        released += stream.feed(letter)
        assert whole.startswith(released)


def test_prose_is_held_back_by_a_word_or_two() -> None:
    stream = StreamRedactor(Redactor())
    held = []
    for letter in "The parcel came late, so the customer asked for a refund of what was paid. " * 3:
        stream.feed(letter)
        held.append(stream.held)
    assert max(held) <= 24


@pytest.mark.parametrize(
    "text",
    [
        "1" * 60_000,
        "1 " * 30_000,
        "a" * 60_000,
        "x@" * 20_000,
        "dot at " * 9_000,
        "key=" * 12_000,
        "a.b.c." * 9_000,
        "-----BEGIN PRIVATE KEY-----\n"
        + "Abc some words here}\n" * 3_000
        + "-----END PRIVATE KEY-----\n",
        "-----BEGIN PRIVATE KEY-----\n" * 2_000,
    ],
)
def test_an_endless_run_is_cut_at_the_same_places_and_held_in_bounds(text: str) -> None:
    rng = random.Random(len(text))
    stream, out, at = StreamRedactor(Redactor()), "", 0
    while at < len(text):
        size = rng.choice([1, 7, 900, 20_000])
        out += stream.feed(text[at : at + size])
        at += size
        assert stream.held <= LONGEST_STRETCH
    out += stream.close()
    assert out == Redactor().redact(text)


def test_a_private_key_longer_than_the_window_leaves_nothing_of_it() -> None:
    body = "SECRETsecret words}\n" * 4_000
    text = f"see -----BEGIN PRIVATE KEY-----\n{body}-----END PRIVATE KEY----- and thanks for it"
    left = Redactor().redact(text)
    assert "SECRET" not in left.replace("[SECRET_", "")
    assert left.startswith("see [SECRET_1]")
    assert left.endswith(" and thanks for it")


def test_a_value_that_a_stream_meets_again_has_its_placeholder() -> None:
    redactor = Redactor()
    redactor.redact("bob@example.com")
    stream = StreamRedactor(redactor)
    assert stream.feed("amy@example.com and bob@exa") + stream.feed(
        "mple.com"
    ) + stream.close() == ("[EMAIL_2] and [EMAIL_1]")


@pytest.mark.parametrize("unseen", "\u200b\u200d\ufeff\ufe0f\u034f\u00ad\u202a\U000e0041")
def test_what_nobody_sees_hides_nothing_however_it_was_cut(unseen: str) -> None:
    text = "write to kim@example.org or pay with 4111 1111 1111 1111 please, soon"
    hidden = unseen.join(text)
    redactor = Redactor()
    stream = StreamRedactor(redactor)
    shown = "".join([*(stream.feed(letter) for letter in hidden), stream.close()])
    assert shown == Redactor().redact(hidden)
    assert shown.replace(unseen, "") == Redactor().redact(text)
    assert {value for _, value, _ in redactor.knows} == {"kim@example.org", "4111111111111111"}
