"""What a run costs on the workers of a Ray cluster of this machine, beside a run in one process.

    python benchmarks/ray_engine.py                  # needs the extra `ray`; minutes

The reference work of benchmarks/runner.py against benchmarks/server.py. CPU and calls a second are
of the stage in which attempts are made, between a tenth and nine tenths of the requests: of the
control session, and of all workers together. Planning, starting (of Ray, of workers) and reports
are not in it. The engines take turns, and medians are told. Then what one attempt weighs on the
way: bytes of its messages and of its journal, and what the control session takes to read them.
Prints JSON lines; ratios are within this one session.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

from floor import requests_seen, server  # noqa: E402 -- a sibling script, not a package
from runner import EVALKIT, make_project, say  # noqa: E402

TICK_S = 1 / os.sysconf("SC_CLK_TCK")


def cpu_s(process: int) -> float:
    """CPU seconds that a process has used, threads included."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) * TICK_S


def workers_cpu_s() -> float:
    """The same of all worker processes together."""
    total = 0.0
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if (folder / "cmdline").read_bytes().startswith(b"ray::RayActor"):
                total += cpu_s(int(folder.name))
        except OSError:
            continue  # it ended meanwhile
    return total


def measure(root: Path, url: str, cases: int) -> dict[str, float]:
    """One run, looked at while it makes attempts."""
    marks: list[tuple[int, float, float, float]] = []
    with tempfile.TemporaryFile() as out:
        process = subprocess.Popen(
            [*EVALKIT, "run", "--quiet", "--no-cache"], cwd=root, stdout=out, stderr=out
        )
        while process.poll() is None and len(marks) < 2:
            seen = requests_seen(url)
            if seen >= cases * (0.1, 0.9)[len(marks)]:
                marks.append((seen, time.perf_counter(), cpu_s(process.pid), workers_cpu_s()))
            time.sleep(0.05)
        if code := process.wait():
            out.seek(0)
            raise SystemExit(f"a run ended with {code}:\n{out.read().decode()}")
    (seen, at_s, here_s, there_s), last = marks
    made = last[0] - seen
    return {
        "calls_per_s": made / (last[1] - at_s),
        "here_cpu_ms_per_case": (last[2] - here_s) * 1000 / made,
        "workers_cpu_ms_per_case": (last[3] - there_s) * 1000 / made,
    }


def bench(workers: int, cases: int, concurrency: int, ms: float) -> dict[str, float]:
    """One run on so many workers; none is in one process."""
    with server(ms) as url, tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        make_project(root, url, cases, concurrency)
        if workers:
            config = root / "evalkit.yaml"
            engine = f"run: {{engine: {{kind: ray, workers: {workers}}}, "
            config.write_text(config.read_text().replace("run: {", engine))
        return measure(root, url, cases)


def bench_messages(times: int) -> None:
    """What one attempt weighs between a worker and its owner."""
    from evalkit.records.attempt import Attempt
    from evalkit.records.case import Case
    from evalkit.records.ledger import Scopes
    from evalkit.store.runs import RunStore
    from evalkit.workflows.runs.engines.messages import (
        Asked,
        Charged,
        Ended,
        Made,
        Make,
        Pass,
        Passed,
        Reserve,
        ToOwner,
        decode_for_owner,
        encode,
    )

    with server(0) as url, tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        make_project(root, url, 50, 8)
        subprocess.run([*EVALKIT, "run", "-q"], cwd=root, check=True, stdout=subprocess.DEVNULL)
        (bundle,) = RunStore(root).list()
        attempt: Attempt = next(iter(bundle.attempts()))
        spans = next(iter(bundle.traces())).spans
        journal = sum(
            (bundle.path / name).stat().st_size for name in ("attempts.jsonl", "traces.jsonl")
        )
    import msgspec

    attempt = msgspec.structs.replace(attempt, spans=spans)
    case = Case(id=attempt.case, input={"text": "x" * 400}, expected={"output": "ok"})
    told: list[ToOwner] = [
        Pass(1, 0, "bench", "bench", 200, None),
        Reserve(2, 0.0002, 200, Scopes(route="bench", workflow="bench"), False),
        Asked(1, 1, attempt.key, 0.0002, 200),
        Charged(2, "settled", 0.0001, 100),
        Ended(1, 1, 0.0001, 100, None),
        Passed(1, True, 100),
        Made(1, attempt),
    ]
    batch = encode(told)
    began = time.process_time()
    for _ in range(times):
        decode_for_owner(batch)
    read_us = (time.process_time() - began) * 1e6 / times
    say(
        "messages",
        {
            "bytes_to_worker": len(encode([Make(1, 0, case, 1)])),
            "bytes_to_owner": len(batch),
            "owner_reads_us": read_us,
            "bytes_journalled_per_attempt": journal / 50,
        },
    )


def main() -> None:
    """All of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=4000)
    parser.add_argument("--concurrency", type=int, default=64)
    parser.add_argument("--latency-ms", type=float, default=20.0)
    parser.add_argument("--times", type=int, default=3)
    sizes = parser.parse_args()
    bench_messages(20_000)
    seen: dict[int, list[dict[str, float]]] = {0: [], 1: [], 2: []}
    for _ in range(sizes.times):
        for workers, figures in seen.items():
            figures.append(bench(workers, sizes.cases, sizes.concurrency, sizes.latency_ms))
    medians = {
        workers: {key: statistics.median(each[key] for each in figures) for key in figures[0]}
        for workers, figures in seen.items()
    }
    alone = medians[0]["here_cpu_ms_per_case"]
    for workers, figures in medians.items():
        all_ms = figures["here_cpu_ms_per_case"] + figures["workers_cpu_ms_per_case"]
        say(
            "engine",
            {
                "engine": f"ray, {workers} workers" if workers else "asyncio",
                "cases": sizes.cases,
                "concurrency": sizes.concurrency,
                "latency_ms": sizes.latency_ms,
                **figures,
                "here_to_asyncio": figures["here_cpu_ms_per_case"] / alone,
                "cpu_to_asyncio": all_ms / alone,
            },
        )


if __name__ == "__main__":
    main()
