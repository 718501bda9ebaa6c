"""Which failures are tried again, which go to the next model, and how long is waited."""

import asyncio
import random
from collections.abc import AsyncGenerator, Sequence

import pytest

from evalkit.control.calling import MAX_RETRY_AFTER_S
from evalkit.control.routing import ask_in_order
from evalkit.errors import BudgetExhausted, InvalidReply, PolicyBlocked, ProviderError
from evalkit.records.asset import Output
from evalkit.records.attempt import FailureMode
from evalkit.records.call import Message, Piece, Reply, Request, ToolCall, Usage
from evalkit.records.event import AttemptRetried, CallFailed, Event
from tests.unit.control.fakes import (
    DictCache,
    FakeProvider,
    World,
    ask,
    error_of,
    reply_of,
    route_with,
    traced,
)

GOES_ON = {
    FailureMode.TIMEOUT,
    FailureMode.CONNECTION,
    FailureMode.RATE_LIMITED,
    FailureMode.SERVER_ERROR,
    FailureMode.MALFORMED_REPLY,
    FailureMode.EMPTY_REPLY,
    FailureMode.CIRCUIT_OPEN,
}


@pytest.mark.parametrize("code", sorted(GOES_ON))
def test_infrastructure_failures_go_to_the_next_model(code: FailureMode) -> None:
    world = World(one=FakeProvider(error_of(code)))
    completion = ask(world.open())
    assert completion.model == "two"
    assert completion.planned_model == "one"
    assert [hop.code for hop in completion.fallbacks] == [code]
    assert world.two.requests[0].model == "two-id"


@pytest.mark.parametrize("code", sorted(set(FailureMode) - GOES_ON))
def test_every_other_failure_ends_the_call(code: FailureMode) -> None:
    world = World(one=FakeProvider(error_of(code)))
    with pytest.raises(ProviderError) as caught:
        ask(world.open())
    assert caught.value.code == code
    assert not world.two.requests


def test_a_refusal_is_an_answer_and_asks_nobody_else() -> None:
    world = World(one=FakeProvider(reply_of("", refusal="I will not")))
    completion = ask(world.open(), output=Output(kind="json"))
    assert completion.reply.refusal == "I will not"
    assert not world.two.requests


@pytest.mark.parametrize("content", ["not json", "", '{"a": NaN}', "[1, 2", '{"a": 1} and more'])
def test_an_invalid_answer_asks_nobody_else(content: str) -> None:
    world = World(one=FakeProvider(reply_of(content)))
    with pytest.raises(InvalidReply) as caught:
        ask(world.open(), output=Output(kind="json"))
    assert caught.value.completion.reply.content == content
    assert caught.value.completion.cost_usd is not None
    assert not world.two.requests


def test_a_turn_that_only_calls_tools_need_not_be_json() -> None:
    calls = (ToolCall(name="look", arguments={}),)
    world = World(one=FakeProvider(reply_of("", tool_calls=calls)))
    assert ask(world.open(), output=Output(kind="json")).reply.tool_calls == calls


def test_a_tool_call_with_broken_arguments_is_an_invalid_answer() -> None:
    calls = (ToolCall(name="look", arguments=None, raw="{"),)
    world = World(one=FakeProvider(reply_of("{}", tool_calls=calls)))
    with pytest.raises(InvalidReply):
        ask(world.open())
    assert not world.two.requests


def test_a_policy_block_asks_nobody_else() -> None:
    world = World(route=route_with(require_citations=True))
    with pytest.raises(PolicyBlocked):
        ask(world.open())
    assert not world.two.requests


def test_a_list_of_fallbacks_is_walked_in_order() -> None:
    route = route_with(models={"primary": "one", "fallback": ["two"]})
    world = World(route=route, one=FakeProvider(error_of("timeout")))
    assert ask(world.open()).model == "two"


def test_the_key_is_of_the_model_that_answered() -> None:
    world = World(one=FakeProvider(error_of("timeout")))
    completion = ask(world.open())
    assert completion.key == world.two.requests[0].key != world.one.requests[0].key


def test_a_retryable_failure_is_tried_again_until_it_works() -> None:
    flaky = FakeProvider(
        error_of("server_error", retryable=True), error_of("timeout", retryable=True), reply_of()
    )
    world = World(one=flaky, retries=2)
    session = world.open()
    completion = ask(session)
    assert completion.model == "one"
    assert not completion.fallbacks
    assert session.tries == 3
    assert [each.outcome for each in traced(session, "run.retries")] == ["failed", "failed"]


def test_retries_are_used_up_before_the_next_model_is_asked() -> None:
    world = World(one=FakeProvider(error_of("rate_limited", retryable=True)), retries=2)
    session = world.open()
    assert ask(session).model == "two"
    assert len(world.one.requests) == 3
    assert session.tries == 4


def test_what_is_not_retryable_is_asked_once() -> None:
    world = World(one=FakeProvider(error_of("authentication")), retries=5)
    with pytest.raises(ProviderError):
        ask(world.open())
    assert len(world.one.requests) == 1
    assert world.clock.slept == []


