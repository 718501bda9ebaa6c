"""What a worker asks its owner for: a call's turn, its hold on the budgets, a stored reply, and
that its calls are written down."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from itertools import count

from evalkit.control.granting import Passing, SetAside
from evalkit.control.prices import to_nano, to_usd
from evalkit.control.traffic import Busy
from evalkit.errors import BudgetExhausted, ProviderError, StoreError
from evalkit.records.call import Reply
from evalkit.records.call_log import EarlierAnswer, ModelGivenUp
from evalkit.records.ledger import Scopes
from evalkit.store.calls import take_answer
from evalkit.workflows.runs.engines.messages import (
    Answer,
    Asked,
    Charged,
    Ended,
    ErrorOfProvider,
    Forget,
    GaveUp,
    Keep,
    Let,
    Make,
    NotLet,
    NotSetAside,
    NotStored,
    Pass,
    Passed,
    Question,
    Recall,
    Recalled,
    Reserve,
    ToOwner,
)


class Line:
    """A worker's line to its owner. What is told waits here until it is collected, in order."""

    def __init__(self) -> None:
        """Nothing was told."""
        self._told: list[ToOwner] = []
        self._filled = asyncio.Event()
        self._waiting: dict[int, asyncio.Future[Answer]] = {}
        self._numbers = count(1)

    def tell(self, message: ToOwner) -> None:
        """Say something that needs no answer."""
        self._told.append(message)
        self._filled.set()

    async def ask(self, question: Callable[[int], Question]) -> Answer:
        """Ask, and wait for the answer; `question` is given its number. Raises StoreError."""
        number = next(self._numbers)
        answered: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._waiting[number] = answered
        self.tell(question(number))
        try:
            answer = await answered
        except asyncio.CancelledError:
            self.tell(Forget(number))
            raise
        finally:
            del self._waiting[number]
        if isinstance(answer, NotStored):
            raise StoreError(answer.message)
        return answer

    def take(self, answer: Answer) -> None:
        """An answer that came; nobody may wait for it any more."""
        waiting = self._waiting.get(answer.number)
        if waiting is not None and not waiting.done():
            waiting.set_result(answer)

    async def collect(self, *, at_most_s: float) -> list[ToOwner]:
        """What was told since the last time; waits so long for something to be told."""
        if not self._told:
            self._filled.clear()
            try:
                async with asyncio.timeout(at_most_s):
                    await self._filled.wait()
            except TimeoutError:
                pass
        return self.left()

    def left(self) -> list[ToOwner]:
        """What was told since the last time."""
        told, self._told = self._told, []
        return told


class DistantWay:
    """Implements control.granting.Way: the lane is the owner's."""

    def __init__(self, line: Line, arm: int, name: str) -> None:
        """`name` is the model's in the configuration of the arm."""
        self._line = line
        self._arm = arm
        self._name = name

    @asynccontextmanager
    async def pass_through(
        self, model: str, tokens: int, *, busy_after_s: float | None
    ) -> AsyncIterator[Passing]:
        """Wait for the right to ask. Raises ProviderError, Busy and StoreError."""
        answer = await self._line.ask(
            lambda number: Pass(number, self._arm, self._name, model, tokens, busy_after_s)
        )
        if isinstance(answer, NotLet):
            if answer.error is not None:
                raise answer.error.error()
            raise Busy(answer.busy)
        passing = _Passing()
        try:
            yield passing
        finally:
            self._line.tell(Passed(answer.number, passing.left, passing.tokens, passing.error))


class _Passing:
    """How a call ends, to be told when it has."""

    def __init__(self) -> None:
        self.left = False
        self.tokens: int | None = None
        self.error: ErrorOfProvider | None = None

    def sent(self) -> None:
        """The call leaves now."""
        self.left = True

    def answered(self, tokens: int) -> None:
        """A reply came."""
        self.tokens = tokens

    def failed(self, error: ProviderError) -> None:
        """The call ended with an error."""
        self.error = ErrorOfProvider.of(error)


