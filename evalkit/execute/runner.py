"""Makes the attempts of a plan: bounded concurrency, each one journalled as soon as it ends."""

from collections.abc import Awaitable, Callable, Container, Sequence

from evalkit.execute.outage import OutageWatch
from evalkit.execute.stopping import StopSignal
from evalkit.execute.workers import ExecutionEnd, Workers
from evalkit.ports import EventSink, Journal
from evalkit.records.attempt import Attempt, FailureMode, Place
from evalkit.records.event import AttemptFinished, RunEnded, RunStarted
from evalkit.records.plan import PlannedAttempt
from evalkit.records.planned import select_attempts

Make = Callable[[PlannedAttempt], Awaitable[Attempt]]
FirstLook = Callable[[Attempt], bool | None]


async def execute(
    attempts: Sequence[PlannedAttempt],
    make: Make,
    *,
    done: Container[Place],
    journal: Journal,
    emit: EventSink,
    concurrency: int,
    stop: StopSignal,
    score: FirstLook,
    max_usd: float | None = None,
    watch_outages: bool = True,
) -> ExecutionEnd:
    """Make every attempt whose place is not in `done`, in order, `concurrency` at a time.

    An exhausted budget, a model that cannot be reached and the first request of `stop` start no
    further attempt and let those in flight end; the second request cancels them. So does anything
    that is raised: the journal's StoreError, or a bug in `make`; it is raised again after that.
    Without `watch_outages`, of a drill, models that cannot be reached stop nothing.
    """
    if concurrency < 1:
        raise ValueError(f"concurrency is at least 1, not {concurrency}")
    pending = attempts
    if done:
        pending = select_attempts(attempts, lambda each: each.place not in done)
    outages = OutageWatch(concurrency=concurrency)

    async def work(planned: PlannedAttempt) -> None:
        attempt = await make(planned)
        journal.append(attempt)
        emit(AttemptFinished(attempt=attempt, passed=score(attempt)))
        if attempt.failure_mode is FailureMode.BUDGET:
            workers.end_early("budget", attempt.error or "a budget is exhausted")
        elif watch_outages and (outage := outages.note(planned.model or attempt.prompt, attempt)):
            workers.end_early("providers", outage)

    emit(RunStarted(attempts=len(attempts), done=len(attempts) - len(pending), max_usd=max_usd))
    workers = Workers(pending, work, stop)
    await workers.run(concurrency)
    end = workers.ended("attempts left to make")
    emit(RunEnded(reason=end.reason))
    return end
