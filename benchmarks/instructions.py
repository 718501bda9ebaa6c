"""What a run takes in processor instructions, which are the same on a busy and on an idle machine.

    python benchmarks/instructions.py                     # 1 and 2,000 cases; three minutes
    python benchmarks/instructions.py --cases 1 500

Seconds of a shared machine differ by a third from hour to hour, so a change of a hundredth cannot
be seen in them. valgrind, which must be installed, counts instead: the same run twice differs by
less than a thousandth. Counted are `evalkit plan` and `evalkit run` of the reference work
(benchmarks/runner.py), then what a further case adds, and beside it what a call by bare aiohttp
adds. Everything takes some fifty times as long under valgrind, so replies that would come one by
one come together, and what waits for time is not in it: instructions tell what is burnt, seconds
what is felt.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

from floor import server  # noqa: E402 -- sibling scripts, not a package
from runner import EVALKIT, make_project, say  # noqa: E402

COUNTER = ["valgrind", "--tool=cachegrind", "--cache-sim=no", "--cachegrind-out-file=/dev/null"]
_COUNTED = re.compile(r"I\s+refs:\s+([\d,]+)")


def millions(command: list[str], cwd: Path) -> float:
    """How many million instructions a process takes, with the threads that it starts."""
    done = subprocess.run([*COUNTER, *command], cwd=cwd, capture_output=True, text=True)
    found = _COUNTED.search(done.stderr)
    if found is None or done.returncode != 0:
        raise SystemExit(f"{command} ended with {done.returncode}:\n{done.stderr}")
    return int(found[1].replace(",", "")) / 1e6


def planned(cases: int) -> float:
    """`evalkit plan` of so many cases."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        make_project(root, "http://127.0.0.1:9/v1", cases, 32)
        return millions([*EVALKIT, "plan", "--no-cache"], root)


def run(cases: int) -> float:
    """`evalkit run` of so many cases against a server that answers after 50 ms."""
    with tempfile.TemporaryDirectory() as folder, server(50.0) as url:
        root = Path(folder)
        make_project(root, url, cases, 32)
        return millions([*EVALKIT, "run", "--quiet", "--no-cache"], root)


def floor(cases: int) -> float:
    """So many calls by bare aiohttp."""
    with server(50.0) as url:
        command = [sys.executable, str(HERE / "floor.py"), "aiohttp", "--url", url]
        return millions([*command, "--cases", str(cases)], HERE)


def main() -> None:
    """Count the floor, then every size."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--cases", type=int, nargs=2, default=[1, 2_000], help="few, and many")
    few, many = parser.parse_args().cases
    if shutil.which(COUNTER[0]) is None:
        parser.error("valgrind is not installed")
    # a set of texts in another order is another count; bytecode is written first, as installed
    os.environ["PYTHONHASHSEED"] = "0"
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    subprocess.run([*EVALKIT, "--version"], check=True, stdout=subprocess.DEVNULL)
    run(1)
    call = (floor(1_100) - floor(100)) / 1_000
    say("a call by bare aiohttp", {"millions": call})
    for what, counted in (("plan", planned), ("run", run)):
        of_few, of_many = counted(few), counted(many)
        further = (of_many - of_few) / (many - few)
        say(what, {"cases": few, "millions": of_few})
        say(what, {"cases": many, "millions": of_many})
        say(f"a further case of {what}", {"millions": further, "over_bare_aiohttp": further / call})


if __name__ == "__main__":
    main()
