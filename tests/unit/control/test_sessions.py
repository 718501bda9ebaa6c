"""Opening sessions, whose they are, and the trace they leave."""

import asyncio
import gc
import json
import random
import weakref
from datetime import datetime
from typing import Any

import pytest

from evalkit.control.factory import ControlPlane
from evalkit.control.ledger.book import Ledger
from evalkit.errors import InvalidReply, PolicyBlocked
from evalkit.records.call import Attribution, Guardrail, Message
from evalkit.records.case import Case
from tests.unit.control.fakes import (
    DictCache,
    FakeProvider,
    World,
    ask,
    call,
    documents,
    error_of,
    reply_of,
    route_with,
    tool,
    traced,
)

IDENTITY = {"user": "ana@example.com", "org": "acme", "team": "support"}


def test_a_request_says_whose_it_is_and_never_who_asks() -> None:
    world = World(case=Case(id="c9", input={}, identity=IDENTITY))
    ask(world.open())
    [request] = world.one.requests
    assert request.attribution == Attribution(
        suite="s", variant="candidate", case="c9", prompt="p@v1"
    )
    assert "acme" not in repr(request)


def test_a_trace_knows_the_identity_by_the_pseudonym_of_its_session() -> None:
    session = World(case=Case(id="c", input={}, identity=IDENTITY)).open()
    ask(session)
    assert traced(session, "models.primary")[0].data["identity"] == session.identity
    assert "acme" not in repr(session.decisions)


def test_what_a_vendors_guardrail_found_is_a_decision_of_its_own() -> None:
    found = (
        Guardrail(name="hate", action="blocked", message="for eve@example.com"),
        Guardrail(name="jailbreak", action="flagged", where="request"),
        Guardrail(name="EMAIL", action="changed"),
    )
    vendor = FakeProvider(reply_of(guardrails=found), identity="azure_openai https://x.example")
    world = World(one=vendor, cache=DictCache(), route=route_with(policies={"pii_redaction": True}))
    for _ in range(2):  # the second one from the cache: the same decisions
        session = world.open()
        completion = ask(session)
        decisions = traced(session, "guardrail.azure_openai")
        assert [each.outcome for each in decisions] == ["denied", "warned", "changed"]
        assert decisions[0].message == "hate in the reply: for [EMAIL_1]"
        assert decisions[1].data == {"name": "jailbreak", "where": "request", "action": "flagged"}
        assert completion.reply.guardrails[0].message == "for [EMAIL_1]"
    assert len(vendor.requests) == 1


def test_the_identity_is_a_stable_pseudonym() -> None:
    def pseudonym(**identity: str) -> str:
        return World(case=Case(id="c", input={}, identity=identity)).open().identity

    first = pseudonym(user="u-21", team="billing")
    assert first == pseudonym(team="billing", user="u-21")
    assert first != pseudonym(user="u-22", team="billing")
    assert first.startswith("u-")
    assert len(first) == 12
    assert pseudonym() == ""


def test_a_stored_reply_that_is_json_stays_json() -> None:
    session = World().open()
    stored = session.redacted_reply(reply_of('{"phone": 5550129}'))
    assert json.loads(stored.content) == {"phone": "[PHONE_1]"}
    assert session.redacted_reply(stored) == stored


@pytest.mark.parametrize("pii_redaction", [True, False])
@pytest.mark.parametrize("depth", [800, 20_000])
def test_a_text_that_is_nested_without_end_is_a_text(pii_redaction: bool, depth: int) -> None:
    content = "[" * depth + "]" * depth
    world = World(
        route=route_with(policies={"pii_redaction": pii_redaction}),
        one=FakeProvider(reply_of(content), name="first"),
    )
    assert ask(world.open()).reply.content == content


def test_arguments_that_are_nested_without_end_are_none() -> None:
    deep: Any = []
    for _ in range(950):
        deep = [deep]
    asked = reply_of(tool_calls=(call("look", a=deep),))
    world = World(
        route=route_with(policies={"pii_redaction": True}), one=FakeProvider(asked, name="first")
    )
    with pytest.raises(InvalidReply, match="look are not a JSON object"):
        ask(world.open(), tools=[tool("look")])


def test_a_session_knows_the_documents_that_a_reply_may_cite() -> None:
    case = Case(id="c", input={}, documents=documents("kb", "kb-1"))
    session = World(case=case).open()
    assert session.cited("see [kb-1] and [kb-999], [sic]", None) == ("kb-1", "kb-999")
    assert session.cited("see [kb-1]", {"citations": ["kb-2"]}) == ("kb-2",)


