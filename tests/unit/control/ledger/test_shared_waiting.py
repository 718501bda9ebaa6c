"""Calls that wait for what other processes hold: on the clock, and only while it can help."""

import asyncio
import sqlite3
from pathlib import Path

import pytest

from evalkit.config.budgets import Budget
from evalkit.control.ledger.book import Ledger
from evalkit.errors import BudgetExhausted, StoreError
from evalkit.records.ledger import Scopes
from evalkit.store.ledger import LEASE_S, SqliteAccounts
from tests.unit.control.fakes import FakeClock

ANN = Scopes(user="ann")
BUDGETS = [Budget(scope="user", max_tokens=100, window="month")]


def open_ledger(root: Path, clock: FakeClock, run: str) -> Ledger:
    accounts = SqliteAccounts(root, clock=clock, run=run, patience_s=0.02)
    return Ledger(BUDGETS, accounts=accounts, clock=clock, run=run)


def test_a_call_gets_what_another_process_gives_back(tmp_path: Path) -> None:
    async def run() -> tuple[bool, int]:
        mine, theirs = (open_ledger(tmp_path, FakeClock(), run) for run in ("r-1", "r-2"))
        hold = theirs.reserve(0.0, 80, scopes=ANN)
        task = asyncio.create_task(mine.reserve_in_turn(0.0, 60, scopes=ANN))
        for _ in range(50):
            await asyncio.sleep(0)
        waited = not task.done()
        hold.settle(0.0, 10)
        await asyncio.wait_for(task, 5)
        ((_, balance),) = mine.standing(ANN)
        mine.close(), theirs.close()
        return waited, (balance.spent + balance.held).tokens

    assert asyncio.run(run()) == (True, 70)


def test_a_call_that_waits_for_a_dead_process_is_refused_when_its_lease_ends(
    tmp_path: Path,
) -> None:
    async def run() -> float:
        clock = FakeClock()
        dead, mine = open_ledger(tmp_path, FakeClock(), "r-2"), open_ledger(tmp_path, clock, "r-1")
        dead.reserve(0.0, 80, scopes=ANN)
        with pytest.raises(BudgetExhausted, match="80 of 100"):
            await asyncio.wait_for(mine.reserve_in_turn(0.0, 60, scopes=ANN), 20)
        mine.close(), dead.close()
        return clock.monotonic()

    assert LEASE_S <= asyncio.run(run()) < LEASE_S + 1


def test_a_call_that_waits_and_is_cancelled_leaves_nothing_held(tmp_path: Path) -> None:
    async def run() -> int:
        mine = open_ledger(tmp_path, FakeClock(), "r-1")
        first = mine.reserve(0.0, 80, scopes=ANN)
        tasks = [asyncio.create_task(mine.reserve_in_turn(0.0, 60, scopes=ANN)) for _ in range(20)]
        for number, task in enumerate(tasks):
            for _ in range(number):
                await asyncio.sleep(0)
            task.cancel()
        first.release()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.sleep(0)
        mine.close()
        ((_, balance),) = mine.standing(ANN)
        mine.close()  # it was opened again
        return balance.held.tokens

    assert asyncio.run(run()) == 0


def test_a_ledger_that_cannot_be_written_while_calls_wait_tells_all_of_them(tmp_path: Path) -> None:
    async def run() -> list[BaseException | object]:
        mine = open_ledger(tmp_path, FakeClock(), "r-1")
        first = mine.reserve(0.0, 80, scopes=ANN)
        tasks = [asyncio.create_task(mine.reserve_in_turn(0.0, 60, scopes=ANN)) for _ in range(5)]
        await asyncio.sleep(0)
        writer = sqlite3.connect(tmp_path / ".evalkit/ledger.db", isolation_level=None)
        writer.execute("BEGIN IMMEDIATE")
        first.release()
        told = await asyncio.wait_for(asyncio.gather(*tasks, return_exceptions=True), 10)
        writer.close()
        mine.close()
        return told

    assert all(isinstance(each, StoreError) for each in asyncio.run(run()))
