"""What the control session adds to a call: CPU alone, and latency under load.

    python benchmarks/session_cost.py                # all policies on, a prompt of 2 kB

The provider answers at once inside this process (or after `--latency-ms`), so what is measured is
the session: redaction in and out, phrases, steps and caps, budgets in the ledger file, limits,
breaker, trace and spans. `cpu_ms_a_call` is of a session that makes one call; `floor_ms_a_call` is
the provider alone. Then calls are made 64 at once over a provider that takes 50 ms:
`added_ms` is the time of a call less the time that its provider took. Prints JSON lines.
"""

import argparse
import asyncio
import json
import statistics
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from evalkit.control.factory import ControlPlane
from evalkit.ports import Provider
from evalkit.records.call import Message, Reply, Request, Usage
from evalkit.workflows.project import Project
from evalkit.workflows.wiring import Wiring

CONFIG = """\
version: 1
providers:
  bench: {kind: openai, base_url: "http://127.0.0.1:9/v1", LIMITS}
models:
  tiny: {provider: bench, price: {input_usd_per_mtok: 1.0, output_usd_per_mtok: 4.0}}
routes:
- name: bench
  models: {primary: tiny}
  max_tokens: 256
  max_tool_calls: 6
  policies:
    pii_redaction: true
    disallow_actions: [send_email]
    blocked_phrases: ["as an unpaid intern", "internal use only"]
    secrets: {mode: redact}
budgets:
- {scope: run, max_usd: 1000}
- {scope: user, max_tokens: 1000000000, window: day}
- {scope: team, max_usd: 1000, window: month}
"""
LIMITS = "limits: {requests_per_minute: 10000000, max_concurrency: 512}"
PROSE = (
    "The parcel that was promised for Monday has not come and the tracking page stays empty. "
    "I have written twice, on the third of May and a week later, and nobody has answered. "
)
PROMPT = (PROSE * 12)[:1900] + " Order ORD-20931, placed by ada.miller@example.com on 2026-05-03."
IDENTITY = {"user": "ada", "org": "bench", "team": "support"}


class InstantProvider:
    """Answers as the provider that it stands for would, after a fixed time."""

    origin: Literal["live"] = "live"

    def __init__(self, provider: Provider, latency_s: float) -> None:
        self.name, self.identity = provider.name, provider.identity
        self.latency_s = latency_s
        self.took: dict[str, float] = {}

    def missing(self, request: Request) -> None:
        return None

    async def complete(self, request: Request, *, timeout_s: float) -> Reply:
        started = time.perf_counter()
        if self.latency_s:
            await asyncio.sleep(self.latency_s)
        reply = Reply(
            content=f"It is on its way. {request.messages[-1].content[-8:]}",
            model="tiny-1",
            usage=Usage(input_tokens=500, output_tokens=20),
            origin="live",
            measurement_id=request.key,
            measured_at=datetime.now(UTC).isoformat(),
            latency_s=self.latency_s,
        )
        self.took[request.key] = time.perf_counter() - started
        return reply

    async def close(self) -> None:
        return None


async def open_plane(root: Path, latency_s: float) -> tuple[ControlPlane, InstantProvider, Wiring]:
    """The plane of the benchmark's project, over an instant provider."""
    project = Project.load(root)
    wiring = Wiring(root)
    made: list[InstantProvider] = []

    def wrap(provider: Provider) -> Provider:
        made.append(InstantProvider(provider, latency_s))
        return made[-1]

    wiring.watch(wrap)
    config = project.assets.config
    route = config.route("bench")
    assert route is not None
    plane = wiring.control_plane(config, route, suite="", ledger=wiring.ledger(config), cache=None)
    return plane, made[0], wiring


async def call(plane: ControlPlane, number: int) -> str:
    """One session with one call; the request's key."""
    session = plane.open_for(IDENTITY)
    message = Message(role="user", content=f"{PROMPT} {number:08d}")
    return (await session.complete([message])).key


async def measure_cpu(root: Path, calls: int) -> dict[str, float]:
    """CPU of calls one after the other, and of the provider alone."""
    plane, provider, wiring = await open_plane(root, 0.0)
    for number in range(100):
        await call(plane, number)
    started = time.process_time()
    for number in range(calls):
        await call(plane, number)
    session_s = time.process_time() - started
    request = Request(model="tiny", messages=(Message(role="user", content=PROMPT),), key="k")
    started = time.process_time()
    for _ in range(calls):
        await provider.complete(request, timeout_s=1)
    floor_s = time.process_time() - started
    await wiring.close()
    return {
        "cpu_ms_a_call": (session_s - floor_s) * 1000 / calls,
        "floor_ms_a_call": floor_s * 1000 / calls,
    }


async def measure_latency(
    root: Path, calls: int, concurrency: int, latency_s: float
) -> dict[str, Any]:
    """What a call takes beyond its provider, under load."""
    plane, provider, wiring = await open_plane(root, latency_s)
    numbers = iter(range(calls))
    added: list[float] = []

    async def work() -> None:
        for number in numbers:
            started = time.perf_counter()
            key = await call(plane, number)
            added.append((time.perf_counter() - started - provider.took[key]) * 1000)

    await asyncio.gather(*(work() for _ in range(concurrency)))
    await wiring.close()
    cuts = statistics.quantiles(added, n=100)
    return {"p50": cuts[49], "p95": cuts[94], "p99": cuts[98], "max": max(added)}


def main() -> None:
    """Measure both."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--calls", type=int, default=5_000)
    parser.add_argument("--concurrency", type=int, default=64)
    parser.add_argument("--latency-ms", type=float, default=50.0)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "evalkit.yaml").write_text(CONFIG.replace("LIMITS", LIMITS))
        cpu = asyncio.run(measure_cpu(Path(folder), arguments.calls))
        print(json.dumps({"what": "session", "prompt_bytes": len(PROMPT) + 9, **cpu}), flush=True)
        latency = asyncio.run(
            measure_latency(
                Path(folder), arguments.calls, arguments.concurrency, arguments.latency_ms / 1000
            )
        )
        print(
            json.dumps(
                {"what": "under load", "at_once": arguments.concurrency, "added_ms": latency}
            )
        )


if __name__ == "__main__":
    main()
