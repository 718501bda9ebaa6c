"""The ledger of budgets: every call reserves its upper bound before it leaves.

A hold is set aside on every account that the call is charged to, or on none, in one step, so that
calls in flight together cannot pass a cap that each of them alone would keep. Where that is counted
is the ledger's `Accounts`: in memory, or in a file that the processes of a machine share.
"""

import asyncio
import random
from collections.abc import Sequence
from datetime import UTC, datetime
from threading import Lock

import msgspec

from evalkit.config.budgets import Budget
from evalkit.control.ledger.memory import MemoryAccounts
from evalkit.control.ledger.refusals import refuse, refuse_for_good, rule_of
from evalkit.control.ledger.scopes import Applied, applied_budgets, lacks, run_account, tightest
from evalkit.control.prices import to_nano, to_usd
from evalkit.errors import BudgetExhausted
from evalkit.ports import Accounts, Clock
from evalkit.records.ledger import Amount, Balance, Held, Limit, Scopes

# how often a call that waits looks at what other processes gave back
POLL_S = 0.02
MAX_POLL_S = 0.25
_NOBODYS = Scopes()
_REMEMBERED = 10_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class _Under(msgspec.Struct, frozen=True):
    """The budgets that a call is under, with its limits: `share` where a cheaper model can be asked
    instead, else `whole`."""

    applied: tuple[Applied, ...]
    whole: tuple[Limit, ...]
    share: tuple[Limit, ...]

    def limits(self, degradable: bool) -> tuple[Limit, ...]:
        return self.share if degradable else self.whole


class Hold:
    """An amount that is set aside for one call. Exactly one of its ends counts, the first."""

    def __init__(self, ledger: "Ledger", held: Held) -> None:
        """Made by `Ledger.reserve`."""
        self._ledger = ledger
        self._held = held
        self._charged: Amount | None = None

    @property
    def charged_usd(self) -> float:
        """What was charged in the end; 0 while the hold is open."""
        return 0.0 if self._charged is None else to_usd(self._charged.nano)

    def settle(self, usd: float, tokens: int) -> None:
        """Charge what the call really cost, and give the rest back."""
        self._end(Amount(max(0, to_nano(usd)), max(0, tokens)))

    def release(self) -> None:
        """Give everything back: nothing was charged."""
        self._end(Amount())

    def keep(self) -> None:
        """Charge the whole hold: the call left, and nobody knows what it cost."""
        self._end(self._held.amount)

    def _end(self, charged: Amount) -> None:
        if self._charged is None:
            self._charged = charged
            self._ledger._close(self._held, charged)


