"""Arguments of tool calls, held to the JSON Schema of their tool before anything runs."""

from typing import Any

import pytest

from evalkit.control.arguments import digest_arguments
from evalkit.control.session import ControlSession
from evalkit.errors import PolicyBlocked
from evalkit.records.asset import Tool
from tests.unit.control.fakes import World, ask, call, route_with, traced

REFUND = {
    "type": "object",
    "properties": {
        "order": {"type": "string", "pattern": "^O-[0-9]+$"},
        "amount": {"type": "number", "exclusiveMinimum": 0, "maximum": 100},
        "currency": {"enum": ["EUR", "USD"]},
        "to": {"type": "string", "format": "email", "maxLength": 20},
        "lines": {"type": "array", "items": {"$ref": "#/$defs/line"}},
    },
    "required": ["order", "amount"],
    "additionalProperties": False,
    "$defs": {"line": {"type": "object", "required": ["sku"]}},
}
GOOD = {"order": "O-1", "amount": 5}


def opened(parameters: dict[str, Any], **keys: Any) -> ControlSession:
    session = World(route=route_with(**keys)).open()
    ask(session, tools=[Tool(name="refund", effect="read", parameters=parameters)])
    return session


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({}, "$: expected the key order, amount"),
        ({"order": "O-1"}, "$: expected the key amount"),
        (GOOD | {"order": "o-1"}, "$.order: expected a text that matches ^O-[0-9]+$"),
        (GOOD | {"order": 7}, "$.order: expected a value of type string"),
        (GOOD | {"amount": 0}, "$.amount: expected more than 0"),
        (GOOD | {"amount": 100.01}, "$.amount: expected at most 100"),
        (GOOD | {"amount": True}, "$.amount: expected a value of type number"),
        (GOOD | {"currency": "GBP"}, '$.currency: expected one of "EUR", "USD"'),
        (GOOD | {"to": "nobody"}, "$.to: expected a text of format email"),
        (GOOD | {"lines": [{"sku": 1}, {}]}, "$.lines[1]: expected the key sku"),
        (GOOD | {"note": "hi"}, "$: expected no key but its own: order, amount"),
        (GOOD | {"amount": -1, "currency": 3}, "(and 1 more)"),
    ],
)
def test_a_call_with_arguments_that_do_not_meet_the_schema_is_denied(
    arguments: dict[str, Any], says: str
) -> None:
    session = opened(REFUND)
    with pytest.raises(PolicyBlocked) as caught:
        session.authorize(call("refund", **arguments))
    assert caught.value.rule == "tools.arguments"
    assert says in str(caught.value)


@pytest.mark.parametrize(
    "arguments", [GOOD, GOOD | {"amount": 100, "to": "a@b.example", "lines": [{"sku": "x"}]}]
)
def test_a_call_that_meets_the_schema_may_run(arguments: dict[str, Any]) -> None:
    opened(REFUND).authorize(call("refund", **arguments))


def test_a_message_never_quotes_a_value() -> None:
    session = opened(REFUND)
    with pytest.raises(PolicyBlocked) as caught:
        session.authorize(call("refund", order="hunter2 is my password", amount=5))
    assert "hunter2" not in str(caught.value)
    assert "hunter2" not in repr(session.decisions)


def test_a_denied_call_is_not_counted_and_no_loop() -> None:
    session = opened(REFUND, max_tool_calls=1, max_repeats=0)
    for _ in range(2):
        with pytest.raises(PolicyBlocked, match="expected the key amount"):
            session.authorize(call("refund", order="O-1"))
    session.authorize(call("refund", **GOOD))


@pytest.mark.parametrize(
    "parameters",
    [
        {"type": "object", "properties": {"a": {"pattern": "(?=x)"}}},
        {"type": "object", "properties": {"a": {"$ref": "https://example.com/schema.json"}}},
        {"type": "object", "properties": {"a": {"$ref": "other.json"}}},
        {"type": "objekt"},
        {"$schema": "http://json-schema.org/draft-07/schema#", "type": "object"},
    ],
)
def test_a_schema_that_cannot_be_applied_denies(parameters: dict[str, Any]) -> None:
    session = opened(parameters)
    with pytest.raises(PolicyBlocked) as caught:
        session.authorize(call("refund", a="x"))
    assert caught.value.rule == "policy.error"


def test_a_schema_without_an_end_denies() -> None:
    session = opened({"$ref": "#"})
    with pytest.raises(PolicyBlocked) as caught:
        session.authorize(call("refund", a="x"))
    assert caught.value.rule == "policy.error"


def test_a_tool_without_parameters_takes_any_arguments() -> None:
    opened({}).authorize(call("refund", anything=[1, {"a": None}]))


def test_a_placeholder_is_excused_from_what_only_the_data_could_meet() -> None:
    session = opened(
        {"properties": {"to": {"type": "string", "pattern": "^[a-z]+@[a-z.]+$", "maxLength": 4}}},
        policies={"pii_redaction": True},
    )
    session.redacted("ana@example.com")
    session.authorize(call("refund", to="[EMAIL_1]"))
    with pytest.raises(PolicyBlocked):  # it stands for nothing here
        session.authorize(call("refund", to="[EMAIL_2]"))


def test_a_placeholder_is_not_excused_from_its_type() -> None:
    session = opened({"properties": {"to": {"type": "integer"}}})
    session.redacted("ana@example.com")
    with pytest.raises(PolicyBlocked):
        session.authorize(call("refund", to="[EMAIL_1]"))


def test_the_shadow_mode_warns_and_denies_nothing() -> None:
    session = opened(REFUND, policies={"tool_arguments": {"mode": "warn"}})
    session.authorize(call("refund", order="O-1"))
    [warned] = traced(session, "tools.arguments")
    assert warned.outcome == "warned"
    assert [each.outcome for each in traced(session, "tools.declared")] == ["allowed"]


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}, True),
        ({"a": 1}, {"a": "1"}, False),
        ({"a": [1, 2]}, {"a": [2, 1]}, False),
        ({"a": None}, {}, False),
        ({"a": "\ud800"}, {"a": "\ud801"}, False),
        ({"a": float("nan")}, {"a": float("inf")}, False),
    ],
)
def test_digests_tell_arguments_apart(
    one: dict[str, Any], other: dict[str, Any], same: bool
) -> None:
    assert (digest_arguments(one, {}) == digest_arguments(other, {})) is same


def test_digests_see_through_placeholders() -> None:
    ana, ben = {"[EMAIL_1]": "ana@example.com"}, {"[EMAIL_1]": "ben@example.com"}
    arguments = {"to": "Mail [EMAIL_1]", "cc": ["[EMAIL_1]"]}
    assert digest_arguments(arguments, ana) == digest_arguments(arguments, ana)
    assert digest_arguments(arguments, ana) != digest_arguments(arguments, ben)
    assert digest_arguments(arguments, ana) != digest_arguments(arguments, {})
