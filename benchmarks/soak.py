"""A soak of the control session: many calls at once against a server that misbehaves, with books.

    python benchmarks/soak.py                # 20,000 calls, 256 at once, one call in three faulty

Each call is a session of its own over real HTTP, its budgets in the ledger file. The server (a
process of its own) resets connections, sends half a body, slow bytes, wrong content types, bodies
of megabytes, 429s with and without Retry-After, 5xx, errors inside a 200, and answers of no shape;
and at times, for 200 calls in a row, nothing but 429s. Afterwards it is asked what it would bill,
and the ledger what it charged. Prints one JSON line, and
ends with 1 where any of this does not hold:

- none lost: every call has ended in an answer or in an error that names its kind;
- none wrong: every answer is the one to the call that got it, and no answer came twice;
- none double-charged: a call that met no fault was charged what its answer costs and no more, and
  the ledger holds what the sessions were charged, to the nano-dollar (what goes beyond the answers
  are the holds of tries whose answer was lost on the way);
- the ledger is never below what the server would bill;
- no hold is left; memory is flat: the last quarter grows by less than 10 % over the second.
"""

import argparse
import asyncio
import json
import resource
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from evalkit.control.factory import ControlPlane
from evalkit.errors import ProviderError
from evalkit.records.call import Message
from evalkit.workflows.project import Project
from evalkit.workflows.wiring import Wiring

SERVER = Path(__file__).parents[1] / "tests/servers/openai_server.py"
# What every third call meets, before an answer that is good. Stalls and slow bytes are few: each
# takes its timeout.
FAULTS = (
    "reset",
    "truncated",
    "rate_limit:0",
    "rate_limit_bare",
    "rate_limit_ms:20",
    "status:500",
    "html",
    "not_json",
    "wrong_shape",
    "not_http",
    "broken_gzip",
    "error_in_200",
    "no_usage",
    "empty",
    "huge:2000000",
    "reset, truncated",
    "status:503, reset",
    "rate_limit_bare, rate_limit_bare",
    "slow:0.3",
    "drip:0.3",
    "web_page",
    "mislabelled",
)
STORM = "rate_limit_bare, rate_limit:0"
STORM_EVERY, STORM_LENGTH = 5_000, 200
CONFIG = """\
version: 1
providers: {{bench: {{kind: openai, base_url: "{url}"}}}}
models:
  tiny: {{provider: bench, price: {{input_usd_per_mtok: 1.0, output_usd_per_mtok: 4.0}}}}
routes:
- name: soak
  models: {{primary: tiny}}
  max_tokens: 64
  policies: {{pii_redaction: true}}
budgets:
- {{scope: run, max_usd: 1000}}
- {{scope: user, max_usd: 1000, window: day}}
run: {{timeout_s: 5, retries: 6}}
"""
IDENTITIES = [{"user": f"user-{number}", "org": "bench", "team": "soak"} for number in range(20)]


@contextmanager
def misbehaving_server() -> Iterator[str]:
    """The server in its own process; yields its base URL."""
    process = subprocess.Popen(
        [sys.executable, str(SERVER)], stdout=subprocess.PIPE, text=True, cwd=SERVER.parents[2]
    )
    assert process.stdout is not None
    try:
        yield json.loads(process.stdout.readline())["url"]
    finally:
        process.terminate()
        process.wait(10)


def memory_mb() -> float:
    """What this process holds now."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 1e6


def fault_of(number: int) -> str:
    """What the server does to a call before it answers; empty for nothing."""
    if number % STORM_EVERY >= STORM_EVERY - STORM_LENGTH:
        return STORM
    return "" if number % 3 else FAULTS[number // 3 % len(FAULTS)]


async def soak(plane: ControlPlane, calls: int, concurrency: int) -> dict[str, Any]:
    """Make the calls; what became of them."""
    ended: Counter[str] = Counter()
    seen: Counter[str] = Counter()
    charged = {"answers": 0.0, "all": 0.0}
    overcharged = 0
    memory = [memory_mb()]
    numbers = iter(range(calls))

    async def work() -> None:
        nonlocal overcharged
        for number in numbers:
            fault = fault_of(number)
            session = plane.open_for(IDENTITIES[number % len(IDENTITIES)])
            text = f"Call {number}: a parcel has not come. [[reply: answer {number}]]"
            if fault:
                text += f" [[server: {fault}, ok]]"
            try:
                done = await session.complete([Message(role="user", content=text)])
            except ProviderError as error:
                ended[error.code] += 1
            else:
                ended["answered" if done.content == f"answer {number}" else "wrong answer"] += 1
                seen[done.reply.measurement_id] += 1
                charged["answers"] += done.cost_usd or 0.0
                overcharged += not fault and session.billed_usd != done.cost_usd
            charged["all"] += session.billed_usd
            if number % 500 == 0:
                memory.append(memory_mb())

    await asyncio.gather(*(work() for _ in range(concurrency)))
    quarter = len(memory) // 4
    return {
        "ended": dict(ended.most_common()),
        "answers_seen_twice": sum(1 for times in seen.values() if times > 1),
        "overcharged": overcharged,
        "charged_for_answers_usd": charged["answers"],
        "charged_usd": charged["all"],
        "memory_mb": [
            max(memory[:quarter]),
            max(memory[quarter : 2 * quarter]),
            max(memory[-quarter:]),
        ],
    }


def main() -> None:
    """Run it and hold the books against each other."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--calls", type=int, default=20_000)
    parser.add_argument("--concurrency", type=int, default=256)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, misbehaving_server() as url:
        (Path(folder) / "evalkit.yaml").write_text(CONFIG.format(url=url))
        found = asyncio.run(measure(Path(folder), arguments.calls, arguments.concurrency))
        with urllib.request.urlopen(url.removesuffix("/v1") + "/stats") as reply:
            books = json.load(reply)
    found |= {"acts": books["acts"], "billed_by_server_usd": books["usd"]}
    found["holds"] = judge(found, arguments.calls)
    print(json.dumps(found))
    sys.exit(0 if all(found["holds"].values()) else 1)


async def measure(root: Path, calls: int, concurrency: int) -> dict[str, Any]:
    """The soak over one project, and what its ledger says afterwards."""
    project = Project.load(root)
    wiring = Wiring(root)
    ledger = wiring.ledger(project.assets.config)
    route = project.assets.config.route("soak")
    assert route is not None
    plane = wiring.control_plane(project.assets.config, route, suite="", ledger=ledger, cache=None)
    started = time.perf_counter()
    found = await soak(plane, calls, concurrency)
    found["wall_s"] = round(time.perf_counter() - started, 2)
    found |= {
        "ledger_usd": ledger.spent_usd,
        "held_usd": ledger.held_usd,
        "held_tokens": ledger.held_tokens,
    }
    await wiring.close()
    return found


def judge(found: dict[str, Any], calls: int) -> dict[str, bool]:
    """What has to hold, by name."""
    second, last = found["memory_mb"][1:]
    return {
        "none_lost": sum(found["ended"].values()) == calls,
        "none_wrong": "wrong answer" not in found["ended"] and not found["answers_seen_twice"],
        "none_double_charged": not found["overcharged"]
        and abs(found["charged_usd"] - found["ledger_usd"]) < 1e-9,
        "never_below_the_server": found["ledger_usd"] >= found["billed_by_server_usd"] - 1e-9,
        "no_hold_left": not found["held_usd"] and not found["held_tokens"],
        "memory_flat": last < 1.1 * second,
    }


if __name__ == "__main__":
    main()
