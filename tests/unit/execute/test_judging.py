"""Asking judges in a run: in order, bounded, each opinion kept at once, stopped with reason."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from evalkit.errors import StoreError
from evalkit.execute.judging import Question, ask_judges
from evalkit.execute.stopping import StopSignal
from evalkit.execute.workers import ExecutionEnd, Workers
from evalkit.records.attempt import FailureMode
from evalkit.records.judgment import JudgeCall, Opinion, Subject

Answer = Callable[[Question], Awaitable[Opinion]]
SUBJECT = Subject(input={}, output="x")
PASS = Opinion(
    state="judged",
    passed=True,
    calls=(JudgeCall(route="judge", state="judged", passed=True, origin="live"),),
)


def questions(count: int) -> list[Question]:
    """Several questions about one output."""
    return [
        Question(suite="mail", scorer="tone", case=f"m{n}", id="0", subject=SUBJECT)
        for n in range(count)
    ]


def lost(*modes: FailureMode, route: str = "judge", **more: Any) -> Opinion:
    """An opinion whose calls failed so."""
    calls = tuple(
        JudgeCall(route=route, state="error", failure_mode=mode, error="no luck", **more)
        for mode in modes
    )
    return Opinion(state="error", calls=calls)


class Log:
    """What was asked and taken, in its order, and how many questions were open at once."""

    def __init__(self, answer: Callable[[int], Opinion]) -> None:
        self.answer = answer
        self.asked: list[str] = []
        self.taken: list[tuple[str, str]] = []
        self.open = self.most = 0

    async def ask(self, question: Question) -> Opinion:
        self.asked.append(question.case)
        self.open += 1
        self.most = max(self.most, self.open)
        await asyncio.sleep(0)
        self.open -= 1
        return self.answer(len(self.asked))

    def take(self, question: Question, opinion: Opinion) -> None:
        self.taken.append((question.case, opinion.state))


def run(
    log: Log, count: int, *, concurrency: int = 1, stop: StopSignal | None = None
) -> ExecutionEnd:
    """Ask so many questions."""
    return asyncio.run(
        ask_judges(
            questions(count), log.ask, log.take, concurrency=concurrency, stop=stop or StopSignal()
        )
    )


def test_every_question_is_asked_in_order_and_its_opinion_taken() -> None:
    log = Log(lambda number: PASS)
    assert run(log, 5) == ExecutionEnd(reason=None, made=5, left=0)
    assert log.asked == [f"m{n}" for n in range(5)]
    assert log.taken == [(f"m{n}", "judged") for n in range(5)]


def test_no_question_is_no_work() -> None:
    assert run(Log(lambda number: PASS), 0) == ExecutionEnd(reason=None, made=0, left=0)


@pytest.mark.parametrize(("concurrency", "most"), [(1, 1), (3, 3), (50, 8)])
def test_no_more_questions_are_open_than_asked_for(concurrency: int, most: int) -> None:
    log = Log(lambda number: PASS)
    assert run(log, 8, concurrency=concurrency).made == 8
    assert log.most == most


def test_a_judge_that_cannot_be_reached_once_stops_nothing() -> None:
    log = Log(lambda number: lost(FailureMode.TIMEOUT))
    assert run(log, 60).made == 60


def test_a_spent_budget_ends_judging_and_its_opinion_is_kept() -> None:
    log = Log(lambda number: PASS if number < 3 else lost(FailureMode.BUDGET))
    assert run(log, 9) == ExecutionEnd(reason="budget", made=3, left=6, message="no luck")
    assert log.taken[-1] == ("m2", "error")


def test_one_member_of_a_panel_without_a_budget_ends_it_as_well() -> None:
    opinion = Opinion(state="judged", passed=True, calls=(*PASS.calls * 2, *lost(
        FailureMode.BUDGET).calls))  # fmt: skip
    assert run(Log(lambda number: opinion), 9).reason == "budget"


@pytest.mark.parametrize(
    "mode", [FailureMode.AUTHENTICATION, FailureMode.CONNECTION, FailureMode.QUOTA]
)
def test_a_route_that_cannot_be_reached_ends_judging_after_twenty_in_a_row(
    mode: FailureMode,
) -> None:
    end = run(Log(lambda number: lost(mode)), 60)
    assert (end.reason, end.made, end.left) == ("providers", 20, 40)
    assert end.message.startswith("20 questions in a row got no answer")
    assert "judge" in end.message and str(mode) in end.message


def test_an_answer_in_between_starts_the_row_anew() -> None:
    log = Log(lambda number: PASS if number % 15 == 0 else lost(FailureMode.CONNECTION))
    assert run(log, 60).reason is None


def test_routes_are_counted_for_themselves() -> None:
    def answer(number: int) -> Opinion:
        return lost(FailureMode.CONNECTION, route="a" if number % 2 else "b")

    assert run(Log(answer), 38).reason is None
    assert run(Log(answer), 60).reason == "providers"


def test_the_first_request_lets_open_questions_end() -> None:
    stop = StopSignal()

    def answer(number: int) -> Opinion:
        stop.request()
        return PASS

    log = Log(answer)
    end = run(log, 9, concurrency=2, stop=stop)
    assert (end.reason, end.made, end.left) == ("interrupted", 2, 7)
    assert end.message == "interrupted with 7 outputs left to judge"
    assert len(log.taken) == 2


def test_the_second_request_gives_open_questions_up() -> None:
    stop = StopSignal()

    async def ask(question: Question) -> Opinion:
        if question.case == "m1":
            stop.request()
            stop.request()
        await asyncio.get_running_loop().create_future()
        raise AssertionError("nobody answers")

    taken: list[str] = []
    end = asyncio.run(
        ask_judges(
            questions(5),
            ask,
            lambda question, opinion: taken.append(question.case),
            concurrency=2,
            stop=stop,
        )
    )
    assert (end.reason, end.made, end.left) == ("interrupted", 0, 5)
    assert taken == []


def test_a_journal_that_is_full_stops_judging_and_is_told() -> None:
    class Full(Log):
        def take(self, question: Question, opinion: Opinion) -> None:
            super().take(question, opinion)
            if len(self.taken) == 3:
                raise StoreError("there is no room left")

    log = Full(lambda number: PASS)
    with pytest.raises(StoreError, match="no room left"):
        run(log, 9, concurrency=2)
    assert len(log.taken) <= 4
    assert log.open == 0


def test_questions_are_equal_to_themselves_only() -> None:
    """Two scorers may ask the same of one output, and each waits for its own opinion."""
    one, two = questions(1) + questions(1)
    assert one != two
    assert len({one, two}) == 2


@pytest.mark.parametrize("concurrency", [0, -1])
def test_work_takes_at_least_one_worker(concurrency: int) -> None:
    with pytest.raises(ValueError, match="at least 1"):
        run(Log(lambda number: PASS), 3, concurrency=concurrency)


def test_the_first_reason_to_end_early_is_the_one_that_is_told() -> None:
    async def work(item: int) -> None:
        await asyncio.sleep(0)
        workers.end_early("budget" if item == 1 else "providers", f"reason {item}")

    workers = Workers([1, 2, 3], work, StopSignal())
    asyncio.run(workers.run(2))
    end = workers.ended("items")
    assert (end.reason, end.message, end.made, end.left) == ("budget", "reason 1", 2, 1)


def test_an_interruption_that_left_nothing_undone_is_none() -> None:
    stop = StopSignal()

    async def work(item: int) -> None:
        stop.request()

    workers = Workers([1], work, stop)
    asyncio.run(workers.run(1))
    assert workers.ended("items") == ExecutionEnd(reason=None, made=1, left=0)


def test_being_cancelled_from_outside_leaves_nobody_at_work() -> None:
    running: list[str] = []

    async def work(item: int) -> None:
        running.append("in")
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            running.append("out")

    async def outside() -> None:
        workers = Workers([1, 2, 3], work, StopSignal())
        task = asyncio.create_task(workers.run(2))
        while len(running) < 2:
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(outside())
    assert running == ["in", "in", "out", "out"]
