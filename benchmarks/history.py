"""What the run history costs: recording, asking and rebuilding, beside bare SQLite statements.

    python benchmarks/history.py                     # 500 runs of 2,000 cases and two arms

Every run measures its baseline anew (the worst case: a million distinct measurements of one
content), and its candidate is another content each time. `process` is `evalkit history` as a whole.
The rebuild reads bundles that `evalkit run` wrote on scripted replies. Prints JSON lines; ratios
are within this one run.
"""

import argparse
import json
import shutil
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from evalkit.records.history import ArmEntry, CaseTally, RunEntry
from evalkit.records.verdict import Outcome
from evalkit.store.history import SqliteHistory, open_history
from evalkit.store.runs import RunStore
from evalkit.workflows.history.keeping import rebuild

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

from runner import EVALKIT, measure  # noqa: E402 -- a sibling script, not a package

METRICS = ("pass_rate", "cost_usd", "tokens", "latency_s", "guardrail_rate", "tokens_per_success")
SCRIPTED = """\
version: 1
providers: {scripts: {kind: scripted, path: "scripted/{suite}.jsonl"}}
models: {tiny: {provider: scripts, price: {input_usd_per_mtok: 1, output_usd_per_mtok: 1}}}
routes: [{name: bench, models: {primary: tiny}, max_tokens: 16}]
suites:
  bench:
    golden: bench@v1
    route: bench
    target: {prompt: bench@v1}
    scorers: [{exact: {}}]
    baseline: {set: {suites.bench.target.prompt: bench@v1}}
    gate: {max_drop_pp: 3}
"""
PROMPT = """\
name: bench
version: 1
messages: [{role: user, content: "{{ input.text }}"}]
output: {kind: text}
"""


def entry(number: int) -> RunEntry:
    """Run `number`, on a branch of its own."""
    at = f"2026-{1 + number // 28 % 12:02}-{1 + number % 28:02}T{number // 336:02}:00:00+00:00"
    return RunEntry(
        id=f"{at[:10].replace('-', '')}T{number:06}Z-0000",
        path=f".evalkit/runs/{number}",
        started_at=at,
        finished_at=at,
        state="complete",
        exit_code=0,
        outcome=Outcome.PASS,
        gates=True,
        sha=f"{number:040x}",
        branch=f"change-{number}",
        evalkit="0.3.0",
        stamp=str(number),
        arms=(_arm(number, "baseline", "baseline"), _arm(number, "candidate", f"c{number}")),
    )


def _arm(number: int, variant: str, content: str) -> ArmEntry:
    return ArmEntry(
        suite="bench",
        variant=variant,
        content=content,
        source="working tree",
        prompt="bench@v1",
        models={"tiny": "tiny-2026-01-01"},
        assets={f"asset-{each}": f"sha256:{number:064x}" for each in range(10)},
        cases=2000,
        trials=1,
        metrics=dict.fromkeys(METRICS, 1 / (1 + number % 7)),
        slices={f"slice-{each}": 1 / (1 + (number + each) % 5) for each in range(10)},
        outcome=Outcome.PASS,
    )


