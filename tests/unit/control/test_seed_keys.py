"""Every key of the seed's two routes, loaded as they stand there, is seen to refuse."""

import asyncio

import pytest

from evalkit.config.load import load_config
from evalkit.config.routes import Route
from evalkit.errors import PolicyBlocked, ProviderError
from evalkit.records.call import ToolCall, Usage
from evalkit.records.case import Case
from tests.seed import ROUTES_ONLY
from tests.unit.control.fakes import (
    FakeProvider,
    World,
    ask,
    call,
    documents,
    error_of,
    reply_of,
    tool,
    traced,
)


def seed_route(name: str) -> Route:
    route = load_config(ROUTES_ONLY.encode()).config.route(name)
    assert route is not None
    return route


TRIAGE, REVIEW = seed_route("support_triage"), seed_route("contract_review")


def test_primary_answers_and_the_fallback_is_not_asked() -> None:
    world = World(route=TRIAGE)
    completion = ask(world.open())
    assert (completion.model, completion.planned_model) == ("gpt-4.1-mini", "gpt-4.1-mini")
    assert len(world.one.requests) == 1
    assert not world.two.requests


def test_fallback_answers_when_the_primary_is_down() -> None:
    world = World(route=TRIAGE, one=FakeProvider(error_of("server_error")))
    session = world.open()
    completion = ask(session)
    assert (completion.model, completion.planned_model) == ("claude-3.7-sonnet", "gpt-4.1-mini")
    assert [(hop.model, hop.code) for hop in completion.fallbacks] == [
        ("claude-3.7-sonnet", "server_error")
    ]
    assert traced(session, "models.fallback")


def test_fallback_is_not_asked_after_a_policy_block() -> None:
    world = World(route=REVIEW, one=FakeProvider(reply_of("no source named")))
    with pytest.raises(PolicyBlocked):
        ask(world.open())
    assert not world.two.requests


def test_max_tokens_caps_what_a_prompt_asks_for() -> None:
    world = World(route=TRIAGE)
    session = world.open()
    ask(session, params={"max_tokens": 9000})
    assert world.one.requests[0].params["max_tokens"] == 1200
    assert traced(session, "max_tokens")[0].outcome == "changed"


def test_max_tokens_blocks_a_reply_of_a_provider_that_ignores_the_cap() -> None:
    long = reply_of(usage=Usage(input_tokens=1, output_tokens=1201))
    session = World(route=TRIAGE, one=FakeProvider(long)).open()
    with pytest.raises(PolicyBlocked) as caught:
        ask(session)
    assert caught.value.rule == "max_tokens"
    assert caught.value.completion.reply.usage.output_tokens == 1201
    assert traced(session, "max_tokens")[0].outcome == "denied"


def test_a_reply_of_exactly_max_tokens_passes() -> None:
    full = reply_of(usage=Usage(input_tokens=1, output_tokens=1200))
    assert ask(World(route=TRIAGE, one=FakeProvider(full)).open()).reply is not None


def test_max_tokens_is_not_held_against_a_count_that_is_a_guess() -> None:
    guessed = reply_of(usage=Usage(input_tokens=1, output_tokens=1300, estimated=True))
    assert ask(World(route=TRIAGE, one=FakeProvider(guessed)).open()).reply is not None


def test_the_seventh_tool_call_is_denied() -> None:
    session = World(route=TRIAGE).open()
    ask(session, tools=[tool("lookup_order")])
    for _ in range(6):
        session.authorize(call("lookup_order"))
    with pytest.raises(PolicyBlocked) as caught:
        session.authorize(call("lookup_order"))
    assert caught.value.rule == "max_tool_calls"
    assert [each.outcome for each in traced(session, "max_tool_calls")] == ["denied"]


def test_denied_calls_do_not_use_up_max_tool_calls() -> None:
    session = World(route=TRIAGE).open()
    ask(session, tools=[tool("lookup_order"), tool("send_email")])
    for _ in range(6):
        with pytest.raises(PolicyBlocked):
            session.authorize(call("send_email"))
    session.authorize(call("lookup_order"))


def test_max_chunks_drops_the_seventh_document() -> None:
    case = Case(id="c", input={}, documents=documents("zendesk_kb", *(f"kb-{n}" for n in range(8))))
    session = World(route=TRIAGE, case=case).open()
    found = asyncio.run(session.retrieve("zendesk_kb", "kb"))
    assert len(found) == 6
    entry = traced(session, "retrieval.max_chunks")[0]
    assert entry.outcome == "changed"
    assert entry.data["dropped"] == ["kb-6", "kb-7"]


@pytest.mark.parametrize("index", ["zendesk_kb", "internal_runbooks"])
def test_allowed_indexes_are_read(index: str) -> None:
    case = Case(id="c", input={}, documents=documents(index, "d-1"))
    found = asyncio.run(World(route=TRIAGE, case=case).open().retrieve(index, "d"))
    assert [document.id for document in found] == ["d-1"]


@pytest.mark.parametrize("index", ["customer_exports", "Zendesk_KB", "zendesk_kb ", ""])
def test_any_other_index_is_refused(index: str) -> None:
    case = Case(id="c", input={}, documents=documents(index, "d-1"))
    session = World(route=TRIAGE, case=case).open()
    with pytest.raises(PolicyBlocked) as caught:
        asyncio.run(session.retrieve(index, "d"))
    assert caught.value.rule == "retrieval.allow_indexes"
    assert traced(session, "retrieval.allow_indexes")[0].outcome == "denied"


