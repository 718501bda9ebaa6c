"""`evalkit publish github`, as a job calls it after `evalkit run`."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.conftest import V2, Ask, Evalkit, Gated
from tests.cli.project import ProjectFiles, wrong_in_first
from tests.servers.github_server import HEAD, MERGE, REPO, TOKEN, GithubServer
from tests.servers.github_server import github_server as github_server

Job = Callable[..., dict[str, str]]


@pytest.fixture
def job(tmp_path: Path, github_server: GithubServer) -> Job:
    """`job(...)`: the environment of a job on pull request 7, with these variables changed."""
    repo = {"full_name": REPO}
    event = {
        "pull_request": {"number": 7, "head": {"sha": HEAD, "repo": repo}, "base": {"repo": repo}}
    }
    path = tmp_path / "event.json"
    path.write_text(json.dumps(event), encoding="utf-8")

    def environ(**changes: str) -> dict[str, str]:
        return {
            "GITHUB_ACTIONS": "true",
            "GITHUB_TOKEN": TOKEN,
            "GITHUB_REPOSITORY": REPO,
            "GITHUB_API_URL": github_server.url,
            "GITHUB_SERVER_URL": "https://github.test",
            "GITHUB_EVENT_NAME": "pull_request",
            "GITHUB_EVENT_PATH": str(path),
            "GITHUB_SHA": MERGE,
            "GITHUB_RUN_ID": "42",
            "GITHUB_RUN_ATTEMPT": "1",
            "GITHUB_STEP_SUMMARY": str(tmp_path / "summary.md"),
            "NO_PROXY": "127.0.0.1",
            **changes,
        }

    return environ


def test_a_failed_run_is_published_with_exit_code_0(
    evalkit: Evalkit, tmp_path: Path, github_server: GithubServer, job: Job
) -> None:
    project = ProjectFiles(tmp_path / "project")
    project.replies["ask@v2"] = wrong_in_first(12)
    project.write()
    assert evalkit("run", *V2, cwd=project.root).returncode == 1
    done = evalkit("publish", "github", cwd=project.root, environ=job())
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0] == (
        "::error title=evalkit%3A FAIL::ask: the pass rate fell 10 pp; less than 3 pp is allowed"
    )
    assert lines[1].startswith("::error file=goldensets/ask/v1/cases.jsonl,line=1,")
    assert lines[10] == "::notice title=evalkit::3 more are in the check 'evalkit'"
    assert lines[11:] == [
        "summary: added to the job's page",
        "comment: made: https://github.test/acme/support-bot/pull/7#issuecomment-1001",
        "check: failure: https://github.test/acme/support-bot/runs/1",
    ]
    assert TOKEN not in done.stdout + done.stderr
    assert "## evalkit: FAIL" in (tmp_path / "summary.md").read_text(encoding="utf-8")
    assert github_server.checks[0]["conclusion"] == "failure"


def test_a_project_that_cannot_be_loaded_is_published_too(
    evalkit: Evalkit, tmp_path: Path, github_server: GithubServer, job: Job
) -> None:
    project = ProjectFiles(tmp_path / "project")
    project.suite["gaet"] = {}
    project.write()
    assert evalkit("run", cwd=project.root).returncode == 2
    done = evalkit("publish", "github", cwd=project.root, environ=job())
    assert done.returncode == 0, done.stderr
    assert "::error file=evalkit.yaml,line=" in done.stdout
    assert github_server.checks[0]["conclusion"] == "failure"
    assert "gaet" in github_server.comments[0]["body"]


def test_trouble_with_the_api_is_4_and_names_the_permission(
    evalkit: Evalkit, gated: Gated, github_server: GithubServer, job: Job
) -> None:
    github_server.decide = lambda name: "forbidden" if name == "make comment" else None
    done = evalkit("publish", "github", gated.passed, cwd=gated.root, environ=job())
    assert done.returncode == 4
    assert (
        "error: GitHub, POST /repos/acme/support-bot/issues/7/comments: not allowed" in done.stderr
    )
    assert "`pull-requests: write`" in done.stderr
    assert "check: success: " in done.stdout


def test_the_event_that_gives_strangers_code_a_token_is_refused(
    evalkit: Evalkit, gated: Gated, github_server: GithubServer, job: Job
) -> None:
    environ = job(GITHUB_EVENT_NAME="pull_request_target")
    done = evalkit("publish", "github", cwd=gated.root, environ=environ)
    assert (done.returncode, done.stdout) == (2, "")
    assert "pull_request_target" in done.stderr
    assert github_server.seen == []


def test_a_dry_run_is_json_that_no_log_obeys(
    ask: Ask, gated: Gated, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("GITHUB_EVENT_NAME", "GITHUB_EVENT_PATH", "GITHUB_ACTIONS", "GITHUB_STEP_SUMMARY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("GITHUB_TOKEN", TOKEN)
    given = ("--repo", REPO, "--pr", "7", "--sha", HEAD)
    said = ask("publish", "github", gated.failed, *given, "--dry-run", cwd=gated.root)
    assert said.code == 0, said.err
    content = json.loads(said.out)
    bodies = [each["body"] for each in content["requests"] if "body" in each]
    assert [sorted(body)[0] for body in bodies] == ["body", "conclusion"]
    assert bodies[1]["conclusion"] == "failure"
    assert not any(line.lstrip().startswith("::") for line in said.out.splitlines())
    assert TOKEN not in said.out


def test_nothing_to_publish_is_2(ask: Ask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITHUB_REPOSITORY", REPO)
    monkeypatch.delenv("GITHUB_EVENT_NAME", raising=False)
    monkeypatch.delenv("GITHUB_EVENT_PATH", raising=False)
    ProjectFiles(tmp_path / "project").write()
    said = ask("publish", "github", cwd=tmp_path / "project")
    assert (said.code, said.out) == (2, "")
    assert "last.json is missing" in said.err
