"""What a session tells of itself, step by step, and what a tool's result goes through."""

import asyncio
from typing import Any

import pytest

from evalkit.errors import InvalidReply, PolicyBlocked, ProviderError
from evalkit.records.asset import Output
from evalkit.records.call import Message, ToolCall
from evalkit.records.case import Case
from tests.unit.control.fakes import (
    FakeProvider,
    World,
    ask,
    call,
    documents,
    error_of,
    reply_of,
    route_with,
    tool,
)

LOOKUP = ToolCall(name="look_up", arguments={"id": "A-1"}, id="call-1")
REDACTING = {"policies": {"pii_redaction": True}}


def told(session: Any) -> list[tuple[str, str, str]]:
    return [(step.kind, step.name, step.outcome) for step in session.steps]


def test_every_act_is_a_step_in_the_order_it_happened() -> None:
    world = World(
        one=FakeProvider(reply_of("", tool_calls=(LOOKUP,)), reply_of("It left on Monday.")),
        case=Case(id="c", input={}, documents=documents("kb", "kb-1", "kb-2")),
        route=route_with(retrieval={"max_chunks": 1}),
    )
    session = world.open()
    asyncio.run(session.retrieve("kb", "kb-1"))
    ask(session, tools=[tool("look_up")], interim=True)
    session.authorize(LOOKUP)
    message = session.tool_result(LOOKUP, {"left": "Monday"}, latency_s=0.2)
    ask(session)
    assert told(session) == [
        ("retrieval", "kb", "done"),
        ("model", "one", "done"),
        ("tool", "look_up", "done"),
        ("user", "user", "done"),
        ("model", "one", "done"),
    ]
    found, turn, looked_up, said, answer = session.steps
    assert (found.documents, found.refused) == (("kb-1",), ("kb-2",))
    assert turn.usage.total == 120 and turn.cost_usd is not None and turn.latency_s == 0.5
    assert (looked_up.arguments, looked_up.call, looked_up.latency_s) == (
        {"id": "A-1"},
        "call-1",
        0.2,
    )
    assert looked_up.output == message.content == '{"left":"Monday"}'
    assert (said.output, answer.output) == ("hello", "It left on Monday.")
    assert (message.role, message.tool_call_id, message.name) == ("tool", "call-1", "look_up")


def test_what_was_denied_is_a_step_with_its_rule() -> None:
    session = World(
        route=route_with(
            retrieval={"allow_indexes": []}, policies={"disallow_actions": ["send_email"]}
        )
    ).open()
    with pytest.raises(PolicyBlocked):
        asyncio.run(session.retrieve("kb", "x"))
    with pytest.raises(PolicyBlocked):
        session.authorize(call("send_email", to="bob"))
    denied = session.steps
    assert [(step.outcome, step.rule) for step in denied] == [
        ("denied", "retrieval.allow_indexes"),
        ("denied", "policies.disallow_actions"),
    ]
    assert denied[1].arguments == {"to": "bob"}


def test_a_call_that_failed_is_a_step_and_so_is_a_reply_that_may_not_pass() -> None:
    broken = World(one=FakeProvider(error_of("connection")), two=FakeProvider(error_of("timeout")))
    session = broken.open()
    with pytest.raises(ProviderError):
        ask(session)
    [step] = session.steps
    assert (step.kind, step.outcome, step.rule) == ("model", "failed", None)
    prose = World(one=FakeProvider(reply_of("no JSON at all"))).open()
    with pytest.raises(InvalidReply):
        ask(prose, output=Output(kind="json"))
    [step] = prose.steps
    assert (step.outcome, step.output) == ("failed", "no JSON at all")
    assert step.usage.total == 120


def test_steps_hold_no_personal_data_whatever_the_route_sends_on() -> None:
    world = World(case=Case(id="c", input={"mail": "bob@example.org"}))
    session = world.open()
    asked = ToolCall(name="look_up", arguments={"mail": "bob@example.org"}, id="c1")
    ask(session, tools=[tool("look_up")])
    session.authorize(asked)
    message = session.tool_result(asked, None, error="nobody is called bob@example.org")
    assert "bob@example.org" in message.content
    assert "bob@" not in repr(session.steps)
    assert session.steps[-1].outcome == "failed"
    assert "bob@" not in repr(session.decisions)


def test_a_tools_result_is_redacted_where_the_route_says_so_and_stays_json() -> None:
    world = World(
        route=route_with(**REDACTING), case=Case(id="c", input={"mail": "bob@example.org"})
    )
    session = world.open()
    message = session.tool_result(LOOKUP, {"mail": "bob@example.org", "open": 3})
    assert message.content == '{"mail":"[EMAIL_1]","open":3}'
    assert [d.data["where"] for d in session.decisions if d.act == "redact"] == ["tool result"]


def test_a_turn_on_the_way_to_an_answer_needs_no_form_and_no_citation() -> None:
    turn = reply_of("One moment, I look it up.", tool_calls=(LOOKUP,))
    world = World(one=FakeProvider(turn), route=route_with(require_citations=True))
    with pytest.raises(PolicyBlocked):
        ask(world.open(), tools=[tool("look_up")])
    ask(world.open(), tools=[tool("look_up")], interim=True, output=Output(kind="json"))


def test_arguments_that_are_no_object_are_denied_where_a_turn_may_follow() -> None:
    broken = ToolCall(name="look_up", arguments=None, raw="{", id="c1")
    world = World(one=FakeProvider(reply_of("", tool_calls=(broken,))))
    with pytest.raises(InvalidReply):
        ask(world.open(), tools=[tool("look_up")])
    session = world.open()
    ask(session, tools=[tool("look_up")], interim=True)
    with pytest.raises(PolicyBlocked) as denied:
        session.authorize(broken)
    assert denied.value.rule == "tools.arguments"


def test_examples_and_the_first_question_are_no_steps_of_a_conversation() -> None:
    session = World().open()
    first = [
        Message(role="user", content="a"),
        Message(role="assistant", content="b"),
        Message(role="user", content="c"),
    ]
    asyncio.run(session.complete(first))
    assert told(session) == [("model", "one", "done")]
    again = [*first, Message(role="assistant", content="fine"), Message(role="user", content="d")]
    asyncio.run(session.complete(again))
    assert [step.output for step in session.steps if step.kind == "user"] == ["d"]


def test_a_denied_call_that_the_model_is_told_of_was_never_made() -> None:
    session = World(route=route_with(policies={"disallow_actions": ["send_email"]})).open()
    asked = ToolCall(name="send_email", arguments={"to": "bob"}, id="c1")
    with pytest.raises(PolicyBlocked) as denied:
        session.authorize(asked)
    message = session.tool_result(asked, None, error=str(denied.value))
    assert "never allowed" in message.content
    assert told(session) == [("tool", "send_email", "denied")]
