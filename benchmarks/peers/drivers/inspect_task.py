"""The reference work as a task of inspect_ai, with its own `exact` scorer."""

import json
import os
from pathlib import Path
from typing import Any

from inspect_ai import Task, task
from inspect_ai.dataset import Sample, json_dataset
from inspect_ai.model import GenerateConfig
from inspect_ai.scorer import exact
from inspect_ai.solver import generate, system_message


def sample(case: dict[str, Any]) -> Sample:
    """A line of the cases."""
    return Sample(id=case["id"], input=case["text"], target=case["expected"])


@task
def bench() -> Task:
    """Every case of the job once."""
    job = json.loads(Path(os.environ["BENCH_JOB"]).read_text())
    return Task(
        dataset=json_dataset(job["cases"], sample),
        solver=[system_message(job["system"]["content"]), generate()],
        scorer=exact(),
        config=GenerateConfig(
            max_tokens=job["request"]["max_tokens"], temperature=job["request"]["temperature"]
        ),
    )
