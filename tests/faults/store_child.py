"""A process that uses a project's private state, for tests that kill it, starve it or race it.

    python store_child.py ACT ROOT [NUMBER]

It says `ready` once it has what the act is about, and ends with the exit code of its error.
"""

import asyncio
import os
import resource
import sqlite3
import sys
from pathlib import Path

import msgspec

from evalkit.errors import EvalkitError
from evalkit.execute.runner import execute
from evalkit.execute.stopping import StopSignal
from evalkit.records.attempt import Attempt, Place
from evalkit.records.call import Decision, Reply, Usage
from evalkit.records.plan import PlannedAttempt
from evalkit.store.bundle import Bundle
from evalkit.store.cache import ReplyCache
from evalkit.store.runs import RunStore

CASES = 240


def done_places(bundle: Bundle) -> frozenset[Place]:
    """What a resumed run need not make again."""
    return frozenset(each.place for each in bundle.attempts() if each.has_result)


def planned_attempts() -> list[PlannedAttempt]:
    """The plan of the run, the same in every process."""
    return [
        PlannedAttempt(
            suite="triage",
            variant="candidate",
            case=f"c{number}",
            trial=1,
            model="m",
            origin="live",
            input_tokens={},
            output_tokens=1,
            max_cost_usd=None,
        )
        for number in range(CASES)
    ]


def attempt_for(planned: PlannedAttempt) -> Attempt:
    """A line of its own length: some fit a disk block, some are far longer."""
    number = int(planned.case[1:])
    decision = Decision(act="complete", outcome="answered", rule="m", message=planned.case, at="")
    return Attempt(
        at="",
        variant="candidate",
        suite=planned.suite,
        case=planned.case,
        trial=1,
        key="k",
        state="answered",
        output=f"{number} " * (20_000 if number % 3 == 0 else 100),
        decisions=(decision,),
    )


def reply_for(number: int) -> Reply:
    """The reply under the key of that number."""
    return Reply(
        content=f"reply {number} " * 50,
        model="m",
        usage=Usage(),
        origin="live",
        measurement_id=str(number),
        measured_at="",
        latency_s=0.0,
    )


def ready() -> None:
    """Tell whoever waits."""
    print("ready", flush=True)


async def make(planned: PlannedAttempt) -> Attempt:
    """An attempt that takes no time."""
    return attempt_for(planned)


def run(root: Path, _: int) -> None:
    """Make every attempt that is not done, as a resumed run does."""
    bundle = RunStore(root).open("latest")
    with bundle.journal() as journal:
        done = done_places(bundle)
        ready()
        asyncio.run(
            execute(
                planned_attempts(),
                make,
                done=done,
                journal=journal,
                emit=lambda event: os.sched_yield(),
                concurrency=4,
                stop=StopSignal(),
                score=lambda attempt: None,
            )
        )


def run_limited(root: Path, limit: int) -> None:
    """The same where no file may grow over `limit` bytes, as on a disk that is full."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    run(root, 0)


def hold(root: Path, _: int) -> None:
    """Keep the run's journal open until told to go."""
    with RunStore(root).open("latest").journal():
        ready()
        sys.stdin.read()


def rewrite(root: Path, _: int) -> None:
    """Replace run.json again and again."""
    bundle = RunStore(root).open("latest")
    record = bundle.read_record()
    ready()
    for number in range(1_000_000):
        text = f"{number} " * (number % 20_000)
        bundle.write_record(msgspec.structs.replace(record, warnings=(text,)))


def fill_cache(root: Path, keys: int) -> None:
    """Get and put `keys` replies."""
    with ReplyCache(root) as cache:
        ready()
        for number in range(keys):
            stored = cache.get(f"k{number}")
            assert stored in (None, reply_for(number)), stored
            cache.put(f"k{number}", reply_for(number))


def fill_cache_limited(root: Path, limit: int) -> None:
    """The same where no file may grow over `limit` bytes."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    fill_cache(root, 100_000)


def lock_cache(root: Path, _: int) -> None:
    """Keep the cache locked for writing until told to go."""
    with ReplyCache(root) as cache:
        path = cache.path
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("BEGIN EXCLUSIVE")
    ready()
    sys.stdin.read()
    connection.close()


def own_cache(root: Path, _: int) -> None:
    """Keep the cache locked for everybody until told to go."""
    with ReplyCache(root) as cache:
        path = cache.path
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA locking_mode = EXCLUSIVE")
    connection.execute("BEGIN EXCLUSIVE")
    connection.execute("COMMIT")
    ready()
    sys.stdin.read()
    connection.close()


ACTS = {
    act.__name__: act
    for act in (
        run,
        run_limited,
        hold,
        rewrite,
        fill_cache,
        fill_cache_limited,
        lock_cache,
        own_cache,
    )
}


def main() -> None:
    """Do the act that the command line names."""
    act, root, *number = sys.argv[1:]
    try:
        ACTS[act](Path(root), int(number[0]) if number else 0)
    except EvalkitError as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        sys.exit(error.exit_code)


if __name__ == "__main__":
    main()
