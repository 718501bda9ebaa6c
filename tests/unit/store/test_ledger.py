"""The shared ledger against a plain model, under crashes, leases, races and broken files."""

import asyncio
import sqlite3
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    multiple,
    rule,
)

from evalkit.errors import StoreError
from evalkit.records.ledger import Account, Amount, Balance, Held, Limit, Refusal
from evalkit.store.ledger import LEASE_S, SqliteAccounts

DAY = Account("day user u-1 2026-11-29", 2_000_000_000)
MONTH = Account("month team t-1 2026-11", 2_000_000_000)
RUN = Account("run run r-1 r-1", 2_000_000_000)


class SetClock:
    """Tells the time that it is set to; waiting takes no time."""

    def __init__(self) -> None:
        self.time = datetime(2026, 11, 29, 12, tzinfo=UTC)

    def now(self) -> datetime:
        return self.time

    def monotonic(self) -> float:
        return self.time.timestamp()

    async def sleep(self, seconds: float) -> None:
        self.time += timedelta(seconds=seconds)


def nothing() -> None:
    pass


def tokens(count: int) -> Amount:
    return Amount(1000 * count, count)


def cap(account: Account, count: int) -> Limit:
    return Limit(account, 1000 * count, count)


@pytest.fixture
def clock() -> SetClock:
    return SetClock()


@pytest.fixture
def accounts(tmp_path: Path, clock: SetClock) -> Iterator[SqliteAccounts]:
    opened = SqliteAccounts(tmp_path, clock=clock, run="r-1")
    yield opened
    opened.close()


def held(answer: Held | Refusal) -> Held:
    assert isinstance(answer, Held)
    return answer


def spent(accounts: SqliteAccounts, account: Account = DAY) -> tuple[int, int]:
    """Tokens spent and held; money goes with them here."""
    (balance,) = accounts.balances([account])
    assert (balance.spent.nano, balance.held.nano) == (
        1000 * balance.spent.tokens,
        1000 * balance.held.tokens,
    )
    return balance.spent.tokens, balance.held.tokens


def test_nothing_is_made_before_something_is_held(accounts: SqliteAccounts) -> None:
    assert spent(accounts) == (0, 0)
    assert not accounts.path.parent.exists()


def test_what_is_held_by_one_process_is_seen_by_the_next(
    accounts: SqliteAccounts, tmp_path: Path, clock: SetClock
) -> None:
    first = held(accounts.hold_now(tokens(60), [cap(DAY, 100)]))
    other = SqliteAccounts(tmp_path, clock=clock, run="r-2")
    refusal = other.hold_now(tokens(41), [cap(DAY, 100)])
    assert refusal == Refusal((Balance(Amount(), tokens(60)),))
    accounts.end(first, tokens(10), nothing)
    assert isinstance(other.hold_now(tokens(90), [cap(DAY, 100)]), Held)
    assert spent(accounts) == (10, 90)
    other.close()


def test_what_another_process_writes_in_between_is_counted_each_time(
    accounts: SqliteAccounts, tmp_path: Path, clock: SetClock
) -> None:
    other = SqliteAccounts(tmp_path, clock=clock, run="r-2")
    taken = 0
    for number in range(12):
        one = (accounts, other)[number % 3 == 0]
        answer = one.hold_now(tokens(10), [cap(DAY, 95)])
        if isinstance(answer, Held):
            taken += 1
            one.end(answer, tokens(10), nothing)
        else:
            assert answer.balances == (Balance(tokens(90), Amount()),)
    assert taken == 9
    other.close()


def test_a_transaction_that_failed_changes_nothing_that_is_remembered(
    accounts: SqliteAccounts,
) -> None:
    accounts.hold_now(tokens(10), [cap(DAY, 100)])
    with closing(sqlite3.connect(accounts.path, isolation_level=None)) as file:
        file.execute(
            "CREATE TRIGGER no BEFORE INSERT ON holds BEGIN SELECT RAISE(ABORT, 'no'); END"
        )
    for _ in range(2):
        with pytest.raises(StoreError):
            accounts.hold_now(tokens(80), [cap(DAY, 100)])
    with closing(sqlite3.connect(accounts.path, isolation_level=None)) as file:
        file.execute("DROP TRIGGER no")
    held(accounts.hold_now(tokens(80), [cap(DAY, 100)]))
    assert isinstance(accounts.hold_now(tokens(20), [cap(DAY, 100)]), Refusal)


