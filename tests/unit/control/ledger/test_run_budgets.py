"""The ledger keeps its caps, exactly, whatever is in flight."""

import asyncio
import random
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalkit.config.budgets import Budget
from evalkit.control.ledger.book import Ledger
from evalkit.errors import BudgetExhausted
from evalkit.records.call import Message, Reply, Request, Usage
from evalkit.store.ledger import SqliteAccounts
from tests.unit.control.fakes import (
    PRICE,
    FakeClock,
    FakeProvider,
    World,
    ask,
    error_of,
    reply_of,
    traced,
)
from tests.unit.control.ledger.conftest import Ledgers


def usd(cap: float) -> Budget:
    return Budget(scope="run", max_usd=cap)


def tokens(cap: int) -> Budget:
    return Budget(scope="run", max_tokens=cap)


def test_a_hold_that_fills_the_cap_fits_and_a_nano_dollar_more_does_not(ledgers: Ledgers) -> None:
    ledger = ledgers([usd(0.3)])
    for _ in range(3):
        ledger.reserve(0.1, 1)  # floats: 0.1 + 0.1 + 0.1 > 0.3
    with pytest.raises(BudgetExhausted) as caught:
        ledger.reserve(0.000000001, 1)
    assert caught.value.rule == "budgets.run.max_usd"


def test_a_million_small_charges_add_up_exactly() -> None:
    ledger = Ledger([usd(5)])
    for _ in range(100_000):
        ledger.reserve(0.00001, 1).settle(0.00001, 1)
    assert ledger.spent_usd == 1.0
    assert ledger.spent_tokens == 100_000


def test_tokens_have_their_own_cap(ledgers: Ledgers) -> None:
    ledger = ledgers([usd(5), tokens(100)])
    ledger.reserve(0.1, 60)
    with pytest.raises(BudgetExhausted) as caught:
        ledger.reserve(0.1, 41)
    assert caught.value.rule == "budgets.run.max_tokens"
    assert "41" in str(caught.value)
    assert ledger.held_tokens == 60


def test_the_tightest_of_several_budgets_decides(ledgers: Ledgers) -> None:
    ledger = ledgers([usd(5), usd(0.5)])
    assert (ledger.max_usd, ledger.max_tokens) == (0.5, None)
    with pytest.raises(BudgetExhausted):
        ledger.reserve(0.6, 1)


def test_settling_gives_the_rest_of_the_hold_back(ledgers: Ledgers) -> None:
    ledger = ledgers([usd(1)])
    ledger.reserve(0.9, 10).settle(0.1, 2)
    ledger.reserve(0.9, 10)
    assert ledger.spent_usd == 0.1
    assert ledger.held_usd == 0.9


def test_releasing_gives_everything_back(ledgers: Ledgers) -> None:
    ledger = ledgers([usd(1)])
    ledger.reserve(1.0, 10).release()
    assert (ledger.spent_usd, ledger.held_usd) == (0.0, 0.0)


def test_keeping_charges_the_whole_hold(ledgers: Ledgers) -> None:
    ledger = ledgers([usd(1)])
    hold = ledger.reserve(0.4, 10)
    hold.keep()
    assert (ledger.spent_usd, ledger.held_usd, hold.charged_usd) == (0.4, 0.0, 0.4)


def test_only_the_first_end_of_a_hold_counts(ledgers: Ledgers) -> None:
    ledger = ledgers([usd(1)])
    hold = ledger.reserve(0.4, 10)
    hold.settle(0.1, 3)
    hold.keep()
    hold.release()
    assert (ledger.spent_usd, ledger.spent_tokens, ledger.held_usd) == (0.1, 3, 0.0)


def test_a_cost_above_its_hold_is_charged_in_full(ledgers: Ledgers) -> None:
    ledger = ledgers([usd(1)])
    ledger.reserve(0.1, 1).settle(0.95, 9)
    with pytest.raises(BudgetExhausted):
        ledger.reserve(0.1, 1)


def test_a_model_without_a_price_is_refused_under_a_cap_in_usd(ledgers: Ledgers) -> None:
    with pytest.raises(BudgetExhausted, match="no price"):
        ledgers([usd(1)]).reserve(None, 1)


def test_a_model_without_a_price_is_served_under_a_cap_in_tokens(ledgers: Ledgers) -> None:
    ledger = ledgers([tokens(10)])
    ledger.reserve(None, 10)
    assert ledger.held_tokens == 10


def test_a_call_waits_while_only_calls_in_flight_stand_in_its_way(ledgers: Ledgers) -> None:
    async def run() -> tuple[bool, float]:
        ledger = ledgers([usd(0.10)])
        first = ledger.reserve(0.08, 1)
        second = asyncio.create_task(ledger.reserve_in_turn(0.08, 1))
        await asyncio.sleep(0)
        waited = not second.done()
        first.settle(0.01, 1)  # most of an upper bound comes back
        await second
        return waited, ledger.held_usd

    assert asyncio.run(run()) == (True, 0.08)


