"""The ledger of a project as another process sees it, at a time of the test's own."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

from evalkit.control.ledger.book import Ledger
from evalkit.sources.assets import read_config
from evalkit.sources.tree import WorkingTree
from evalkit.store.ledger import SqliteAccounts


class SetClock:
    """Tells the time that it is set to."""

    def __init__(self, now: datetime) -> None:
        self.time = now

    def now(self) -> datetime:
        return self.time

    def monotonic(self) -> float:
        return self.time.timestamp()

    async def sleep(self, seconds: float) -> None:
        self.time += timedelta(seconds=seconds)


def ledger_of(
    root: Path, *, later_s: float = 0.0, at_s: float | None = None, run: str = "r-other"
) -> Ledger:
    """The project's ledger as another process sees it `later_s` from now, or `at_s` seconds after
    1970."""
    now = datetime.now(UTC) if at_s is None else datetime.fromtimestamp(at_s, UTC)
    clock = SetClock(now + timedelta(seconds=later_s))
    accounts = SqliteAccounts(root, clock=clock, run=run)
    return Ledger(read_config(WorkingTree(root)).budgets, accounts=accounts, clock=clock, run=run)
