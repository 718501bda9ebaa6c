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
import cProfile
import gc
import hashlib
import json
import pstats
import random
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

from evalkit.control.factory import ControlPlane
from evalkit.ports import Provider
from evalkit.records.call import Message, Reply, Request, Usage
from evalkit.workflows.project import Project
from evalkit.workflows.wiring import Wiring

# Every control of a route that an act of generation meets, and a budget of each scope but one.
CONFIG = """\
version: 1
providers:
  bench:
    kind: openai
    base_url: "http://127.0.0.1:9/v1"
    limits: {requests_per_minute: 10000000, tokens_per_minute: 100000000000, max_concurrency: 512}
models:
  tiny: {provider: bench, price: {input_usd_per_mtok: 1.0, output_usd_per_mtok: 4.0}}
  other: {provider: bench, price: {input_usd_per_mtok: 2.0, output_usd_per_mtok: 8.0}}
routes:
- name: bench
  models: {primary: tiny, fallback: other}
  max_tokens: 256
  max_tool_calls: 6
  max_tool_retries: 1
  max_repeats: 1
  max_steps: 8
  max_total_tokens: 100000
  steps: {answer: {tools: [lookup_order]}}
  retrieval: {max_chunks: 6, allow_indexes: [kb]}
  policies:
    pii: {mode: redact}
    secrets: {mode: redact}
    disallow_actions: [send_email]
    allow_actions: [lookup_order]
    blocked_phrases:
    - "as an unpaid intern"
    - {text: "internal use only", where: both, mode: redact}
    - {pattern: "(?i)project +falcon", where: both}
    output_schema: answer.json
  approvals: {on_execute: support_leads}
budgets:
- {scope: run, max_usd: 1000}
- {scope: user, max_tokens: 1000000000, window: day}
- {scope: team, max_usd: 1000, window: month}
- {scope: org, max_usd: 1000, window: month}
- {scope: route, max_usd: 1000, window: hour}
"""
SCHEMA = {
    "type": "object",
    "required": ["answer", "order"],
    "additionalProperties": False,
    "properties": {
        "answer": {"type": "string", "minLength": 1, "maxLength": 2000},
        "order": {"type": "string", "pattern": "^ORD-[0-9]+$"},
        "escalate": {"type": "boolean"},
    },
}
SYSTEM = (
    "You answer for the parcel desk. Say in a sentence where the parcel is and what happens next, "
    "name the order, and answer in JSON. Never promise a date that the record does not give. "
)
PROSE = (
    "The parcel that was promised for Monday has not come and the tracking page stays empty. "
    "I have written twice, on the third of May and a week later, and nobody has answered. "
    "That was message {number:06d} of mine. "
)
END = "It is order ORD-{number}, placed by ada.miller@example.com on 2026-05-03."
IDENTITY = {"user": "ada", "org": "bench", "team": "support"}
PROMPT_BYTES = 2_000
# What the first round of calls takes is start-up: all of them arrive in the same instant.
WARM_UP_ROUNDS = 4


def build_prompt(number: int) -> list[Message]:
    """2 kB that were not seen before, so that no memory answers, with personal data in them."""
    end = END.format(number=number)
    prose = PROSE.format(number=number) * 12
    user = f"{prose[: PROMPT_BYTES - len(SYSTEM) - len(end) - 1]} {end}"
    return [
        Message(role="system", content=SYSTEM, part="system"),
        Message(role="user", content=user),
    ]


class InstantProvider:
    """Answers as the provider that it stands for would, after a time that `latency_s` draws."""

    origin: Literal["live"] = "live"

    def __init__(self, provider: Provider, latency_s: Callable[[], float]) -> None:
        self.name, self.identity = provider.name, provider.identity
        self.latency_s = latency_s
        self.took: dict[str, float] = {}

    def missing(self, request: Request) -> None:
        return None

    async def complete(self, request: Request, *, timeout_s: float) -> Reply:
        started = time.perf_counter()
        latency_s = self.latency_s()
        if latency_s:
            await asyncio.sleep(latency_s)
        order = request.messages[-1].content.partition("ORD-")[2].partition(",")[0]
        answer = f"It is on its way and [EMAIL_1] hears of it once it is at the depot. {order}"
        reply = Reply(
            content=f'{{"answer": "{answer}", "order": "ORD-{order}"}}',
            model="tiny-1",
            usage=Usage(input_tokens=500, output_tokens=20),
            origin="live",
            measurement_id=request.key,
            measured_at="2026-05-03T10:00:00+00:00",
            latency_s=latency_s,
        )
        self.took[request.key] = time.perf_counter() - started
        return reply

    async def close(self) -> None:
        return None


def open_plane(
    root: Path, latency_s: Callable[[], float]
) -> tuple[ControlPlane, InstantProvider, Wiring]:
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