def test_a_hold_is_on_all_of_its_accounts_or_on_none(accounts: SqliteAccounts) -> None:
    held(accounts.hold_now(tokens(50), [cap(MONTH, 60)]))
    assert isinstance(accounts.hold_now(tokens(20), [cap(DAY, 100), cap(MONTH, 60)]), Refusal)
    assert spent(accounts, DAY) == (0, 0)
    assert spent(accounts, MONTH) == (0, 50)


def test_money_and_tokens_have_caps_of_their_own(accounts: SqliteAccounts) -> None:
    assert isinstance(accounts.hold_now(Amount(10, 1), [Limit(DAY, max_nano=9)]), Refusal)
    assert isinstance(accounts.hold_now(Amount(10, 1), [Limit(DAY, max_tokens=0)]), Refusal)
    assert isinstance(accounts.hold_now(Amount(10, 1), [Limit(DAY, 10, 1)]), Held)


def test_a_cost_above_its_hold_is_charged_in_full(accounts: SqliteAccounts) -> None:
    accounts.end(held(accounts.hold_now(tokens(1), [cap(DAY, 10)])), tokens(9), nothing)
    assert spent(accounts) == (9, 0)


def test_what_a_dead_process_held_counts_until_its_lease_ends_and_is_charged_then(
    accounts: SqliteAccounts, tmp_path: Path, clock: SetClock
) -> None:
    held(accounts.hold_now(tokens(60), [cap(DAY, 100)]))  # and it never says anything again
    other = SqliteAccounts(tmp_path, clock=clock, run="r-2")
    refusal = other.hold_now(tokens(60), [cap(DAY, 100)])
    assert refusal == Refusal((Balance(Amount(), tokens(60)),))
    clock.time += timedelta(seconds=LEASE_S)
    refusal = other.hold_now(tokens(60), [cap(DAY, 100)])
    assert refusal == Refusal((Balance(tokens(60), Amount()),))
    other.close()


def test_a_lease_that_has_ended_is_noticed_where_every_call_fits_and_is_told_once(
    accounts: SqliteAccounts, tmp_path: Path, clock: SetClock
) -> None:
    told: list[str] = []
    other = SqliteAccounts(tmp_path, clock=clock, run="r-2", note=told.append)
    held(other.hold_now(tokens(1), [cap(MONTH, 1000)]))
    for _ in range(2):
        held(accounts.hold_now(tokens(30), [cap(DAY, 100)]))  # and it dies
    for _ in range(5):
        assert spent(other) in ((0, 60), (60, 0))
        clock.time += timedelta(seconds=LEASE_S / 3)
        held(other.hold_now(tokens(1), [cap(MONTH, 1000)]))
    assert spent(other) == (60, 0)
    assert told == [
        "2 calls were under way in a process that has ended without a word; their leases are over, "
        "and they are charged in full: 0.000060 USD, 60 tokens"
    ]
    other.close()


def test_a_process_that_was_only_slow_is_charged_once(
    accounts: SqliteAccounts, tmp_path: Path, clock: SetClock
) -> None:
    slow = held(accounts.hold_now(tokens(60), [cap(DAY, 100)]))
    above = held(accounts.hold_now(tokens(10), [cap(DAY, 100)]))
    clock.time += timedelta(seconds=LEASE_S)
    other = SqliteAccounts(tmp_path, clock=clock, run="r-2")
    other.hold_now(tokens(60), [cap(DAY, 100)])
    other.close()
    accounts.end(slow, tokens(20), nothing)
    accounts.end(above, tokens(15), nothing)
    assert spent(accounts) == (75, 0)


