"""The owner's side of one worker: its calls pass the lanes, ledger and cache of this process.

There is one ledger and one limiter a provider, here, whoever makes the calls. A call leaves a
worker after it was let pass and its upper bound was set aside, so what a worker that dies had under
way is known: what it held is charged in full, for nobody knows what was answered.
"""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass

from evalkit.control.flights import Flights
from evalkit.control.granting import Budgets, SetAside, Way
from evalkit.control.traffic import Busy
from evalkit.errors import BudgetExhausted, ProviderError, StoreError
from evalkit.ports import Cache, EventSink
from evalkit.workflows.runs.engines.messages import (
    Charged,
    ErrorOfProvider,
    Failed,
    Forget,
    Keep,
    Let,
    NotLet,
    NotSetAside,
    NotStored,
    Pass,
    Passed,
    Recall,
    Recalled,
    Reserve,
    Retried,
    ToOwner,
    ToWorker,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Owned:
    """What workers ask for, by the arms of their parcel: `way(arm, model)` and `caches[arm]`.

    `flights` are told of calls that are under way on workers, for who watches the run.
    """

    way: Callable[[int, str], Way]
    caches: Sequence[Cache | None]
    budgets: Budgets
    emit: EventSink
    flights: Flights


class Owner:
    """Answers one worker."""

    def __init__(
        self,
        owned: Owned,
        send: Callable[[ToWorker], None],
        *,
        fail: Callable[[BaseException], None],
    ) -> None:
        """`send` takes answers, `fail` what nobody expected."""
        self._owned = owned
        self._send = send
        self._fail = fail
        self._holds: dict[int, SetAside] = {}
        self._passing: dict[int, asyncio.Future[Passed]] = {}
        self._tasks: dict[int, asyncio.Task[None]] = {}

    def take(self, message: ToOwner) -> None:
        """What the worker says of its calls. Raises StoreError for what it must not go on without:
        a paid reply that cannot be stored."""
        match message:
            case Pass():
                self._start(message.number, self._let_pass(message))
            case Reserve():
                self._start(message.number, self._set_aside(message))
            case Recall():
                self._recall(message)
            case Keep():
                cache = self._owned.caches[message.arm]
                if cache is not None:
                    cache.put(message.key, message.reply)
            case Passed():
                if passing := self._passing.pop(message.number, None):
                    passing.set_result(message)
            case Charged():
                self._charge(message)
            case Forget():
                self._forget(message.number)
            case Retried() | Failed():
                self._owned.emit(message.event)

    def end(self) -> None:
        """The worker is gone. What it held is charged in full, its turns are given back."""
        for number, task in self._tasks.items():
            if number not in self._passing:
                task.cancel()
        for passing in self._passing.values():
            passing.set_result(Passed(0, sent=True))
        self._passing.clear()
        for hold in self._holds.values():
            hold.keep()
        self._holds.clear()

    def _start(self, number: int, answering: Coroutine[None, None, None]) -> None:
        task = self._tasks[number] = asyncio.create_task(answering)

        def ended(task: asyncio.Task[None]) -> None:
            del self._tasks[number]
            if not task.cancelled() and (error := task.exception()) is not None:
                self._fail(error)

        task.add_done_callback(ended)

    async def _let_pass(self, asked: Pass) -> None:
        """Hold a turn in the lane for as long as the call takes."""
        try:
            way = self._owned.way(asked.arm, asked.name)
            async with way.pass_through(
                asked.model, asked.tokens, busy_after_s=asked.busy_after_s
            ) as passing:
                ended = self._passing[asked.number] = asyncio.get_running_loop().create_future()
                self._send(Let(asked.number))
                # the worker cuts it off where it has to be
                with self._owned.flights.under_way(asked.name, float("inf")):
                    end = await ended
                if end.sent:
                    passing.sent()
                if end.tokens is not None:
                    passing.answered(end.tokens)
                elif end.error is not None:
                    passing.failed(end.error.error())
        except Busy as busy:
            self._send(NotLet(asked.number, busy=str(busy)))
        except ProviderError as error:
            self._send(NotLet(asked.number, error=ErrorOfProvider.of(error)))

    async def _set_aside(self, asked: Reserve) -> None:
        try:
            self._holds[asked.number] = await self._owned.budgets.reserve_in_turn(
                asked.max_usd,
                asked.max_tokens,
                scopes=asked.scopes,
                degradable=asked.degradable,
            )
        except BudgetExhausted as error:
            self._send(NotSetAside(asked.number, error.rule, str(error), error.degrade))
        except StoreError as error:
            self._send(NotStored(asked.number, str(error)))
        else:
            self._send(Let(asked.number))

    def _recall(self, asked: Recall) -> None:
        cache = self._owned.caches[asked.arm]
        try:
            reply = None if cache is None else cache.get(asked.key)
        except StoreError as error:
            self._send(NotStored(asked.number, str(error)))
        else:
            self._send(Recalled(asked.number, reply))

    def _charge(self, end: Charged) -> None:
        hold = self._holds.pop(end.number, None)
        if hold is None:
            return
        if end.end == "settled":
            hold.settle(end.usd, end.tokens)
        elif end.end == "released":
            hold.release()
        else:
            hold.keep()

    def _forget(self, number: int) -> None:
        """The worker gave up waiting, so no call of that number has left."""
        if hold := self._holds.pop(number, None):
            hold.release()
        elif passing := self._passing.pop(number, None):
            passing.set_result(Passed(number, sent=False))
        elif task := self._tasks.get(number):
            task.cancel()
