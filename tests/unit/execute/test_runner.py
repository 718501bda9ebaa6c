"""Making attempts: in order, bounded, journalled first, and stopped when there is a reason to."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from evalkit.errors import StoreError
from evalkit.execute.runner import execute
from evalkit.execute.stopping import StopSignal
from evalkit.execute.workers import ExecutionEnd
from evalkit.records.attempt import Attempt, FailureMode
from evalkit.records.event import AttemptFinished, Event, RunEnded, RunStarted
from evalkit.records.plan import PlannedAttempt

Make = Callable[[PlannedAttempt], Awaitable[Attempt]]


def plan_of(count: int, *, model: str = "m") -> list[PlannedAttempt]:
    return [
        PlannedAttempt(
            suite="triage",
            variant="candidate",
            case=f"c{i}",
            trial=1,
            model=model,
            origin="live",
            input_tokens={},
            output_tokens=1,
            max_cost_usd=None,
        )
        for i in range(count)
    ]


def attempt_of(planned: PlannedAttempt, **changes: Any) -> Attempt:
    return Attempt(
        **{
            "at": "",
            "variant": planned.variant,
            "suite": planned.suite,
            "case": planned.case,
            "trial": planned.trial,
            "key": "k",
            "state": "answered",
            "origin": "live",
            **changes,
        }
    )


def failed(planned: PlannedAttempt, mode: FailureMode) -> Attempt:
    return attempt_of(planned, state="error", origin=None, failure_mode=mode, error="no luck")


@dataclass
class Log:
    """A journal and a sink of events that share one list; `full_after` lines it refuses more."""

    entries: list[Any] = field(default_factory=list)
    full_after: int | None = None

    def append(self, attempt: Attempt) -> None:
        if self.full_after is not None and len(self.cases("journal")) >= self.full_after:
            raise StoreError("there is no room left")
        self.entries.append(("journal", attempt.case))

    def emit(self, event: Event) -> None:
        match event:
            case AttemptFinished():
                self.entries.append(("event", event.attempt.case, event.passed))
            case _:
                self.entries.append(event)

    def cases(self, kind: str) -> list[str]:
        return [entry[1] for entry in self.entries if isinstance(entry, tuple) and entry[0] == kind]


class Gates:
    """Attempts that end when the test says so."""

    def __init__(self) -> None:
        self.started: list[str] = []
        self._open: dict[str, asyncio.Event] = {}

    async def make(self, planned: PlannedAttempt) -> Attempt:
        self.started.append(planned.case)
        gate = self._open.setdefault(planned.case, asyncio.Event())
        await gate.wait()
        return attempt_of(planned)

    async def until_started(self, count: int) -> None:
        for _ in range(1000):
            if len(self.started) >= count:
                return
            await asyncio.sleep(0)
        raise AssertionError(f"only {self.started} were started")

    def release(self, *cases: str) -> None:
        for case in cases:
            self._open.setdefault(case, asyncio.Event()).set()


async def run(
    attempts: Sequence[PlannedAttempt],
    make: Make,
    log: Log,
    *,
    concurrency: int = 4,
    stop: StopSignal | None = None,
    **changes: Any,
) -> ExecutionEnd:
    return await execute(
        attempts,
        make,
        **{
            "done": (),
            "journal": log,
            "emit": log.emit,
            "concurrency": concurrency,
            "stop": stop or StopSignal(),
            "score": lambda attempt: True,
            **changes,
        },
    )


def test_attempts_start_in_the_plan_s_order_and_never_too_many_at_once() -> None:
    async def scenario() -> None:
        gates, log = Gates(), Log()
        running = asyncio.create_task(run(plan_of(6), gates.make, log, concurrency=2))
        await gates.until_started(2)
        for _ in range(10):
            await asyncio.sleep(0)
        assert gates.started == ["c0", "c1"]
        gates.release("c1")
        await gates.until_started(3)
        assert gates.started == ["c0", "c1", "c2"]
        gates.release(*(f"c{i}" for i in range(6)))
        assert await running == ExecutionEnd(reason=None, made=6, left=0)
        assert gates.started == [f"c{i}" for i in range(6)]

    asyncio.run(scenario())


def test_an_attempt_is_journalled_before_anybody_hears_of_it() -> None:
    async def make(planned: PlannedAttempt) -> Attempt:
        return attempt_of(planned)

    log = Log()
    asyncio.run(
        run(plan_of(2), make, log, concurrency=1, score=lambda each: each.case == "c0", max_usd=5.0)
    )
    assert log.entries == [
        RunStarted(attempts=2, done=0, max_usd=5.0),
        ("journal", "c0"),
        ("event", "c0", True),
        ("journal", "c1"),
        ("event", "c1", False),
        RunEnded(reason=None),
    ]


def test_what_is_done_is_not_made_again() -> None:
    async def make(planned: PlannedAttempt) -> Attempt:
        return attempt_of(planned)

    log = Log()
    done = {("triage", "candidate", "c1", 1), ("triage", "baseline", "c0", 1)}
    end = asyncio.run(run(plan_of(3), make, log, done=done))
    assert log.cases("journal") == ["c0", "c2"]
    assert log.entries[0] == RunStarted(attempts=3, done=1, max_usd=None)
    assert end == ExecutionEnd(reason=None, made=2, left=0)


def test_a_plan_that_is_done_ends_whole() -> None:
    async def make(planned: PlannedAttempt) -> Attempt:
        raise AssertionError("made")

    end = asyncio.run(run(plan_of(1), make, Log(), done={("triage", "candidate", "c0", 1)}))
    assert end == ExecutionEnd(reason=None, made=0, left=0)


def test_no_concurrency_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 1"):
        asyncio.run(run(plan_of(1), Gates().make, Log(), concurrency=0))


def test_a_failing_attempt_is_journalled_and_the_run_goes_on() -> None:
    async def make(planned: PlannedAttempt) -> Attempt:
        return failed(planned, FailureMode.SERVER_ERROR)

    log = Log()
    assert asyncio.run(run(plan_of(50), make, log)).reason is None
    assert len(log.cases("journal")) == 50


def test_an_exhausted_budget_starts_nothing_more_and_lets_the_rest_end() -> None:
    gates = Gates()

    async def make(planned: PlannedAttempt) -> Attempt:
        if planned.case == "c1":
            await gates.until_started(2)
            return failed(planned, FailureMode.BUDGET)
        return await gates.make(planned)

    async def scenario() -> None:
        log = Log()
        running = asyncio.create_task(run(plan_of(9), make, log, concurrency=3))
        await gates.until_started(2)
        gates.release("c0", "c2")
        end = await running
        assert (end.reason, end.made, end.left, end.message) == ("budget", 3, 6, "no luck")
        assert sorted(log.cases("journal")) == ["c0", "c1", "c2"]
        assert log.entries[-1] == RunEnded(reason="budget")

    asyncio.run(scenario())


@pytest.mark.parametrize(
    "mode", [FailureMode.AUTHENTICATION, FailureMode.CONNECTION, FailureMode.QUOTA]
)
def test_a_model_that_cannot_be_reached_stops_the_run(mode: FailureMode) -> None:
    async def make(planned: PlannedAttempt) -> Attempt:
        return failed(planned, mode)

    end = asyncio.run(run(plan_of(100), make, Log(), concurrency=1))
    assert (end.reason, end.made, end.left) == ("providers", 20, 80)
    assert end.message == (
        f"20 attempts in a row got no answer from model m ({mode.value}: no luck)"
    )


def test_an_outage_of_everything_in_flight_is_not_enough_to_stop() -> None:
    async def make(planned: PlannedAttempt) -> Attempt:
        if int(planned.case[1:]) < 32:
            return failed(planned, FailureMode.CONNECTION)
        return attempt_of(planned)

    end = asyncio.run(run(plan_of(100), make, Log(), concurrency=32))
    assert end == ExecutionEnd(reason=None, made=100, left=0)


def test_one_answer_in_twenty_keeps_a_run_going() -> None:
    async def make(planned: PlannedAttempt) -> Attempt:
        if int(planned.case[1:]) % 20 == 19:
            return attempt_of(planned)
        return failed(planned, FailureMode.CONNECTION)

    assert asyncio.run(run(plan_of(100), make, Log(), concurrency=1)).reason is None


def test_another_model_that_answers_does_not_hide_the_one_that_does_not() -> None:
    async def make(planned: PlannedAttempt) -> Attempt:
        if planned.model == "dead":
            return failed(planned, FailureMode.AUTHENTICATION)
        return attempt_of(planned)

    alive, dead = plan_of(60, model="alive"), plan_of(60, model="dead")
    mixed = [each for pair in zip(alive, dead, strict=True) for each in pair]
    end = asyncio.run(run(mixed, make, Log(), concurrency=1))
    assert (end.reason, end.made) == ("providers", 40)


def test_replays_in_between_say_nothing_about_the_provider() -> None:
    async def make(planned: PlannedAttempt) -> Attempt:
        if int(planned.case[1:]) % 2:
            return attempt_of(planned, origin="cache")
        return failed(planned, FailureMode.CONNECTION)

    end = asyncio.run(run(plan_of(100), make, Log(), concurrency=1))
    assert (end.reason, end.made) == ("providers", 39)


def test_a_full_disk_is_raised_after_the_rest_has_ended() -> None:
    async def scenario() -> None:
        gates, log = Gates(), Log(full_after=1)
        running = asyncio.create_task(run(plan_of(9), gates.make, log, concurrency=3))
        await gates.until_started(3)
        gates.release("c0")
        await gates.until_started(4)
        gates.release("c1")
        for _ in range(10):
            await asyncio.sleep(0)
        assert not running.done()
        gates.release("c2", "c3")
        with pytest.raises(StoreError, match="no room left"):
            await running
        assert gates.started == ["c0", "c1", "c2", "c3"]
        assert log.cases("event") == log.cases("journal") == ["c0"]

    asyncio.run(scenario())


def test_a_bug_is_raised_as_it_is_after_the_rest_was_journalled() -> None:
    gates = Gates()

    async def make(planned: PlannedAttempt) -> Attempt:
        if planned.case == "c1":
            raise ZeroDivisionError("a bug")
        return await gates.make(planned)

    async def scenario() -> None:
        log = Log()
        running = asyncio.create_task(run(plan_of(9), make, log, concurrency=2))
        await gates.until_started(1)
        gates.release("c0")
        with pytest.raises(ZeroDivisionError, match="a bug"):
            await running
        assert gates.started == ["c0"]
        assert log.cases("journal") == ["c0"]

    asyncio.run(scenario())


def test_asked_once_to_stop_attempts_in_flight_end_and_none_starts() -> None:
    async def scenario() -> None:
        gates, log, stop = Gates(), Log(), StopSignal()
        running = asyncio.create_task(run(plan_of(9), gates.make, log, concurrency=3, stop=stop))
        await gates.until_started(3)
        stop.request()
        gates.release("c0", "c1", "c2")
        end = await running
        assert (end.reason, end.made, end.left) == ("interrupted", 3, 6)
        assert log.entries[-1] == RunEnded(reason="interrupted")

    asyncio.run(scenario())


def test_asked_twice_to_stop_attempts_in_flight_are_given_up() -> None:
    async def scenario() -> None:
        gates, log, stop = Gates(), Log(), StopSignal()
        running = asyncio.create_task(run(plan_of(9), gates.make, log, concurrency=3, stop=stop))
        await gates.until_started(3)
        gates.release("c0")
        await gates.until_started(4)
        stop.request()
        stop.request()
        end = await running
        assert (end.reason, end.made, end.left) == ("interrupted", 1, 8)
        assert log.cases("journal") == ["c0"]

    asyncio.run(scenario())


def test_asked_before_the_start_nothing_is_made() -> None:
    stop = StopSignal()
    stop.request()
    stop.request()
    end = asyncio.run(run(plan_of(3), Gates().make, Log(), stop=stop))
    assert (end.reason, end.made, end.left) == ("interrupted", 0, 3)


def test_asked_when_nothing_is_left_the_run_is_whole() -> None:
    async def scenario() -> None:
        gates, stop = Gates(), StopSignal()
        running = asyncio.create_task(run(plan_of(2), gates.make, Log(), stop=stop))
        await gates.until_started(2)
        stop.request()
        gates.release("c0", "c1")
        assert await running == ExecutionEnd(reason=None, made=2, left=0)

    asyncio.run(scenario())


def test_attempts_that_never_wait_leave_others_a_turn() -> None:
    stop = StopSignal()
    made: list[str] = []

    async def make(planned: PlannedAttempt) -> Attempt:
        made.append(planned.case)
        if len(made) == 1:  # as a signal handler would be: called on the loop, later
            asyncio.get_running_loop().call_soon(stop.request)
        return attempt_of(planned)

    end = asyncio.run(run(plan_of(1000), make, Log(), concurrency=4, stop=stop))
    assert end.reason == "interrupted"
    assert end.made < 20


def test_cancelled_from_outside_nothing_writes_afterwards() -> None:
    async def scenario() -> None:
        gates, log, stop = Gates(), Log(), StopSignal()
        running = asyncio.create_task(run(plan_of(4), gates.make, log, concurrency=2, stop=stop))
        await gates.until_started(2)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        gates.release("c0", "c1")
        for _ in range(10):
            await asyncio.sleep(0)
        assert log.cases("journal") == []
        assert gates.started == ["c0", "c1"]

    asyncio.run(scenario())
