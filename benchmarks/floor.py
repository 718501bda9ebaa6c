"""The floor: what bare HTTP clients burn for the calls that evalkit makes.

Each client posts N chat completions at concurrency C to benchmarks/server.py and prints one JSON
line: wall seconds, the client's CPU milliseconds a case, its peak memory. Every client runs in a
fresh process, so that neither its memory nor its imports are another's.

    python benchmarks/floor.py                                 # all, 2,000 cases, 32 at once
    python benchmarks/floor.py aiohttp --cases 500 --concurrency 8

`provider` is what evalkit puts on top: its transport and its OpenAI provider, without session,
runner and store.
"""

import argparse
import asyncio
import json
import resource
import subprocess
import sys
import time
import urllib.request
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

SERVER = Path(__file__).with_name("server.py")
PROMPT = "A parcel that was promised for Monday has not come and the tracking page is empty. " * 12
PAYLOAD = {
    "model": "bench",
    "messages": [
        {"role": "system", "content": "Answer with one label."},
        {"role": "user", "content": PROMPT},
    ],
    "max_tokens": 16,
    "temperature": 0,
}
HEADERS = {"content-type": "application/json", "authorization": "Bearer benchmark"}

Call = Callable[[], Awaitable[str]]


async def run_workers(call: Call, cases: int, concurrency: int) -> float:
    """Make the calls with a fixed set of workers; returns wall seconds."""
    remaining = iter(range(cases))

    async def work() -> None:
        for _ in remaining:
            if await call() != "ok":
                raise SystemExit("the server answered something else")

    started = time.perf_counter()
    await asyncio.gather(*(work() for _ in range(concurrency)))
    return time.perf_counter() - started


def content_of(body: bytes) -> str:
    """The reply's text."""
    text: str = json.loads(body)["choices"][0]["message"]["content"]
    return text


async def with_aiohttp(url: str, cases: int, concurrency: int) -> float:
    """Bare aiohttp."""
    import aiohttp

    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector) as client:

        async def call() -> str:
            body = json.dumps(PAYLOAD).encode()
            async with client.post(url, data=body, headers=HEADERS) as reply:
                return content_of(await reply.read())

        return await run_workers(call, cases, concurrency)


async def with_httpx(url: str, cases: int, concurrency: int) -> float:
    """Bare httpx."""
    import httpx

    limits = httpx.Limits(max_connections=None, max_keepalive_connections=None)
    async with httpx.AsyncClient(limits=limits, timeout=60) as client:

        async def call() -> str:
            body = json.dumps(PAYLOAD).encode()
            reply = await client.post(url, content=body, headers=HEADERS)
            return content_of(reply.content)

        return await run_workers(call, cases, concurrency)


async def with_httpx_aiohttp(url: str, cases: int, concurrency: int) -> float:
    """httpx over aiohttp's connections."""
    import httpx
    from httpx_aiohttp import AiohttpTransport

    transport = AiohttpTransport(limits=httpx.Limits(max_connections=0))
    async with httpx.AsyncClient(transport=transport, timeout=60) as client:

        async def call() -> str:
            body = json.dumps(PAYLOAD).encode()
            reply = await client.post(url, content=body, headers=HEADERS)
            return content_of(reply.content)

        return await run_workers(call, cases, concurrency)


async def with_provider(url: str, cases: int, concurrency: int) -> float:
    """evalkit's provider over its own transport."""
    from evalkit.control.providers.openai import OpenAIProvider
    from evalkit.control.providers.transport import build_transport
    from evalkit.records.call import Message, Request
    from evalkit.workflows.wiring import SystemClock

    transport = build_transport()
    provider = OpenAIProvider(
        name="bench",
        base_url=url.removesuffix("/chat/completions"),
        api_key_env="BENCH_KEY",
        environ={"BENCH_KEY": "benchmark"},
        transport=transport,
        clock=SystemClock(),
    )
    request = Request(
        model="bench",
        messages=(
            Message(role="system", content="Answer with one label.", part="system"),
            Message(role="user", content=PROMPT),
        ),
        key="bench",
        params={"max_tokens": 16, "temperature": 0},
    )

    async def call() -> str:
        return (await provider.complete(request, timeout_s=60)).content

    try:
        return await run_workers(call, cases, concurrency)
    finally:
        await transport.close()


CLIENTS = {
    "aiohttp": with_aiohttp,
    "httpx": with_httpx,
    "httpx-aiohttp": with_httpx_aiohttp,
    "provider": with_provider,
}


@contextmanager
def server(latency_ms: float, *more: str) -> Iterator[str]:
    """benchmarks/server.py in a process of its own, with `more` arguments; gives its base URL."""
    fixed = ["--latency-ms", str(latency_ms), "--until-stdin-closes"]
    process = subprocess.Popen(
        [sys.executable, str(SERVER), *fixed, *more],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert process.stdin is not None and process.stdout is not None
    try:
        yield json.loads(process.stdout.readline())["url"]
    finally:
        process.stdin.close()
        process.wait(timeout=10)
        process.stdout.close()


def server_counters(url: str) -> dict[str, Any]:
    """What the server saw, as `Counters` in server.py names it."""
    with urllib.request.urlopen(url.removesuffix("/v1") + "/stats") as reply:
        counters: dict[str, Any] = json.load(reply)
    return counters


def requests_seen(url: str) -> int:
    """How many requests the server counted."""
    return int(server_counters(url)["requests"])


def measure(name: str, url: str, cases: int, concurrency: int) -> dict[str, Any]:
    """Run one client in this process."""
    # One call first: imports, the first connection and compiled code are start-up, not cases.
    asyncio.run(CLIENTS[name](url + "/chat/completions", 1, 1))
    before = resource.getrusage(resource.RUSAGE_SELF)
    wall_s = asyncio.run(CLIENTS[name](url + "/chat/completions", cases, concurrency))
    after = resource.getrusage(resource.RUSAGE_SELF)
    cpu_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {
        "client": name,
        "cases": cases,
        "concurrency": concurrency,
        "wall_s": round(wall_s, 3),
        "cpu_ms_a_case": round(cpu_s * 1000 / cases, 3),
        "peak_rss_mb": round(after.ru_maxrss / 1024, 1),
    }


def main(argv: list[str] | None = None) -> None:
    """Start a server and a process for every client."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("clients", nargs="*", help=f"default: all of {', '.join(CLIENTS)}")
    parser.add_argument("--cases", type=int, default=2000)
    parser.add_argument("--concurrency", type=int, default=32)
    parser.add_argument("--latency-ms", type=float, default=50.0)
    parser.add_argument("--url", help="of a running server: measure in this process")
    arguments = parser.parse_args(argv)
    unknown = sorted(set(arguments.clients) - set(CLIENTS))
    if unknown:
        parser.error(f"unknown client {unknown[0]!r}; known: {', '.join(CLIENTS)}")
    names = arguments.clients or list(CLIENTS)
    if arguments.url:
        for name in names:
            figures = measure(name, arguments.url, arguments.cases, arguments.concurrency)
            print(json.dumps(figures), flush=True)
        return
    sizes = ["--cases", str(arguments.cases), "--concurrency", str(arguments.concurrency)]
    for name in names:
        with server(arguments.latency_ms) as url:
            command = [sys.executable, __file__, name, "--url", url, *sizes]
            line = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
            figures = json.loads(line)
            figures["latency_ms"] = arguments.latency_ms
            figures["requests"] = requests_seen(url)
            print(json.dumps(figures), flush=True)


if __name__ == "__main__":
    main()
