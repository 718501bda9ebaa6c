"""Under pressure another model is asked, where the route allows it, and the hop says so."""

import asyncio
from typing import Any

import pytest

from evalkit.config.budgets import Budget
from evalkit.config.routes import Route
from evalkit.config.traffic import BreakerRules, Limits
from evalkit.errors import BudgetExhausted, ProviderError
from evalkit.records.call import Message, Reply, Request
from tests.unit.control.fakes import (
    FakeProvider,
    World,
    ask,
    error_of,
    reply_of,
    route_with,
    traced,
)

BREAKER = BreakerRules(min_calls=4, cool_down_s=20)


def route(on: list[str], **more: Any) -> Route:
    """`one`, then `two` where it is a fallback; `cheap` under pressure."""
    return route_with(
        models={"primary": "one", "fallback": more.pop("fallback", None)},
        degrade={"to": "cheap", "on": on, **more},
    )


def alone(on: list[str], cheap: FakeProvider | None = None, **more: Any) -> World:
    """A world with one model and a cheaper one."""
    return World(route=route(on), two=cheap or FakeProvider(name="cheap"), **more)


def shares(max_tokens: int) -> list[Budget]:
    return [Budget(scope="run", max_tokens=max_tokens, on_exceed="degrade", degrade_at=0.5)]


def test_a_budget_that_degrades_asks_the_cheaper_model() -> None:
    world = alone(["budget"], budgets=shares(5000))
    session = world.open()
    completion = ask(session)
    assert completion.model == "cheap"
    assert completion.planned_model == "one"
    assert [(hop.model, hop.code) for hop in completion.fallbacks] == [("cheap", "budget")]
    assert "budgets.run.max_tokens" in [each.rule for each in session.decisions]
    (decision,) = [each for each in traced(session, "degrade.budget") if each.outcome == "changed"]
    assert decision.act == "route"
    assert not world.one.requests


def test_the_cap_holds_for_the_cheaper_model_as_well() -> None:
    world = alone(["budget"], budgets=shares(100))
    with pytest.raises(BudgetExhausted):
        ask(world.open())
    assert not world.one.requests
    assert not world.two.requests


@pytest.mark.parametrize("on_exceed", ["stop", "degrade"])
def test_a_budget_that_stops_or_a_route_that_does_not_degrade_on_it_ends_the_call(
    on_exceed: str,
) -> None:
    budget = Budget.model_validate({"scope": "run", "max_tokens": 100, "on_exceed": on_exceed})
    world = alone(["load" if on_exceed == "degrade" else "budget"], budgets=[budget])
    with pytest.raises(BudgetExhausted):
        ask(world.open())
    assert not world.two.requests


def test_a_long_wait_for_the_providers_limits_is_load() -> None:
    world = alone(["load"], limits=Limits(requests_per_minute=1))
    assert ask(world.open()).model == "one"
    session = world.open()
    completion = ask(session)
    assert completion.model == "cheap"
    assert [(hop.model, hop.code) for hop in completion.fallbacks] == [("cheap", "load")]
    assert "would wait 60.0 s" in completion.fallbacks[0].message
    assert world.clock.slept == []


def test_a_short_wait_is_waited() -> None:
    world = World(route=route(["load"], after_s=90), limits=Limits(requests_per_minute=1))
    assert [ask(world.open()).model for _ in range(2)] == ["one", "one"]
    assert world.clock.slept == [60]


def test_a_long_retry_after_is_load() -> None:
    limited = error_of("rate_limited", retryable=True, retry_after_s=30.0)
    world = alone(["load"], one=FakeProvider(limited, name="first"), retries=3)
    completion = ask(world.open())
    assert completion.model == "cheap"
    assert [hop.code for hop in completion.fallbacks] == ["load"]
    assert len(world.one.requests) == 1
    assert world.clock.slept == []


def test_a_429_that_stays_and_an_open_circuit_are_load_once_no_fallback_is_left() -> None:
    limited = error_of("rate_limited")
    world = World(
        route=route(["load"], fallback="two"),
        one=FakeProvider(limited, name="first"),
        two=FakeProvider(limited, name="second"),
    )
    completion = ask(world.open())
    assert completion.model == "cheap"
    assert [(hop.model, hop.code) for hop in completion.fallbacks] == [
        ("two", "rate_limited"),
        ("cheap", "load"),
    ]
    broken = FakeProvider(error_of("server_error"), name="first")
    world = alone(["load"], one=broken, breaker=BREAKER)
    for _ in range(BREAKER.min_calls):
        with pytest.raises(ProviderError):
            ask(world.open())
    completion = ask(world.open())
    assert (completion.model, completion.fallbacks[0].code) == ("cheap", "load")
    assert len(broken.requests) == BREAKER.min_calls