def test_a_process_that_lives_keeps_its_holds_for_as_long_as_a_call_lasts(
    accounts: SqliteAccounts, tmp_path: Path, clock: SetClock
) -> None:
    slow = held(accounts.hold_now(tokens(60), [cap(DAY, 1000)]))
    for _ in range(6):
        clock.time += timedelta(seconds=LEASE_S / 2)
        accounts.hold_now(tokens(1), [cap(MONTH, 1000)])
        other = SqliteAccounts(tmp_path, clock=clock, run="r-2")
        assert isinstance(other.hold_now(tokens(1000), [cap(DAY, 1000)]), Refusal)
        other.close()
    assert spent(accounts) == (0, 60)
    accounts.end(slow, tokens(5), nothing)
    assert spent(accounts) == (5, 0)


def test_leases_are_renewed_while_every_call_only_waits(tmp_path: Path, clock: SetClock) -> None:
    async def wait() -> None:
        accounts = SqliteAccounts(tmp_path, clock=clock, run="r-1", lease_s=0.03)
        await accounts.hold(tokens(60), [cap(DAY, 100)])
        other = SqliteAccounts(tmp_path, clock=clock, run="r-2")
        for _ in range(4):
            clock.time += timedelta(seconds=0.02)
            renewed = clock.time.timestamp() + 0.03
            while lease() != renewed:
                await asyncio.sleep(0.001)
        assert isinstance(other.hold_now(tokens(60), [cap(DAY, 100)]), Refusal)
        assert spent(accounts) == (0, 60)
        other.close()
        accounts.close()

    def lease() -> float:
        connection = sqlite3.connect(tmp_path / ".evalkit/ledger.db")
        (found,) = connection.execute("SELECT expires_at FROM holds").fetchone()
        connection.close()
        return float(found)

    asyncio.run(asyncio.wait_for(wait(), 10))


def test_a_run_that_goes_on_is_charged_at_once_for_what_its_killed_process_held(
    accounts: SqliteAccounts, tmp_path: Path, clock: SetClock
) -> None:
    held(accounts.hold_now(tokens(60), [cap(RUN, 100), cap(DAY, 100)]))
    resumed = SqliteAccounts(tmp_path, clock=clock, run="r-1")
    resumed.open_run(RUN, tokens(10))
    assert spent(resumed, RUN) == spent(resumed, DAY) == (60, 0)
    resumed.open_run(RUN, tokens(70))
    assert spent(resumed, RUN) == (70, 0)
    resumed.close()


def test_holds_of_other_runs_are_left_to_them(
    accounts: SqliteAccounts, tmp_path: Path, clock: SetClock
) -> None:
    held(accounts.hold_now(tokens(60), [cap(DAY, 100)]))
    other = SqliteAccounts(tmp_path, clock=clock, run="r-2")
    other.open_run(Account("run run r-2 r-2", 2_000_000_000), Amount())
    assert spent(other) == (0, 60)
    other.close()


def test_accounts_of_windows_long_past_are_dropped(tmp_path: Path, clock: SetClock) -> None:
    old = Account("day user u-1 2026-01-01", int(clock.time.timestamp()) - 1)
    first = SqliteAccounts(tmp_path, clock=clock, run="r-1")
    first.end(held(first.hold_now(tokens(5), [cap(old, 10), cap(DAY, 10)])), tokens(5), nothing)
    first.close()
    second = SqliteAccounts(tmp_path, clock=clock, run="r-2")
    second.hold_now(tokens(1), [cap(DAY, 10)])
    assert (spent(second, old), spent(second, DAY)) == ((0, 0), (5, 1))
    second.close()


def test_tasks_of_one_tick_go_together_and_get_exactly_what_fits(
    accounts: SqliteAccounts,
) -> None:
    async def run() -> list[Held | Refusal]:
        return await asyncio.gather(
            *(accounts.hold(tokens(1), [cap(DAY, 100), cap(RUN, 1000)]) for _ in range(320))
        )

    answers = asyncio.run(run())
    assert sum(isinstance(each, Held) for each in answers) == 100
    assert spent(accounts) == (0, 100)


def test_threads_with_loops_of_their_own_get_exactly_what_fits(accounts: SqliteAccounts) -> None:
    async def work() -> int:
        answers = await asyncio.gather(
            *(accounts.hold(tokens(1), [cap(DAY, 100)]) for _ in range(40))
        )
        return sum(isinstance(each, Held) for each in answers)

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(lambda _: asyncio.run(work()), range(8))) == 100
    assert spent(accounts) == (0, 100)