def tallies(number: int, cases: int) -> dict[tuple[str, str], tuple[CaseTally, ...]]:
    """What both arms measured: a tenth of the cases flips."""
    made = []
    for case in range(cases):
        passed = case % 10 > 0 or (number + case // 10) % 3 > 0
        seen = {f"request-{number}-{case}": passed}
        made.append(CaseTally(case=f"case-{case:05}", passes=int(passed), runs=1, measured=seen))
    return {("bench", "baseline"): tuple(made), ("bench", "candidate"): tuple(made)}


def median_s(act: Callable[[], Any], times: int) -> float:
    """The median of several measurements."""
    seen = []
    for _ in range(times):
        started = time.perf_counter()
        act()
        seen.append(time.perf_counter() - started)
    return statistics.median(seen)


def say(what: str, figures: dict[str, Any]) -> None:
    """One JSON line; four digits that tell something."""
    rounded = {k: float(f"{v:.4g}") if isinstance(v, float) else v for k, v in figures.items()}
    print(json.dumps({"what": what} | rounded), flush=True)


def bench_record(path: Path, runs: int, cases: int) -> None:
    """Fill the file run by run: the median, and the first and the last ten."""
    seen = []
    with SqliteHistory(path) as history:
        for number in range(runs):
            measured = tallies(number, cases)
            started = time.perf_counter()
            history.record(entry(number), measured)
            seen.append(time.perf_counter() - started)
        replay = tallies(runs - 1, cases)
        replayed = median_s(lambda: history.record(entry(runs), replay), 3)
        history.forget([entry(runs).id])
    say(
        "record",
        {
            "runs": runs,
            "cases": cases,
            "median_s": statistics.median(seen),
            "first_ten_s": statistics.median(seen[:10]),
            "last_ten_s": statistics.median(seen[-10:]),
            "replay_replaced_s": replayed,
            "file_mb": path.stat().st_size / 1e6,
        },
    )


def bench_queries(root: Path, path: Path, runs: int, times: int) -> None:
    """Every question, beside reading the rows that it is about."""
    bare = sqlite3.connect(path)
    arms_s = median_s(lambda: bare.execute("SELECT * FROM arms").fetchall(), times)
    tally_s = median_s(lambda: bare.execute("SELECT * FROM tallies").fetchall(), times)
    count_s = median_s(lambda: bare.execute("SELECT count(*) FROM measurements").fetchall(), times)
    bare.close()
    say("floor", {"arms_s": arms_s, "tallies_s": tally_s, "count_measurements_s": count_s})
    with SqliteHistory(path) as history:
        asked: dict[str, tuple[Callable[[], Any], float]] = {
            "trend": (lambda: history.trends(suite="bench", limit=runs), arms_s),
            "trend_of_slices": (lambda: history.trends(slices=True, limit=runs), arms_s),
            "every_metric": (
                lambda: [history.trends(metric=name, limit=runs) for name in METRICS],
                arms_s,
            ),
            "runs": (lambda: history.runs(limit=runs), arms_s),
            "of_content": (lambda: history.of_content("bench", "baseline"), arms_s),
            "flakes": (lambda: history.flakes("bench", "baseline"), tally_s),
            "stamps": (history.stamps, arms_s),
        }
        for name, (act, floor_s) in asked.items():
            taken = median_s(act, times)
            say(name, {"s": taken, "over_floor": taken / floor_s})
        assert len(history.trends(limit=runs)[0].points) == runs
        assert len(history.flakes("bench", "baseline")) > 0


def bench_process(root: Path, path: Path, runs: int, times: int) -> None:
    """`evalkit history` with as many bundles to look for as the history knows."""
    project(root, 1)
    store = RunStore(root)
    with open_history(root) as history:
        for number in range(runs):
            made = entry(number)
            folder = store.folder / made.id
            folder.mkdir(parents=True)
            (folder / "run.json").write_text("{}")
            state = (folder / "run.json").stat()
            history.record(_stamped(made, f"{state.st_size}-{state.st_mtime_ns}"), {})
    for more in ([], ["--metric", "all", "--slices", "--limit", str(runs)]):
        seen = [measure([*EVALKIT, "history", *more], root)["wall_s"] for _ in range(times)]
        bare = [measure([*EVALKIT, "--version"], root)["wall_s"] for _ in range(times)]
        say(
            "process",
            {
                "arguments": " ".join(more),
                "wall_s": statistics.median(seen),
                "version_s": statistics.median(bare),
            },
        )


def _stamped(run: RunEntry, stamp: str) -> RunEntry:
    return msgspec.structs.replace(run, stamp=stamp)


def project(root: Path, cases: int) -> None:
    """A project on scripted replies."""
    files = {
        "evalkit.yaml": SCRIPTED,
        "prompts/bench/v1.yaml": PROMPT,
        "goldensets/bench/v1/set.yaml": "name: bench\nversion: 1\ndescription: Benchmark cases.\n",
        "goldensets/bench/v1/cases.jsonl": "".join(
            json.dumps({"id": f"c{n:05}", "input": {"text": f"q{n}"}, "expected": {"output": "ok"}})
            + "\n"
            for n in range(cases)
        ),
        "scripted/bench.jsonl": "".join(
            json.dumps({"case": f"c{n:05}", "prompt": "bench@v1", "reply": {"content": "ok"}})
            + "\n"
            for n in range(cases)
        ),
    }
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text, encoding="utf-8")


def bench_rebuild(root: Path, cases: int, bundles: int) -> None:
    """Copies of one bundle, read into an empty history, beside only loading them."""
    project(root, cases)
    subprocess.run([*EVALKIT, "run", "--quiet"], cwd=root, check=True, stdout=subprocess.DEVNULL)
    store = RunStore(root)
    (first,) = store.list()
    record = first.read_record()
    for number in range(1, bundles):
        name = f"{record.id[:-4]}{number:04x}"
        shutil.copytree(first.path, store.folder / name)
        text = (first.path / "run.json").read_text().replace(record.id, name)
        (store.folder / name / "run.json").write_text(text)
    started = time.perf_counter()
    made = rebuild(root)
    taken = time.perf_counter() - started
    started = time.perf_counter()
    for bundle in store.list():
        bundle.load()
    loaded = time.perf_counter() - started
    assert made == bundles
    say(
        "rebuild",
        {
            "bundles": bundles,
            "cases": cases,
            "s_a_bundle": taken / bundles,
            "load_s_a_bundle": loaded / bundles,
            "over_load": taken / loaded,
        },
    )


def main() -> None:
    """Measure everything once, in this order."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--runs", type=int, default=500)
    parser.add_argument("--cases", type=int, default=2000)
    parser.add_argument("--bundles", type=int, default=10)
    parser.add_argument("--times", type=int, default=7, help="medians of so many")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        path = root / "history.db"
        bench_record(path, arguments.runs, arguments.cases)
        bench_queries(root, path, arguments.runs, arguments.times)
        bench_process(root / "project", path, arguments.runs, arguments.times)
        bench_rebuild(root / "bundles", arguments.cases, arguments.bundles)


if __name__ == "__main__":
    main()
