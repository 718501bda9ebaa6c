"""Kills a run at any moment, resumes it, and holds what came of it against an undisturbed run.

    python -m tests.faults.killing --kills 200 --seed 1

A project of two suites (a prompt whose answers a judge judges, and an agent with a tool and a
fallback) asks a server that says 429 and 503 now and then. Its process is killed with SIGKILL at
a request that the server sees, at a byte of one of the run's files, or after some time, resumed,
killed again, and at last left alone. With --signals it is interrupted as often as killed.
"""

import argparse
import json
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from tests.faults.killable import Child, Provider, make_project, results_of

CASES = 16
INTERRUPTED = 130
LEDGER = ".evalkit/ledger.db"
COMPLETE = 2  # what --resume ends with where nothing is left


@dataclass(frozen=True)
class Moment:
    """When a process gets signals: at its n-th request, at a byte that a file of its run grew by,
    or after so many milliseconds."""

    by: Literal["request", "calls.jsonl", "attempts.jsonl", "judgments.jsonl", "time"]
    at: int
    how: tuple[signal.Signals, ...] = (signal.SIGKILL,)


INTERRUPTIONS = (
    (signal.SIGINT,),
    (signal.SIGTERM,),
    (signal.SIGINT, signal.SIGINT),
    (signal.SIGTERM, signal.SIGKILL),
)


def moment(
    chance: random.Random, *, requests: int, seconds: float, signals: bool = False
) -> Moment:
    """Any moment of a run that makes so many requests in about so many seconds."""
    how = (signal.SIGKILL,)
    if signals and chance.random() < 0.5:
        how = chance.choice(INTERRUPTIONS)
    match chance.randrange(8):
        case 0 | 1 | 2:
            return Moment("request", chance.randint(1, requests), how)
        case 3 | 4:
            return Moment("calls.jsonl", chance.randint(1, requests * 600), how)
        case 5:
            return Moment("attempts.jsonl", chance.randint(1, requests * 300), how)
        case 6:
            return Moment("judgments.jsonl", chance.randint(1, 40_000), how)
    return Moment("time", chance.randint(0, round(seconds * 1000)), how)


@dataclass
class Came:
    """What came of a run: what must be the same however often it was killed, and what it cost."""

    code: int
    record: dict[str, Any]
    results: dict[str, Any]
    answered: Counter[str]
    billed_usd: float
    server_usd: float


@dataclass
class Chain:
    """A run, its kills, and what is wrong with what came of it."""

    moments: list[Moment] = field(default_factory=list)
    kills: int = 0
    lost: int = 0
    lost_usd: float = 0.0
    unsettled_usd: float = 0.0
    wrong: list[str] = field(default_factory=list)


