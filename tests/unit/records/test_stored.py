"""What is stored of an attempt is redacted, and can always be encoded."""

import math

import msgspec
import pytest

from evalkit.control.redaction import Redactor, redact_case
from evalkit.records.case import Case
from evalkit.records.stored import MAX_DEPTH, TOO_DEEP, TOO_LONG, stored_text, stored_value


def redact(text: str) -> str:
    return text.replace("ada@example.org", "[EMAIL_1]").replace("4111111111111111", "[CARD_1]")


def test_texts_and_keys_at_every_depth_are_redacted() -> None:
    value = {"to": ["ada@example.org"], "ada@example.org": {"note": "from ada@example.org"}}
    assert stored_value(value, redact) == {
        "to": ["[EMAIL_1]"],
        "[EMAIL_1]": {"note": "from [EMAIL_1]"},
    }


@pytest.mark.parametrize("number", [4111111111111111, 4111111111111111.0])
def test_a_number_that_is_personal_data_becomes_its_placeholder(number: float) -> None:
    assert stored_value({"card": number}, redact) == {"card": "[CARD_1]"}


def test_a_short_number_is_looked_at_too() -> None:
    case = Case(id="c", input={}, expected={"phone": 5550129})
    redactor = Redactor.primed_with(case)
    assert redact_case(case).expected == {"phone": "[PHONE_1]"}
    assert stored_value({"phone": 5550129}, redactor.redact) == {"phone": "[PHONE_1]"}


@pytest.mark.parametrize("value", [0, -3, 1312.4, 10**12, -(10**12), 1e300, True, None, ""])
def test_what_is_no_personal_data_stays_as_it_is(value: object) -> None:
    stored = stored_value(value, redact)
    assert stored == value
    assert type(stored) is type(value)


@pytest.mark.parametrize("number", [math.inf, -math.inf, math.nan])
def test_a_number_that_json_cannot_hold_becomes_a_text(number: float) -> None:
    assert stored_value([number], redact) == [str(number)]


def test_an_endless_number_is_left_out() -> None:
    assert stored_value([10**5000], redact) == [TOO_LONG]


def test_endless_nesting_is_cut() -> None:
    value: list[object] = []
    for _ in range(5000):
        value = [value]
    stored = stored_value(value, redact)
    assert msgspec.json.encode(stored) == b"[" * MAX_DEPTH + f'"{TOO_DEEP}"'.encode() + b"]" * (
        MAX_DEPTH
    )


def test_a_lone_surrogate_becomes_a_question_mark() -> None:
    assert stored_text("caf\u00e9 \ud83d!", redact) == "caf\u00e9 ?!"
    assert msgspec.json.encode(stored_value({"\udc00": "\ud800"}, redact)) == b'{"?":"?"}'
