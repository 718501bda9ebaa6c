"""Steps of a workflow: what each may use, and the token that says so."""

import asyncio
from typing import Any

import pytest

from evalkit.config.routes import Route
from evalkit.control.session import ControlSession
from evalkit.errors import PolicyBlocked
from evalkit.records.case import Case
from evalkit.records.permission import StepToken
from tests.unit.control.fakes import World, ask, call, documents, route_with, tool, traced

STEPS = {
    "triage": {"tools": ["look"], "data": ["kb"], "ttl_s": 60.0},
    "act": {"tools": ["refund"]},
}
ROUTE = route_with(steps=STEPS)
TOOLS = [tool("look"), tool("refund"), tool("wipe")]


def opened(route: Route = ROUTE) -> tuple[World, ControlSession]:
    case = Case(id="c", input={}, documents=(*documents("kb", "k-1"), *documents("wiki", "w-1")))
    world = World(route=route, case=case)
    session = world.open()
    ask(session, tools=TOOLS)
    return world, session


def denied(session: ControlSession, name: str, token: StepToken | None = None) -> PolicyBlocked:
    with pytest.raises(PolicyBlocked) as caught:
        session.authorize(call(name), token)
    return caught.value


def refused(session: ControlSession, index: str, token: StepToken | None = None) -> PolicyBlocked:
    with pytest.raises(PolicyBlocked) as caught:
        asyncio.run(session.retrieve(index, "about", token))
    return caught.value


def test_a_step_may_use_its_tools_and_no_other() -> None:
    _, session = opened()
    session.enter("triage")
    session.authorize(call("look"))
    blocked = denied(session, "refund")
    assert blocked.rule == "steps.triage.tools"
    assert "look" in str(blocked)
    session.enter("act")
    session.authorize(call("refund"))
    assert denied(session, "look").rule == "steps.act.tools"


def test_a_step_may_read_its_indexes_and_no_other() -> None:
    _, session = opened()
    session.enter("triage")
    assert [each.id for each in asyncio.run(session.retrieve("kb", "about"))] == ["k-1"]
    assert refused(session, "wiki").rule == "steps.triage.data"
    session.enter("act")
    assert refused(session, "kb").rule == "steps.act.data"


def test_outside_of_a_step_nothing_is_used() -> None:
    _, session = opened()
    assert denied(session, "look").rule == "steps.token"
    assert refused(session, "kb").rule == "steps.token"


def test_a_model_may_be_asked_outside_of_a_step() -> None:
    _, session = opened()
    assert ask(session, tools=TOOLS).content == "fine"


@pytest.mark.parametrize(("after_s", "holds"), [(59.9, True), (60.0, False), (3600.0, False)])
def test_a_token_expires_on_the_session_s_clock(after_s: float, holds: bool) -> None:
    world, session = opened()
    token = session.enter("triage")
    asyncio.run(world.clock.sleep(after_s))
    if holds:
        session.authorize(call("look"))
        session.authorize(call("look"), token)
        return
    for given in (None, token):
        blocked = denied(session, "look", given)
        assert blocked.rule == "steps.token"
        assert token.expires_at in str(blocked)
    session.enter("triage")
    session.authorize(call("look"))


def test_a_step_that_names_no_time_has_a_quarter_of_an_hour() -> None:
    world, session = opened()
    session.enter("act")
    asyncio.run(world.clock.sleep(899.0))
    session.authorize(call("refund"))
    asyncio.run(world.clock.sleep(1.0))
    assert denied(session, "refund").rule == "steps.token"


def test_the_token_of_a_step_that_was_left_is_worth_nothing() -> None:
    _, session = opened()
    token = session.enter("triage")
    session.enter("act")
    blocked = denied(session, "look", token)
    assert blocked.rule == "steps.token"
    assert "triage was left" in str(blocked)
    again = session.enter("triage")
    assert denied(session, "look", token).rule == "steps.token"
    session.authorize(call("look"), again)


def test_a_token_of_another_session_is_worth_nothing() -> None:
    world, session = opened()
    other = world.open()
    foreign = other.enter("triage")
    session.enter("triage")
    assert denied(session, "look", foreign).rule == "steps.token"
    assert refused(session, "kb", foreign).rule == "steps.token"


def test_a_token_whose_holder_changed_it_permits_what_it_did() -> None:
    _, session = opened()
    token = session.enter("triage")
    forged = StepToken(
        id=token.id,
        step="act",
        tools=("refund",),
        data=("wiki",),
        expires_at="2999-01-01T00:00:00.000+00:00",
    )
    assert denied(session, "refund", forged).rule == "steps.triage.tools"
    assert refused(session, "wiki", forged).rule == "steps.triage.data"


def test_a_token_is_in_no_trace_and_in_no_text() -> None:
    _, session = opened()
    token = session.enter("triage")
    session.authorize(call("look"), token)
    assert token.id not in repr(session.decisions)
    assert token.id not in repr(token)


def test_a_step_that_the_route_does_not_have_cannot_be_entered() -> None:
    _, session = opened()
    with pytest.raises(PolicyBlocked, match="has no step clean; it has triage, act") as caught:
        session.enter("clean")
    assert caught.value.rule == "steps"
    assert denied(session, "look").rule == "steps.token"


def test_a_route_without_steps_restricts_none() -> None:
    _, session = opened(route_with())
    session.authorize(call("look"))
    token = session.enter("anything")
    session.authorize(call("refund"), token)
    assert asyncio.run(session.retrieve("wiki", "about", token))
    assert token.tools is None


@pytest.mark.parametrize(
    ("policies", "rule"),
    [
        ({"disallow_actions": ["look"]}, "policies.disallow_actions"),
        ({"allow_actions": ["refund"]}, "policies.allow_actions"),
    ],
)
def test_a_step_permits_nothing_that_the_route_forbids(policies: dict[str, Any], rule: str) -> None:
    _, session = opened(route_with(steps=STEPS, policies=policies))
    session.enter("triage")
    assert denied(session, "look").rule == rule


def test_entering_and_what_the_step_permitted_are_traced() -> None:
    _, session = opened()
    session.enter("triage")
    session.authorize(call("look"))
    [entered] = traced(session, "steps.triage")
    assert (entered.act, entered.outcome) == ("step", "allowed")
    [allowed] = traced(session, "steps.triage.tools")
    assert (allowed.act, allowed.outcome) == ("authorize", "allowed")


def test_a_step_that_only_a_client_has_heard_of_is_no_key_of_the_configuration() -> None:
    _, session = opened(route_with())
    session.enter("kim@example.org")
    session.authorize(call("look"))
    assert {each.rule for each in session.decisions if "step" in each.rule} >= {"steps"}
    assert not [each for each in session.decisions if "kim" in f"{each.rule}{each.message}"]
