"""Accounts that the processes of a machine share: `.evalkit/ledger.db`.

What the tasks of one event loop ask for in close succession goes into one transaction (a group
commit): it takes a fraction of a millisecond and runs on the loop itself, for a thread would have
to wait for the interpreter after every statement. Nothing here waits for another process while a
loop runs: a file that somebody else writes is asked again a moment later.
"""

import asyncio
import logging
import math
import os
import random
import secrets
import sqlite3
from collections.abc import Callable, Sequence
from itertools import count
from pathlib import Path
from threading import RLock
from typing import TypeVar

import msgspec

from evalkit.errors import StoreError
from evalkit.ports import Clock
from evalkit.records.ledger import Account, Amount, Balance, Held, Limit, Refusal
from evalkit.store.checkpointing import Checkpointer
from evalkit.store.folder import PRIVATE, private_folder
from evalkit.store.ledger_file import (
    FILE,
    TROUBLE,
    connect,
    explained_error,
    is_busy,
    wait_for_others,
    writing,
)
from evalkit.store.ledger_rows import Entries, find_balances, read_balances

# A hold whose process says nothing for so long is charged in full.
LEASE_S = 120.0
PATIENCE_S = 5.0
_RETRY_S = 0.001
# Holds that come closer together than that, a few transactions, are granted together; one that
# comes alone is granted at once, for calls that leave together come back together.
_TOGETHER_S = 0.0002
# What ends goes with the next hold, or alone after so long: until then it counts in full.
_SETTLE_S = 0.01
_REMEMBERED = 10_000
_log = logging.getLogger("evalkit")
_T = TypeVar("_T")


class _Wish(msgspec.Struct):
    """A hold that a task waits for."""

    amount: Amount
    limits: Sequence[Limit]
    granted: "asyncio.Future[Held | Refusal]"


class _End(msgspec.Struct):
    """A hold that ends."""

    held: Held
    charged: Amount
    then: Callable[[], None]


