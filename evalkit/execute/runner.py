"""Makes the attempts of a plan: bounded concurrency, each one journalled as soon as it ends."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from evalkit.execute.outage import OutageWatch
from evalkit.execute.stopping import StopSignal
from evalkit.ports import EventSink, Journal
from evalkit.records.attempt import Attempt, FailureMode, Place
from evalkit.records.event import AttemptFinished, RunEnded, RunStarted
from evalkit.records.plan import PlannedAttempt

Make = Callable[[PlannedAttempt], Awaitable[Attempt]]
FirstLook = Callable[[Attempt], bool | None]
EndReason = Literal["interrupted", "budget", "providers"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecutionEnd:
    """How making attempts ended. `reason` is None when every attempt was made; `message` says more
    in words. `made` counts this time's attempts, `left` those that were not made."""

    reason: EndReason | None
    made: int
    left: int
    message: str = ""


async def execute(
    attempts: Sequence[PlannedAttempt],
    make: Make,
    *,
    done: Collection[Place],
    journal: Journal,
    emit: EventSink,
    concurrency: int,
    stop: StopSignal,
    score: FirstLook,
    max_usd: float | None = None,
) -> ExecutionEnd:
    """Make every attempt whose place is not in `done`, in order, `concurrency` at a time.

    An exhausted budget, a model that cannot be reached and the first request of `stop` start no
    further attempt and let those in flight end; the second request cancels them. So does anything
    that is raised: the journal's StoreError, or a bug in `make`; it is raised again after that.
    """
    if concurrency < 1:
        raise ValueError(f"concurrency is at least 1, not {concurrency}")
    skip = frozenset(done)
    pending = [each for each in attempts if each.place not in skip]
    emit(RunStarted(attempts=len(attempts), done=len(attempts) - len(pending), max_usd=max_usd))
    execution = _Execution(
        pending, make, journal, emit, score, stop, OutageWatch(concurrency=concurrency)
    )
    await execution.run(min(concurrency, len(pending)))
    end = execution.end()
    emit(RunEnded(reason=end.reason))
    return end


class _Execution:
    """The state that the workers of one `execute` share; they run on one thread."""

    def __init__(
        self,
        pending: Sequence[PlannedAttempt],
        make: Make,
        journal: Journal,
        emit: EventSink,
        score: FirstLook,
        stop: StopSignal,
        outages: OutageWatch,
    ) -> None:
        self._total = len(pending)
        self._pending: Iterator[PlannedAttempt] = iter(pending)
        self._make = make
        self._journal = journal
        self._emit = emit
        self._score = score
        self._stop = stop
        self._outages = outages
        self._made = 0
        self._reason: EndReason | None = None
        self._message = ""
        self._failure: BaseException | None = None

    async def run(self, workers: int) -> None:
        """Work until nothing is left or something says stop. Raises what a worker met."""
        tasks = [asyncio.create_task(self._work()) for _ in range(workers)]

        def cancel() -> None:
            for task in tasks:
                task.cancel()

        self._stop.on_cancel(cancel)
        try:
            await asyncio.gather(*tasks, return_exceptions=True)
        finally:
            self._stop.on_cancel(None)
            # Cancelled from outside: nothing may go on writing after this has returned.
            cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        if self._failure is not None:
            raise self._failure

    async def _work(self) -> None:
        """One worker: takes the next attempt for as long as attempts may be started."""
        try:
            while not self._stopping and (planned := next(self._pending, None)) is not None:
                self._finish(planned, await self._make(planned))
                # A replay never waits: without this nobody else, a signal included, gets a turn.
                await asyncio.sleep(0)
        except Exception as error:
            # The first one is what is told; later ones are mostly its echo.
            self._failure = self._failure or error

    @property
    def _stopping(self) -> bool:
        return self._stop.draining or self._reason is not None or self._failure is not None

    def _finish(self, planned: PlannedAttempt, attempt: Attempt) -> None:
        self._journal.append(attempt)
        self._made += 1
        self._emit(AttemptFinished(attempt=attempt, passed=self._score(attempt)))
        if attempt.failure_mode is FailureMode.BUDGET:
            self._end("budget", attempt.error or "a budget is exhausted")
        elif outage := self._outages.note(planned.model, attempt):
            self._end("providers", outage)

    def _end(self, reason: EndReason, message: str) -> None:
        if self._reason is None:
            self._reason, self._message = reason, message

    def end(self) -> ExecutionEnd:
        """How it ended; an interruption that left nothing undone is none."""
        left = self._total - self._made
        reason, message = self._reason, self._message
        if self._stop.draining and left:
            reason, message = "interrupted", f"interrupted with {left} attempts left to make"
        return ExecutionEnd(reason=reason, made=self._made, left=left, message=message)