class Ledger:
    """What calls have spent and set aside under the budgets. Safe between tasks and threads.

    An actual cost above its hold is charged in full, so that the caps are then full sooner.
    """

    def __init__(
        self,
        budgets: Sequence[Budget],
        *,
        accounts: Accounts | None = None,
        clock: Clock | None = None,
        run: str = "run",
        spent_usd: float = 0.0,
        spent_tokens: int = 0,
    ) -> None:
        """`run` names the run that is charged; `spent_usd` and `spent_tokens` are what its earlier
        part has spent. Without `accounts` nothing is shared with other processes; without a `clock`
        every calendar window is the same one."""
        self.run = run
        self._budgets = tuple(budgets)
        self._accounts = MemoryAccounts() if accounts is None else accounts
        self._clock = clock
        self._before = Amount(to_nano(spent_usd), spent_tokens)
        self._spent = self._before
        self._held = Amount()
        self._lock = Lock()
        self._opened = self._before == Amount()
        self._waiting: dict[asyncio.Future[None], None] = {}
        self._remembered: dict[tuple[Scopes, int], _Under] = {}

    @property
    def budgets(self) -> tuple[Budget, ...]:
        """What it keeps to."""
        return self._budgets

    def narrow(self, budgets: Sequence[Budget]) -> None:
        """Keep to these budgets instead: to a share of them. Only before the first call."""
        self._budgets = tuple(budgets)
        self._remembered.clear()

    @property
    def spent_usd(self) -> float:
        """Charged so far by this run, in USD."""
        return to_usd(self._spent.nano)

    @property
    def spent_tokens(self) -> int:
        """Tokens charged so far by this run."""
        return self._spent.tokens

    @property
    def held_usd(self) -> float:
        """Set aside for calls of this process in flight, in USD."""
        return to_usd(self._held.nano)

    @property
    def held_tokens(self) -> int:
        """Tokens set aside for calls of this process in flight."""
        return self._held.tokens

    @property
    def max_usd(self) -> float | None:
        """The tightest cap of a run in USD, None where none applies."""
        caps = (cap.max_usd for cap in self._budgets if cap.scope == "run")
        return min((cap for cap in caps if cap is not None), default=None)

    @property
    def max_tokens(self) -> int | None:
        """The tightest cap of a run in tokens, None where none applies."""
        caps = (cap.max_tokens for cap in self._budgets if cap.scope == "run")
        return min((cap for cap in caps if cap is not None), default=None)

    def settle(self) -> None:
        """Have all that has ended written down, so that nothing of it is lost with the process.

        Raises StoreError.
        """
        self._accounts.settle()

    def forget_run(self, run: str) -> None:
        """A session that was a run of its own has ended."""
        self._accounts.forget_run(run)

    def go_on(self) -> None:
        """Take over from earlier processes of this run: what they held is charged in full, for the
        calls may have been answered. Raises StoreError."""
        account = run_account(self.run, self._now())
        self._accounts.open_run(account, self._before)
        self._opened = True
        (balance,) = self._accounts.balances([account])
        with self._lock:
            self._spent = Amount(
                max(self._spent.nano, balance.spent.nano),
                max(self._spent.tokens, balance.spent.tokens),
            )

    def reserve(
        self,
        max_usd: float | None,
        max_tokens: int,
        *,
        scopes: Scopes = _NOBODYS,
        degradable: bool = False,
    ) -> Hold:
        """Set the upper bound of a call aside. `max_usd` is None for a model without a price.

        `degradable` tells that a cheaper model can be asked instead: budgets that degrade then
        refuse beyond the share that they have for the route's own models.

        Raises BudgetExhausted, with the cap's key as its rule, when it does not fit, and for a
        model without a price under a cap in USD; StoreError.
        """
        amount, under = self._asked(max_usd, max_tokens, scopes)
        applied, limits = under.applied, under.limits(degradable)
        held = self._accounts.hold_now(amount, limits) if limits else Held(0, amount, ())
        if isinstance(held, Held):
            return self._held_now(held)
        balances = dict(zip((each.account.key for each in limits), held.balances, strict=True))
        taken = {key: each.spent + each.held for key, each in balances.items()}
        refuse(applied, amount, taken, degradable=degradable)

    async def reserve_in_turn(
        self,
        max_usd: float | None,
        max_tokens: int,
        *,
        scopes: Scopes = _NOBODYS,
        degradable: bool = False,
    ) -> Hold:
        """Like `reserve`, and waits while only calls in flight stand in the way.

        Their holds are upper bounds, of which most comes back: refusing at once would end a run
        long before its budget is spent. Raises BudgetExhausted for what would not fit without them.
        """
        pause_s = POLL_S
        freed: asyncio.Future[None] | None = None
        try:
            while True:
                # asked anew each time: the window may have ended
                amount, under = self._asked(max_usd, max_tokens, scopes)
                applied, limits = under.applied, under.limits(degradable)
                held = await self._accounts.hold(amount, limits) if limits else Held(0, amount, ())
                if isinstance(held, Held):
                    return self._held_now(held)
                refuse_for_good(applied, amount, held, degradable=degradable)
                if freed is None or freed.done():
                    # and once more after that, so that no hold ends unnoticed in between
                    freed = self._expect_end()
                    continue
                await self._wait(freed, pause_s)
                pause_s = min(2 * pause_s, MAX_POLL_S)
        finally:
            if freed is not None:
                self._expect_no_more(freed)

    def check(
        self,
        max_usd: float | None,
        max_tokens: int,
        *,
        scopes: Scopes = _NOBODYS,
        degradable: bool = False,
    ) -> None:
        """Raise what `reserve` would raise now. Nothing is set aside or written."""
        amount, under = self._asked(max_usd, max_tokens, scopes)
        applied = under.applied
        balances = self._accounts.balances([each.account for each in applied])
        taken = {
            each.account.key: balance.spent + balance.held
            for each, balance in zip(applied, balances, strict=True)
        }
        for limit in (each.limit(degradable=degradable) for each in applied):
            if lacks(limit, amount, taken[limit.account.key]):
                refuse(applied, amount, taken, degradable=degradable)

    def standing(self, scopes: Scopes = _NOBODYS) -> tuple[tuple[Budget, Balance], ...]:
        """Every budget that a call of those scopes is under, with its balance now.

        Nothing is written. Raises StoreError.
        """
        applied = self._under(scopes).applied
        balances = self._accounts.balances([each.account for each in applied])
        return tuple(
            (each.budget, balance) for each, balance in zip(applied, balances, strict=True)
        )

    def close(self) -> None:
        """Give the accounts back. What is not settled by then is charged in full."""
        self._accounts.close()

    def _asked(
        self, max_usd: float | None, max_tokens: int, scopes: Scopes
    ) -> tuple[Amount, _Under]:
        """What is to be set aside, and the budgets that it is under."""
        if not self._opened:
            self.go_on()
        under = self._under(scopes)
        for each in under.applied:
            if max_usd is None and each.budget.max_usd is not None:
                raise BudgetExhausted(
                    rule_of(each.budget, "max_usd"),
                    "the model has no price, so a cap in USD could not be kept; give it a price in "
                    "`models:`, or cap the budget in tokens",
                )
        return Amount(0 if max_usd is None else to_nano(max_usd), max_tokens), under

    def _under(self, scopes: Scopes) -> _Under:
        """The budgets of a call now; worked out once an hour for those who call again, each session
        of a service being a run of its own."""
        now = self._now()
        key = (scopes, int(now.timestamp() // 3600))  # no window ends within an hour
        found = self._remembered.get(key)
        if found is not None:
            return found
        if scopes.run and scopes.run != self.run:
            # such a run has few calls: what is the same for all runs is remembered, and no run is
            lasting = self._under(msgspec.structs.replace(scopes, run="")).applied
            return _under_all([each.of_run(scopes.run, now) for each in lasting])
        if len(self._remembered) >= _REMEMBERED:
            self._remembered.clear()
        applied = applied_budgets(self._budgets, scopes, run=self.run, now=now)
        found = self._remembered[key] = _under_all(applied)
        return found

    def _held_now(self, held: Held) -> Hold:
        with self._lock:
            self._held = self._held + held.amount
        return Hold(self, held)

    def _close(self, held: Held, charged: Amount) -> None:
        with self._lock:
            self._held = self._held - held.amount
            self._spent = self._spent + charged
        if held.accounts:  # else nobody counts it, and nobody waits for its end
            self._accounts.end(held, charged, self._tell_waiting)

    def _tell_waiting(self) -> None:
        with self._lock:
            freed, self._waiting = self._waiting, {}
        for each in freed:
            # a hold may end on another thread than the one that waits
            each.get_loop().call_soon_threadsafe(_wake, each)

    def _expect_end(self) -> "asyncio.Future[None]":
        """What wakes a task when a hold of this process ends. Made before the accounts are asked,
        so that none ends unnoticed in between."""
        freed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        with self._lock:
            self._waiting[freed] = None
        return freed

    def _expect_no_more(self, freed: "asyncio.Future[None]") -> None:
        with self._lock:
            self._waiting.pop(freed, None)
        freed.cancel()

    async def _wait(self, freed: "asyncio.Future[None]", pause_s: float) -> None:
        """Until a hold of this process ends or, where others count too, for a while."""
        if not self._accounts.shared or self._clock is None:
            await freed
            return
        # waiters of several processes that woke together would only stand in each other's way
        paused = asyncio.ensure_future(self._clock.sleep(pause_s * random.uniform(0.5, 1.0)))
        try:
            await asyncio.wait((freed, paused), return_when=asyncio.FIRST_COMPLETED)
        finally:
            paused.cancel()

    def _now(self) -> datetime:
        return _EPOCH if self._clock is None else self._clock.now()


def _under_all(applied: Sequence[Applied]) -> _Under:
    return _Under(
        tuple(applied),
        whole=tightest([each.whole for each in applied]),
        share=tightest([each.share for each in applied]),
    )


def _wake(waiting: "asyncio.Future[None]") -> None:
    if not waiting.done():
        waiting.set_result(None)
