"""The reference work by pydantic-evals: `python pydantic_evals_run.py job.json`.

A dataset with its own `EqualsExpected`, a task over OpenAI's client, `max_concurrency`. It keeps no
file of its own, so its report is printed, as its documentation does. `passed.json` is for us.
"""

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

from openai import AsyncOpenAI
from pydantic_evals import Case, Dataset
from pydantic_evals.evaluators import EqualsExpected


async def run(job: dict[str, Any]) -> None:
    """Evaluate and print the report."""
    lines = Path(job["cases"]).read_text().splitlines()
    dataset: Dataset[str, str, None] = Dataset(
        name="bench",
        cases=[
            Case(name=case["id"], inputs=case["text"], expected_output=case["expected"])
            for case in map(json.loads, lines)
        ],
        evaluators=[EqualsExpected()],
    )
    async with AsyncOpenAI(base_url=job["url"], api_key=job["key"]) as client:

        async def answer(text: str) -> str:
            reply = await client.chat.completions.create(
                messages=[job["system"], {"role": "user", "content": text}], **job["request"]
            )
            return reply.choices[0].message.content or ""

        report = await dataset.evaluate(answer, max_concurrency=job["concurrency"], progress=False)
    report.print()
    passed = [case.assertions["EqualsExpected"].value for case in report.cases]
    counts = {"passed": sum(passed), "scored": len(passed)}
    Path("passed.json").write_text(json.dumps(counts))


asyncio.run(run(json.loads(Path(sys.argv[1]).read_text())))
