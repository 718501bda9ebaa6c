"""The fast pass before the detectors never leaves out what they would find."""

import json
from pathlib import Path

from hypothesis import example, given
from hypothesis import strategies as st

from evalkit.control.redaction import Redactor, find_all
from evalkit.control.redaction.addresses import find_ips
from evalkit.control.redaction.credentials import find_credentials
from evalkit.control.redaction.identifiers import (
    EMAIL,
    find_cards,
    find_emails,
    find_ibans,
    find_ssns,
)
from evalkit.control.redaction.national_ids import find_announced_ids, find_ids
from evalkit.control.redaction.phones import find_phones
from evalkit.control.redaction.search import plain_view
from evalkit.control.redaction.signs import has_sign
from evalkit.control.redaction.spoken import find_spoken

CORPUS = Path(__file__).parents[2] / "data" / "detectors"
ROWS = [
    json.loads(line.replace("¦", ""))
    for part in ("tuned", "held_out")
    for line in (CORPUS / f"{part}.jsonl").read_text(encoding="utf-8").splitlines()
]
VALUES = sorted({value for row in ROWS for _, value in row["expect"]})
FRAGMENTS = [
    *("call ", "tel. ", "number: ", "password", " is: ", "api_key=", "Bearer ", "IBAN ", "CPF "),
    *("sin ", "plus ", "+", "(", ")", " dot ", " at ", "one ", "two-three ", "four, ", "::", "@"),
    *(
        "\\n",
        "\\u0040",
        "\u00a0",
        "–",
        "：",
        "７",
        "٣",
        "-----BEGIN PRIVATE KEY-----",
        "\n",
        "0",
        "1 ",
    ),
]


def certain(text: str) -> bool:
    return any(each.certain for each in find_all(text))


def test_every_value_of_the_corpus_has_a_sign_and_most_harmless_texts_have_none() -> None:
    assert all(has_sign(row["text"]) for row in ROWS if certain(row["text"]))
    prose = [
        "The parcel of 24 November came late; she asked twice.",
        "Das Paket kam zu spät.",
        "他来了。",
    ]
    logs = (
        '{"at":"2026-11-24T05:19:12.504Z","order":"A-95319","bytes":9723233,"epoch":1706798022749}'
    )
    assert not any(has_sign(text) for text in [*prose, logs])


TEXTS = st.lists(
    st.one_of(st.sampled_from(FRAGMENTS), st.sampled_from(VALUES), st.text(max_size=4)),
    max_size=6,
).map("".join)
LEADS = st.sampled_from(
    ["", "phone: ", "id number: ", "Tax ID: ", "pan: ", "api key: ", "version: ", "İ: ", "order: "]
)


@given(TEXTS)
@example("one\u00a0two\u00a0three\u00a0four\u00a0five\u00a0six\u00a0seven")
@example("356 339 503：：")
@example("\\nGB09WEST44261649748761")
@example("to\u212aen: abcdefg1")
@example("AB\u00a012\u00a034\u00a056\u00a0C")
def test_what_is_found_has_a_sign(text: str) -> None:
    assert has_sign(text) or not certain(text)


@given(st.lists(TEXTS, max_size=4))
@example(["one two", "three four"])
@example(["a 555", "0129 b"])
def test_texts_that_are_plain_together_are_plain_each(texts: list[str]) -> None:
    redactor = Redactor()
    assert not redactor.is_plain(texts) or [redactor.redact(each) for each in texts] == texts


def test_no_value_of_the_corpus_is_plain_among_other_texts() -> None:
    redactor = Redactor()
    for row in ROWS:
        if certain(row["text"]):
            assert not redactor.is_plain(["bench is asked", row["text"], "12 tokens", "x"])
    assert redactor.is_plain(["bench is asked", "up to 0.00114 USD are set aside", "x"])


def test_nothing_is_plain_to_a_redactor_that_knows_a_number() -> None:
    redactor = Redactor()
    redactor.redact("call +1 212 555 0129")
    assert not redactor.is_plain(["order 12125550129"])


@given(TEXTS, LEADS)
@example("8001015009087", "id number: ")
@example("ABCPE1234F", "pan: ")
@example("X1234567L", "nie: ")
@example("5550129", "phone: ")
@example("https://bob:hunter2@example.com", "")
def test_every_detector_has_a_sign_of_its_own(text: str, lead: str) -> None:
    view = plain_view(text)
    lowered = view.lower()
    if len(lowered) != len(view):
        lowered = view
    assert has_sign(view, "secrets") or not list(find_credentials(view, lowered))
    assert has_sign(view, "spoken") or not list(find_spoken(lowered))
    assert has_sign(view, "shown ids") or not list(find_ids(view))
    numbers = [*find_ibans(view), *find_cards(view), *find_ssns(view), *find_ips(view, lead)]
    assert has_sign(view, "numbers") or not numbers
    announced = list(find_announced_ids(view, lowered, lead))
    assert has_sign(lead + view, "named ids") or not announced
    phones = [each for each in find_phones(view, lead) if each.certain]
    assert has_sign(lead + text) or not (announced or phones)


@given(st.text(alphabet="ab.@-+'%_ :1é", max_size=90))
@example("git@host.example:path and a.b@c.example")
@example("a" * 70 + "@example.com, x'" + "b" * 64 + "@example.com")
@example("a@b.example@c.example")
def test_an_address_is_found_where_one_search_over_all_of_the_text_finds_it(text: str) -> None:
    whole = [
        match.span()
        for match in EMAIL.finditer(text)
        if not (match[0].startswith("git@") and text.startswith(":", match.end()))
    ]
    assert [(each.start, each.end) for each in find_emails(text, text.lower())] == whole
