"""How long a run takes until its first request, and what it holds by then.

    python benchmarks/start_up.py                              # 1, 2,000 and 10,000 cases
    python benchmarks/start_up.py --cases 1000 100000 --times 1

`evalkit run` is started on a project of benchmarks/runner.py and stopped as soon as the server has
seen a request: imports, loading, redaction, rendering and pricing every case, the bundle's first
files. Beside it what importing bare libraries takes, `--help`, and `evalkit plan`, which does the
same and prints. `in git` is the same run in a repository with one changed prompt, against
`--baseline HEAD`: two arms, and the git processes that it takes. Memory is the peak so far. Each
run finds a project without private state. Prints JSON lines; bytecode is written first, as an
installed package has it, and PYTHONDONTWRITEBYTECODE is taken out of the environment for that.
"""

import argparse
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

from floor import requests_seen, server  # noqa: E402 -- sibling scripts, not a package
from runner import EVALKIT, make_project, median, say  # noqa: E402

FLOOR = [sys.executable, "-c", "import typer, rich, pydantic, yaml, aiohttp"]
_POLL_S = 0.005


def first_request(root: Path, url: str, *more: str) -> dict[str, float]:
    """Seconds from starting a run to its first request, CPU seconds and peak megabytes by then."""
    # a run that was killed is read into the history by the next one
    shutil.rmtree(root / ".evalkit", ignore_errors=True)
    before = requests_seen(url)
    started = time.perf_counter()
    command = [*EVALKIT, "run", "--quiet", "--no-cache", *more]
    process = subprocess.Popen(
        command, cwd=root, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    while requests_seen(url) == before:
        if process.poll() is not None:
            raise SystemExit(f"{command} ended with {process.returncode} before any request")
        time.sleep(_POLL_S)
    wall_s = time.perf_counter() - started
    status = Path(f"/proc/{process.pid}/status").read_text(encoding="utf-8")
    peak_kb = next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM"))
    process.send_signal(signal.SIGKILL)
    _, _, usage = os.wait4(process.pid, 0)
    return {
        "wall_s": wall_s,
        "cpu_s": usage.ru_utime + usage.ru_stime,
        "peak_rss_mb": int(peak_kb) / 1024,
    }


def bench(cases: int, times: int) -> None:
    """One size: a run until its first request, and a plan."""
    with tempfile.TemporaryDirectory() as folder, server(1000.0) as url:
        root = Path(folder)
        make_project(root, url, cases, 32)
        seen = [first_request(root, url) for _ in range(times)]
        found = {key: statistics.median(each[key] for each in seen) for key in seen[0]}
        floor = median(FLOOR, root, times)
        ratio = found["wall_s"] / floor["wall_s"]
        say("first request", {"cases": cases} | found | {"over_bare_imports": ratio})
        say("plan", {"cases": cases} | median([*EVALKIT, "plan", "--no-cache"], root, times))
        say("check", {"cases": cases} | median([*EVALKIT, "check"], root, times))
        commit(root)
        seen = [first_request(root, url, "--baseline", "HEAD") for _ in range(times)]
        found = {key: statistics.median(each[key] for each in seen) for key in seen[0]}
        say("first request in git", {"cases": cases} | found)


def commit(root: Path) -> None:
    """Make a repository of the project, with a prompt that differs from its commit."""
    (root / ".gitignore").write_text(".evalkit/\n", encoding="utf-8")
    who = ["-c", "user.name=bench", "-c", "user.email=bench@localhost"]
    for arguments in (["init", "-q"], ["add", "-A"], [*who, "commit", "-qm", "as it was"]):
        subprocess.run(["git", *arguments], cwd=root, check=True)
    prompt = root / "prompts/bench/v1.yaml"
    changed = prompt.read_text(encoding="utf-8").replace("one label", "one short label")
    prompt.write_text(changed, encoding="utf-8")


def main() -> None:
    """Measure the floor, `--help`, then every size."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--cases", type=int, nargs="+", default=[1, 2_000, 10_000])
    parser.add_argument("--times", type=int, default=3, help="medians of so many")
    arguments = parser.parse_args()
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    root = Path(tempfile.gettempdir())
    for name, command in (("bare imports", FLOOR), ("help", [*EVALKIT, "--help"])):
        median(command, root, 1)
        say(name, median(command, root, 2 * arguments.times + 1))
    for cases in arguments.cases:
        bench(cases, arguments.times)


if __name__ == "__main__":
    main()
