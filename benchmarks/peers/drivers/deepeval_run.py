"""The reference work by deepeval: `python deepeval_run.py job.json [cached]`.

Outputs come first, from OpenAI's client, as its documentation has the application under test give
them; then `evaluate` with its own exact match. `cached` leaves its cache of metrics as it is unless
told otherwise (written); without it, it is off. `passed.json` is for us.
"""

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

from deepeval import evaluate
from deepeval.evaluate import AsyncConfig, CacheConfig, DisplayConfig
from deepeval.metrics import ExactMatchMetric
from deepeval.test_case import LLMTestCase
from openai import AsyncOpenAI


async def ask_all(job: dict[str, Any]) -> list[LLMTestCase]:
    """A test case for every line, with what the model said."""
    cases = [json.loads(line) for line in Path(job["cases"]).read_text().splitlines()]
    slots = asyncio.Semaphore(job["concurrency"])
    async with AsyncOpenAI(base_url=job["url"], api_key=job["key"]) as client:

        async def ask(case: dict[str, Any]) -> LLMTestCase:
            async with slots:
                reply = await client.chat.completions.create(
                    messages=[job["system"], {"role": "user", "content": case["text"]}],
                    **job["request"],
                )
            return LLMTestCase(
                name=case["id"],
                input=case["text"],
                actual_output=reply.choices[0].message.content or "",
                expected_output=case["expected"],
            )

        return await asyncio.gather(*map(ask, cases))


def main() -> None:
    """Ask, then evaluate."""
    job = json.loads(Path(sys.argv[1]).read_text())
    result = evaluate(
        asyncio.run(ask_all(job)),
        [ExactMatchMetric()],
        async_config=AsyncConfig(max_concurrent=job["concurrency"]),
        display_config=DisplayConfig(
            show_indicator=False, print_results=False, inspect_after_run=False
        ),
        cache_config=CacheConfig(write_cache="cached" in sys.argv[2:]),
    )
    passed = [bool(each.success) for each in result.test_results]
    counts = {"passed": sum(passed), "scored": len(passed)}
    Path("passed.json").write_text(json.dumps(counts))


main()
