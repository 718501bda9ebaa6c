"""What a run costs on the workers of a Ray cluster of this machine, beside a run in one process.

    python benchmarks/ray_engine.py                  # needs the extra `ray`; minutes

The reference work of benchmarks/runner.py against benchmarks/server.py. A run is made at two sizes,
and the CPU a case is the difference over the cases between them, so that starting (of Ray, of
workers) is not in it: of the control session, and of all workers together. `calls_per_s` is of the
whole stage in which attempts are made, at the larger size. Then what one attempt weighs on the way:
bytes of its messages and of its journal, and what the control session takes to read and write them.
Prints JSON lines; ratios are within this one session.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

from floor import server  # noqa: E402 -- a sibling script, not a package
from runner import EVALKIT, make_project, say  # noqa: E402

TICK_S = 1 / os.sysconf("SC_CLK_TCK")


class WorkerTime(threading.Thread):
    """CPU seconds of all worker processes, read while they live."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self._seen: dict[int, float] = {}
        self._over = threading.Event()

    def run(self) -> None:
        while not self._over.wait(0.2):
            self.look()

    def look(self) -> None:
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                if not (folder / "cmdline").read_bytes().startswith(b"ray::RayActor"):
                    continue
                fields = (folder / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue  # it ended meanwhile
            self._seen[int(folder.name)] = (int(fields[11]) + int(fields[12])) * TICK_S

    def stop(self) -> float:
        self._over.set()
        self.join()
        return sum(self._seen.values())


def measure(root: Path, engine: list[str]) -> dict[str, float]:
    """One run: seconds of CPU here and on workers, and seconds of its attempts."""
    watch = WorkerTime()
    watch.start()
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        process = subprocess.Popen(
            [*EVALKIT, "run", "--json", "--no-cache", *engine], cwd=root, stdout=out, stderr=err
        )
        _, status, usage = os.wait4(process.pid, 0)
        out.seek(0)
        err.seek(0)
        if code := os.waitstatus_to_exitcode(status):
            raise SystemExit(f"a run ended with {code}:\n{err.read().decode()}")
        record: dict[str, Any] = json.load(out)
    return {
        "here_s": usage.ru_utime + usage.ru_stime,
        "workers_s": watch.stop(),
        "took_s": record["duration_s"],
    }


def bench(engine: str, workers: int, few: int, many: int, concurrency: int, ms: float) -> float:
    """One engine at both sizes; returns all its CPU a case in ms."""
    seen = []
    for cases in (few, many):
        with server(ms) as url, tempfile.TemporaryDirectory() as folder:
            root = Path(folder)
            make_project(root, url, cases, concurrency)
            if engine == "ray":
                config = root / "evalkit.yaml"
                text = config.read_text().replace(
                    "run: {", f"run: {{engine: {{kind: ray, workers: {workers}}}, "
                )
                config.write_text(text)
            seen.append(measure(root, []))
    a_case = {
        key: (seen[1][key] - seen[0][key]) * 1000 / (many - few) for key in ("here_s", "workers_s")
    }
    say(
        "engine",
        {
            "engine": engine if engine == "asyncio" else f"ray, {workers} workers",
            "cases": many,
            "concurrency": concurrency,
            "latency_ms": ms,
            "calls_per_s": many / seen[1]["took_s"],
            "here_cpu_ms_per_case": a_case["here_s"],
            "workers_cpu_ms_per_case": a_case["workers_s"],
        },
    )
    return sum(a_case.values())


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
    parser.add_argument("--few", type=int, default=1000)
    parser.add_argument("--many", type=int, default=5000)
    parser.add_argument("--concurrency", type=int, default=64)
    parser.add_argument("--latency-ms", type=float, default=20.0)
    sizes = parser.parse_args()
    asked = (sizes.few, sizes.many, sizes.concurrency, sizes.latency_ms)
    bench_messages(20_000)
    alone = bench("asyncio", 0, *asked)
    for workers in (1, 2):
        say("ratio", {"workers": workers, "cpu_to_asyncio": bench("ray", workers, *asked) / alone})


if __name__ == "__main__":
    main()
