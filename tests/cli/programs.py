"""Projects whose suite tests a program: a function, a command, a running application."""

import json
from pathlib import Path
from typing import Any

from tests.cli.agents import write
from tests.cli.project import ProjectFiles

GOOD = "def answer(given):\n    return 'yes'\n"


def program_project(root: Path, target: dict[str, Any], *, cases: int = 110) -> ProjectFiles:
    """Written without the program; its gate asks for a floor and a baseline of the same files."""
    project = ProjectFiles(root, cases=cases)
    project.suite["target"] = target
    project.suite["baseline"] = {"set": {"run.timeout_s": 60.0}}
    del project.suite["baseline"]
    project.suite["gate"] = {"min_pass_rate": 0.5, "max_drop_pp": None}
    return project.write()


def python_project(root: Path, source: str = GOOD, *, cases: int = 40, **settings: Any) -> Any:
    """A project with `app.py`, whose `answer` is called."""
    target = {"python": {"call": "app:answer", "processes": 2, **settings}}
    project = program_project(root, target, cases=cases)
    write(project, "app.py", source)
    return project


def attempts(root: Path) -> list[dict[str, Any]]:
    """Of the last run."""
    runs = sorted((root / ".evalkit/runs").glob("*/attempts.jsonl"))
    return [json.loads(line) for line in runs[-1].read_text().splitlines()]