async def call(plane: ControlPlane, prompt: list[Message]) -> str:
    """One session with one call, in its step; the request's key."""
    session = plane.open_for(IDENTITY)
    session.enter("answer")
    return (await session.complete(prompt)).key


async def measure_cpu(root: Path, calls: int, rounds: int) -> dict[str, Any]:
    """CPU of calls one after the other, less that of the provider alone; the least of `rounds`."""
    plane, provider, wiring = open_plane(root, lambda: 0.0)
    numbers = iter(range(10**9))
    for _ in range(200):
        await call(plane, build_prompt(next(numbers)))
    each_ms: list[float] = []
    for _ in range(rounds):
        prompts = [build_prompt(next(numbers)) for _ in range(calls)]
        gc.collect()
        started = time.process_time()
        for prompt in prompts:
            await call(plane, prompt)
        session_s = time.process_time() - started
        request = Request(model="tiny", messages=tuple(prompts[0]), key="k")
        started = time.process_time()
        for _ in range(calls):
            await provider.complete(request, timeout_s=1)
        each_ms.append((session_s - (time.process_time() - started)) * 1000 / calls)
    await wiring.close()
    unit_ms = measure_unit(calls)
    return {
        "cpu_ms_a_call": min(each_ms),
        "cpu_ms_of_each_round": each_ms,
        "unit_ms": unit_ms,
        "times_the_unit": min(each_ms) / unit_ms,
    }


def measure_unit(calls: int) -> float:
    """CPU of what any gateway does for a call: reads a request of that size as JSON, writes it,
    hashes it. The least of ten."""
    body = json.dumps([{"role": m.role, "content": m.content} for m in build_prompt(0)])
    each_ms = []
    for _ in range(10):
        started = time.process_time()
        for _ in range(calls):
            hashlib.sha256(json.dumps(json.loads(body)).encode()).hexdigest()
        each_ms.append((time.process_time() - started) * 1000 / calls)
    return min(each_ms)


async def measure_latency(
    root: Path, calls: int, concurrency: int, mean_s: float
) -> dict[str, float]:
    """What a call takes beyond its provider, under load: percentiles in milliseconds."""
    draw = random.Random(7)
    plane, provider, wiring = open_plane(root, lambda: mean_s * draw.uniform(0.5, 1.5))
    numbers = iter(range(calls + WARM_UP_ROUNDS * concurrency))
    added: list[float] = []

    async def work() -> None:
        await asyncio.sleep(mean_s * draw.random())
        for number in numbers:
            prompt = build_prompt(number)
            started = time.perf_counter()
            key = await call(plane, prompt)
            took_s = time.perf_counter() - started
            if number >= WARM_UP_ROUNDS * concurrency:
                added.append((took_s - provider.took[key]) * 1000)

    gc.collect()
    started, busy_s = time.perf_counter(), time.process_time()
    await asyncio.gather(*(work() for _ in range(concurrency)))
    wall_s, busy_s = time.perf_counter() - started, time.process_time() - busy_s
    await wiring.close()
    cuts = statistics.quantiles(added, n=100)
    return {
        "added_ms_p50": cuts[49],
        "added_ms_p95": cuts[94],
        "added_ms_p99": cuts[98],
        "added_ms_max": max(added),
        "calls_per_s": len(added) / wall_s,
        "busy": busy_s / wall_s,
    }


def say(what: str, figures: dict[str, Any]) -> None:
    """One JSON line; four digits that tell something."""
    print(json.dumps({"what": what} | {k: _short(v) for k, v in figures.items()}), flush=True)


def _short(value: Any) -> Any:
    if isinstance(value, list):
        return [_short(each) for each in value]
    return float(f"{value:.4g}") if isinstance(value, float) else value


def main() -> None:
    """Measure both."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--calls", type=int, default=5_000, help="of one round")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--concurrency", type=int, default=64)
    parser.add_argument("--latency-ms", type=float, default=50.0, help="of the provider, at mean")
    parser.add_argument("--profile", action="store_true", help="where the CPU goes, and no figures")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        (root / "evalkit.yaml").write_text(CONFIG)
        (root / "answer.json").write_text(json.dumps(SCHEMA))
        if asked.profile:
            profile = cProfile.Profile(time.process_time)
            profile.runcall(asyncio.run, measure_cpu(root, asked.calls, 1))
            pstats.Stats(profile).sort_stats("tottime").print_stats(60)
            return
        cpu = asyncio.run(measure_cpu(root, asked.calls, asked.rounds))
        say("cpu", {"prompt_bytes": PROMPT_BYTES} | cpu)
        for number in range(asked.rounds):
            load = measure_latency(root, asked.calls, asked.concurrency, asked.latency_ms / 1000)
            say("under load", {"round": number, "at_once": asked.concurrency} | asyncio.run(load))


if __name__ == "__main__":
    main()
