"""The modes of personal data and secrets, over every text that passes a session."""

import asyncio
from typing import Any

import pytest
from pydantic import ValidationError

from evalkit.config.routes import Policies
from evalkit.control.redaction import Redactor
from evalkit.control.screening import Screen, screen_rules
from evalkit.control.trace import Trace
from evalkit.errors import PolicyBlocked
from evalkit.records.asset import Tool
from evalkit.records.call import Message, ToolCall
from tests.unit.control.fakes import (
    FakeClock,
    FakeProvider,
    World,
    ask,
    reply_of,
    route_with,
    traced,
)

KEY = "sk-proj-abcdefghijklmnop1234"
WRITTEN = f"I am bob@example.com, at 203.0.113.77, with {KEY}"


def world(policies: dict[str, Any], reply: str = "fine") -> World:
    return World(
        route=route_with(policies=policies), one=FakeProvider(reply_of(reply), name="first")
    )


def sent(given: World) -> str:
    return given.one.requests[0].messages[0].content


@pytest.mark.parametrize(
    ("policies", "leaves"),
    [
        ({}, WRITTEN),
        ({"pii_redaction": True}, "I am [EMAIL_1], at [IP_1], with [SECRET_1]"),
        ({"pii": {}}, f"I am [EMAIL_1], at [IP_1], with {KEY}"),
        ({"pii": {"kinds": ["ip"]}}, f"I am bob@example.com, at [IP_1], with {KEY}"),
        ({"secrets": {}}, "I am bob@example.com, at 203.0.113.77, with [SECRET_1]"),
        ({"pii": {"mode": "warn"}, "secrets": {}}, WRITTEN.replace(KEY, "[SECRET_1]")),
        (
            {"pii_redaction": True, "secrets": {"mode": "warn"}},
            f"I am [EMAIL_1], at [IP_1], with {KEY}",
        ),
    ],
)
def test_each_kind_leaves_as_its_mode_says(policies: dict[str, Any], leaves: str) -> None:
    given = world(policies, WRITTEN)
    completion = ask(given.open(), WRITTEN)
    assert sent(given) == leaves
    assert completion.reply.content == leaves


def test_a_warning_is_traced_with_what_was_found() -> None:
    session = world({"pii": {"mode": "warn"}}).open()
    ask(session, f"{WRITTEN}, again bob@example.com")
    (entry,) = traced(session, "policies.pii")
    assert (entry.outcome, entry.act) == ("warned", "redact")
    assert entry.data == {"where": "request", "found": {"EMAIL": 1, "IP": 1}}
    assert "bob" not in entry.message


@pytest.mark.parametrize(
    ("policies", "rule"),
    [
        ({"pii": {"mode": "block"}}, "policies.pii"),
        ({"secrets": {"mode": "block"}}, "policies.secrets"),
        ({"pii_redaction": True, "secrets": {"mode": "block"}}, "policies.secrets"),
    ],
)
def test_a_blocked_request_never_leaves(policies: dict[str, Any], rule: str) -> None:
    given = world(policies)
    session = given.open()
    with pytest.raises(PolicyBlocked) as caught:
        ask(session, WRITTEN)
    assert caught.value.rule == rule
    assert caught.value.completion is None
    assert not given.one.requests
    assert [each.outcome for each in traced(session, rule)] == ["denied"]
    assert "bob" not in str(caught.value)
    assert KEY not in str(caught.value)
    with pytest.raises(PolicyBlocked):
        session.prepare([Message(role="user", content=WRITTEN)])


def test_a_blocked_reply_is_held_back_and_only_its_redacted_form_is_kept() -> None:
    given = world({"secrets": {"mode": "block"}}, WRITTEN)
    session = given.open()
    with pytest.raises(PolicyBlocked) as caught:
        ask(session)
    assert caught.value.rule == "policies.secrets"
    assert len(given.one.requests) == 1
    kept = caught.value.completion.reply.content
    assert kept == "I am [EMAIL_1], at [IP_1], with [SECRET_1]"
    assert not given.two.requests  # a policy block is no reason to ask another model


def test_what_is_not_personal_passes_a_block() -> None:
    given = world({"pii": {"mode": "block"}, "secrets": {"mode": "block"}})
    text = "order A-31500 of 24.11.2026, v1.2.3.4, 1.860,00 EUR"
    assert ask(given.open(), text).content == "fine"
    assert sent(given) == text


def test_turns_with_tools_and_the_tools_themselves_leave_redacted() -> None:
    given = world({"pii_redaction": True})
    session = given.open()
    call = ToolCall(
        name="look",
        id="c1",
        arguments={"who": {"bob@example.com": ["amy@example.com", 4111111111111111]}},
        raw='{"who": "bob@example.com"}',
    )
    messages = [
        Message(role="user", content="who is bob@example.com?"),
        Message(role="assistant", content="", tool_calls=(call,)),
        Message(
            role="tool",
            name="look",
            tool_call_id="c1",
            content='{"mail": "eve@example.com", "card": 4111111111111111}',
        ),
    ]
    tool = Tool(
        name="look",
        description="ask desk@example.com",
        parameters={"properties": {"who": {"examples": ["bob@example.com"]}}},
    )
    asyncio.run(session.complete(messages, tools=[tool]))
    request = given.one.requests[0]
    (turn,) = request.messages[1].tool_calls
    assert turn.arguments == {"who": {"[EMAIL_1]": ["[EMAIL_2]", "[CARD_1]"]}}
    assert (turn.raw, turn.id) == ('{"who": "[EMAIL_1]"}', "c1")
    assert request.messages[2].content == '{"mail":"[EMAIL_3]","card":"[CARD_1]"}'
    assert request.tools[0].description == "ask [EMAIL_4]"
    assert request.tools[0].parameters == {"properties": {"who": {"examples": ["[EMAIL_1]"]}}}
    assert "example.com" not in repr(request)


def test_a_value_is_screened_as_a_text_is() -> None:
    redactor = Redactor()
    trace = Trace(FakeClock(), redactor.redact)
    rules = screen_rules(Policies.model_validate({"pii": {"mode": "block"}}))
    screen = Screen(rules, redactor, trace)
    assert screen.value({"order": "A-31500"}, "result of look") == {"order": "A-31500"}
    with pytest.raises(PolicyBlocked, match="in the result of look: 1 EMAIL"):
        screen.value({"nested": [{"bob@example.com": 1}]}, "result of look")


def test_a_tools_result_that_may_not_pass_is_a_denied_step() -> None:
    session = world({"secrets": {"mode": "block"}}).open()
    with pytest.raises(PolicyBlocked):
        session.tool_result(ToolCall(name="look", arguments={}, id="c1"), {"token": KEY})
    (step,) = session.steps
    assert (step.outcome, step.rule, step.output) == ("denied", "policies.secrets", None)


@pytest.mark.parametrize(
    "policies",
    [
        {"pii_redaction": True, "pii": {}},
        {"pii": {"mode": "shadow"}},
        {"pii": {"kinds": []}},
        {"pii": {"kinds": ["names"]}},
        {"secrets": {"kinds": ["email"]}},
    ],
)
def test_what_cannot_be_meant_is_refused(policies: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Policies.model_validate(policies)