def test_a_loop_that_is_left_with_work_to_do_keeps_no_other_waiting(
    accounts: SqliteAccounts,
) -> None:
    async def end_and_leave() -> None:
        hold = held(await accounts.hold(tokens(9), [cap(DAY, 10)]))
        writer.execute("BEGIN IMMEDIATE")  # so that it has to come back to it
        accounts.end(hold, tokens(1), nothing)

    held(accounts.hold_now(tokens(0), [cap(DAY, 10)]))
    writer = sqlite3.connect(accounts.path, isolation_level=None)
    left = asyncio.new_event_loop()
    left.run_until_complete(end_and_leave())
    writer.close()
    answer = asyncio.run(asyncio.wait_for(accounts.hold(tokens(9), [cap(DAY, 10)]), 5))
    assert isinstance(answer, Held)
    left.run_until_complete(asyncio.sleep(0))
    left.close()
    assert spent(accounts) == (1, 9)


@pytest.mark.parametrize("ticks", range(6))
def test_a_task_that_is_cancelled_at_any_moment_leaves_nothing_held(
    accounts: SqliteAccounts, ticks: int
) -> None:
    async def run() -> bool:
        task = asyncio.create_task(accounts.hold(tokens(1), [cap(DAY, 10)]))
        for _ in range(ticks):
            await asyncio.sleep(0)
        task.cancel()
        (answer,) = await asyncio.gather(task, return_exceptions=True)
        await accounts.hold(tokens(1), [cap(MONTH, 10)])
        return isinstance(answer, Held)

    was_held = asyncio.run(run())
    accounts.close()
    assert spent(accounts) == (0, int(was_held))


def test_what_ends_in_the_last_tick_of_a_loop_is_settled_when_the_ledger_is_closed(
    accounts: SqliteAccounts, tmp_path: Path, clock: SetClock
) -> None:
    async def run() -> None:
        hold = held(await accounts.hold(tokens(9), [cap(DAY, 10)]))
        accounts.end(hold, tokens(3), nothing)

    asyncio.run(run())
    accounts.close()
    other = SqliteAccounts(tmp_path, clock=clock, run="r-2")
    assert spent(other) == (3, 0)
    other.close()


def test_what_has_ended_can_be_written_at_once(
    accounts: SqliteAccounts, tmp_path: Path, clock: SetClock
) -> None:
    other = SqliteAccounts(tmp_path, clock=clock, run="r-2")

    async def run() -> tuple[int, int]:
        hold = held(await accounts.hold(tokens(9), [cap(DAY, 10)]))
        accounts.end(hold, tokens(3), nothing)
        accounts.settle()
        return spent(other)

    assert asyncio.run(run()) == (3, 0)
    other.close()


def test_a_loop_goes_on_while_another_process_writes(accounts: SqliteAccounts) -> None:
    held(accounts.hold_now(tokens(1), [cap(DAY, 10)]))
    writer = sqlite3.connect(accounts.path, isolation_level=None)

    async def run() -> int:
        writer.execute("BEGIN IMMEDIATE")
        task = asyncio.create_task(accounts.hold(tokens(1), [cap(DAY, 10)]))
        ticks = 0
        while ticks < 20 and not task.done():
            await asyncio.sleep(0.001)
            ticks += 1
        writer.execute("COMMIT")
        held(await task)
        return ticks

    try:
        assert asyncio.run(run()) == 20
    finally:
        writer.close()
    assert spent(accounts) == (0, 2)


def test_a_file_that_stays_locked_is_an_error_and_no_hold(tmp_path: Path, clock: SetClock) -> None:
    accounts = SqliteAccounts(tmp_path, clock=clock, run="r-1", patience_s=0.02)
    held(accounts.hold_now(tokens(1), [cap(DAY, 10)]))
    writer = sqlite3.connect(accounts.path, isolation_level=None)
    writer.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreError, match="another process keeps it locked"):
        accounts.hold_now(tokens(1), [cap(DAY, 10)])
    with pytest.raises(StoreError, match="another process keeps it locked"):
        asyncio.run(accounts.hold(tokens(1), [cap(DAY, 10)]))
    writer.close()
    assert spent(accounts) == (0, 1)
    accounts.close()


