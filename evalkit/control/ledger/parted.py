"""Accounts in two places: those of runs in memory, all others where processes share them.

What a run may spend, or a session of a service, which is a run of its own, is nobody else's to
know. Of a run that is gone on with, its journal and its calls tell what it had spent; that of a
session ends with it. In a file each would be two transactions a call, and an account left behind.
A hold is on both or on neither.
"""

from collections.abc import Callable, Sequence

from evalkit.control.ledger.memory import MemoryAccounts
from evalkit.control.ledger.scopes import is_of_run, run_of
from evalkit.ports import Accounts
from evalkit.records.ledger import Account, Amount, Balance, Held, Limit, Refusal


class PartedAccounts:
    """Implements ports.Accounts. Safe between tasks and threads, as what it is made of is."""

    def __init__(self, kept: Accounts) -> None:
        """`kept` are the accounts that processes share."""
        self._kept = kept
        self._own = MemoryAccounts()
        self._both: dict[int, tuple[Held, Held]] = {}
        self._keys: dict[str, set[str]] = {}  # by run

    @property
    def shared(self) -> bool:
        """Whether other processes may count here too."""
        return self._kept.shared

    def hold_now(self, amount: Amount, limits: Sequence[Limit]) -> Held | Refusal:
        """Set an amount aside if it fits under every limit."""
        own, others = _parted(limits)
        mine = self._own.hold_now(amount, own)
        if isinstance(mine, Refusal):
            return self._refused(limits)
        if not others:
            return self._held(mine, Held(0, amount, ()))
        try:
            held = self._kept.hold_now(amount, others)
        except BaseException:
            self._own.end(mine, Amount(), _nothing)
            raise
        return self._answer(mine, held, limits)

    async def hold(self, amount: Amount, limits: Sequence[Limit]) -> Held | Refusal:
        """The same without blocking the loop."""
        own, others = _parted(limits)
        mine = self._own.hold_now(amount, own)
        if isinstance(mine, Refusal):
            return self._refused(limits)
        if not others:
            return self._held(mine, Held(0, amount, ()))
        try:
            held = await self._kept.hold(amount, others)
        except BaseException:
            self._own.end(mine, Amount(), _nothing)
            raise
        return self._answer(mine, held, limits)

    def end(self, held: Held, charged: Amount, then: Callable[[], None]) -> None:
        """Charge in place of the hold."""
        mine, other = self._both.pop(held.id)
        self._own.end(mine, charged, _nothing)
        if other.accounts:
            self._kept.end(other, charged, then)
        else:
            then()

    def balances(self, accounts: Sequence[Account]) -> tuple[Balance, ...]:
        """What is spent and held on each."""
        own = [each for each in accounts if is_of_run(each)]
        others = [each for each in accounts if not is_of_run(each)]
        found = dict(zip(own, self._own.balances(own), strict=True))
        if others:
            found |= zip(others, self._kept.balances(others), strict=True)
        return tuple(found[each] for each in accounts)

    def open_run(self, account: Account, spent: Amount) -> None:
        """Charge the others what earlier processes of the run held of them, and see to it that the
        run's account says at least `spent`."""
        self._kept.open_run(account, Amount())
        self._own.open_run(account, spent)

    def forget_run(self, run: str) -> None:
        """Nobody asks for the accounts of that session any more."""
        self._own.forget(self._keys.pop(run, ()))

    def settle(self) -> None:
        """Write what calls were charged that have ended. Raises StoreError."""
        self._kept.settle()

    def close(self) -> None:
        """Give the file back."""
        self._kept.close()

    def _answer(self, mine: Held, held: Held | Refusal, limits: Sequence[Limit]) -> Held | Refusal:
        if isinstance(held, Held):
            return self._held(mine, held)
        self._own.end(mine, Amount(), _nothing)
        left = iter(held.balances)
        own = iter(self._own.balances([each.account for each in _parted(limits)[0]]))
        return Refusal(tuple(next(own if is_of_run(each.account) else left) for each in limits))

    def _held(self, mine: Held, other: Held) -> Held:
        for account in mine.accounts:
            self._keys.setdefault(run_of(account), set()).add(account.key)
        self._both[mine.id] = (mine, other)
        return Held(mine.id, mine.amount, (*mine.accounts, *other.accounts))

    def _refused(self, limits: Sequence[Limit]) -> Refusal:
        return Refusal(self.balances([each.account for each in limits]))


def _parted(limits: Sequence[Limit]) -> tuple[list[Limit], list[Limit]]:
    """Those of a run, and the others."""
    own = [each for each in limits if is_of_run(each.account)]
    return own, [each for each in limits if not is_of_run(each.account)]


def _nothing() -> None:
    pass