class Bench:
    """One project and its server; runs follow each other, each from an empty `.evalkit`."""

    def __init__(self, folder: Path, *, cases: int = CASES) -> None:
        self.provider = Provider()
        self.root = folder / "project"
        make_project(self.root, self.provider.server.url, cases=cases)
        self._before_usd = 0.0
        self.reference: dict[bool, Came] = {}
        self.seconds: dict[bool, float] = {}

    def close(self) -> None:
        self.provider.server.stop()

    def _begin(self) -> None:
        shutil.rmtree(self.root / ".evalkit", ignore_errors=True)
        self.provider.begin()
        self._before_usd = self.provider.server.books.usd

    def undisturbed(self, *, cache: bool) -> Came:
        """The run that nobody kills; made once."""
        if cache not in self.reference:
            self._begin()
            started = time.monotonic()
            code, _, err = self._process(["run", *_manner(cache)], None)
            assert code in (0, 1, 3), err
            self.seconds[cache] = time.monotonic() - started
            self.reference[cache] = self._came(code)
        return self.reference[cache]

    def chain(self, moments: Sequence[Moment], *, cache: bool) -> Chain:
        """Kill a run at these moments, one process each, and let the last process end."""
        expected = self.undisturbed(cache=cache)
        self._begin()
        done = Chain()
        code = -1
        for when in (*moments, None):
            folder = self._folder()
            command = ["run", *_manner(cache)]
            if folder is not None:
                command = ["run", "--resume", folder.name]
            code, out, err = self._process(command, when)
            if "Traceback" in err or "has a bug" in err:
                done.wrong.append(f"{when}: {err[-400:]}")
            # a signal may come while the interpreter starts, before there is anybody to hear it
            unheard = when is not None and when.by == "time" and -code in when.how
            if code not in (-signal.SIGKILL, INTERRUPTED) and not unheard:
                break
            assert when is not None
            done.kills += 1
            done.moments.append(when)
            self._count_lost(done)
        if code == COMPLETE and "is complete" in err:
            folder = self._folder()
            assert folder is not None
            code = json.loads((folder / "run.json").read_text())["exit_code"]
        if code != expected.code:
            done.wrong.append(f"exit code {code}, not {expected.code}: {out[-300:]}{err[-300:]}")
            return done
        self._compare(expected, self._came(code), done)
        return done

    def _process(self, command: list[str], when: Moment | None) -> tuple[int, str, str]:
        """One process to its end, or to the moment when it is killed."""
        with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
            environ = {k: v for k, v in os.environ.items() if not k.endswith("_API_KEY")}
            child = subprocess.Popen(
                [sys.executable, "-m", "evalkit", *command, "--quiet"],
                cwd=self.root,
                stdout=out,
                stderr=err,
                env=environ | {"NO_COLOR": "1"},
            )
            if when is not None:
                self._strike_at(Child(child, when.how), when)
            code = child.wait(120)
            self.provider.kill_at = None
            out.seek(0)
            err.seek(0)
            return code, out.read().decode(), err.read().decode()

    def _strike_at(self, child: Child, when: Moment) -> None:
        if when.by == "request":
            self.provider.kill_at = (self.provider.requests + when.at, child)
            return
        if when.by == "time":
            with suppress(subprocess.TimeoutExpired):
                child.process.wait(when.at / 1000)
        else:
            start = self._size(when.by)
            while child.process.poll() is None and self._size(when.by) - start < when.at:
                time.sleep(0.0005)
        child.strike()

    def _size(self, name: str) -> int:
        sizes = [0]
        for path in (self.root / ".evalkit/runs").glob(f"*/{name}"):
            try:
                sizes.append(path.stat().st_size)
            except FileNotFoundError:  # the run is whole
                continue
        return max(sizes)

    def _folder(self) -> Path | None:
        found = sorted(path.parent for path in (self.root / ".evalkit/runs").glob("*/run.json"))
        return found[-1] if found else None

    def _count_lost(self, chain: Chain) -> None:
        """Calls of the chain that were in flight when it was stopped: without an end, or cut off.

        What calls hold beyond that had ended so lately that the ledger did not know.
        """
        folder = self._folder()
        if folder is None or not (folder / "calls.jsonl").exists():
            return
        begun: dict[int, dict[str, Any]] = {}
        cut: list[float] = []
        for line in (folder / "calls.jsonl").read_bytes().splitlines(keepends=True):
            if line.endswith(b"\n"):
                row = json.loads(line)
                if row["type"] == "asked":
                    begun[row["id"]] = row
                elif row["type"] == "ended":
                    del begun[row["id"]]
                    if row["usd"] and "reply" not in row:
                        cut.append(row["usd"])
        in_flight = [row["usd"] for row in begun.values()]
        chain.lost = len(in_flight) + len(cut)
        chain.lost_usd = sum(in_flight) + sum(cut)
        chain.unsettled_usd += max(0.0, self._held_usd() - sum(in_flight))

    def _held_usd(self) -> float:
        """What calls hold that are in flight, or ended so lately that the ledger does not know."""
        if not (self.root / LEDGER).exists():
            return 0.0
        with closing(sqlite3.connect(self.root / LEDGER)) as file:
            (nano,) = file.execute("SELECT coalesce(sum(nano), 0) FROM holds").fetchone()
        return float(nano / 1e9)

    def _came(self, code: int) -> Came:
        folder = self._folder()
        assert folder is not None
        record = json.loads((folder / "run.json").read_text())
        return Came(
            code=code,
            record=record,
            results=results_of(folder, record),
            answered=Counter(self.provider.answered),
            billed_usd=record["billed_usd"],
            server_usd=self.provider.server.books.usd - self._before_usd,
        )

    def _compare(self, expected: Came, came: Came, chain: Chain) -> None:
        wrong = chain.wrong
        for name, value in expected.results.items():
            if came.results[name] != value:
                wrong.append(f"{name} differ: {_difference(value, came.results[name])}")
        twice = came.answered - expected.answered
        missing = expected.answered - came.answered
        if missing:
            wrong.append(f"{missing.total()} calls were never answered: {next(iter(missing))}")
        # several trials send the same bytes, and each may be in flight at each kill
        often = any(n > chain.kills * expected.answered[text] for text, n in twice.items())
        if twice.total() > chain.lost or often:
            wrong.append(f"{twice.total()} answers too many, {chain.lost} were in flight")
        wrong += self._wrong_books(expected, came, chain)
        folder = self._folder()
        assert folder is not None
        if (folder / "calls.jsonl").exists():
            wrong.append("calls.jsonl is still there")
        for name, end in (("report.md", ""), ("report.html", "</html>"), ("junit.xml", ">")):
            text = (folder / name).read_text()
            if not text.strip().endswith(end) or not text.strip():
                wrong.append(f"{name} is not whole")
        with closing(sqlite3.connect(self.root / ".evalkit/history.db")) as file:
            (times,) = file.execute("SELECT count(*) FROM runs").fetchone()
        if times != 1:
            wrong.append(f"the history has {times} runs")
        left = [str(p) for p in (self.root / ".evalkit").rglob("*.tmp")]
        if left:
            wrong.append(f"left behind: {left}")

    def _wrong_books(self, expected: Came, came: Came, chain: Chain) -> list[str]:
        with closing(sqlite3.connect(self.root / LEDGER)) as file:
            (holds,) = file.execute("SELECT count(*) FROM holds").fetchone()
            accounts = file.execute("SELECT key, spent_nano, held_nano FROM accounts").fetchall()
        wrong = [f"{holds} holds are open"] if holds else []
        wrong += [f"{key} still holds {held}" for key, _, held in accounts if held]
        if any(key.startswith("run") for key, _, _ in accounts):
            wrong.append("the file counts what a run spent")
        spent = sum(nano for key, nano, _ in accounts if key.startswith("day workflow")) / 1e9
        if came.billed_usd < came.server_usd - 1e-8:
            wrong.append(f"the run says {came.billed_usd}, the server bills {came.server_usd}")
        if spent < came.billed_usd - 1e-8:
            wrong.append(f"the ledger says {spent}, the run {came.billed_usd}")
        most = expected.billed_usd + chain.lost_usd
        if came.billed_usd > most + 1e-8:
            wrong.append(f"the run says {came.billed_usd}, at most {most} were due")
        if spent > most + chain.unsettled_usd + 1e-8:
            wrong.append(f"the ledger says {spent}, at most {most + chain.unsettled_usd} were due")
        return wrong