def test_a_program_opens_a_session_over_its_own_documents_and_approvals() -> None:
    route = route_with(approvals={"on_execute": "legal"}, retrieval={"max_chunks": 1})
    plane = World(route=route).plane
    session = plane.open_for(
        IDENTITY,
        documents=documents("kb", "k-1", "k-2"),
        approvals={"sign": {"granted_by": "kim", "team": "legal"}},
    )
    assert [each.id for each in asyncio.run(session.retrieve("kb", "about k-2"))] == ["k-2"]
    ask(session, tools=[tool("sign", "execute"), tool("wipe", "execute")])
    session.authorize(call("sign"))
    with pytest.raises(PolicyBlocked):
        session.authorize(call("wipe"))


def test_sessions_share_the_budget_and_nothing_else() -> None:
    world = World(route=route_with(max_tool_calls=1))
    first, second = world.open(), world.open()
    for session in (first, second):
        ask(session, tools=[tool("look")])
        session.authorize(call("look"))
    assert world.ledger.spent_usd == pytest.approx(first.billed_usd + second.billed_usd)
    assert len(first.decisions) == len(second.decisions)


def test_tools_of_an_earlier_turn_stay_declared() -> None:
    session = World().open()
    ask(session, tools=[tool("look")])
    ask(session)
    session.authorize(call("look"))


def test_before_anything_was_offered_no_tool_may_be_called() -> None:
    with pytest.raises(PolicyBlocked) as caught:
        World().open().authorize(call("look"))
    assert caught.value.rule == "tools.declared"


def test_every_act_leaves_an_entry_with_its_rule_and_its_time() -> None:
    case = Case(id="c", input={}, documents=documents("kb", "k-1"))
    limited = error_of("rate_limited", retryable=True, retry_after_s=2.0)
    world = World(case=case, one=FakeProvider(limited), retries=1)
    session = world.open()
    asyncio.run(session.retrieve("kb", "k"))
    ask(session, tools=[tool("look")])
    session.authorize(call("look"))
    assert [(each.act, each.outcome, each.rule) for each in session.decisions] == [
        ("retrieve", "allowed", "retrieval.allow_indexes"),
        ("retrieve", "allowed", "retrieval.max_chunks"),
        ("route", "allowed", "models.primary"),
        ("budget", "allowed", "budgets"),
        ("complete", "failed", "run.retries"),
        ("budget", "allowed", "budgets"),
        ("complete", "failed", "models.primary"),
        ("route", "allowed", "models.fallback"),
        ("budget", "allowed", "budgets"),
        ("complete", "answered", "live"),
        ("authorize", "allowed", "tools.declared"),
    ]
    times = [datetime.fromisoformat(each.at) for each in session.decisions]
    assert times == sorted(times)
    assert (times[-1] - times[0]).total_seconds() == 2.0
    assert all(each.message for each in session.decisions)


def test_what_a_plan_prepares_is_what_is_sent() -> None:
    world = World(route=route_with(policies={"pii_redaction": True}))
    messages = [Message(role="user", content="I am bob@example.com")]
    prepared = world.open().prepare(messages, tools=[tool("look")], params={"temperature": 0})
    completion = ask(
        world.open(), messages[0].content, tools=[tool("look")], params={"temperature": 0}
    )
    assert world.one.requests == [prepared.request]
    assert completion.key == prepared.request.key


def test_a_text_that_no_request_can_hold_is_sent_with_a_question_mark() -> None:
    world = World()
    ask(world.open(), "broken \ud83d emoji")
    assert world.one.requests[0].messages[0].content == "broken ? emoji"


def test_a_plan_sees_what_a_replay_lacks() -> None:
    world = World(one=FakeProvider(origin="recording"))
    prepared = world.open().prepare([Message(role="user", content="hello")])
    assert (prepared.origin, prepared.missing) == ("recording", "nothing is recorded")


def test_a_model_without_an_entry_is_asked_by_its_own_name() -> None:
    world = World()
    plane = ControlPlane(
        world.route,
        models={},
        providers={"one": world.one, "two": world.two},
        ledger=Ledger([]),
        cache=None,
        clock=world.clock,
        timeout_s=1.0,
        retries=0,
        jitter=random.Random(0),
    )
    session = plane.open_for({})
    assert ask(session).cost_usd is None
    assert world.one.requests[0].model == "one"


def test_a_session_that_ended_is_freed_at_once_and_not_by_the_garbage_collector() -> None:
    policies = {"pii_redaction": True, "blocked_phrases": ["falcon"]}
    world = World(route=route_with(policies=policies, max_steps=3))
    gc.collect()
    gc.disable()
    try:
        session = world.open()
        ask(session, "write to bob@example.com")
        freed = weakref.ref(session)
        held = [weakref.ref(part) for part in (session._state, session._caller)]
        del session
        assert freed() is None
        assert [part() for part in held] == [None, None]
    finally:
        gc.enable()
