"""What commands on stored runs take when the runs are large: seconds, and peak memory.

    python benchmarks/large_bundles.py                            # 2,000, 20,000 and 100,000 cases
    python benchmarks/large_bundles.py --cases 400000 --only score merge
    python benchmarks/large_bundles.py --cases 100000 --arms 2    # a stored run as baseline in each

Nobody makes a million calls to measure `evalkit show`. Small runs are made against
benchmarks/server.py (one, its shards, and one more of the same cases), then every case of their
bundles is multiplied under further ids, and what their records count along with them. One case in
ten fails. With one arm the second run takes over the attempts of the first, and the shards those of
both, so that they have two and three attempts a case.

Each command is a process of its own. Prints JSON lines, the bundles' sizes first, and
beside the commands what a bare loop that squares three million numbers takes in the same minute.
"""

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

from floor import server  # noqa: E402 -- sibling scripts, not a package
from runner import EVALKIT, make_project, measure, say  # noqa: E402

from evalkit.workflows.runs.plan_identity import (  # noqa: E402
    cases_part,
    digest_cases,
    digest_parts,
)

SUITE = "bench"
SHARDS = 4
SEEDS = 40  # cases that are really asked about
_ID = re.compile(rb'"c(\d{7})"')
FLOOR = [sys.executable, "-c", "sum(i * i for i in range(3_000_000))"]
COMMANDS = ("score", "show", "case", "gate", "diff", "pair", "history", "merge")


def make_runs(root: Path, arms: int) -> list[str]:
    """Two runs of the same cases, then the shards of one, all small; their ids in that order."""

    def run(*more: str) -> str:
        before = set(os.listdir(runs)) if runs.is_dir() else set()
        subprocess.run(
            [*EVALKIT, "run", "--quiet", "--no-cache", *more],
            cwd=root,
            check=False,
            stdout=subprocess.DEVNULL,
        )
        (made,) = set(os.listdir(runs)) - before
        return str(made)

    runs = root / ".evalkit/runs"
    with server(0.0) as url:
        make_project(root, url, SEEDS, 8, expected=lambda number: "ok" if number % 10 else "no")
        config = root / "evalkit.yaml"
        if arms == 2:
            text = config.read_text(encoding="utf-8")
            config.write_text(text.replace("max_drop_pp: null", "max_drop_pp: 3"), encoding="utf-8")
        baseline = ["--baseline", run()] if arms == 2 else []
        parts = [["--shard", f"{index}/{SHARDS}"] for index in range(1, SHARDS + 1)]
        return [run(*baseline, *part) for part in ([], [], *parts)]


def inflate(bundle: Path, cases: int) -> None:
    """Multiply every case of a bundle, so that the run has `cases` (its shards together)."""
    copies = cases // SEEDS

    for name in ("attempts.jsonl", "traces.jsonl", "scores.jsonl"):
        _multiply(bundle / name, copies)
    kept = bundle / f"assets/{SUITE}.cases.jsonl"
    seeds = kept.read_bytes().splitlines(keepends=True)
    numbers = [int(found[1]) for line in seeds if (found := _ID.search(line))]
    with open(kept, "wb") as file:
        for copy in range(copies):  # in the order of the golden set
            for line in seeds:
                file.write(_renamed(line, copy))
    _change(bundle / f"assets/{SUITE}.json", lambda found: _count_cases(found, numbers, copies))
    _change(bundle / "run.json", lambda found: _count_record(found, cases, copies))


def _renamed(line: bytes, copy: int) -> bytes:
    return _ID.sub(lambda found: b'"c%07d"' % (int(found[1]) + copy * SEEDS), line)


def _place(line: bytes) -> tuple[str, str]:
    found = json.loads(line)
    return found["case"], found["variant"]


def _multiply(path: Path, copies: int) -> None:
    part = path.with_suffix(".part")
    with open(path, "rb") as lines, open(part, "wb") as file:
        for _, same in groupby(lines, key=_place):  # scores of one attempt stay together
            kept = list(same)
            file.writelines(_renamed(line, copy) for copy in range(copies) for line in kept)
    os.replace(part, path)


def _change(path: Path, change: Callable[[dict[str, Any]], None]) -> None:
    found = json.loads(path.read_bytes())
    change(found)
    path.write_text(json.dumps(found), encoding="utf-8")


def _count_cases(snapshot: dict[str, Any], numbers: Sequence[int], copies: int) -> None:
    runs: list[list[int]] = []
    for copy in range(copies):
        for number in numbers:
            line = number + copy * SEEDS + 1
            if runs and runs[-1][0] + runs[-1][1] == line:
                runs[-1][1] += 1
            else:
                runs.append([line, 1])
    snapshot["cases"] = {"count": len(numbers) * copies, "lines": runs}


def _count_record(record: dict[str, Any], cases: int, copies: int) -> None:
    for suite in record["suites"]:
        suite["cases"] *= copies
        for totals in suite["totals"]:
            for key, value in totals.items():
                if isinstance(value, int | float) and not key.startswith("latency"):
                    totals[key] = value * copies
    plan = record.get("plan")
    if plan:
        plan["suites"][SUITE] = cases
        plan["parts"][cases_part(SUITE)] = digest_cases(f"c{n:07}" for n in range(cases))
        plan["digest"] = digest_parts(plan["parts"])


def bench(cases: int, arms: int, only: Sequence[str]) -> None:
    """Make the bundles of one size and measure the commands on them."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        names = make_runs(root, arms)
        runs = root / ".evalkit/runs"
        for name in names:
            inflate(runs / name, cases)
        for each in runs.iterdir():  # the stored baseline stays small and is not asked about
            if each.name not in names:
                shutil.rmtree(each)
        first, second, *shards = names
        sizes = {path.name: path.stat().st_size for path in (runs / first).iterdir()}
        kept = (runs / first / f"assets/{SUITE}.cases.jsonl").stat().st_size
        say("bundle", {"cases": cases, "arms": arms, "bytes": sizes | {"cases.jsonl": kept}})
        commands = {
            "score": ["score", first],
            "show": ["show", first],
            "case": ["show", first, "c0000001"],
            "gate": ["gate", first],
            "diff": ["diff", first, second],
            "pair": ["gate", first, second],
            "history": ["history", "--rebuild"],
            "merge": ["merge", *shards],
        }
        for name in only:
            say("floor", measure(FLOOR, root))
            say(name, {"cases": cases, "arms": arms} | _measured(commands[name], root))


def _measured(command: Sequence[str], root: Path) -> dict[str, float]:
    failed: SystemExit | None = None
    for code in (0, 1, 4):  # whatever the verdict is
        try:
            return measure([*EVALKIT, *command], root, expect=code)
        except SystemExit as error:
            failed = error
    raise SystemExit(failed)


def main() -> None:
    """Measure every size."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--cases", type=int, nargs="+", default=[2_000, 20_000, 100_000])
    parser.add_argument("--arms", type=int, choices=(1, 2), default=1)
    parser.add_argument("--only", nargs="+", choices=COMMANDS, default=COMMANDS)
    arguments = parser.parse_args()
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    for cases in arguments.cases:
        bench(cases, arguments.arms, arguments.only)


if __name__ == "__main__":
    main()