def test_what_could_not_be_settled_is_settled_with_the_next_transaction(
    tmp_path: Path, clock: SetClock
) -> None:
    accounts = SqliteAccounts(tmp_path, clock=clock, run="r-1", patience_s=0.02)
    hold = held(accounts.hold_now(tokens(5), [cap(DAY, 10)]))
    writer = sqlite3.connect(accounts.path, isolation_level=None)
    told: list[None] = []

    async def run() -> None:
        writer.execute("BEGIN IMMEDIATE")
        accounts.end(hold, tokens(2), lambda: told.append(None))
        with pytest.raises(StoreError):
            await accounts.hold(tokens(1), [cap(DAY, 10)])
        writer.close()
        held(await accounts.hold(tokens(8), [cap(DAY, 10)]))

    asyncio.run(run())
    assert (spent(accounts), len(told)) == ((2, 8), 1)
    accounts.close()


@pytest.mark.parametrize("content", [b"not a database at all" * 100, b"SQLite format 3\0" * 300])
def test_a_damaged_file_is_an_error_and_no_hold(accounts: SqliteAccounts, content: bytes) -> None:
    accounts.path.parent.mkdir()
    accounts.path.write_bytes(content)
    for _ in range(2):
        with pytest.raises(StoreError, match="is damaged"):
            accounts.hold_now(tokens(1), [cap(DAY, 10)])
        with pytest.raises(StoreError, match="is damaged"):
            asyncio.run(accounts.hold(tokens(1), [cap(DAY, 10)]))
        with pytest.raises(StoreError, match="is damaged"):
            accounts.balances([DAY])


def test_a_file_that_cannot_be_opened_is_an_error_and_no_hold(accounts: SqliteAccounts) -> None:
    accounts.path.mkdir(parents=True)
    with pytest.raises(StoreError, match="make it and its folder writable"):
        accounts.hold_now(tokens(1), [cap(DAY, 10)])


def test_a_full_disk_is_an_error_and_no_hold(accounts: SqliteAccounts) -> None:
    held(accounts.hold_now(tokens(1), [cap(DAY, 10)]))
    connection = accounts._connection
    assert connection is not None
    (pages,) = connection.execute("PRAGMA page_count").fetchone()
    connection.execute(f"PRAGMA max_page_count = {pages}")
    many = [cap(Account(f"day user u-{number} 2026-11-29", 0), 10) for number in range(400)]
    with pytest.raises(StoreError, match="free some room"):
        accounts.hold_now(tokens(1), many)
    with pytest.raises(StoreError, match="free some room"):
        asyncio.run(accounts.hold(tokens(1), many))
    assert spent(accounts) == (0, 1)
    held(accounts.hold_now(tokens(1), [cap(DAY, 10)]))


def test_a_file_that_was_made_with_larger_pages_is_gone_on_with(
    accounts: SqliteAccounts, tmp_path: Path
) -> None:
    accounts.path.parent.mkdir()
    made = sqlite3.connect(accounts.path)
    made.executescript("PRAGMA page_size = 4096; VACUUM")
    made.close()
    long_named = Account(f"day route {'r' * 3000} 2026-11-29", 2_000_000_000)
    both = [cap(DAY, 5), cap(long_named, 5)]
    accounts.end(held(accounts.hold_now(tokens(3), both)), tokens(2), nothing)
    accounts.close()
    assert accounts.balances([DAY, long_named]) == (Balance(tokens(2)), Balance(tokens(2)))


def test_a_name_that_is_longer_than_a_page_is_counted_like_any_other(
    accounts: SqliteAccounts,
) -> None:
    long_named = Account(f"day route {'r' * 3000} 2026-11-29", 2_000_000_000)
    accounts.end(held(accounts.hold_now(tokens(3), [cap(long_named, 5)])), tokens(2), nothing)
    accounts.close()
    assert accounts.balances([long_named]) == (Balance(tokens(2)),)
    assert isinstance(accounts.hold_now(tokens(4), [cap(long_named, 5)]), Refusal)