def test_a_server_error_is_no_load() -> None:
    world = alone(["load", "budget"], one=FakeProvider(error_of("server_error")))
    with pytest.raises(ProviderError):
        ask(world.open())
    assert not world.two.requests


def test_after_the_cheaper_model_the_fallbacks_are_still_there() -> None:
    world = World(
        route=route(["load"], fallback="two"),
        one=FakeProvider(error_of("rate_limited", retryable=True, retry_after_s=30), name="first"),
        three=FakeProvider(error_of("connection"), name="third"),
        retries=1,
    )
    completion = ask(world.open())
    assert completion.model == "two"
    assert [(hop.model, hop.code) for hop in completion.fallbacks] == [
        ("cheap", "load"),
        ("two", "connection"),
    ]


def test_what_the_hop_says_is_redacted() -> None:
    limited = error_of("rate_limited", retryable=True, retry_after_s=30)
    limited.args = ("slow down, jane.doe@example.org",)
    world = alone(["load"], one=FakeProvider(limited, name="first"), retries=1)
    completion = ask(world.open())
    assert "jane.doe" not in completion.fallbacks[0].message


def test_an_open_circuit_goes_to_the_fallback_and_says_so() -> None:
    broken = FakeProvider(error_of("timeout"), name="first")
    world = World(one=broken, breaker=BREAKER)
    codes = [ask(world.open()).fallbacks[0].code for _ in range(7)]
    assert codes == ["timeout"] * 4 + ["circuit_open"] * 3
    assert len(broken.requests) == 4


def test_with_nobody_else_to_ask_an_open_circuit_is_waited_for() -> None:
    failing = [error_of("connection")] * 4
    world = World(
        route=route_with(models={"primary": "one"}),
        one=FakeProvider(*failing, reply_of(), name="first"),
        breaker=BREAKER,
        retries=2,
    )
    for _ in failing:
        with pytest.raises(ProviderError):
            ask(world.open())
    assert ask(world.open()).model == "one"
    assert world.clock.slept == [20]


def test_a_replay_touches_neither_circuit_nor_limits() -> None:
    replay = FakeProvider(error_of("timeout"), name="first", origin="recording")
    world = World(one=replay, breaker=BREAKER, limits=Limits(requests_per_minute=1))
    codes = [ask(world.open()).fallbacks[0].code for _ in range(9)]
    assert set(codes) == {"timeout"}
    assert len(replay.requests) == 9


def test_a_cached_reply_needs_no_turn() -> None:
    from tests.unit.control.fakes import DictCache

    world = World(cache=DictCache(), limits=Limits(requests_per_minute=1))
    assert [ask(world.open()).reply.origin for _ in range(5)] == ["live", *["cache"] * 4]


def test_at_any_concurrency_one_probe_is_made_also_when_it_is_cancelled() -> None:
    async def story() -> tuple[int, int, int]:
        hold = asyncio.Event()

        async def answer(request: Request) -> Reply:
            await hold.wait()
            return reply_of()

        failing = [error_of("connection")] * 4
        provider = FakeProvider(*failing, answer, name="first")
        world = World(one=provider, breaker=BREAKER)
        message = [Message(role="user", content="hello")]
        for _ in failing:
            await world.open().complete(message)
        await world.clock.sleep(BREAKER.cool_down_s)

        async def ask_64() -> list["asyncio.Task[Any]"]:
            made = [asyncio.ensure_future(world.open().complete(message)) for _ in range(64)]
            for _ in range(5):
                await asyncio.sleep(0)
            return made

        first = await ask_64()
        probes = len(provider.requests) - len(failing)
        (probe,) = [task for task in first if not task.done()]
        probe.cancel()
        await asyncio.gather(*first, return_exceptions=True)
        again = await ask_64()
        second = len(provider.requests) - len(failing) - probes
        hold.set()
        models = [completion.model for completion in await asyncio.gather(*again)]
        return probes, second, models.count("one")

    assert asyncio.run(story()) == (1, 1, 1)
