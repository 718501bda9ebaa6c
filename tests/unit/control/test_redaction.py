"""What is found in a text, what is left alone, and how placeholders are numbered."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalkit.control.redaction import Redactor, find_all


def redact(text: str) -> str:
    return Redactor().redact(text)


EMAILS = [
    "bob@example.com",
    "Bob.O'Neil+tag@mail.example.co.uk",
    "bob_smith%x@sub-domain.example.museum",
    "jürgen@exämple.de",
    "john dot smith at example dot com",
    "john (at) example.com",
    "john[at]example[dot]org",
]
PHONES = [
    "+44 7700 900123",
    "+447700900123",
    "+44 (0)20 7946 0018",
    "0044 7700 900123",
    "plus 44 7700 900123",
    "+1 (202) 555-0143",
    "07700 900123",
    "(030) 901820",
    "030/901820",
    "06 12 34 56 78",
    "06.12.34.56.78",
    "202-555-0143",
    "(202) 555-0143",
    "202.555.0143",
    "1-202-555-0143",
    "555-0164",
    "+44 7700 90012",  # a digit was lost
    "+44\u00a07700\u202f900123",
    "+４４ ７７００ ９００１２３",
    "٠٧٧٠٠ ٩٠٠١٢٣",
    "plus forty four seven seven double oh nine hundred one two three",
]
CARDS = [
    "4111111111111111",
    "4111 1111 1111 1111",
    "5555-5555-5555-4444",
    "3782 822463 10005",
    "2223003122003222",
]
IBANS = [
    "DE89 3704 0044 0532 0130 00",
    "de89370400440532013000",
    "GB82 WEST 1234 5698 7654 32",
    "FR14 2004 1010 0505 0001 3M02 606",
    "NO93-8601-1117-947",
]
SECRETS = [
    "sk-proj-abcdefghijklmnop1234",
    "ghp_abcdefghijklmnopqrstuvwxyz0123456789",
    "github_pat_11ABCDEFG0abcdefghijkl_mnopqrstuvwxyz",
    "AKIAIOSFODNN7EXAMPLE",
    "xoxb-1234567890-abcdef",
    "pw_live_9f8e7d6c5b",
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.abcdefg",
    "-----BEGIN RSA PRIVATE KEY-----\nMIIE\nabcd\n-----END RSA PRIVATE KEY-----",
    "-----BEGIN PRIVATE KEY-----\nnever ended",
]


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        *(("EMAIL", text) for text in EMAILS),
        *(("PHONE", text) for text in PHONES),
        *(("CARD", text) for text in CARDS),
        *(("IBAN", text) for text in IBANS),
        *(("SSN", text) for text in ["123-45-6789"]),
        *(("IP", text) for text in ["203.0.113.77", "2001:db8:85a3::8a2e:370:7334"]),
        *(("SECRET", text) for text in SECRETS),
    ],
)
def test_personal_data_and_secrets_are_replaced_whole(kind: str, text: str) -> None:
    assert redact(text) == f"[{kind}_1]"
    end = "" if text.endswith("ended") else " now."
    assert redact(f"It is: {text}{end}") == f"It is: [{kind}_1]{end}"


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("call me on 5551234567", "call me on [PHONE_1]"),
        ("Tel. 612 345 678", "Tel. [PHONE_1]"),
        ("mon téléphone : 612345678", "mon téléphone : [PHONE_1]"),
        ("ring me 555 0129 ta", "ring me [PHONE_1] ta"),
        ("phone 020 7946 0018, order A-31500", "phone [PHONE_1], order A-31500"),
        ("CVC 123 4111 1111 1111 1111 12/26", "CVC 123 [CARD_1] 12/26"),
        ("SSN: 123 45 6789", "SSN: [SSN_1]"),
        ("my IBAN DE89 3704 0044 0532 0130 01", "my IBAN [IBAN_1]"),  # a wrong digit
        ("https://user:hunter2@host/x", "https://[SECRET_1]@host/x"),
        ("password: hunter2000, ok", "password: [SECRET_1], ok"),
        ("Authorization: Bearer abcdefghijklmnop.qrst", "Authorization: Bearer [SECRET_1]"),
        ("<bob@example.com>;amy@example.com.", "<[EMAIL_1]>;[EMAIL_2]."),
        ("mailto:bob@example.com?x=1", "mailto:[EMAIL_1]?x=1"),
        ("555-0129 or 555-0130", "[PHONE_1] or [PHONE_2]"),
        ("24.11.2026 07700 900123", "24.11.2026 [PHONE_1]"),
        ("07700 900123 020 7946 0018", "[PHONE_1] [PHONE_2]"),
        ("ip=203.0.113.77:443", "ip=[IP_1]:443"),
    ],
)
def test_only_the_data_itself_goes(text: str, left: str) -> None:
    assert redact(text) == left


@pytest.mark.parametrize(
    "text",
    [
        "Order A-31500, invoice 2026-0077 and RE-2026-00123",
        "call about A-1234567 please",
        "order number 5550129, customer no 20261188",
        "numéro de facture 2026-0302, zwischen 2026-0411 und 2026-0413",
        "invoice 234-5678, pages 200-1000, ref 0123456789",
        "24.11.2026 10:00, 2026-11-24T05:00Z, 01/02/2026, 01.02.2026 - 03.04.2026",
        "Tuesday, November 17, 2026 4:11 PM",
        "call me on 24.11.2026 at 10:30",
        "1.860.000,00 €, $1,234,567.89, EUR 12 345 678, 1 234 567,50 euro, 200-1500 €",
        "1234567.89 and 0.4111111111111111 and 3.000.000",
        "v1.2.3.4, firmware 4.2.1.0, version: 10.0.0.1",
        "127.0.0.1, 0.0.0.0, ::1, std::string a::b, 12:30-13:45",
        "4111 1111 1111 1112",  # no card: the checksum fails
        "DE89 3704 0044 0532 0130 01",  # no account: the checksum fails
        "1Z999AA10123456784, 1732480000000, 123e4567-e89b-12d3-a456-426614174000",
        "token: expired, password: forgotten, the key is lost, sk-no",
        "one thousand two hundred and thirty four, twenty twenty six",
        "look at example.com, @handle, a@b",
        "ISO 9001:2015, article 15, 10/15/20 %, 99.99, 555-01",
        "000-12-3456, 666-12-3456, 123-00-4567",
        '{"amount": 1860, "order_id": "A-40001", "pages": [1, 2, 3]}',
    ],
)
def test_numbers_that_are_nobodys_stay(text: str) -> None:
    assert redact(text) == text


def test_one_value_has_one_placeholder_however_it_is_written() -> None:
    assert redact("Bob@Example.com, bob@example.com") == "[EMAIL_1], [EMAIL_1]"
    assert redact("+44 7700 900123 / 00447700900123") == "[PHONE_1] / [PHONE_1]"
    assert redact("202-555-0143, +1 202 555 0143") == "[PHONE_1], [PHONE_1]"
    assert redact("4111 1111 1111 1111 and 4111111111111111") == "[CARD_1] and [CARD_1]"


def test_numbers_follow_the_first_appearance_and_each_kind_has_its_own() -> None:
    text = "b@x.com a@x.com 555-0129 b@x.com 555-0130"
    assert redact(text) == "[EMAIL_1] [EMAIL_2] [PHONE_1] [EMAIL_1] [PHONE_2]"


def test_a_number_that_was_once_called_a_telephone_is_one_everywhere() -> None:
    redactor = Redactor()
    assert redactor.redact("5551234567") == "5551234567"
    assert redactor.redact("call 555 123 4567") == "call [PHONE_1]"
    assert redactor.redact("it was 5551234567") == "it was [PHONE_1]"


def test_a_copy_goes_its_own_way() -> None:
    redactor = Redactor()
    redactor.redact("a@x.com")
    copy = redactor.copy()
    assert copy.redact("b@x.com a@x.com") == "[EMAIL_2] [EMAIL_1]"
    assert redactor.redact("c@x.com") == "[EMAIL_2]"


@pytest.mark.parametrize("text", [*EMAILS, *PHONES, *CARDS, *IBANS, *SECRETS])
def test_redacting_twice_changes_nothing(text: str) -> None:
    redactor = Redactor()
    once = redactor.redact(f"see {text} end")
    assert redactor.redact(once) == once
    assert Redactor().redact(once) == once


@given(st.text(max_size=300))
def test_any_text_is_redacted_the_same_twice(text: str) -> None:
    redactor = Redactor()
    once = redactor.redact(text)
    assert redactor.redact(once) == once
    assert redact(text) == once


@given(
    st.lists(
        st.sampled_from([*EMAILS, *PHONES, *CARDS, *IBANS, "bob", "A-31500", "12"]), max_size=8
    )
)
def test_no_mail_address_survives_any_neighbourhood(words: list[str]) -> None:
    left = redact(" | ".join(words))
    assert not any(email in left for email in EMAILS)
    assert left.count("A-31500") == words.count("A-31500")


@pytest.mark.parametrize(
    "text",
    [
        "1" * 50_000,
        "1 " * 10_000,
        "555-0129 " * 3_000,
        "a@" * 25_000,
        "a'" * 25_000 + "@",
        "a." * 25_000 + " dot ",
        "key=" * 12_000,
        "one two " * 6_000,
        "::1:2:" * 8_000,
        "(at)" * 12_000,
        "-----BEGIN PRIVATE KEY-----" * 1_500,
        "\\u0040\\n" * 6_000,
    ],
)
def test_hostile_texts_take_time_in_proportion(text: str) -> None:
    find_all("warm up 0044 7700 900123")
    started = time.process_time()
    redact(text)
    # quadratic time would be minutes; this is a hundred times what it takes
    assert time.process_time() - started < 20
