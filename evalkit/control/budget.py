"""The ledger of a run's budget: every call reserves its upper bound before it leaves.

Reserving is one step under a lock, so that calls in flight together cannot pass a cap that each of
them alone would keep.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from threading import Lock
from typing import Literal

from evalkit.config.routes import Budget
from evalkit.control.prices import to_nano, to_usd
from evalkit.errors import BudgetExhausted


@dataclass(frozen=True, slots=True)
class _Amount:
    """Money in nano-USD and tokens."""

    nano: int = 0
    tokens: int = 0

    def __add__(self, other: "_Amount") -> "_Amount":
        return _Amount(self.nano + other.nano, self.tokens + other.tokens)

    def __sub__(self, other: "_Amount") -> "_Amount":
        return _Amount(self.nano - other.nano, self.tokens - other.tokens)


class Hold:
    """An amount that is set aside for one call. Exactly one of its ends counts, the first."""

    def __init__(self, ledger: "Ledger", amount: _Amount) -> None:
        """Made by `Ledger.reserve`."""
        self._ledger = ledger
        self._amount = amount
        self._charged: _Amount | None = None

    @property
    def charged_usd(self) -> float:
        """What was charged in the end; 0 while the hold is open."""
        return 0.0 if self._charged is None else to_usd(self._charged.nano)

    def settle(self, usd: float, tokens: int) -> None:
        """Charge what the call really cost, and give the rest back."""
        self._end(_Amount(max(0, to_nano(usd)), max(0, tokens)))

    def release(self) -> None:
        """Give everything back: nothing was charged."""
        self._end(_Amount())

    def keep(self) -> None:
        """Charge the whole hold: the call left, and nobody knows what it cost."""
        self._end(self._amount)

    def _end(self, charged: _Amount) -> None:
        if self._charged is None:
            self._charged = charged
            self._ledger._close(self._amount, charged)


class Ledger:
    """What a run has spent and set aside under its budgets. Safe between tasks and threads.

    An actual cost above its hold is charged in full, so that the caps are then full sooner.
    """

    def __init__(
        self, budgets: Sequence[Budget], *, spent_usd: float = 0.0, spent_tokens: int = 0
    ) -> None:
        """`spent_usd` and `spent_tokens` are what the earlier part of a resumed run has spent."""
        self._budgets = tuple(budgets)
        self._spent = _Amount(to_nano(spent_usd), spent_tokens)
        self._held = _Amount()
        self._lock = Lock()
        self._waiting: list[asyncio.Future[None]] = []

    @property
    def spent_usd(self) -> float:
        """Charged so far, in USD."""
        return to_usd(self._spent.nano)

    @property
    def spent_tokens(self) -> int:
        """Tokens charged so far."""
        return self._spent.tokens

    @property
    def held_usd(self) -> float:
        """Set aside for calls in flight, in USD."""
        return to_usd(self._held.nano)

    @property
    def held_tokens(self) -> int:
        """Tokens set aside for calls in flight."""
        return self._held.tokens

    @property
    def max_usd(self) -> float | None:
        """The tightest cap in USD, None where none applies."""
        return min((cap.max_usd for cap in self._budgets if cap.max_usd is not None), default=None)

    @property
    def max_tokens(self) -> int | None:
        """The tightest cap in tokens, None where none applies."""
        caps = (cap.max_tokens for cap in self._budgets if cap.max_tokens is not None)
        return min(caps, default=None)

    def reserve(self, max_usd: float | None, max_tokens: int) -> Hold:
        """Set the upper bound of a call aside. `max_usd` is None for a model without a price.

        Raises BudgetExhausted, with the cap's key as its rule, when it does not fit, and for a
        model without a price under a cap in USD.
        """
        with self._lock:
            amount = _amount(max_usd, max_tokens)
            self._check(amount, self._spent + self._held, priced=max_usd is not None)
            self._held = self._held + amount
        return Hold(self, amount)

    async def reserve_in_turn(self, max_usd: float | None, max_tokens: int) -> Hold:
        """Like `reserve`, and waits while only calls in flight stand in the way.

        Their holds are upper bounds, of which most comes back: refusing at once would end a run
        long before its budget is spent. Raises BudgetExhausted for what would not fit without them.
        """
        while True:
            with self._lock:
                self._check(_amount(max_usd, max_tokens), self._spent, priced=max_usd is not None)
            try:
                return self.reserve(max_usd, max_tokens)
            except BudgetExhausted:
                freed = asyncio.get_running_loop().create_future()
                with self._lock:
                    if self._held == _Amount():
                        continue  # the last hold ended in between
                    self._waiting.append(freed)
            await freed

    def _check(self, amount: _Amount, taken: _Amount, *, priced: bool) -> None:
        for budget in self._budgets:
            self._check_cap(budget, amount, taken + amount, priced=priced)

    def _check_cap(self, budget: Budget, amount: _Amount, after: _Amount, *, priced: bool) -> None:
        if budget.max_usd is not None:
            if not priced:
                raise BudgetExhausted(
                    _rule(budget, "max_usd"),
                    "the model has no price, so a cap in USD could not be kept; give it a price in "
                    "`models:`, or cap the budget in tokens",
                )
            if after.nano > to_nano(budget.max_usd):
                taken = after - amount
                raise BudgetExhausted(
                    _rule(budget, "max_usd"),
                    f"the call may cost up to {to_usd(amount.nano):.6f} USD, and "
                    f"{to_usd(taken.nano):.6f} of {budget.max_usd:.6f} USD are spent or held",
                )
        if budget.max_tokens is not None and after.tokens > budget.max_tokens:
            raise BudgetExhausted(
                _rule(budget, "max_tokens"),
                f"the call may take up to {amount.tokens} tokens, and "
                f"{(after - amount).tokens} of {budget.max_tokens} are spent or held",
            )

    def _close(self, held: _Amount, charged: _Amount) -> None:
        with self._lock:
            self._held = self._held - held
            self._spent = self._spent + charged
            freed, self._waiting = self._waiting, []
        for each in freed:
            # a hold may end on another thread than the one that waits
            each.get_loop().call_soon_threadsafe(_wake, each)


def _wake(waiting: "asyncio.Future[None]") -> None:
    if not waiting.done():
        waiting.set_result(None)


def _amount(max_usd: float | None, max_tokens: int) -> _Amount:
    return _Amount(0 if max_usd is None else to_nano(max_usd), max_tokens)


def _rule(budget: Budget, cap: Literal["max_usd", "max_tokens"]) -> str:
    return f"budgets.{budget.scope}.{cap}"
