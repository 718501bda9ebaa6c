"""Redaction of JSON and of whole cases, and that a re-score meets the same placeholders."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalkit.control.redaction import Redactor, redact_case
from evalkit.errors import ProviderError
from evalkit.records.call import ToolCall
from evalkit.records.case import Case, Document
from tests.unit.control.fakes import FakeProvider, World, ask, call, reply_of, route_with

REDACTING = route_with(policies={"pii_redaction": True})


def test_texts_keys_and_numbers_of_a_value_are_redacted() -> None:
    value = {
        "mails": ["a@x.com", {"b@x.com": "see a@x.com"}],
        "card": 4111111111111111,
        "amount": 1860.5,
        "big": 12345678,
        "none": None,
        "yes": True,
    }
    assert Redactor().redact_value(value) == {
        "mails": ["[EMAIL_1]", {"[EMAIL_2]": "see [EMAIL_1]"}],
        "card": "[CARD_1]",
        "amount": 1860.5,
        "big": 12345678,
        "none": None,
        "yes": True,
    }


@pytest.mark.parametrize("key", ["phone", "phone_number", "phoneNumber", "customer_phone", "Tel"])
def test_a_key_says_that_a_number_is_a_telephones(key: str) -> None:
    assert Redactor().redact_value({key: "5551234567"}) == {key: "[PHONE_1]"}
    assert Redactor().redact_value({key: 5551234567}) == {key: "[PHONE_1]"}


@pytest.mark.parametrize("key", ["order_id", "amount", "invoice", "total"])
def test_other_keys_do_not(key: str) -> None:
    value = {key: "5551234567"}
    assert Redactor().redact_value(value) == value


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ('{"a": "x@y.com"}', '{"a": "[EMAIL_1]"}'),
        ('{"a": "x\\u0040y.com"}', '{"a": "[EMAIL_1]"}'),
        ('{"a": "line\\nx@y.com"}', '{"a": "line\\n[EMAIL_1]"}'),
        ('{"a": "tel\\t+44 7700 900123"}', '{"a": "tel\\t[PHONE_1]"}'),
        ('{"phone": 5551234567}', '{"phone":"[PHONE_1]"}'),
        ('{"a": 4111111111111111}', '{"a":"[CARD_1]"}'),
        ('{"a":  "plain"}', '{"a":  "plain"}'),
        ("no json x@y.com", "no json [EMAIL_1]"),
        (
            '{"n": 123456789012345678901234567890, "card": 4111111111111111}',
            '{"n":123456789012345678901234567890,"card":"[CARD_1]"}',
        ),
        ('{"a": "\\ud800 x@y.com"}', '{"a": "\\ud800 [EMAIL_1]"}'),
        ('{"a": "\ud800 x@y.com"}', '{"a": "\ud800 [EMAIL_1]"}'),
        ('{"a": "quote \\" \\u0022 x@y.com"}', '{"a": "quote \\" \\u0022 [EMAIL_1]"}'),
    ],
)
def test_json_stays_json(text: str, left: str) -> None:
    assert Redactor().redact_json(text) == left


values = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-(10**18), 10**18),
        st.floats(allow_nan=False, allow_infinity=False),
        st.text(max_size=20),
        st.sampled_from(["a@x.com", "+44 7700 900123", "4111111111111111", "tel 5551234"]),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=8,
)
# a bare number is redacted as a text: see redact_json
wholes = st.one_of(st.lists(values, max_size=3), st.dictionaries(st.text(max_size=8), values))


@given(wholes)
def test_what_was_json_parses_to_something_that_is_clean(value: Any) -> None:
    redactor = Redactor()
    parsed = json.loads(redactor.redact_json(json.dumps(value)))
    assert redactor.redact_value(parsed) == parsed


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("4111111111111111", "[CARD_1]"),
        ("5.642688468943842e+18", "5.642688468943842e+18"),
        ("[5.642688468943842e+18]", '["[CARD_1]"]'),
    ],
)
def test_a_bare_number_is_redacted_as_it_is_written(text: str, left: str) -> None:
    assert Redactor().redact_json(text) == left


CASE = Case(
    id="c1",
    input={"subject": "from z@x.com", "body": "call 555 0129, or a@x.com"},
    documents=(Document(id="d-1", index="kb", text="write to desk@x.com"),),
    expected={"email": "a@x.com", "callback": "5550129", "order": "A-31500"},
    tools={"look": [{"returns": {"owner": "o@x.com"}}]},
    approvals={"sign": {"granted_by": "kim@x.com", "team": "legal"}},
    identity={"user": "u@x.com"},
    source={"from": "s@x.com"},
    tags=("pii",),
)


def test_a_case_is_numbered_in_the_order_of_its_parts_with_keys_sorted() -> None:
    stored = redact_case(CASE)
    assert stored.input == {"subject": "from [EMAIL_2]", "body": "call [PHONE_1], or [EMAIL_1]"}
    assert stored.documents[0].text == "write to [EMAIL_3]"
    assert stored.expected == {
        "email": "[EMAIL_1]",
        "callback": "[PHONE_1]",
        "order": "A-31500",
    }
    assert stored.tools == {"look": [{"returns": {"owner": "[EMAIL_4]"}}]}
    assert stored.approvals == {"sign": {"granted_by": "[EMAIL_5]", "team": "legal"}}
    assert stored.identity == {"user": "[EMAIL_6]"}
    assert stored.source == {"from": "[EMAIL_7]"}
    assert (stored.id, stored.tags, stored.documents[0].id) == ("c1", ("pii",), "d-1")


def test_the_order_of_keys_in_a_file_changes_no_placeholder() -> None:
    turned = msgspec.structs.replace(CASE, input=dict(reversed(CASE.input.items())))
    assert redact_case(turned).input == redact_case(CASE).input


def test_a_stored_case_is_stored_the_same_again() -> None:
    stored = redact_case(CASE)
    again = msgspec.json.decode(msgspec.json.encode(stored), type=Case)
    assert redact_case(again) == stored == again


def test_a_case_without_personal_data_is_stored_as_it_is() -> None:
    plain = msgspec.structs.replace(
        CASE,
        input={"body": "Order A-31500 of 24.11.2026: 1.860,00 €"},
        documents=(),
        expected={},
        tools={},
        approvals={},
        identity={"user": "u-1"},
        source=None,
    )
    assert redact_case(plain) == plain


def test_live_and_stored_texts_meet_in_the_same_placeholders() -> None:
    answer = '{"email": "a@x.com", "callback": "555-0129", "other": "new@x.com"}'
    session = World(case=CASE, one=FakeProvider(reply_of(answer))).open()
    live = json.loads(session.redacted(ask(session, "from z@x.com to q@x.com").reply.content))
    expected = redact_case(CASE).expected
    assert live["email"] == expected["email"]
    assert live["callback"] == expected["callback"]
    assert live["other"] not in json.dumps(msgspec.to_builtins(redact_case(CASE)))


def test_the_model_reads_the_placeholders_that_are_expected_of_it() -> None:
    world = World(case=CASE, route=REDACTING)
    ask(world.open(), "\n".join(CASE.input.values()))
    sent = world.one.requests[0].messages[0].content
    assert sent == "from [EMAIL_2]\ncall [PHONE_1], or [EMAIL_1]"


def test_every_session_over_a_case_numbers_alike() -> None:
    world = World(case=CASE, route=REDACTING)
    texts = ["new1@x.com", "new2@x.com"]
    assert [world.open().redacted(text) for text in texts] == ["[EMAIL_8]", "[EMAIL_8]"]


def test_tool_arguments_of_a_reply_are_redacted_too() -> None:
    calls = (
        call("send", to="a@x.com", body={"cc": ["eve@x.com"], "card": 4111111111111111}),
        ToolCall(name="send", arguments={"raw": "x"}, raw='{"to": "a@x.com"'),
    )
    world = World(case=CASE, route=REDACTING, one=FakeProvider(reply_of("", tool_calls=calls)))
    first, second = ask(world.open()).reply.tool_calls
    assert first.arguments == {
        "to": "[EMAIL_1]",
        "body": {"cc": ["[EMAIL_8]"], "card": "[CARD_1]"},
    }
    assert second.raw == '{"to": "[EMAIL_1]"'


def test_what_a_server_says_in_an_error_is_redacted() -> None:
    echo = ProviderError("bad_request", "cannot read 'a@x.com' with key sk-abcdefghijklmnop1234")
    session = World(case=CASE, one=FakeProvider(echo)).open()
    with pytest.raises(ProviderError) as caught:
        ask(session)
    assert str(caught.value) == "one: cannot read '[EMAIL_1]' with key [SECRET_1]"
    assert "@" not in repr(session.decisions)


def test_no_raw_data_is_in_the_trace() -> None:
    answer = reply_of("", tool_calls=(call("call a@x.com now"),))
    session = World(case=CASE, route=REDACTING, one=FakeProvider(answer)).open()
    ask(session, "from z@x.com")
    with pytest.raises(Exception, match="not offered"):
        session.authorize(call("call a@x.com now"))
    assert "x.com" not in repr(session.decisions)


@pytest.mark.parametrize(
    ("text", "stored"), [("4111111111111111", "[CARD_1]"), ('"a@x.com"', '"[EMAIL_1]"')]
)
def test_a_bare_value_is_redacted_as_the_words_it_is(text: str, stored: str) -> None:
    """A number is mostly an answer in words; quotes around its placeholder would be new."""
    assert Redactor().redact_json(text) == stored
