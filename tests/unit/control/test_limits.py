"""The limiter in simulated time: what passes within a minute, what is in the air, who waits."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evalkit.config.traffic import Limits
from evalkit.control.limits import Limiter
from tests.unit.control.simulated import SimulatedClock, simulate


@dataclass
class Provider:
    """A provider behind a limiter, which notes when calls start and how many are in the air."""

    limiter: Limiter
    clock: SimulatedClock
    takes_s: float = 1.0
    says: Callable[[int], float | str | None] = lambda number: "ok"
    started: list[tuple[float, int]] = field(default_factory=list)
    in_flight: int = 0
    most: int = 0

    async def ask(self, tokens: int = 10, used: int | None = None) -> int:
        """One call; its number. A number that it `says` is a 429 with that Retry-After."""
        slot = await self.limiter.acquire(tokens)
        try:
            number = len(self.started)
            self.started.append((self.clock.monotonic(), tokens))
            self.in_flight += 1
            self.most = max(self.most, self.in_flight)
            try:
                await self.clock.sleep(self.takes_s)
            finally:
                self.in_flight -= 1
            said = self.says(number)
            if said == "ok":
                slot.answered(tokens if used is None else used)
            else:
                assert not isinstance(said, str)
                slot.limited(said)
            return number
        finally:
            slot.release()


def provider(**limits: int) -> Provider:
    clock = SimulatedClock()
    return Provider(Limiter(Limits.model_validate(limits), clock), clock)


async def ask_together(asked: Provider, count: int) -> None:
    await asyncio.gather(*(asked.ask() for _ in range(count)))


def most_within_a_minute(starts: Sequence[tuple[float, int]]) -> tuple[int, int]:
    """The most calls and tokens that started within any 60 seconds."""
    windows = [[n for at, n in starts if first <= at < first + 60 - 1e-6] for first, _ in starts]
    return max(map(len, windows)), max(map(sum, windows))


def test_without_limits_nobody_waits() -> None:
    asked = provider()
    simulate(ask_together(asked, 500))
    assert asked.most == 500
    assert asked.clock.monotonic() == pytest.approx(1.0)


def test_requests_a_minute_hold_in_every_minute_and_are_used_up() -> None:
    asked = provider(requests_per_minute=20)
    simulate(ask_together(asked, 50))
    assert most_within_a_minute(asked.started)[0] == 20
    assert asked.started[-1][0] == pytest.approx(120)


def test_tokens_that_were_not_used_come_back() -> None:
    async def ask(asked: Provider, used: int) -> float:
        for _ in range(20):
            await asked.ask(100, used)
        return asked.clock.monotonic()

    asked = provider(tokens_per_minute=1000)
    assert simulate(ask(asked, 10)) == pytest.approx(20)
    asked = provider(tokens_per_minute=1000)
    assert simulate(ask(asked, 100)) == pytest.approx(70)


def test_a_call_above_the_whole_limit_waits_for_all_of_it_and_is_not_refused() -> None:
    async def ask(asked: Provider) -> None:
        await asked.ask(50)
        await asked.ask(5000)

    asked = provider(tokens_per_minute=100)
    simulate(ask(asked))
    assert [at for at, _ in asked.started] == pytest.approx([0, 60])


def test_the_queue_is_served_in_order_and_a_large_call_is_not_overtaken() -> None:
    asked = provider(tokens_per_minute=100)
    order: list[str] = []

    async def ask(name: str, tokens: int) -> None:
        await asked.ask(tokens)
        order.append(name)

    async def story() -> None:
        names = [("first", 60), ("large", 100), ("small", 1), ("tiny", 1)]
        await asyncio.gather(*(ask(name, tokens) for name, tokens in names))

    simulate(story())
    assert order == ["first", "large", "small", "tiny"]


def test_a_429_halves_what_is_in_the_air_once_a_round_and_answers_bring_it_back() -> None:
    asked = provider(max_concurrency=16)
    asked.says = lambda number: None if number < 16 else "ok"
    seen: list[float] = []

    async def story() -> None:
        await ask_together(asked, 16)
        seen.append(asked.limiter.allowed)
        asked.most = 0
        await ask_together(asked, 8)
        seen.append(asked.most)
        seen.append(asked.limiter.allowed)
        await ask_together(asked, 300)
        seen.append(asked.limiter.allowed)

    simulate(story())
    assert seen == [8, 8, 9, 16]


def test_a_storm_ends_at_one_call_at_a_time_and_never_at_none() -> None:
    asked = provider(max_concurrency=64)
    asked.says = lambda number: None
    simulate(ask_together(asked, 500))
    assert asked.limiter.allowed == 1
    assert len(asked.started) == 500


def test_other_failures_shrink_nothing() -> None:
    async def story(asked: Provider) -> None:
        for _ in range(20):
            slot = await asked.limiter.acquire(10)
            slot.release()
            slot = await asked.limiter.acquire(10)
            slot.spent_nothing()

    asked = provider(max_concurrency=4)
    simulate(story(asked))
    assert asked.limiter.allowed == 4


@pytest.mark.parametrize(("said", "until"), [(7.0, 8.0), (3600.0, 61.0)])
def test_a_retry_after_pauses_everybody_and_is_capped(said: float, until: float) -> None:
    asked = provider()
    asked.says = lambda number: said if number == 0 else "ok"

    async def story() -> None:
        await asked.ask()
        await ask_together(asked, 3)

    simulate(story())
    # then one after the other: what was in the air at the 429 was one call
    assert [at for at, _ in asked.started[1:]] == pytest.approx([until, until + 1, until + 1])


def test_the_expected_wait_is_known_before_one_waits() -> None:
    asked = provider(requests_per_minute=5, max_concurrency=2)
    waits: list[float] = []

    async def story() -> None:
        waits.append(asked.limiter.expected_wait_s(10))
        for _ in range(5):
            await asked.ask()
        waits.append(asked.limiter.expected_wait_s(10))

    simulate(story())
    assert waits == pytest.approx([0, 55])


def test_two_configurations_share_a_provider_and_the_tighter_limit_holds() -> None:
    asked = provider(requests_per_minute=20, max_concurrency=4)
    asked.limiter.tighten(Limits(requests_per_minute=30, max_concurrency=2, tokens_per_minute=99))
    assert asked.limiter.limits == Limits(
        requests_per_minute=20, max_concurrency=2, tokens_per_minute=99
    )
    assert asked.limiter.allowed == 2


def test_a_call_that_was_never_sent_counts_for_nothing() -> None:
    async def story(asked: Provider) -> float:
        for _ in range(50):
            (await asked.limiter.acquire(100)).unsent()
        await asked.ask(100)
        return asked.clock.monotonic()

    assert simulate(story(provider(requests_per_minute=1, tokens_per_minute=100))) == 1.0


CALLS = st.lists(
    st.tuples(
        st.floats(0, 90),  # when it comes
        st.integers(1, 120),  # its bound
        st.floats(0.01, 40),  # how long it takes
        st.sampled_from(["ok", "ok", "429", "429 after", "error", "cancelled"]),
        st.floats(0.01, 100),  # when it is cancelled
    ),
    min_size=1,
    max_size=40,
)


@settings(max_examples=60, deadline=None)
@given(
    CALLS,
    st.none() | st.integers(1, 12),
    st.none() | st.integers(50, 400),
    st.none() | st.integers(1, 6),
)
def test_whatever_calls_do_the_limits_hold_and_no_slot_is_lost(
    calls: list[tuple[float, int, float, str, float]],
    requests: int | None,
    tokens: int | None,
    concurrency: int | None,
) -> None:
    limits = Limits(
        requests_per_minute=requests, tokens_per_minute=tokens, max_concurrency=concurrency
    )
    clock = SimulatedClock()
    limiter = Limiter(limits, clock)
    starts: list[tuple[float, int]] = []
    flying = 0

    async def call(comes_s: float, bound: int, takes_s: float, ends: str) -> None:
        nonlocal flying
        await clock.sleep(comes_s)
        slot = await limiter.acquire(bound)
        try:
            starts.append((clock.monotonic(), min(bound, tokens or bound)))
            flying += 1
            assert concurrency is None or flying <= concurrency
            await clock.sleep(takes_s)
            if ends == "ok":
                slot.answered(bound)
            elif ends.startswith("429"):
                slot.limited(5.0 if ends == "429 after" else None)
        finally:
            flying -= 1
            slot.release()

    async def story() -> None:
        async def one(comes_s: float, bound: int, takes_s: float, ends: str, at_s: float) -> None:
            task = asyncio.ensure_future(call(comes_s, bound, takes_s, ends))
            if ends == "cancelled":
                await clock.sleep(at_s)
                task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            assert task.cancelled() or task.exception() is None

        await asyncio.gather(*(one(*each) for each in calls))
        assert limiter.in_flight == 0
        assert limiter.allowed >= 1
        await limiter.acquire(1)  # whoever comes last is served

    simulate(story())
    if starts and requests is not None:
        assert most_within_a_minute(starts)[0] <= requests


def test_sessions_of_two_threads_share_one_limiter() -> None:
    import threading

    from evalkit.workflows.wiring import SystemClock

    limiter = Limiter(Limits(max_concurrency=3), SystemClock())
    most: list[int] = []

    async def work() -> None:
        async def call() -> None:
            slot = await limiter.acquire(1)
            most.append(limiter.in_flight)
            await asyncio.sleep(0)
            slot.answered(1)

        await asyncio.gather(*(call() for _ in range(200)))

    threads = [threading.Thread(target=lambda: asyncio.run(work())) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(most) == 800
    assert max(most) <= 3
    assert limiter.in_flight == 0
