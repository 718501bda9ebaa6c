"""`evalkit fetch` as it is typed: CI's run, and then diff and show."""

import io
import json
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.conftest import Evalkit, Gated
from tests.cli.project import ProjectFiles
from tests.servers.ci_server import CiServer, Page

SHA = "3f2a1c9d5e6f708192a3b4c5d6e7f80912345678"
REPO = "/repos/acme/evals"


@pytest.fixture
def server() -> Iterator[CiServer]:
    with CiServer() as server:
        yield server


@pytest.fixture
def laptop(tmp_path: Path) -> ProjectFiles:
    """The project in a clone whose remote is on GitHub."""
    project = ProjectFiles(tmp_path / "project").write()
    project.commit()
    project.git("remote", "add", "origin", "git@github.com:acme/evals.git")
    return project


def environ_of(server: CiServer) -> dict[str, str]:
    return {"GITHUB_API_URL": server.url, "GITHUB_TOKEN": "ghp_x", "NO_PROXY": "127.0.0.1"}


def keep(server: CiServer, gated: Gated, run: str) -> None:
    """Let pull request 7 have an artifact with this run."""
    raw = io.BytesIO()
    with zipfile.ZipFile(raw, "w") as archive:
        for path in gated.bundle(run).rglob("*"):
            archive.write(path, f"runs/{run}/{path.relative_to(gated.bundle(run))}")
    server.on("GET", f"{REPO}/pulls/7", {"head": {"sha": SHA}})
    ci = {"id": 501, "event": "pull_request", "status": "completed"}
    server.lists(f"{REPO}/actions/runs", [ci], key="workflow_runs")
    artifact = {"id": 9, "name": "evalkit-run", "created_at": "2026-11-24T20:00:00Z"}
    server.lists(f"{REPO}/actions/runs/501/artifacts", [artifact], key="artifacts")
    server.on("GET", f"{REPO}/actions/artifacts/9/zip", raw.getvalue())


def test_what_is_fetched_is_shown_and_compared_like_any_run(
    evalkit: Evalkit, server: CiServer, laptop: ProjectFiles, gated: Gated
) -> None:
    keep(server, gated, gated.failed)
    done = evalkit("fetch", "--pr", "7", cwd=laptop.root, environ=environ_of(server))
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        f"evalkit show {gated.failed}",
        f"evalkit diff {gated.failed}",
    ]
    for command in done.stdout.splitlines():
        shown = evalkit(*command.split()[1:], cwd=laptop.root)
        assert shown.returncode == 0, shown.stderr
        assert "c0003" in shown.stdout or "FAIL" in shown.stdout
    again = evalkit("fetch", "--run", gated.failed, cwd=laptop.root)
    assert (again.returncode, "was here already" in again.stderr) == (0, True)


def test_json_is_the_result_and_nothing_else(
    evalkit: Evalkit, server: CiServer, laptop: ProjectFiles, gated: Gated
) -> None:
    keep(server, gated, gated.passed)
    done = evalkit("fetch", "--pr", "7", "--json", cwd=laptop.root, environ=environ_of(server))
    assert (done.returncode, done.stderr) == (0, "")
    found = json.loads(done.stdout)
    assert found["schema"] == "evalkit.fetched/1"
    assert (found["run"], found["fresh"], found["exit_code"]) == (gated.passed, True, 0)
    assert (found["repository"], found["ci_run"]) == ("github.com/acme/evals", 501)


def test_a_refusal_is_2_and_no_token_is_shown(
    evalkit: Evalkit, server: CiServer, laptop: ProjectFiles
) -> None:
    server.on("GET", f"{REPO}/pulls/7", Page(404, {"message": "Not Found"}))
    done = evalkit("fetch", "--pr", "7", cwd=laptop.root, environ=environ_of(server))
    assert (done.returncode, done.stdout) == (2, "")
    assert "no pull request 7 in acme/evals" in done.stderr
    assert "ghp_x" not in done.stderr


def test_a_host_that_is_not_there_is_4(
    evalkit: Evalkit, laptop: ProjectFiles, server: CiServer
) -> None:
    server.on("GET", f"{REPO}/pulls/7", b"<html>")
    done = evalkit("fetch", "--pr", "7", cwd=laptop.root, environ=environ_of(server))
    assert done.returncode == 4
    assert "no JSON" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ((), "--pr NUMBER, or --run ID"),
        (("--pr", "7", "--run", "501"), "--pr NUMBER, or --run ID"),
        (("--pr", "0"), "--pr"),
        (("--pr", "7"), "GITHUB_TOKEN"),
        (("--pr", "7", "--token-env", "NOT_SET"), "in the environment, as $NOT_SET"),
        (("--pr", "7", "--repo", "evals"), "OWNER/NAME"),
    ],
)
def test_what_is_missing_is_2_and_named(
    evalkit: Evalkit, laptop: ProjectFiles, arguments: tuple[str, ...], says: str
) -> None:
    environ = {"GITHUB_TOKEN": "", "GH_TOKEN": ""}
    done = evalkit("fetch", *arguments, cwd=laptop.root, environ=environ)
    assert (done.returncode, done.stdout) == (2, "")
    assert says in done.stderr
