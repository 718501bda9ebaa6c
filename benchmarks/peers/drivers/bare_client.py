"""The reference work by a bare client: `python bare_client.py aiohttp|httpx|openai job.json`.

No framework: calls by a fixed set of workers, a comparison, a line a case in results.jsonl.
"""

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

Ask = Callable[[dict[str, Any]], Awaitable[str]]


def text_of(body: bytes) -> str:
    """The reply's text."""
    text: str = json.loads(body)["choices"][0]["message"]["content"]
    return text


@asynccontextmanager
async def with_aiohttp(job: dict[str, Any]) -> AsyncIterator[Ask]:
    """aiohttp, no limit of its own."""
    import aiohttp

    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as client:

        async def ask(request: dict[str, Any]) -> str:
            url = job["url"] + "/chat/completions"
            async with client.post(url, json=request, headers=job["headers"]) as reply:
                return text_of(await reply.read())

        yield ask


@asynccontextmanager
async def with_httpx(job: dict[str, Any]) -> AsyncIterator[Ask]:
    """httpx, its connections kept."""
    import httpx

    limits = httpx.Limits(max_connections=None, max_keepalive_connections=None)
    async with httpx.AsyncClient(limits=limits, timeout=60) as client:

        async def ask(request: dict[str, Any]) -> str:
            url = job["url"] + "/chat/completions"
            reply = await client.post(url, json=request, headers=job["headers"])
            return text_of(reply.content)

        yield ask


@asynccontextmanager
async def with_openai(job: dict[str, Any]) -> AsyncIterator[Ask]:
    """OpenAI's own client, as it comes."""
    from openai import AsyncOpenAI

    async with AsyncOpenAI(base_url=job["url"], api_key=job["key"]) as client:

        async def ask(request: dict[str, Any]) -> str:
            reply = await client.chat.completions.create(**request)
            return reply.choices[0].message.content or ""

        yield ask


async def run(name: str, job: dict[str, Any]) -> None:
    """Ask for every case and write what came."""
    clients = {"aiohttp": with_aiohttp, "httpx": with_httpx, "openai": with_openai}
    cases = [json.loads(line) for line in Path(job["cases"]).read_text().splitlines()]
    remaining = iter(cases)
    with Path("results.jsonl").open("w") as out:
        async with clients[name](job) as ask:

            async def work() -> None:
                for case in remaining:
                    user = {"role": "user", "content": case["text"]}
                    request = job["request"] | {"messages": [job["system"], user]}
                    output = await ask(request)
                    result = {
                        "id": case["id"],
                        "output": output,
                        "pass": output == case["expected"],
                    }
                    out.write(json.dumps(result) + "\n")

            await asyncio.gather(*(work() for _ in range(job["concurrency"])))


if __name__ == "__main__":
    asyncio.run(run(sys.argv[1], json.loads(Path(sys.argv[2]).read_text())))
