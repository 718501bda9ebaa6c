"""A run in which nothing happens says what it waits for, and nothing in it waits for ever."""

import asyncio
from contextlib import suppress

import pytest

from evalkit.control.flights import Flights
from evalkit.errors import ProviderError
from evalkit.records.attempt import FailureMode
from evalkit.records.call import Message, Reply, Request
from evalkit.records.event import Event, RunNoted, RunStarted
from evalkit.workflows.runs.stalling import StallWatch
from tests.unit.control.fakes import FakeClock, FakeProvider, World, reply_of

TIMEOUT_S = 60.0


class Stage:
    """A watch whose time is the test's, and what it told."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.flights = Flights(self.clock)
        self.told: list[Event] = []
        self.watch = StallWatch(self.told.append, clock=self.clock, flights=self.flights)

    async def call(self, provider: str = "served") -> Reply:
        """A call that is never answered, by a provider that does not keep to its time."""
        with self.flights.under_way(provider, TIMEOUT_S):
            await asyncio.Event().wait()
        raise AssertionError("nobody answers")

    def pass_time(self, seconds: float) -> None:
        self.clock.slept.append(seconds)

    def look(self) -> None:
        self.watch.look(timeout_s=TIMEOUT_S)

    @property
    def notes(self) -> list[str]:
        return [each.message for each in self.told if isinstance(each, RunNoted)]


async def begun(*calls: "asyncio.Task[Reply]") -> None:
    """Let calls come to where they wait."""
    for _ in range(3):
        await asyncio.sleep(0)
    assert not any(call.done() for call in calls)


def test_what_is_stuck_is_told_once_a_minute_with_whom_and_since_when() -> None:
    async def play(stage: Stage) -> None:
        calls = [asyncio.create_task(stage.call()) for _ in range(3)]
        await begun(*calls)
        stage.pass_time(12)
        calls.append(asyncio.create_task(stage.call("other")))
        await begun(*calls)
        stage.look()
        assert stage.notes == []  # a call may take that long
        stage.pass_time(20)
        stage.look()
        stage.look()
        assert stage.notes == [
            "nothing finished for 32 s: 3 calls wait for served, the oldest since 09:00:00 UTC "
            "(32 s); 1 call waits for other, since 09:00:12 UTC (20 s); a call may take 60 s"
        ]
        stage.pass_time(59)
        stage.look()
        assert len(stage.notes) == 1
        stage.pass_time(1)
        stage.look()
        assert len(stage.notes) == 2
        for call in calls:
            call.cancel()
        await asyncio.gather(*calls, return_exceptions=True)

    asyncio.run(play(Stage()))


def test_any_event_and_any_call_that_ends_is_a_sign_of_life() -> None:
    async def play(stage: Stage) -> None:
        stage.pass_time(29)
        stage.watch(RunStarted(attempts=1, done=0, max_usd=None))
        stage.pass_time(29)
        stage.look()
        with stage.flights.under_way("served", TIMEOUT_S):
            pass
        stage.pass_time(29)
        stage.look()
        assert stage.notes == []
        stage.pass_time(1)
        stage.look()
        (note,) = stage.notes
        assert note.startswith("nothing finished for 30 s, and no call is at a provider")

    asyncio.run(play(Stage()))


def test_a_call_whose_provider_ignores_its_time_is_cut_off_as_a_timeout() -> None:
    async def play(stage: Stage) -> None:
        call = asyncio.create_task(stage.call())
        await begun(call)
        stage.pass_time(90)
        stage.look()
        await begun(call)
        stage.pass_time(1)
        stage.look()
        with pytest.raises(ProviderError, match="did not keep to 60 s and was cut off") as caught:
            await call
        assert caught.value.code is FailureMode.TIMEOUT
        assert caught.value.retryable
        assert caught.value.may_be_billed
        assert stage.flights.oldest() == {}

    asyncio.run(play(Stage()))


def test_calls_of_a_provider_that_still_answers_others_are_left_alone() -> None:
    async def play(stage: Stage) -> None:
        call = asyncio.create_task(stage.call())
        await begun(call)
        for _ in range(5):  # a model in this process takes its calls one after the other
            stage.pass_time(60)
            with stage.flights.under_way("served", TIMEOUT_S):
                pass
            stage.look()
            await begun(call)
        call.cancel()
        await asyncio.gather(call, return_exceptions=True)

    asyncio.run(play(Stage()))


def test_a_stop_at_the_same_moment_stays_a_stop() -> None:
    async def play(stage: Stage) -> None:
        call = asyncio.create_task(stage.call())
        await begun(call)
        stage.pass_time(91)
        stage.look()
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call

    asyncio.run(play(Stage()))


def test_a_reply_that_comes_as_it_is_cut_off_is_kept() -> None:
    async def play(stage: Stage) -> None:
        async def stubborn() -> str:
            with stage.flights.under_way("served", TIMEOUT_S), suppress(asyncio.CancelledError):
                await asyncio.Event().wait()
            await asyncio.sleep(0)
            return "kept"

        call = asyncio.create_task(stubborn())
        await asyncio.sleep(0)
        stage.pass_time(91)
        stage.look()
        assert await call == "kept"
        assert call.cancelling() == 0

    asyncio.run(play(Stage()))


def test_a_session_goes_on_to_the_fallback_when_its_provider_never_answers() -> None:
    async def never(request: Request) -> Reply:
        await asyncio.Event().wait()
        raise AssertionError("nobody answers")

    async def play() -> None:
        clock = FakeClock()
        flights = Flights(clock)
        world = World(
            one=FakeProvider(never, name="first"),
            two=FakeProvider(reply_of("here")),
            clock=clock,
            flights=flights,
        )
        watch = StallWatch(lambda event: None, clock=clock, flights=flights)
        session = world.open()
        asking = asyncio.create_task(session.complete([Message(role="user", content="hello")]))
        for _ in range(5):
            await asyncio.sleep(0)
        clock.slept.append(1_000.0)
        watch.look(timeout_s=30)
        completion = await asking
        assert completion.content == "here"
        assert [hop.code for hop in completion.fallbacks] == ["timeout"]

    asyncio.run(play())


def test_the_watch_ends_with_what_it_watches() -> None:
    async def play(stage: Stage) -> None:
        async with stage.watch.running(timeout_s=TIMEOUT_S):
            assert len(asyncio.all_tasks()) == 2
        assert len(asyncio.all_tasks()) == 1

    asyncio.run(play(Stage()))