class SqliteAccounts:
    """Implements ports.Accounts in one file. Safe between tasks, threads and processes.

    The file is opened when the first amount is set aside. A process that ends without settling
    leaves its holds: they count until their lease ends and are charged in full then.
    """

    shared = True

    def __init__(
        self,
        root: Path,
        *,
        clock: Clock,
        run: str,
        patience_s: float = PATIENCE_S,
        lease_s: float = LEASE_S,
        note: Callable[[str], None] = _log.warning,
    ) -> None:
        """The ledger of the project at `root`, for calls of one run (or service, by any name).

        `note` is told of calls whose process has ended without settling them.
        """
        self.path = root / PRIVATE / FILE
        self._root = root
        self._clock = clock
        self._run = run
        self._patience_s = patience_s
        self._lease_s = lease_s
        self._note = note
        self._lock = RLock()
        self._checkpoints = Checkpointer(self.path)
        self._connection: sqlite3.Connection | None = None
        self._wishes: list[_Wish] = []
        self._ends: list[_End] = []
        self._flushing: asyncio.AbstractEventLoop | None = None
        self._flushed_s = -math.inf
        self._settling: asyncio.AbstractEventLoop | None
        self._known: dict[str, Balance] = {}  # as of version
        self._version: int | None = None
        self._renewing: tuple[asyncio.AbstractEventLoop, asyncio.TimerHandle] | None = None
        self._own: set[int] = set()
        self._be()

    def _be(self) -> None:
        """Be this very process: a forked one must not touch what its parent opened and holds."""
        self._pid = os.getpid()
        self._owner = f"{self._pid}-{secrets.token_hex(8)}"
        self._ids = count(secrets.randbits(31) << 31)
        self._renew_at = 0.0
        self._read_at = -1
        self._settling = None
        self._own.clear()

    def hold_now(self, amount: Amount, limits: Sequence[Limit]) -> Held | Refusal:
        """Set an amount aside if it fits under every limit; waits for other processes."""
        with self._lock:
            answer = self._waiting(lambda entries: entries.hold(next(self._ids), amount, limits))
            if isinstance(answer, Held):
                self._own.add(answer.id)
            return answer

    async def hold(self, amount: Amount, limits: Sequence[Limit]) -> Held | Refusal:
        """The same without blocking the loop; one transaction for those who ask together."""
        loop = asyncio.get_running_loop()
        wish = _Wish(amount, limits, loop.create_future())
        with self._lock:
            self._wishes.append(wish)
            if loop.time() - self._flushed_s < _TOGETHER_S:
                self._flush_soon(loop)
            elif not self._will_flush:
                self._flushing = loop
                self._flush(loop, loop.time() + self._patience_s)
        try:
            return await wish.granted
        except asyncio.CancelledError:
            self._give_back(wish)
            raise

    def end(self, held: Held, charged: Amount, then: Callable[[], None]) -> None:
        """Charge in place of the hold: with the next transaction, or now where no loop runs."""
        ended = _End(held, charged, then)
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            with self._lock:
                self._ends.append(ended)
                self._waiting(lambda entries: None)
            return
        with self._lock:
            self._ends.append(ended)
            if self._settling is None or not self._settling.is_running():
                self._settling = loop
                loop.call_later(_SETTLE_S, self._settle, loop)

    def balances(self, accounts: Sequence[Account]) -> tuple[Balance, ...]:
        """What is spent and held on each; a project without a ledger gets none."""
        with self._lock:
            if self._connection is None and not self.path.exists():
                return tuple(Balance() for _ in accounts)
            try:
                found = read_balances(self._opened(), [each.key for each in accounts])
            except TROUBLE as error:
                raise explained_error(self.path, error) from error
            return tuple(found[each.key] for each in accounts)

    def find(self, begin: str, end: str, *, most: int) -> dict[str, Balance]:
        """Balances of up to `most` accounts whose keys begin and end like that; none without a
        file."""
        with self._lock:
            if self._connection is None and not self.path.exists():
                return {}
            try:
                return find_balances(self._opened(), begin, end, most=most)
            except sqlite3.Error as error:
                raise explained_error(self.path, error) from error

    def open_run(self, account: Account, spent: Amount) -> None:
        """Charge what earlier processes of the run held, and go on from `spent` at least."""
        with self._lock:
            self._waiting(lambda entries: entries.open_run(account, spent))

    def forget_run(self, run: str) -> None:
        """Its accounts stay: somebody may go on with it."""

    def settle(self) -> None:
        """Write what calls were charged that have ended: an end waits for the next transaction, for
        a moment. Raises StoreError."""
        with self._lock:
            if self._ends:
                self._waiting(lambda entries: None)
            if self._connection is not None:  # closing it would wait for the disk
                self._checkpoints.begin()

    def close(self) -> None:
        """Settle what is left to settle and give the file back; it is opened again if need be.

        What cannot be settled stays held until its lease ends, and is charged in full.
        """
        with self._lock:
            if self._connection is None:
                return
            try:
                self._waiting(lambda entries: None)
            except StoreError:
                self._ends.clear()
            if self._renewing is not None:
                self._renewing[1].cancel()
                self._renewing = None
            self._checkpoints.close()
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    def _settle(self, loop: asyncio.AbstractEventLoop) -> None:
        with self._lock:
            self._settling = None
            if self._ends:
                self._flush_soon(loop)

    @property
    def _will_flush(self) -> bool:
        # a loop that was left between two ticks may never come to what it was to do
        return self._flushing is not None and self._flushing.is_running()

    def _flush_soon(self, loop: asyncio.AbstractEventLoop) -> None:
        if not self._will_flush:
            self._flushing = loop
            loop.call_soon(self._flush, loop, loop.time() + self._patience_s)

    def _flush(self, loop: asyncio.AbstractEventLoop, deadline: float) -> None:
        """Everything that waits, in one transaction; again in a moment while others write."""
        with self._lock:
            wishes = [each for each in self._wishes if not each.granted.cancelled()]
            ends = list(self._ends)
            try:
                answers = self._transact(wishes, ends)
            except TROUBLE as error:
                if is_busy(error) and loop.time() < deadline:
                    loop.call_later(_RETRY_S * random.uniform(0.5, 2), self._flush, loop, deadline)
                    return
                self._fail(wishes, ends, explained_error(self.path, error))
                return
            except Exception as error:  # whoever waits is told, whatever it is
                self._fail(wishes, ends, error)
                return
            self._wishes.clear()
            self._ends.clear()
            self._flushing = None
            self._flushed_s = loop.time()
            self._renew_later(loop)
        for wish, answer in zip(wishes, answers, strict=True):
            _tell(loop, wish, answer, self._give_back)
        for ended in ends:
            ended.then()

    def _fail(self, wishes: list[_Wish], ends: list[_End], error: Exception) -> None:
        """Tell all who wait. Ends are tried again with the next transaction."""
        self._flushing = None
        self._wishes.clear()
        for wish in wishes:
            wish.granted.get_loop().call_soon_threadsafe(_fail, wish.granted, error)
        for ended in ends:
            ended.then()
            ended.then = _nothing

    def _waiting(self, act: Callable[[Entries], _T]) -> _T:
        """One transaction that waits for other processes, with all ends that are due."""
        ends = list(self._ends)
        try:
            connection = self._opened()
            wait_for_others(connection, self._patience_s)
            try:
                with writing(connection):
                    entries = self._entries(connection)
                    for ended in ends:
                        entries.end(ended.held, ended.charged)
                    result = act(entries)
                    entries.write()
                self._checkpoints.committed()
                self._remember(entries)
            finally:
                wait_for_others(connection, 0)
        except TROUBLE as error:
            raise explained_error(self.path, error) from error
        self._own.difference_update(ended.held.id for ended in ends)
        del self._ends[: len(ends)]
        for ended in ends:
            ended.then()
        return result

    def _transact(self, wishes: Sequence[_Wish], ends: Sequence[_End]) -> list[Held | Refusal]:
        connection = self._opened()
        with writing(connection):
            entries = self._entries(connection)
            entries.load(
                [
                    *(limit.account for wish in wishes for limit in wish.limits),
                    *(account for ended in ends for account in ended.held.accounts),
                ]
            )
            for ended in ends:
                entries.end(ended.held, ended.charged)
            answers = [entries.hold(next(self._ids), wish.amount, wish.limits) for wish in wishes]
            entries.write()
        self._checkpoints.committed()
        self._remember(entries)
        self._own.difference_update(ended.held.id for ended in ends)
        self._own.update(answer.id for answer in answers if isinstance(answer, Held))
        return answers

    def _entries(self, connection: sqlite3.Connection) -> Entries:
        """Entries for a transaction, after the leases of this process were renewed in it if due,
        and those of others that have ended were charged."""
        now = self._clock.now().timestamp()
        # changes with every commit of another connection, and with none of this one
        (version,) = connection.execute("PRAGMA data_version").fetchone()
        known = self._known if version == self._version else {}
        self._known, self._version = {}, None  # a transaction that fails leaves nothing known
        entries = Entries(
            connection,
            owner=self._owner,
            run=self._run,
            now=now,
            lease_s=self._lease_s,
            known=known,
        )
        self._read_at = version
        if now >= self._renew_at:
            self._renew_at = now + self._lease_s / 3
            if self._own:
                entries.renew()
            entries.charge_expired()
        return entries

    def _remember(self, entries: Entries) -> None:
        """What was committed is what stands in the file until somebody else writes."""
        self._tell_expired(entries)
        if len(entries.balances) <= _REMEMBERED:
            self._known, self._version = entries.balances, self._read_at

    def _tell_expired(self, entries: Entries) -> None:
        if entries.expired_calls:
            self._note(
                f"{entries.expired_calls} calls were under way in a process that has ended without "
                "a word; their leases are over, and they are charged in full: "
                f"{entries.expired.nano / 1e9:.6f} USD, {entries.expired.tokens} tokens"
            )

    def _renew_later(self, loop: asyncio.AbstractEventLoop) -> None:
        """A call that lasts for longer than a lease keeps its hold as long as the process lives."""
        if self._own and (self._renewing is None or not self._renewing[0].is_running()):
            self._renewing = (loop, loop.call_later(self._lease_s / 3, self._renew, loop))

    def _renew(self, loop: asyncio.AbstractEventLoop) -> None:
        with self._lock:
            self._renewing = None
            if self._own:
                self._renew_at = 0.0
                self._flush_soon(loop)

    def _give_back(self, wish: _Wish) -> None:
        """Leave nothing held for a task that was cancelled."""
        granted = wish.granted
        if granted.done() and not granted.cancelled() and granted.exception() is None:
            held = granted.result()
            if isinstance(held, Held):
                self.end(held, Amount(), _nothing)

    def _opened(self) -> sqlite3.Connection:
        if self._pid != os.getpid():
            self._connection = None
            self._be()
        if self._connection is None:
            private_folder(self._root)
            connection = connect(self.path, self._patience_s)
            try:
                self._checkpoints.take_over(connection)
                wait_for_others(connection, self._patience_s)
                with writing(connection):
                    entries = self._entries(connection)
                    entries.prune()
                    entries.write()
                self._tell_expired(entries)
                wait_for_others(connection, 0)
            except BaseException:
                connection.close()
                raise
            self._connection = connection
            self._version = None
        return self._connection


def _tell(
    loop: asyncio.AbstractEventLoop,
    wish: _Wish,
    answer: Held | Refusal,
    give_back: Callable[[_Wish], None],
) -> None:
    """Hand an answer over, on the loop of the task that waits for it."""
    other = wish.granted.get_loop()
    if other is not loop:
        other.call_soon_threadsafe(_tell, other, wish, answer, give_back)
    elif not wish.granted.cancelled():
        wish.granted.set_result(answer)
    elif isinstance(answer, Held):
        wish.granted = loop.create_future()
        wish.granted.set_result(answer)
        give_back(wish)


def _fail(granted: "asyncio.Future[Held | Refusal]", error: Exception) -> None:
    if not granted.done():
        granted.set_exception(error)


def _nothing() -> None:
    pass
