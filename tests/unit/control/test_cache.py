"""Stored replies: what is stored, what a hit costs, and what is looked at again."""

import asyncio

import pytest

from evalkit.config.budgets import Budget
from evalkit.errors import InvalidReply, PolicyBlocked
from evalkit.records.asset import Output
from evalkit.records.call import Message, ToolCall, Usage
from evalkit.records.case import Case
from tests.unit.control.fakes import (
    DictCache,
    FakeProvider,
    World,
    ask,
    documents,
    error_of,
    reply_of,
    route_with,
    traced,
)


def test_the_second_time_nothing_is_asked_and_nothing_is_billed() -> None:
    world = World(cache=DictCache(), budgets=[Budget(scope="run", max_usd=1)])
    first = ask(world.open())
    spent = world.ledger.spent_usd
    session = world.open()
    second = ask(session)
    assert len(world.one.requests) == 1
    assert (second.reply.origin, second.billed_usd, session.tries) == ("cache", 0.0, 0)
    assert second.cost_usd == first.cost_usd > 0
    assert second.reply.measured_at == first.reply.measured_at
    assert world.ledger.spent_usd == spent
    assert traced(session, "cache")[0].outcome == "answered"


def test_a_hit_needs_no_room_in_the_budget() -> None:
    cache = DictCache()
    ask(World(cache=cache).open())
    broke = World(cache=cache, price=None, budgets=[Budget(scope="run", max_usd=0.000001)])
    assert ask(broke.open()).reply.origin == "cache"


def test_a_hit_is_held_back_by_a_policy_that_came_later() -> None:
    cache = DictCache()
    ask(World(cache=cache).open())
    strict = World(cache=cache, route=route_with(require_citations=True))
    with pytest.raises(PolicyBlocked) as caught:
        ask(strict.open())
    assert caught.value.rule == "require_citations"
    assert caught.value.completion.reply.origin == "cache"
    assert not strict.one.requests


def test_a_reply_that_a_policy_held_back_is_stored_and_held_back_again() -> None:
    cache = DictCache()
    world = World(cache=cache, route=route_with(require_citations=True))
    for _ in range(2):
        with pytest.raises(PolicyBlocked):
            ask(world.open())
    assert len(world.one.requests) == 1


def test_an_invalid_answer_is_invalid_again() -> None:
    world = World(cache=DictCache(), one=FakeProvider(reply_of("no json")))
    for _ in range(2):
        with pytest.raises(InvalidReply):
            ask(world.open(), output=Output(kind="json"))
    assert len(world.one.requests) == 1


def test_repeats_of_a_case_are_measured_each() -> None:
    world = World(cache=DictCache())
    for trial in (1, 2, 1):
        ask(world.open(), trial=trial)
    assert [request.trial for request in world.one.requests] == [1, 2]


@pytest.mark.parametrize("origin", ["recording", "scripted"])
def test_replays_are_neither_stored_nor_looked_up(origin: str) -> None:
    cache = DictCache()
    ask(World(cache=cache).open())
    replay = FakeProvider(reply_of("replay", origin=origin), name="first", origin=origin)
    world = World(cache=cache, one=replay)
    assert ask(world.open()).reply.content == "replay"
    assert len(cache.replies) == 1


def test_failures_are_not_stored() -> None:
    cache = DictCache()
    down = FakeProvider(error_of("server_error"))
    world = World(cache=cache, one=down, two=down)
    with pytest.raises(Exception, match="server_error"):
        ask(world.open())
    assert not cache.replies


def test_nothing_personal_is_stored_even_where_the_model_may_read_it() -> None:
    cache = DictCache()
    leaky = reply_of(
        "mail bob@example.com",
        tool_calls=(ToolCall(name="send", arguments={"to": "bob@example.com"}),),
        refusal="not for bob@example.com",
    )
    completion = ask(World(cache=cache, one=FakeProvider(leaky)).open())
    assert completion.reply.content == "mail bob@example.com"
    [stored] = cache.replies.values()
    assert "@" not in repr(stored)
    assert stored.tool_calls[0].arguments == {"to": "[EMAIL_1]"}


def test_a_live_and_a_stored_reply_are_the_same_once_redacted() -> None:
    cache = DictCache()
    case = Case(id="c", input={"a": "amy@example.com", "b": "bob@example.com"})
    world = World(cache=cache, case=case, one=FakeProvider(reply_of("it is bob@example.com")))
    live, stored = world.open(), world.open()
    assert live.redacted(ask(live).reply.content) == "it is [EMAIL_2]"
    assert stored.redacted(ask(stored).reply.content) == "it is [EMAIL_2]"


def test_cases_that_number_their_data_differently_share_no_reply() -> None:
    cache, one = DictCache(), FakeProvider(reply_of("it is bob@example.com"))
    contents = []
    for text in ("bob@example.com", "amy@example.com, bob@example.com"):
        session = World(cache=cache, one=one, case=Case(id="c", input={"text": text})).open()
        contents.append(session.redacted(ask(session).reply.content))
    assert contents == ["it is [EMAIL_1]", "it is [EMAIL_2]"]


def test_a_plan_sees_which_replies_are_stored() -> None:
    world = World(cache=DictCache())
    message = [Message(role="user", content="hello")]
    assert world.open().prepare(message).origin == "live"
    ask(world.open())
    prepared = world.open().prepare(message)
    assert prepared.origin == "cache"
    assert prepared.max_cost_usd is not None


def test_a_fallback_that_is_stored_answers_without_being_asked() -> None:
    cache = DictCache()
    down = FakeProvider(error_of("timeout"), name="first")
    world = World(cache=cache, one=down)
    ask(world.open())
    completion = ask(world.open())
    assert (completion.model, completion.reply.origin) == ("two", "cache")
    assert len(world.two.requests) == 1


def test_a_stored_reply_over_todays_cap_is_held_back() -> None:
    cache = DictCache()
    long = FakeProvider(reply_of(usage=Usage(input_tokens=1, output_tokens=50)), name="first")
    with pytest.raises(PolicyBlocked):
        ask(World(cache=cache, one=long, route=route_with(max_tokens=40)).open())
    with pytest.raises(PolicyBlocked):
        ask(World(cache=cache, one=long, route=route_with(max_tokens=40)).open())
    assert len(long.requests) == 1


def test_citations_of_a_hit_are_checked_against_this_session() -> None:
    cache = DictCache()
    route = route_with(require_citations=True)
    case = Case(id="c", input={}, documents=documents("kb", "kb-1"))
    cited = FakeProvider(reply_of("see [kb-1]"), name="first")
    reading = World(cache=cache, route=route, case=case, one=cited).open()
    asyncio.run(reading.retrieve("kb", "kb"))
    ask(reading)
    with pytest.raises(PolicyBlocked):
        ask(World(cache=cache, route=route, case=case, one=cited).open())
    assert len(cited.requests) == 1