def test_backoff_grows_with_full_jitter_up_to_its_cap() -> None:
    world = World(one=FakeProvider(error_of("server_error", retryable=True)), retries=9)
    ask(world.open())
    same = random.Random(7)
    caps = [0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0, 30.0]
    assert world.clock.slept == [same.uniform(0, cap) for cap in caps]


@pytest.mark.parametrize(("asked", "waited"), [(12.0, 12.0), (3600.0, MAX_RETRY_AFTER_S)])
def test_retry_after_is_honoured_and_capped(asked: float, waited: float) -> None:
    limited = error_of("rate_limited", retryable=True, retry_after_s=asked)
    world = World(one=FakeProvider(limited, reply_of()), retries=1)
    ask(world.open())
    assert world.clock.slept == [waited]


def test_a_short_retry_after_does_not_shorten_the_backoff() -> None:
    limited = error_of("rate_limited", retryable=True, retry_after_s=0.0)
    world = World(one=FakeProvider(limited, reply_of()), retries=1)
    ask(world.open())
    assert world.clock.slept[0] > 0


def test_retries_are_announced() -> None:
    heard: list[Event] = []
    limited = error_of("rate_limited", retryable=True, retry_after_s=2.0)
    world = World(one=FakeProvider(limited, reply_of()), retries=1, emit=heard.append)
    ask(world.open())
    assert heard == [
        CallFailed(provider="fake", code="rate_limited", status=None, retried=True),
        AttemptRetried(suite="s", case="c1", code="rate_limited", wait_s=2.0),
    ]


@pytest.mark.parametrize("origin", ["recording", "scripted"])
def test_a_replay_is_not_tried_again_and_costs_nothing(origin: str) -> None:
    replay = FakeProvider(error_of("not_recorded", retryable=True), origin=origin)
    world = World(one=replay, retries=3, budgets=())
    with pytest.raises(ProviderError):
        ask(world.open())
    assert len(replay.requests) == 1
    assert world.ledger.spent_tokens == 0


def test_an_unpriced_model_has_no_cost() -> None:
    completion = ask(World(price=None).open())
    assert completion.cost_usd is None
    assert completion.billed_usd == 0.0


def test_the_cost_is_the_list_price_of_the_usage() -> None:
    used = Usage(input_tokens=1000, output_tokens=10, cached_tokens=0)
    completion = ask(World(one=FakeProvider(reply_of(usage=used))).open())
    assert completion.cost_usd == completion.billed_usd == 0.00104


def test_exhausted_budgets_are_not_a_reason_to_ask_another_model() -> None:
    from evalkit.config.budgets import Budget

    world = World(budgets=[Budget(scope="run", max_tokens=10)])
    with pytest.raises(BudgetExhausted):
        ask(world.open())
    assert not world.one.requests
    assert not world.two.requests


def test_after_output_began_nobody_else_is_asked_and_nothing_is_tried_again() -> None:
    heard: list[str] = []
    error = error_of("connection", retryable=True, may_be_billed=True)
    world = World(one=StreamingProvider(["Hel", "lo"], error), retries=3)
    with pytest.raises(ProviderError) as caught:
        stream(world, heard)
    assert heard == ["Hel", "lo"]
    assert caught.value.output_began
    assert len(world.one.requests) == 1
    assert not world.two.requests
    assert world.ledger.held_tokens == 0
    assert world.ledger.spent_tokens > 0


def test_before_output_began_a_stream_is_tried_again_and_falls_back_as_any_call() -> None:
    heard: list[str] = []
    error = error_of("connection", retryable=True)
    world = World(
        one=StreamingProvider([], error), two=StreamingProvider(["fi", "ne"], reply_of()), retries=1
    )
    assert stream(world, heard) == "two"
    assert heard == ["fi", "ne"]
    assert len(world.one.requests) == 2


def test_a_stored_reply_is_handed_on_too() -> None:
    world = World(cache=DictCache())
    ask(world.open())
    heard: list[str] = []
    assert stream(world, heard) == "one"
    assert "".join(heard) == "fine"
    assert len(world.one.requests) == 1


class StreamingProvider(FakeProvider):
    """Hands on some pieces, then ends with a reply or an error."""

    def __init__(self, pieces: Sequence[str], end: Reply | ProviderError) -> None:
        super().__init__(end, name="streaming")
        self._pieces = pieces

    async def stream(self, request: Request, *, timeout_s: float) -> AsyncGenerator[Piece, None]:
        for text in self._pieces:
            yield Piece(text=text)
        yield Piece(reply=await self.complete(request, timeout_s=timeout_s))


def stream(world: World, heard: list[str]) -> str:
    """Ask for a stream; the model that answered."""
    generation = world.open()._generation
    question = generation._question([Message(role="user", content="hello")], (), None, None, 1)
    offer, _, _ = asyncio.run(
        ask_in_order(
            generation._order,
            question,
            caller=generation._caller,
            trace=generation._state.trace,
            identity="",
            on_piece=lambda piece: heard.append(piece.text),
        )
    )
    return offer.model.name
