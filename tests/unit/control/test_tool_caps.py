"""Caps of a workflow: tool calls, retries, loops, turns and tokens, at their boundaries."""

from typing import Any

import pytest

from evalkit.control.session import ControlSession
from evalkit.errors import PolicyBlocked
from evalkit.records.call import ToolCall, Usage
from evalkit.records.case import Case
from tests.unit.control.fakes import (
    FakeProvider,
    World,
    ask,
    call,
    reply_of,
    route_with,
    tool,
    traced,
)


def opened(**keys: Any) -> ControlSession:
    session = World(route=route_with(**keys)).open()
    ask(session, tools=[tool("look"), tool("Look_Up"), tool("send")])
    return session


def authorize(session: ControlSession, made: ToolCall, *, times: int) -> str | None:
    """The rule that ends the repetition, or None where every call may run."""
    for _ in range(times):
        try:
            session.authorize(made)
        except PolicyBlocked as blocked:
            return blocked.rule
    return None


@pytest.mark.parametrize(
    ("cap", "times", "rule"),
    [
        (None, 30, None),
        (0, 1, None),
        (0, 2, "max_repeats"),
        (2, 3, None),
        (2, 4, "max_repeats"),
    ],
)
def test_a_call_may_be_repeated_as_often_as_the_route_says(
    cap: int | None, times: int, rule: str | None
) -> None:
    assert authorize(opened(max_repeats=cap), call("look", a=1), times=times) == rule


def test_a_loop_of_two_calls_is_a_loop() -> None:
    session = opened(max_repeats=1)
    first, second = call("look", a=1), call("look", a=2)
    for made in (first, second, first, second):
        session.authorize(made)
    assert authorize(session, first, times=1) == "max_repeats"


def test_arguments_are_the_same_in_any_order() -> None:
    session = opened(max_repeats=0)
    session.authorize(call("look", a=1, b={"c": 2, "d": [3]}))
    assert authorize(session, call("look", b={"d": [3], "c": 2}, a=1), times=1) == "max_repeats"
    session.authorize(call("look", a=1, b={"c": 2, "d": [4]}))
    session.authorize(call("send", a=1, b={"c": 2, "d": [3]}))


def test_placeholders_count_as_the_data_they_stand_for() -> None:
    session = opened(max_repeats=0, policies={"pii_redaction": True})
    session.redacted("ana@example.com, ben@example.com")
    session.authorize(call("send", to="[EMAIL_1]"))
    session.authorize(call("send", to="[EMAIL_2]"))
    assert authorize(session, call("send", to="[EMAIL_1]"), times=1) == "max_repeats"


@pytest.mark.parametrize(
    ("cap", "retries", "rule"),
    [(None, 9, None), (0, 1, "max_tool_retries"), (2, 2, None), (2, 3, "max_tool_retries")],
)
def test_a_call_that_failed_may_be_retried_as_often_as_the_route_says(
    cap: int | None, retries: int, rule: str | None
) -> None:
    session, made = opened(max_tool_retries=cap, max_repeats=0), call("look", a=1)
    session.authorize(made)
    ended = None
    for _ in range(retries):
        session.tool_result(made, None, error="it broke")
        ended = authorize(session, made, times=1)
    assert ended == rule


def test_a_call_that_failed_and_was_retried_well_is_repeated_from_then_on() -> None:
    session, made = opened(max_tool_retries=1, max_repeats=0), call("look", a=1)
    session.authorize(made)
    session.tool_result(made, None, error="it broke")
    session.authorize(made)
    assert authorize(session, made, times=1) == "max_repeats"


def test_a_call_that_was_never_allowed_cannot_have_failed() -> None:
    session, made = opened(max_tool_retries=0), call("look", a=1)
    session.tool_result(made, None, error="it broke")
    session.authorize(made)


def test_the_trace_tells_the_count() -> None:
    session = opened(max_repeats=1, max_tool_calls=3)
    authorize(session, call("look"), times=3)
    [denied] = traced(session, "max_repeats")
    assert (denied.outcome, denied.data) == ("denied", {"tool": "look", "count": 2, "cap": 1})
    allowed = traced(session, "tools.declared")
    assert [each.data["count"] for each in allowed] == [1, 2]


@pytest.mark.parametrize("cap", [1, 3])
def test_a_session_has_as_many_turns_as_the_route_says(cap: int) -> None:
    session = World(route=route_with(max_steps=cap)).open()
    for _ in range(cap):
        ask(session)
    with pytest.raises(PolicyBlocked) as caught:
        ask(session)
    assert caught.value.rule == "max_steps"
    [denied] = traced(session, "max_steps")
    assert denied.data == {"count": cap + 1, "cap": cap, "where": "request"}


def test_no_model_is_asked_past_the_last_turn() -> None:
    world = World(route=route_with(max_steps=1))
    session = world.open()
    ask(session)
    with pytest.raises(PolicyBlocked):
        ask(session)
    assert len(world.one.requests) == 1
    ask(world.open())  # the cap is of one session


# The first question may take 21 tokens in (its 5 bytes and 16 around them) and 10 out.
@pytest.mark.parametrize(("cap", "asked"), [(30, 0), (31, 1), (59, 1), (60, 1), (61, 2), (92, 3)])
def test_a_call_that_may_not_fit_under_the_session_s_tokens_is_not_made(
    cap: int, asked: int
) -> None:
    used = reply_of(usage=Usage(input_tokens=20, output_tokens=10))
    world = World(
        route=route_with(max_tokens=10, max_total_tokens=cap),
        one=FakeProvider(used, name="first"),
        case=Case(id="c", input={}),
    )
    session = world.open()
    made = 0
    with pytest.raises(PolicyBlocked) as caught:
        for _ in range(9):
            ask(session, "hello")
            made += 1
    assert (made, caught.value.rule) == (asked, "max_total_tokens")
    [denied] = traced(session, "max_total_tokens")
    assert denied.data == {"count": 30 * asked, "cap": cap, "where": "request"}


@pytest.mark.parametrize(
    ("allow", "name", "rule"),
    [
        (None, "look", None),
        (["look"], "look", None),
        (["LOOK "], "look", None),
        (["look"], "send", "policies.allow_actions"),
        ([], "look", "policies.allow_actions"),
        (["look_up"], "Look_Up", None),
    ],
)
def test_an_allow_list_names_every_tool_that_may_be_called(
    allow: list[str] | None, name: str, rule: str | None
) -> None:
    session = opened(policies={"allow_actions": allow})
    assert authorize(session, call(name), times=1) == rule


def test_an_allow_list_adds_nothing_to_what_was_offered() -> None:
    session = opened(policies={"allow_actions": ["wipe"]})
    assert authorize(session, call("wipe"), times=1) == "tools.declared"


def test_forbid_wins_over_allow() -> None:
    session = opened(policies={"allow_actions": ["send"], "disallow_actions": ["SEND"]})
    assert authorize(session, call("send"), times=1) == "policies.disallow_actions"


def test_an_allow_list_in_its_shadow_mode_warns_and_denies_nothing() -> None:
    session = opened(policies={"allow_actions": {"actions": ["look"], "mode": "warn"}})
    session.authorize(call("send"))
    [warned] = traced(session, "policies.allow_actions")
    assert warned.outcome == "warned"
    assert [each.outcome for each in traced(session, "tools.declared")] == ["allowed"]
