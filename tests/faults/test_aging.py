"""A model behind a floating name is measured again after a week, a pinned one never."""

from datetime import datetime, timedelta
from pathlib import Path

import pytest

from evalkit.workflows.runs.running import run_suites
from evalkit.workflows.setup.request import RunRequest
from evalkit.workflows.wiring import SystemClock, Wiring
from tests.cli.project import ProjectFiles
from tests.faults.conftest import serve
from tests.servers.openai_server import OpenAIServer


class LaterClock(SystemClock):
    """The machine's time, some days ahead."""

    def __init__(self, days: float) -> None:
        self._ahead = timedelta(days=days)

    def now(self) -> datetime:
        return super().now() + self._ahead


def run_after(project: ProjectFiles, days: float) -> None:
    run_suites(RunRequest(trials=1), wiring=Wiring(project.root, clock=LaterClock(days)))


@pytest.fixture
def project(tmp_path: Path, openai_server: OpenAIServer) -> ProjectFiles:
    openai_server.answer = lambda request: "yes"
    return serve(ProjectFiles(tmp_path / "project", cases=20), openai_server)


@pytest.mark.parametrize(
    ("model", "gate", "days", "asked_again"),
    [
        ("tiny", {}, 6, False),
        ("tiny", {}, 8, True),
        ("tiny-2026-01-31", {}, 400, False),
        ("tiny-2026-01-31", {"baseline_max_age_days": 30}, 31, True),
        ("tiny", {"baseline_max_age_days": 30}, 29, False),
    ],
)
def test_replies_are_measured_again_when_they_are_too_old(
    project: ProjectFiles,
    openai_server: OpenAIServer,
    model: str,
    gate: dict[str, float],
    days: float,
    asked_again: bool,
) -> None:
    project.config["models"]["tiny"]["id"] = model
    project.suite["gate"] = {"max_drop_pp": 3, **gate}
    project.write()
    run_after(project, 0)
    first = openai_server.books.requests
    run_after(project, days)
    assert (openai_server.books.requests > first) is asked_again