def _manner(cache: bool) -> list[str]:
    return ["--set", "suites.ask.target.prompt=ask@v2", *([] if cache else ["--no-cache"])]


def _difference(expected: Any, came: Any) -> str:
    if isinstance(expected, list) and isinstance(came, list):
        for one, other in zip(expected, came, strict=False):
            if one != other:
                return f"{other}, not {one}"
        return f"{len(came)}, not {len(expected)}"
    if isinstance(expected, dict) and isinstance(came, dict):
        for name in expected.keys() | came.keys():
            if expected.get(name) != came.get(name):
                return f"{name}: {_difference(expected.get(name), came.get(name))}"
    return f"{came}, not {expected}"


def main() -> None:
    """Kill so often, in chains of several kills, and print one JSON line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--signals", action="store_true")
    parser.add_argument("--cases", type=int, default=CASES)
    parser.add_argument("--most", type=int, default=6, help="kills of one run")
    given = parser.parse_args()
    chance = random.Random(given.seed)
    kills = lost = chains = 0
    by: Counter[str] = Counter()
    wrong: list[str] = []
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(Path(folder), cases=given.cases)
        try:
            while kills < given.kills:
                cache = chains % 2 == 0
                requests = bench.undisturbed(cache=cache).answered.total()
                moments = [
                    moment(
                        chance,
                        requests=1 + 2 * requests // given.most,
                        seconds=bench.seconds[cache],
                        signals=given.signals,
                    )
                    for _ in range(chance.randint(1, given.most))
                ]
                done = bench.chain(moments, cache=cache)
                kills, lost, chains = kills + done.kills, lost + done.lost, chains + 1
                by.update(f"{each.how[0].name} at {each.by}" for each in done.moments)
                wrong += [f"chain {chains}, {done.moments}: {each}" for each in done.wrong]
                told = f"{kills} kills of {chains} runs, {lost} calls were in flight"
                print(told, *done.wrong, sep="\n", file=sys.stderr, flush=True)
        finally:
            bench.close()
    told = {"kills": kills, "runs": chains, "by": dict(by), "in_flight": lost, "wrong": len(wrong)}
    print(json.dumps(told | {"calls_of_a_run": requests, "seed": given.seed}))
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
