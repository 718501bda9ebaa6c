"""Asks judges about outputs: bounded concurrency, each opinion handed on as soon as it is there."""

from collections.abc import Awaitable, Callable, Sequence

import msgspec

from evalkit.execute.outage import OutageWatch
from evalkit.execute.stopping import StopSignal
from evalkit.execute.workers import ExecutionEnd, Workers
from evalkit.records.attempt import FailureMode
from evalkit.records.judgment import Opinion, Subject


class Question(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """One subject for one judge scorer of a suite; `id` is the subject's. Equal to itself only."""

    suite: str
    scorer: str
    case: str
    id: str
    subject: Subject


Ask = Callable[[Question], Awaitable[Opinion]]
Take = Callable[[Question, Opinion], None]


async def ask_judges(
    questions: Sequence[Question],
    ask: Ask,
    take: Take,
    *,
    concurrency: int,
    stop: StopSignal,
) -> ExecutionEnd:
    """Ask every question in order, `concurrency` at a time, and `take` each opinion as it comes.

    Ends early as attempts do: an exhausted budget, a route that cannot be reached, and the first
    request of `stop` let what is in flight end; the second cancels it. What is raised is raised
    again once nothing is in flight any more.
    """
    outages = OutageWatch(concurrency=concurrency)

    async def work(question: Question) -> None:
        opinion = await ask(question)
        take(question, opinion)
        for call in opinion.calls:
            if call.failure_mode is FailureMode.BUDGET:
                workers.end_early("budget", call.error or "a budget is exhausted")
            elif outage := outages.note_call(call):
                workers.end_early("providers", outage)

    workers = Workers(questions, work, stop)
    await workers.run(concurrency)
    return workers.ended("outputs left to judge")