def test_a_call_that_fits_under_no_circumstances_is_refused_at_once(ledgers: Ledgers) -> None:
    async def run() -> None:
        ledger = ledgers([usd(0.10)])
        ledger.reserve(0.05, 1).settle(0.05, 1)
        ledger.reserve(0.04, 1)  # in flight, and of no help
        await ledger.reserve_in_turn(0.06, 1)

    with pytest.raises(BudgetExhausted):
        asyncio.run(run())


def test_one_that_gives_up_waiting_leaves_nothing_held(ledgers: Ledgers) -> None:
    async def run() -> float:
        ledger = ledgers([usd(0.10)])
        first = ledger.reserve(0.08, 1)
        second = asyncio.create_task(ledger.reserve_in_turn(0.08, 1))
        await asyncio.sleep(0)
        second.cancel()
        first.release()
        await asyncio.gather(second, return_exceptions=True)
        return ledger.held_usd

    assert asyncio.run(run()) == 0


def test_a_resumed_run_starts_from_what_was_spent(ledgers: Ledgers) -> None:
    ledger = ledgers([usd(1), tokens(100)], spent_usd=0.7, spent_tokens=20)
    with pytest.raises(BudgetExhausted):
        ledger.reserve(0.4, 1)
    ledger.reserve(0.3, 80)


@given(
    st.lists(
        st.tuples(
            st.integers(0, 400), st.integers(0, 400), st.sampled_from(["settle", "release", "keep"])
        ),
        max_size=40,
    )
)
def test_spent_and_held_never_pass_the_cap_together(
    steps: list[tuple[int, int, str]],
) -> None:
    ledger, open_holds = Ledger([usd(0.001)]), []
    for held, actual, end in steps:
        try:
            hold = ledger.reserve(held / 1e6, held)
        except BudgetExhausted:
            pass
        else:
            open_holds.append((hold, min(held, actual), end))
        assert round((ledger.spent_usd + ledger.held_usd) * 1e9) <= 1_000_000
        if len(open_holds) > 3:
            ended, cost, how = open_holds.pop(0)
            if how == "settle":
                ended.settle(cost / 1e6, cost)
            else:
                getattr(ended, how)()
    for hold, _, _ in open_holds:
        hold.release()
    assert ledger.held_usd == 0.0


def test_threads_that_reserve_at_once_get_exactly_what_fits(ledgers: Ledgers) -> None:
    ledger = ledgers([usd(1)])

    def admitted(_: int) -> bool:
        try:
            ledger.reserve(0.01, 1)
        except BudgetExhausted:
            return False
        return True

    with ThreadPoolExecutor(16) as pool:
        assert sum(pool.map(admitted, range(320))) == 100


class Meter:
    """A provider that charges as much as the request allows, and counts it on its own."""

    def __init__(self) -> None:
        self.billed = Fraction(0)
        self.calls = 0
        self.in_flight = self.most_in_flight = 0
        self.random = random.Random(3)

    async def answer(self, request: Request) -> Reply:
        self.calls += 1
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        try:
            for _ in range(self.random.randrange(1, 6)):
                await asyncio.sleep(0)
        finally:
            self.in_flight -= 1
        used = Usage(
            input_tokens=sum(len(message.content.encode()) for message in request.messages),
            output_tokens=self.random.randrange(1, request.params["max_tokens"] + 1),
        )
        self.billed += Fraction(
            used.input_tokens * int(PRICE.input_usd_per_mtok)
            + used.output_tokens * int(PRICE.output_usd_per_mtok),
            1_000_000,
        )
        return reply_of(usage=used)


@pytest.mark.parametrize("kind", ["memory", "file"])
@pytest.mark.parametrize("cap", [0.01, 0.05, 0.3])
def test_at_concurrency_64_the_provider_never_bills_more_than_the_cap(
    cap: float, kind: str, tmp_path: Path
) -> None:
    meter, clock = Meter(), FakeClock()
    accounts = SqliteAccounts(tmp_path, clock=clock, run="run") if kind == "file" else None
    one = FakeProvider(meter.answer)
    world = World(one=one, clock=clock, accounts=accounts, budgets=[usd(cap)])
    refused = 0

    async def work() -> None:
        nonlocal refused
        for _ in range(20):
            try:
                await world.open().complete(
                    [Message(role="user", content="hello " * 50)], params={"max_tokens": 200}
                )
            except BudgetExhausted:
                refused += 1

    async def run() -> None:
        await asyncio.gather(*(work() for _ in range(64)))

    asyncio.run(run())
    # eight fit under the smallest cap; how many of them meet is up to the machine's speed
    assert meter.most_in_flight >= 4
    assert refused > 0
    assert meter.calls + refused == 64 * 20
    assert meter.billed <= Fraction(str(cap))
    assert world.ledger.held_usd == 0.0
    assert round(world.ledger.spent_usd * 1e9) == round(meter.billed * 10**9)
    world.ledger.close()