def test_pii_redaction_keeps_an_address_from_the_model_and_from_the_caller() -> None:
    world = World(route=TRIAGE, one=FakeProvider(reply_of("wrote to eve@example.org")))
    session = world.open()
    completion = ask(session, "I am bob@example.com")
    assert world.one.requests[0].messages[0].content == "I am [EMAIL_1]"
    assert completion.reply.content == "wrote to [EMAIL_2]"
    assert [each.data["where"] for each in traced(session, "policies.pii_redaction")] == [
        "request",
        "reply",
    ]


def test_without_pii_redaction_the_model_reads_what_was_written() -> None:
    world = World(route=REVIEW, one=FakeProvider(reply_of("[d-1] says eve@example.org")))
    world.case = Case(id="c", input={}, documents=documents("contracts", "d-1"))
    session = world.open()
    asyncio.run(session.retrieve("contracts", "d"))
    completion = ask(session, "I am bob@example.com")
    assert world.one.requests[0].messages[0].content == "I am bob@example.com"
    assert "eve@example.org" in completion.reply.content
    assert "@" not in session.redacted(completion.reply.content)


@pytest.mark.parametrize("name", ["send_email", "refund_customer", " Send_Email "])
def test_disallowed_actions_are_denied_even_when_offered_and_approved(name: str) -> None:
    approval = {name: {"granted_by": "boss", "team": "legal_ops"}}
    session = World(route=TRIAGE, case=Case(id="c", input={}, approvals=approval)).open()
    ask(session, tools=[tool(name)])
    with pytest.raises(PolicyBlocked) as caught:
        session.authorize(call(name))
    assert caught.value.rule == "policies.disallow_actions"


def test_a_reply_without_citations_is_held_back() -> None:
    session = World(route=REVIEW, one=FakeProvider(reply_of("Clause 4 allows it."))).open()
    with pytest.raises(PolicyBlocked) as caught:
        ask(session)
    assert caught.value.rule == "require_citations"
    assert caught.value.completion.reply.content == "Clause 4 allows it."
    assert caught.value.completion.cost_usd is not None


def test_a_citation_counts_only_when_the_session_retrieved_the_document() -> None:
    case = Case(
        id="c", input={}, documents=documents("contracts", "cl-1") + documents("other", "cl-2")
    )
    world = World(route=REVIEW, case=case, one=FakeProvider(reply_of("Yes, see [cl-1].")))
    unread = world.open()
    with pytest.raises(PolicyBlocked):
        ask(unread)
    read = world.open()
    asyncio.run(read.retrieve("contracts", "cl-1"))
    assert ask(read).reply.content == "Yes, see [cl-1]."
    elsewhere = world.open()
    asyncio.run(elsewhere.retrieve("other", "cl-2"))
    with pytest.raises(PolicyBlocked):
        ask(elsewhere)


def approved_by(team: str, granted_by: str = "kim") -> dict[str, dict[str, str]]:
    return {"sign": {"granted_by": granted_by, "team": team}}


@pytest.mark.parametrize(
    "approvals", [{}, approved_by("sales"), approved_by("legal_ops", ""), {"other": {}}]
)
def test_an_executing_tool_needs_the_approval_of_its_team(
    approvals: dict[str, dict[str, str]],
) -> None:
    session = World(route=REVIEW, case=Case(id="c", input={}, approvals=approvals)).open()
    with pytest.raises(PolicyBlocked):
        ask(session, tools=[tool("sign", "execute")])  # no citation, and the tools are known
    with pytest.raises(PolicyBlocked) as caught:
        session.authorize(call("sign"))
    assert caught.value.rule == "approvals.on_execute"


def test_an_approved_tool_may_run_and_the_trace_says_why() -> None:
    calls = reply_of("", tool_calls=(call("sign"),))
    case = Case(id="c", input={}, approvals=approved_by("legal_ops"))
    session = World(route=REVIEW, case=case, one=FakeProvider(calls)).open()
    ask(session, tools=[tool("sign", "execute")])
    session.authorize(call("sign"))
    assert [each.outcome for each in traced(session, "approvals.on_execute")] == ["allowed"]


@pytest.mark.parametrize("effect", ["read", "draft"])
def test_tools_that_execute_nothing_need_no_approval(effect: str) -> None:
    calls = reply_of("", tool_calls=(call("look"),))
    session = World(route=REVIEW, one=FakeProvider(calls)).open()
    ask(session, tools=[tool("look", effect)])
    session.authorize(call("look"))


def test_a_tool_that_was_not_offered_is_denied_whatever_the_route_says() -> None:
    session = World(route=TRIAGE).open()
    ask(session, tools=[tool("lookup_order")])
    with pytest.raises(PolicyBlocked) as caught:
        session.authorize(call("drop_tables"))
    assert caught.value.rule == "tools.declared"


def test_a_tool_call_without_arguments_that_can_be_read_is_denied() -> None:
    session = World(route=TRIAGE).open()
    ask(session, tools=[tool("lookup_order")])
    with pytest.raises(PolicyBlocked) as caught:
        session.authorize(ToolCall(name="lookup_order", arguments=None, raw="{oops"))
    assert caught.value.rule == "tools.arguments"


def test_when_every_model_is_down_the_error_tells_of_each() -> None:
    world = World(
        route=TRIAGE,
        one=FakeProvider(error_of("timeout")),
        two=FakeProvider(error_of("connection")),
    )
    with pytest.raises(ProviderError) as caught:
        ask(world.open())
    assert caught.value.code == "connection"
    assert "gpt-4.1-mini: the server said timeout" in str(caught.value)
    assert "claude-3.7-sonnet: the server said connection" in str(caught.value)
