"""`evalkit publish gitlab` as a job types it."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.conftest import Evalkit, Gated
from tests.servers.gitlab_server import TOKEN, GitlabServer


@pytest.fixture
def server() -> Iterator[GitlabServer]:
    with GitlabServer() as server:
        yield server
    assert server.violations == server.actions == []


def environ_of(server: GitlabServer, **changes: str) -> dict[str, str]:
    return {
        "CI_API_V4_URL": server.api,
        "CI_PROJECT_ID": "41",
        "CI_MERGE_REQUEST_IID": "7",
        "CI_PIPELINE_ID": "70",
        "GITLAB_TOKEN": TOKEN,
        "NO_PROXY": "127.0.0.1",
        **changes,
    }


def test_a_run_gets_its_note_and_its_code_quality_report(
    evalkit: Evalkit, server: GitlabServer, gated: Gated, tmp_path: Path
) -> None:
    file = tmp_path / "quality.json"
    more = (gated.failed, "--code-quality", str(file))
    done = evalkit("publish", "gitlab", *more, cwd=gated.root, environ=environ_of(server))
    assert (done.returncode, done.stderr) == (0, "")
    assert "note: made" in done.stdout
    assert "## evalkit: FAIL" in server.notes[0]["body"]
    assert len(json.loads(file.read_text())) == 12


def test_a_refusal_is_4_and_no_token_is_shown(
    evalkit: Evalkit, server: GitlabServer, gated: Gated
) -> None:
    server.refuse["POST", "notes"] = 403
    done = evalkit("publish", "gitlab", gated.failed, cwd=gated.root, environ=environ_of(server))
    assert done.returncode == 4
    assert "CI_JOB_TOKEN cannot write one" in done.stderr
    assert TOKEN not in done.stdout + done.stderr


def test_without_a_token_it_is_2(evalkit: Evalkit, server: GitlabServer, gated: Gated) -> None:
    environ = environ_of(server, GITLAB_TOKEN="")
    done = evalkit("publish", "gitlab", gated.failed, cwd=gated.root, environ=environ)
    assert done.returncode == 2
    assert "GITLAB_TOKEN" in done.stderr