def test_the_trace_shows_what_was_set_aside_and_what_was_refused() -> None:
    world = World(budgets=[usd(0.02)])
    session = world.open()
    ask(session)
    assert traced(session, "budgets")[0].outcome == "allowed"
    broke = World(budgets=[usd(0.0001)]).open()
    with pytest.raises(BudgetExhausted) as caught:
        ask(broke)
    assert caught.value.rule == "budgets.run.max_usd"
    assert traced(broke, "budgets.run.max_usd")[0].outcome == "denied"


@pytest.mark.parametrize(
    ("code", "may_be_billed", "kept"),
    [
        ("timeout", True, True),
        ("timeout", False, False),
        ("connection", True, True),
        ("connection", False, False),
        ("rate_limited", False, False),
        ("server_error", False, False),
        ("malformed_reply", True, True),
        ("bad_request", False, False),
    ],
)
def test_a_failed_call_keeps_its_hold_only_where_it_may_be_billed(
    code: str, may_be_billed: bool, kept: bool
) -> None:
    failing = FakeProvider(error_of(code, may_be_billed=may_be_billed))
    world = World(one=failing, two=failing, budgets=[usd(1)])
    session = world.open()
    with pytest.raises(Exception, match=code):
        ask(session)
    assert (world.ledger.spent_usd > 0) == kept
    assert world.ledger.held_usd == 0.0
    assert session.billed_usd == world.ledger.spent_usd


def test_every_try_of_a_call_that_times_out_counts() -> None:
    slow = error_of("timeout", retryable=True, may_be_billed=True)
    world = World(one=FakeProvider(slow, slow, reply_of()), retries=2, budgets=[usd(1)])
    session = world.open()
    bound = session.prepare([Message(role="user", content="hello")]).max_cost_usd
    assert bound is not None
    completion = ask(session)
    assert completion.cost_usd == 0.00018
    assert completion.billed_usd == pytest.approx(2 * bound + 0.00018, abs=1e-12)
    assert completion.billed_usd == world.ledger.spent_usd


def test_tries_that_no_longer_fit_are_not_made() -> None:
    slow = error_of("timeout", retryable=True, may_be_billed=True)
    one = FakeProvider(slow)
    bound = World().open().prepare([Message(role="user", content="hello")]).max_cost_usd
    assert bound is not None
    world = World(one=one, retries=9, budgets=[usd(bound * 2.5)])
    with pytest.raises(BudgetExhausted):
        ask(world.open())
    assert len(one.requests) == 2


def test_a_call_that_is_cancelled_in_its_middle_keeps_its_hold() -> None:
    async def run() -> None:
        started = asyncio.Event()

        async def never(request: Request) -> Reply:
            started.set()
            await asyncio.Event().wait()
            raise AssertionError

        world = World(one=FakeProvider(never), budgets=[usd(1)])
        session = world.open()
        task = asyncio.create_task(session.complete([Message(role="user", content="hello")]))
        await started.wait()
        held_usd = world.ledger.held_usd
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert held_usd > 0
        assert (world.ledger.held_usd, world.ledger.spent_usd) == (0.0, held_usd)
        assert session.billed_usd == held_usd

    asyncio.run(run())


def test_a_call_that_is_cancelled_between_tries_leaves_no_hold() -> None:
    class WaitingClock:
        def __init__(self) -> None:
            self.waiting = asyncio.Event()

        def now(self):  # type: ignore[no-untyped-def]
            return World().clock.now()

        def monotonic(self) -> float:
            return 0.0

        async def sleep(self, seconds: float) -> None:
            self.waiting.set()
            await asyncio.Event().wait()

    async def run() -> None:
        clock = WaitingClock()
        limited = FakeProvider(error_of("rate_limited", retryable=True))
        world = World(one=limited, clock=clock, retries=1, budgets=[usd(1)])  # type: ignore[arg-type]
        task = asyncio.create_task(world.open().complete([Message(role="user", content="hello")]))
        await clock.waiting.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert (world.ledger.held_usd, world.ledger.spent_usd) == (0.0, 0.0)

    asyncio.run(run())


def test_an_unexpected_error_leaves_no_hold_open_and_is_not_hidden() -> None:
    async def bug(request: Request) -> Reply:
        raise ZeroDivisionError

    world = World(one=FakeProvider(bug), budgets=[usd(1)])
    with pytest.raises(ZeroDivisionError):
        ask(world.open())
    assert world.ledger.held_usd == 0.0
    assert not world.two.requests


def test_replays_and_cache_hits_need_no_budget() -> None:
    for origin in ("recording", "scripted"):
        replay = FakeProvider(reply_of(origin=origin), origin=origin)
        world = World(one=replay, price=None, budgets=[usd(0.000001), tokens(1)])
        completion = ask(world.open())
        assert completion.billed_usd == 0.0
        assert world.ledger.spent_tokens == 0
