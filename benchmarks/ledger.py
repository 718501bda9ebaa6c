"""What a reservation costs: hold an upper bound and settle it, on five accounts of a shared file.

    python benchmarks/ledger.py                      # one process, then four, at concurrency 64

Each reservation is `Ledger.reserve_in_turn` and `Hold.settle`, for a call that is under a budget
of its run, user, team, route and workflow. Beside it a bare loop of `BEGIN IMMEDIATE; UPDATE;
COMMIT`, two a reservation as a ledger without group commits would need, in the same file format.
`blocked_ms` is for how long the event loop did nothing else, seen by a task that wakes every
millisecond while all others do nothing but reserve. Prints JSON lines; ratios are within this one
run.
"""

import argparse
import asyncio
import json
import multiprocessing
import sqlite3
import statistics
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from evalkit.config.budgets import Budget, Scope
from evalkit.control.ledger.book import Ledger
from evalkit.records.ledger import Scopes
from evalkit.store.ledger import SqliteAccounts

SCOPES: tuple[Scope, ...] = ("run", "user", "team", "route", "workflow")


class MachineClock:
    """The machine's time."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


def open_ledger(root: Path) -> Ledger:
    """Five budgets that are never exhausted."""
    clock = MachineClock()
    return Ledger(
        [Budget(scope=scope, max_usd=1e6, max_tokens=10**12) for scope in SCOPES],
        accounts=SqliteAccounts(root, clock=clock, run="bench"),
        clock=clock,
        run="bench",
    )


async def reserve_and_settle(ledger: Ledger, calls: int, concurrency: int) -> dict[str, float]:
    """Seconds of the whole, and what the event loop was blocked for."""
    gaps: list[float] = []
    left = calls

    async def work(number: int) -> None:
        nonlocal left
        scopes = Scopes(user=f"user-{number}", team="support", route="triage", workflow="desk")
        while left > 0:
            left -= 1
            hold = await ledger.reserve_in_turn(0.01, 1000, scopes=scopes)
            await asyncio.sleep(0)  # the call
            hold.settle(0.004, 400)

    async def watch() -> None:
        while True:
            before = time.perf_counter()
            await asyncio.sleep(0.001)
            gaps.append(time.perf_counter() - before - 0.001)

    watcher = asyncio.create_task(watch())
    started = time.perf_counter()
    await asyncio.gather(*(work(number) for number in range(concurrency)))
    seconds = time.perf_counter() - started
    watcher.cancel()
    ledger.close()
    gaps.sort()
    return {
        "seconds": seconds,
        "blocked_ms_p99": 1000 * gaps[int(0.99 * (len(gaps) - 1))],
        "blocked_ms_max": 1000 * gaps[-1],
    }


def _process(root: str, calls: int, concurrency: int, ready: Any, told: Any) -> None:
    ledger = open_ledger(Path(root))
    ledger.reserve(0.0, 1).release()  # the file is open
    ready.wait()
    told.put(asyncio.run(reserve_and_settle(ledger, calls, concurrency)))


def bench_processes(processes: int, calls: int, concurrency: int) -> float:
    """Reservations a second of all processes together."""
    context = multiprocessing.get_context("spawn")
    with tempfile.TemporaryDirectory() as folder:
        open_ledger(Path(folder)).reserve(0.0, 1).release()
        ready, told = context.Barrier(processes), context.Queue()
        workers = [
            context.Process(target=_process, args=(folder, calls, concurrency, ready, told))
            for _ in range(processes)
        ]
        for worker in workers:
            worker.start()
        figures = [told.get() for _ in workers]
        for worker in workers:
            worker.join()
    rate = processes * calls / max(each["seconds"] for each in figures)
    say(
        "ledger",
        {
            "processes": processes,
            "concurrency": concurrency,
            "reservations_per_s": rate,
            "blocked_ms_p99": max(each["blocked_ms_p99"] for each in figures),
            "blocked_ms_max": max(each["blocked_ms_max"] for each in figures),
        },
    )
    return rate


def bench_bare(calls: int) -> float:
    """Pairs of bare transactions a second: the floor of a ledger without group commits."""
    with tempfile.TemporaryDirectory() as folder:
        connection = sqlite3.connect(Path(folder) / "bare.db", isolation_level=None)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute("CREATE TABLE accounts (key TEXT PRIMARY KEY, held INTEGER) STRICT")
        connection.execute("INSERT INTO accounts VALUES ('run', 0)")
        seconds = []
        for _ in range(3):
            started = time.perf_counter()
            for _ in range(2 * calls):
                connection.execute("BEGIN IMMEDIATE")
                connection.execute("UPDATE accounts SET held = held + 1 WHERE key = 'run'")
                connection.execute("COMMIT")
            seconds.append(time.perf_counter() - started)
        connection.close()
    rate = calls / statistics.median(seconds)
    say("bare sqlite", {"pairs_per_s": rate})
    return rate


def say(what: str, figures: dict[str, Any]) -> None:
    """One JSON line; four digits that tell something."""
    rounded = {k: float(f"{v:.4g}") if isinstance(v, float) else v for k, v in figures.items()}
    print(json.dumps({"what": what} | rounded), flush=True)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=20_000, help="reservations a process")
    parser.add_argument("--concurrency", type=int, default=64)
    asked = parser.parse_args()
    bare = bench_bare(asked.calls // 4)
    one = bench_processes(1, asked.calls, asked.concurrency)
    four = bench_processes(4, asked.calls // 2, asked.concurrency)
    bench_processes(1, asked.calls // 10, 1)
    say("ratio to bare sqlite", {"one_process": one / bare, "four_processes": four / bare})


if __name__ == "__main__":
    main()
