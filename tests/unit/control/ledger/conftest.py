"""Ledgers on accounts in memory, in a file, and of a service: all keep to the same."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from evalkit.config.budgets import Budget
from evalkit.control.ledger.book import Ledger
from evalkit.control.ledger.parted import PartedAccounts
from evalkit.ports import Accounts
from evalkit.store.ledger import SqliteAccounts
from tests.unit.control.fakes import FakeClock

Ledgers = Callable[..., Ledger]


@pytest.fixture(params=["memory", "file", "service"])
def ledgers(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Ledgers]:
    """Opens a ledger for some budgets."""
    opened = []

    def open_ledger(budgets: Sequence[Budget], **keys: Any) -> Ledger:
        if request.param != "memory":
            clock = FakeClock()
            accounts: Accounts = SqliteAccounts(tmp_path, clock=clock, run="run")
            if request.param == "service":
                accounts = PartedAccounts(accounts)
            keys = {"accounts": accounts, "clock": clock} | keys
        opened.append(Ledger(budgets, **keys))
        return opened[-1]

    yield open_ledger
    for ledger in opened:
        ledger.close()