class DistantBudgets:
    """Implements control.granting.Budgets: the ledger is the owner's."""

    def __init__(self, line: Line) -> None:
        """Nothing is set aside."""
        self._line = line

    async def reserve_in_turn(
        self, max_usd: float | None, max_tokens: int, *, scopes: Scopes, degradable: bool
    ) -> SetAside:
        """Set a call's upper bound aside. Raises BudgetExhausted and StoreError."""
        answer = await self._line.ask(
            lambda number: Reserve(number, max_usd, max_tokens, scopes, degradable)
        )
        if isinstance(answer, NotSetAside):
            raise BudgetExhausted(answer.rule, answer.message, degrade=answer.degrade)
        assert isinstance(answer, Let)
        return _SetAside(self._line, answer.number, max_usd)


class _SetAside:
    """A hold that the owner has; the first of its ends is told."""

    def __init__(self, line: Line, number: int, max_usd: float | None) -> None:
        self._line = line
        self._number = number
        self._max_usd = max_usd
        self._charged: float | None = None

    @property
    def charged_usd(self) -> float:
        """What was charged in the end."""
        return self._charged or 0.0

    def settle(self, usd: float, tokens: int) -> None:
        """Charge what the call cost."""
        # in whole nano-USD, as the ledger counts
        self._end(to_usd(max(0, to_nano(usd))), Charged(self._number, "settled", usd, tokens))

    def release(self) -> None:
        """Nothing was charged."""
        self._end(0.0, Charged(self._number, "released"))

    def keep(self) -> None:
        """All of it was charged."""
        whole = 0.0 if self._max_usd is None else to_usd(to_nano(self._max_usd))
        self._end(whole, Charged(self._number, "kept"))

    def _end(self, charged_usd: float, message: Charged) -> None:
        if self._charged is None:
            self._charged = charged_usd
            self._line.tell(message)


class DistantReplies:
    """Implements control.granting.DistantCache for an arm: the reply cache is the owner's."""

    def __init__(self, line: Line, arm: int) -> None:
        """Nothing is known here."""
        self._line = line
        self._arm = arm

    def get(self, key: str) -> Reply | None:
        """Nothing is known here: `fetch` asks."""
        return None

    async def fetch(self, key: str) -> Reply | None:
        """The stored reply, or None. Raises StoreError."""
        answer = await self._line.ask(lambda number: Recall(number, self._arm, key))
        assert isinstance(answer, Recalled)
        return answer.reply

    def put(self, key: str, reply: Reply) -> None:
        """Store a reply, soon."""
        self._line.tell(Keep(self._arm, key, reply))


class DistantCallLog:
    """Implements ports.CallLog: the run's journal is the owner's."""

    def __init__(self, line: Line) -> None:
        """No attempt is being made."""
        self._line = line
        self._attempts: dict[str, DistantCalls] = {}

    def begin(self, order: Make, work: str) -> None:
        """The attempt of an order is going to be made."""
        self._attempts[work] = DistantCalls(self._line, order)

    def end(self, work: str) -> None:
        """It is not made any more."""
        del self._attempts[work]

    def of(self, work: str) -> "DistantCalls | None":
        """The calls for an attempt."""
        return self._attempts.get(work)


class DistantCalls:
    """Implements ports.WorkCalls: lines are told, what was answered before came with the order."""

    def __init__(self, line: Line, order: Make) -> None:
        """Made by `DistantCallLog.begin`."""
        self._line = line
        self._attempt = order.number
        self._answers: list[EarlierAnswer] = [
            (each.key, each.given_up or each.reply) for each in order.earlier
        ]
        self._numbers = count(1)
        self.before_usd = order.usd
        self.before_tries = order.tries

    def answered(self, key: str) -> Reply | ModelGivenUp | None:
        """What was answered to this very request before."""
        return take_answer(self._answers, key)

    def left(self) -> tuple[EarlierAnswer, ...]:
        """What `answered` may still give."""
        return tuple(self._answers)

    def asked(self, key: str, *, usd: float, tokens: int) -> int:
        """A call leaves."""
        number = next(self._numbers)
        self._line.tell(Asked(self._attempt, number, key, usd, tokens))
        return number

    def ended(self, number: int, *, usd: float, tokens: int, reply: Reply | None = None) -> None:
        """It ended."""
        self._line.tell(Ended(self._attempt, number, usd, tokens, reply))

    def gave_up(self, key: str, message: str, *, code: str = "", busy: bool = False) -> None:
        """Another model is asked instead."""
        self._line.tell(GaveUp(self._attempt, key, message, code, busy))
