"""What a run of evalkit costs beside its floor: the same calls by bare clients, in one session.

    python benchmarks/runner.py                      # 2,000 cases, 50 ms, 32 at once
    python benchmarks/runner.py --concurrency 512 --latency-ms 1000 --cases 10240
    python benchmarks/runner.py --scaling            # 1k, 10k, 100k cases at 0 ms; short prompts
    python benchmarks/runner.py --scaling --up-to 1000000

The reference work is N cases with an exact match on the reply, one call a case, against
benchmarks/server.py. `evalkit run` is measured as a whole process (start-up, plan, journal, traces,
policies, scoring, reports); bare clients as benchmarks/floor.py does. Then `--help` against a bare
`import typer, rich`, `check` of N cases, and `diff` of two bundles of N cases. Prints JSON lines;
ratios are within this one run. At 0 ms the server and the client share the machine's cores, and
wall seconds are theirs together.
"""

import argparse
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

from floor import PROMPT, requests_seen, server, server_counters  # noqa: E402 -- a sibling script, not a package

EVALKIT = [sys.executable, "-m", "evalkit"]
CONFIG = """\
version: 1
providers: {{bench: {{kind: openai, base_url: "{url}"}}}}
models: {{bench: {{provider: bench, price: {{input_usd_per_mtok: 1, output_usd_per_mtok: 1}}}}}}
routes:
  - {{name: bench, models: {{primary: bench}}, max_tokens: 16, policies: {{pii_redaction: true}}}}
budgets: [{{scope: run, max_usd: 1000}}]
run: {{concurrency: {concurrency}}}
suites:
  bench:
    golden: bench@v1
    route: bench
    target: {{prompt: bench@v1}}
    scorers: [{{exact: {{}}}}]
    gate: {{max_drop_pp: null, min_pass_rate: 0.5}}
"""
PROMPT_FILE = """\
name: bench
version: 1
messages:
  - {role: system, content: Answer with one label.}
  - {role: user, content: "{{ input.text }}"}
params: {temperature: 0}
output: {kind: text}
"""


def make_project(
    root: Path,
    url: str,
    cases: int,
    concurrency: int,
    *,
    expected: Callable[[int], str] = lambda number: "ok",
    prompt: str = PROMPT,
) -> None:
    """A project whose every case costs one call and is `expected` to say what its number tells."""
    files = {
        "evalkit.yaml": CONFIG.format(url=url, concurrency=concurrency),
        "prompts/bench/v1.yaml": PROMPT_FILE,
        "goldensets/bench/v1/set.yaml": "name: bench\nversion: 1\ndescription: Benchmark cases.\n",
    }
    for path, text in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text, encoding="utf-8")
    with open(root / "goldensets/bench/v1/cases.jsonl", "w", encoding="utf-8") as lines:
        for number in range(cases):
            case = {
                "id": f"c{number:07}",
                "input": {"text": f"{prompt}{number}"},
                "expected": {"output": expected(number)},
            }
            lines.write(json.dumps(case) + "\n")


def measure(command: list[str], cwd: Path, *, expect: int = 0) -> dict[str, float]:
    """Wall seconds, CPU seconds and peak megabytes of one process, and when it was started by the
    machine's monotonic clock."""
    with tempfile.TemporaryFile() as out:
        started = time.monotonic()
        process = subprocess.Popen(command, cwd=cwd, stdout=out, stderr=out)
        _, status, usage = os.wait4(process.pid, 0)
        wall_s = time.monotonic() - started
        code = os.waitstatus_to_exitcode(status)
        if code != expect:
            out.seek(0)
            raise SystemExit(f"{command} ended with {code}:\n{out.read().decode()}")
    return {
        "started_s": started,
        "wall_s": wall_s,
        "cpu_s": usage.ru_utime + usage.ru_stime,
        "peak_rss_mb": usage.ru_maxrss / 1024,
    }


def median(command: list[str], cwd: Path, times: int) -> dict[str, float]:
    """The medians of several measurements."""
    seen = [measure(command, cwd) for _ in range(times)]
    return {
        key: statistics.median(each[key] for each in seen) for key in seen[0] if key != "started_s"
    }


def say(what: str, figures: dict[str, Any]) -> None:
    """One JSON line."""
    rounded = {k: round(v, 3) if isinstance(v, float) else v for k, v in figures.items()}
    print(json.dumps({"what": what} | rounded), flush=True)


