"""A clock that is set while calls are made: by an hour, forth and back."""

import asyncio
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from evalkit.config.budgets import Budget
from evalkit.config.traffic import BreakerRules, Limits
from evalkit.errors import BudgetExhausted, ProviderError
from evalkit.records.call import Message, Reply, Request
from evalkit.store.ledger import SqliteAccounts
from tests.unit.control.fakes import FakeClock, FakeProvider, World, error_of, reply_of

HOUR = timedelta(hours=1)


class SetClock(FakeClock):
    """The time of day is set every other time that somebody looks; the monotonic one is not."""

    def __init__(self, jump: timedelta) -> None:
        super().__init__()
        self._jump = jump
        self._looks = 0

    def now(self) -> datetime:
        self._looks += 1
        return super().now() + self._jump * (self._looks // 2 % 3)


@pytest.mark.parametrize("jump", [HOUR, -HOUR])
def test_calls_under_a_clock_that_jumps_leave_sane_books(tmp_path: Path, jump: timedelta) -> None:
    clock = SetClock(jump)
    count = iter(range(10_000))

    async def now_and_then(request: Request) -> Reply:
        await asyncio.sleep(0)
        if next(count) % 3 == 0:
            raise error_of("rate_limited", retryable=True, retry_after_s=0.01, status=429)
        return reply_of(latency_s=0.01)

    accounts = SqliteAccounts(tmp_path, clock=clock, run="r")
    world = World(
        one=FakeProvider(now_and_then, name="first"),
        budgets=[
            Budget(scope="run", max_usd=10),
            Budget(scope="workflow", max_usd=10, window="hour"),
        ],
        accounts=accounts,
        clock=clock,
        retries=3,
        breaker=BreakerRules(),
        limits=Limits(requests_per_minute=600, max_concurrency=4),
    )

    async def one() -> float:
        session = world.open()
        try:
            await session.complete([Message(role="user", content="hello")])
        except (ProviderError, BudgetExhausted):
            pytest.fail("no call is refused by a clock that was set")
        spans = session.spans()
        assert all(each.end_ns >= each.start_ns for each in spans)
        return session.billed_usd

    async def all_() -> float:
        return sum(await asyncio.gather(*(one() for _ in range(40))))

    billed = asyncio.run(all_())
    world.ledger.close()
    assert all(each >= 0 for each in clock.slept)
    assert world.ledger.held_usd == 0
    assert world.ledger.spent_usd == pytest.approx(billed)
    for _, balance in world.ledger.standing():
        assert balance.held.nano == 0
