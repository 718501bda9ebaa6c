"""A project whose suite asks the server that misbehaves."""

from pathlib import Path

import pytest

from tests.cli.conftest import Evalkit, evalkit
from tests.cli.project import ProjectFiles
from tests.servers.openai_server import OpenAIServer, openai_server

__all__ = ["Evalkit", "evalkit", "openai_server"]


@pytest.fixture
def served(tmp_path: Path, openai_server: OpenAIServer) -> ProjectFiles:
    """A project of 100 cases in which the server answers 'yes' to every question."""
    openai_server.answer = lambda request: "yes"
    return serve(ProjectFiles(tmp_path / "project", cases=100), openai_server)


def serve(project: ProjectFiles, server: OpenAIServer) -> ProjectFiles:
    """Point a project's model at a server."""
    project.config["providers"] = {"served": {"kind": "openai", "base_url": server.url}}
    project.config["models"]["tiny"]["provider"] = "served"
    project.config["run"] = {"concurrency": 16, "timeout_s": 5.0, "retries": 1}
    # a provider that is down is not waited for longer than a test should take
    project.config["breaker"] = {"cool_down_s": 0.2}
    return project
