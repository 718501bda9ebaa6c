"""Accounts of one process: for runs without a budget, for a look ahead, and for tests."""

from collections.abc import Callable, Iterable, Sequence
from itertools import count
from threading import Lock

from evalkit.records.ledger import Account, Amount, Balance, Held, Limit, Refusal

_NOTHING = Balance()


class MemoryAccounts:
    """Implements ports.Accounts. Safe between tasks and threads."""

    shared = False

    def __init__(self) -> None:
        """Nothing is spent."""
        self._balances: dict[str, Balance] = {}
        self._open: set[int] = set()
        self._ids = count(1)
        self._lock = Lock()

    def hold_now(self, amount: Amount, limits: Sequence[Limit]) -> Held | Refusal:
        """Set an amount aside if it fits under every limit."""
        accounts = tuple(limit.account for limit in limits)
        with self._lock:
            balances = self._of(accounts)
            if not all(
                limit.fits(each.spent + each.held + amount)
                for limit, each in zip(limits, balances, strict=True)
            ):
                return Refusal(balances)
            for account, each in zip(accounts, balances, strict=True):
                self._balances[account.key] = Balance(each.spent, each.held + amount)
            held = Held(next(self._ids), amount, accounts)
            self._open.add(held.id)
            return held

    async def hold(self, amount: Amount, limits: Sequence[Limit]) -> Held | Refusal:
        """The same."""
        return self.hold_now(amount, limits)

    def end(self, held: Held, charged: Amount, then: Callable[[], None]) -> None:
        """Charge `charged` in place of the hold."""
        with self._lock:
            if held.id in self._open:
                self._open.remove(held.id)
                for account in held.accounts:
                    each = self._balances.get(account.key)
                    if each is None:
                        continue  # of a run that ended before its call did
                    self._balances[account.key] = Balance(
                        each.spent + charged, each.held - held.amount
                    )
        then()

    def balances(self, accounts: Sequence[Account]) -> tuple[Balance, ...]:
        """What is spent and held on each."""
        with self._lock:
            return self._of(accounts)

    def open_run(self, account: Account, spent: Amount) -> None:
        """See to it that the run's account says at least `spent`."""
        with self._lock:
            each = self._balances.get(account.key, _NOTHING)
            most = Amount(max(each.spent.nano, spent.nano), max(each.spent.tokens, spent.tokens))
            self._balances[account.key] = Balance(most, each.held)

    def forget(self, keys: Iterable[str]) -> None:
        """Drop these accounts."""
        with self._lock:
            for key in keys:
                self._balances.pop(key, None)

    def forget_run(self, run: str) -> None:
        """All of it ends with the process anyway."""

    def settle(self) -> None:
        """Ends are counted at once."""

    def close(self) -> None:
        """Nothing is open."""

    def _of(self, accounts: Sequence[Account]) -> tuple[Balance, ...]:
        return tuple(self._balances.get(account.key, _NOTHING) for account in accounts)