def test_a_file_of_a_newer_evalkit_is_left_alone(accounts: SqliteAccounts, tmp_path: Path) -> None:
    accounts.path.parent.mkdir()
    newer = sqlite3.connect(accounts.path)
    newer.execute("PRAGMA user_version = 99")
    newer.close()
    with pytest.raises(StoreError, match="newer evalkit"):
        accounts.hold_now(tokens(1), [cap(DAY, 10)])


CAPS = {DAY: 50, MONTH: 80, RUN: 1000}
SETS = st.sampled_from([(DAY,), (DAY, MONTH), (MONTH, RUN), (DAY, MONTH, RUN)])


class LedgerMachine(RuleBasedStateMachine):
    """Three processes on one file; the model is a list of holds and a sum for each account."""

    open_holds = Bundle("open_holds")

    @initialize()
    def begin(self) -> None:
        self.folder = tempfile.TemporaryDirectory()
        self.clock = SetClock()
        self.processes = [self.process() for _ in range(3)]
        self.spent = dict.fromkeys(CAPS, 0)
        # by id: tokens, accounts, process, the end of its lease; those of dead processes too
        self.holds: dict[int, list[object]] = {}

    def process(self) -> SqliteAccounts:
        return SqliteAccounts(Path(self.folder.name), clock=self.clock, run="r-1")

    def taken(self, account: Account) -> int:
        return self.spent[account] + sum(
            int(str(each[0]))
            for each in self.holds.values()
            if account in each[1]  # type: ignore[operator]
        )

    @rule(target=open_holds, which=st.integers(0, 2), count=st.integers(0, 60), accounts=SETS)
    def hold(self, which: int, count: int, accounts: tuple[Account, ...]) -> object:
        process = self.processes[which]
        answer = process.hold_now(tokens(count), [cap(each, CAPS[each]) for each in accounts])
        fits = all(self.taken(each) + count <= CAPS[each] for each in accounts)
        assert isinstance(answer, Held) == fits
        if not isinstance(answer, Held):
            return multiple()
        self.holds[answer.id] = [count, accounts, process]
        return (answer, process)

    @rule(hold=consumes(open_holds), share=st.floats(0, 1))
    def end(self, hold: tuple[Held, SqliteAccounts], share: float) -> None:
        held_, process = hold
        if process not in self.processes:
            return  # it died: nobody is left to say what the call cost
        charged = int(held_.amount.tokens * share)
        process.end(held_, tokens(charged), nothing)
        _, accounts, _ = self.holds.pop(held_.id)
        for account in accounts:  # type: ignore[attr-defined]
            self.spent[account] += charged

    @rule(which=st.integers(0, 2))
    def die(self, which: int) -> None:
        dead = self.processes[which]
        if dead._connection is not None:
            dead._connection.close()
        self.processes[which] = self.process()

    @rule()
    def pass_a_lease(self) -> None:
        """Everybody who lives says so within it; what the dead held is charged after it."""
        for _ in range(3):
            self.clock.time += timedelta(seconds=LEASE_S / 2)
            for process in self.processes:
                process.hold_now(Amount(), [cap(RUN, 10**6)])
        for each in list(self.holds):
            count, accounts, process = self.holds[each]
            if process not in self.processes:
                del self.holds[each]
                for account in accounts:  # type: ignore[attr-defined]
                    self.spent[account] += int(str(count))

    @invariant()
    def no_cap_is_passed_and_nothing_is_lost(self) -> None:
        accounts = list(CAPS)
        found = self.processes[0].balances(accounts)
        for account, balance in zip(accounts, found, strict=True):
            taken = balance.spent + balance.held
            assert taken == tokens(self.taken(account))
            assert taken.tokens <= CAPS[account]

    def teardown(self) -> None:
        for process in self.processes:
            process.close()
        self.folder.cleanup()


TestLedgerMachine = LedgerMachine.TestCase
TestLedgerMachine.settings = settings(max_examples=40, stateful_step_count=25, deadline=None)