def bench_run(root: Path, cases: int, concurrency: int, latency_ms: float, times: int) -> None:
    """`evalkit run` against the server, and the bare clients for the same calls."""
    sizes = ["--cases", str(cases), "--concurrency", str(concurrency)]
    floor = [sys.executable, str(HERE / "floor.py"), "--latency-ms", str(latency_ms), *sizes]
    clients = {}
    for line in subprocess.run(
        floor, check=True, stdout=subprocess.PIPE, text=True
    ).stdout.splitlines():
        figures = json.loads(line)
        clients[figures.pop("client")] = figures
        say("floor", {"client": list(clients)[-1]} | figures)
    ideal_s = cases * latency_ms / 1000 / concurrency
    seen: list[dict[str, float]] = []
    for number in range(times):
        if number:  # a run of the same content would be lent the attempts of this one
            (root / ".evalkit").rename(root / f"earlier{number}")
        with server(latency_ms) as url:
            make_project(root, url, cases, concurrency)
            run = measure([*EVALKIT, "run", "--quiet", "--no-cache"], root)
            counted = server_counters(url)
        # the server's moments are of the same clock
        calls_s = counted["last_answer_s"] - counted["first_request_s"]
        run["start_up_s"] = counted["first_request_s"] - run["started_s"]
        run["calls_s"] = calls_s
        run["after_calls_s"] = run["wall_s"] - run["start_up_s"] - calls_s
        run["mean_in_flight"] = counted["busy_s"] / calls_s
        run["without_start_up_s"] = run["wall_s"] - run["start_up_s"]
        seen.append(run)
    run = {key: statistics.median(each[key] for each in seen) for key in seen[0]}
    cpu_ms = run["cpu_s"] * 1000 / cases
    say(
        "run",
        {
            "cases": cases,
            "concurrency": concurrency,
            "latency_ms": latency_ms,
            "requests": counted["requests"],
            "wall_s": run["wall_s"],
            "start_up_s": run["start_up_s"],
            "ideal_s": ideal_s,
            "calls_over_ideal": run["calls_s"] / ideal_s if ideal_s else None,
            "mean_in_flight": run["mean_in_flight"],
            "after_calls_s": run["after_calls_s"],
            "wall_without_start_up_over_ideal": (
                run["without_start_up_s"] / ideal_s if ideal_s else None
            ),
            "cpu_ms_a_case": cpu_ms,
            "cpu_over_bare_aiohttp": cpu_ms / clients["aiohttp"]["cpu_ms_a_case"],
            "cpu_over_bare_httpx": cpu_ms / clients["httpx"]["cpu_ms_a_case"],
            "peak_rss_mb": run["peak_rss_mb"],
        },
    )


def bench_scaling(folder: Path, up_to: int, concurrency: int) -> None:
    """`evalkit run` of ten times as many cases each time, at 0 ms: what a case costs stays."""
    cases = 1_000
    while cases <= up_to:
        root = folder / str(cases)
        with server(0) as url:
            make_project(root, url, cases, concurrency, prompt=PROMPT[: len(PROMPT) // 12])
            run = measure([*EVALKIT, "run", "--quiet", "--no-cache"], root)
            requests = requests_seen(url)
        figures = {
            "cases": cases,
            "requests": requests,
            "wall_s": run["wall_s"],
            "cpu_ms_a_case": run["cpu_s"] * 1000 / cases,
            "peak_rss_mb": run["peak_rss_mb"],
        }
        say("scaling", figures)
        shutil.rmtree(root)
        cases *= 10


def open_many_files() -> None:
    """A connection is a file: as many as the machine allows, here and in what is started."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def bench_start_up(root: Path, times: int) -> None:
    """`--help` against a bare import of what it is made with."""
    bare = median([sys.executable, "-c", "import typer, rich"], root, times)["wall_s"]
    helped = median([*EVALKIT, "--help"], root, times)["wall_s"]
    say("help", {"wall_s": helped, "bare_import_s": bare, "ratio": helped / bare})


def bench_offline(root: Path, cases: int, times: int) -> None:
    """`check` and `diff`, which call nothing."""
    say("check", {"cases": cases} | median([*EVALKIT, "check"], root, times))
    runs = sorted(map(str, root.glob("*/runs/*")), key=lambda path: Path(path).name)[-2:]
    say("diff", {"cases": cases} | median([*EVALKIT, "diff", *runs], root, times))


def main() -> None:
    """Measure everything once, in this order."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--cases", type=int, default=2000)
    parser.add_argument("--concurrency", type=int, default=32)
    parser.add_argument("--latency-ms", type=float, default=50.0)
    parser.add_argument("--times", type=int, default=3, help="medians of so many")
    parser.add_argument("--scaling", action="store_true", help="ever more cases, and nothing else")
    parser.add_argument("--up-to", type=int, default=100_000, help="the most of --scaling")
    arguments = parser.parse_args()
    open_many_files()
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        if arguments.scaling:
            bench_scaling(root, arguments.up_to, arguments.concurrency)
            return
        bench_run(
            root,
            arguments.cases,
            arguments.concurrency,
            arguments.latency_ms,
            max(2, arguments.times),
        )
        bench_start_up(root, 2 * arguments.times + 1)
        bench_offline(root, arguments.cases, arguments.times)


if __name__ == "__main__":
    main()
