"""Earlier runs that can no longer be read, or that stand here twice, when a later one pools."""

import shutil
from pathlib import Path

import pytest

from tests.cli.conftest import V2
from tests.cli.project import ProjectFiles
from tests.faults.conftest import Evalkit
from tests.faults.test_escalation_and_pools import last_record, noisy

__all__ = ["noisy"]


def pooled_of(project: ProjectFiles) -> dict[str, int]:
    """What each arm of the last run was lent."""
    variants = last_record(project)["suites"][0]["variants"]
    return {each["variant"]: sum(each["pooled"].values()) for each in variants}


@pytest.fixture
def tried(evalkit: Evalkit, noisy: ProjectFiles) -> ProjectFiles:
    """A project with two runs of one pair."""
    noisy.suite["gate"] = {"max_drop_pp": 3, "max_trials": 1}
    noisy.write()
    for _ in range(2):
        evalkit("run", *V2, "--no-cache", cwd=noisy.root)
    return noisy


def bundle(project: ProjectFiles, number: int) -> Path:
    return sorted((project.root / ".evalkit/runs").iterdir())[number]


@pytest.mark.parametrize(
    "name", ["run.json", "assets/ask.json", "assets/ask.cases.jsonl", "attempts.jsonl"]
)
def test_an_earlier_run_that_is_damaged_keeps_no_later_one_from_running(
    evalkit: Evalkit, tried: ProjectFiles, name: str
) -> None:
    (bundle(tried, 0) / name).write_bytes(b"{")
    done = evalkit("run", *V2, "--no-cache", cwd=tried.root)
    assert done.returncode in (0, 1, 3), done.stderr
    assert pooled_of(tried) == {"baseline": 200, "candidate": 200}


def test_a_run_that_stands_here_twice_is_pooled_once(evalkit: Evalkit, tried: ProjectFiles) -> None:
    first = bundle(tried, 0)
    shutil.copytree(first, first.parent / "20260101T000000Z-aaaa")
    evalkit("run", *V2, "--no-cache", cwd=tried.root)
    assert pooled_of(tried) == {"baseline": 400, "candidate": 400}
