"""Several workers on one list: in order, bounded, stopped in an orderly way."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import Generic, Literal, TypeVar

import msgspec

from evalkit.execute.stopping import StopSignal

Item = TypeVar("Item")
EndReason = Literal["interrupted", "budget", "providers"]


# How long the workers together go on before somebody else gets a turn.
_TURN_S = 0.005


class ExecutionEnd(msgspec.Struct, frozen=True, kw_only=True):
    """How work ended. `reason` is None when all of it was done; `message` says more in words.

    `made` counts what was done this time, `left` what was not.
    """

    reason: EndReason | None
    made: int
    left: int
    message: str = ""


class Workers(Generic[Item]):
    """Does `work` on every item, so many at a time; all state is shared on one thread.

    An item is done when `work` returns. `end_early` and the first request of the stop signal start
    no further item and let those in flight end; the second request cancels them. So does anything
    that `work` raises: it is raised again once nothing is in flight.
    """

    def __init__(
        self, items: Sequence[Item], work: Callable[[Item], Awaitable[None]], stop: StopSignal
    ) -> None:
        """Nothing starts before `run`."""
        self._total = len(items)
        self._pending: Iterator[Item] = iter(items)
        self._work_on = work
        self._stop = stop
        self._done = 0
        self._reason: EndReason | None = None
        self._message = ""
        self._failure: BaseException | None = None
        self._turn_ends_s = 0.0

    async def run(self, concurrency: int) -> None:
        """Work until nothing is left or something says stop. Raises what a worker met, and
        ValueError for no concurrency at all."""
        if concurrency < 1:
            raise ValueError(f"concurrency is at least 1, not {concurrency}")
        workers = range(min(concurrency, self._total))
        tasks = [asyncio.create_task(self._work()) for _ in workers]

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

    def end_early(self, reason: EndReason, message: str) -> None:
        """Start nothing more. The first reason is the one that is told."""
        if self._reason is None:
            self._reason, self._message = reason, message

    def ended(self, noun: str) -> ExecutionEnd:
        """How it ended; an interruption that left nothing undone is none. `noun` is of what is
        left."""
        left = self._total - self._done
        reason, message = self._reason, self._message
        if self._stop.draining and left:
            reason, message = "interrupted", f"interrupted with {left} {noun}"
        return ExecutionEnd(reason=reason, made=self._done, left=left, message=message)

    async def _work(self) -> None:
        """One worker: takes the next item for as long as items may be started."""
        clock = asyncio.get_running_loop().time
        try:
            while not self._stopping and (item := next(self._pending, None)) is not None:
                await self._work_on(item)
                self._done += 1
                # A replay never waits: without this nobody else, a signal included, gets a turn.
                if clock() >= self._turn_ends_s:
                    await asyncio.sleep(0)
                    self._turn_ends_s = clock() + _TURN_S
        except Exception as error:
            # The first one is what is told; later ones are mostly its echo.
            self._failure = self._failure or error

    @property
    def _stopping(self) -> bool:
        return self._stop.draining or self._reason is not None or self._failure is not None
