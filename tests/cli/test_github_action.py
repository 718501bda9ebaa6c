"""The action really run: its steps, in bash, with real runs, against a server that is GitHub's."""

import io
import json
import os
import stat
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from evalkit.store.archive import RunArchive
from tests.cli.action_runner import ActionRunner, Ended, job_environment
from tests.cli.project import ProjectFiles, wrong_in_first
from tests.servers.github_server import HEAD, REPO, TOKEN, GithubServer

ACTION = Path(__file__).parents[2] / ".github/actions/evalkit/action.yml"
V2 = "--set suites.ask.target.prompt=ask@v2"
HOSTILE = "no\n::set-output name=exit-code::0\n::error::boo\n/merge <img src=x onerror=1>"


@dataclass
class Job:
    """A job on pull request 7 of a checked out project."""

    project: ProjectFiles
    server: GithubServer
    temp: Path
    event: str = "pull_request"
    head_repo: str = REPO
    environ: dict[str, str] = field(default_factory=dict)
    ref: str = "refs/pull/7/merge"

    @property
    def root(self) -> Path:
        return self.project.root

    def pip_log(self) -> list[str]:
        """What pip was asked for."""
        path = self.temp / "pip.log"
        return path.read_text().splitlines() if path.exists() else []

    def run(self, **inputs: str) -> Ended:
        sha = subprocess.run(
            ["git", "rev-parse", "HEAD"], cwd=self.root, capture_output=True, text=True, check=False
        ).stdout.strip()
        repository = {"full_name": REPO, "default_branch": "main"}
        pull = {
            "number": 7,
            "head": {"sha": HEAD, "repo": {"full_name": self.head_repo}},
            "base": {"sha": "0" * 40, "repo": {"full_name": REPO}},
        }
        event: dict[str, Any] = {"repository": repository}
        if self.event == "pull_request":
            event |= {"number": 7, "pull_request": pull}
        path = self.temp / "event.json"
        path.write_text(json.dumps(event), encoding="utf-8")
        github = {
            "event_name": self.event,
            "event": event,
            "repository": REPO,
            "ref": self.ref,
            "run_id": "9000000001",
            "run_attempt": "1",
            "token": TOKEN,
        }
        known = {
            "PATH": os.pathsep.join([str(self._tools()), os.environ["PATH"]]),
            "PIP_LOG": str(self.temp / "pip.log"),
            # what is tested is this tree, whatever is installed
            "PYTHONPATH": str(ACTION.parents[3]),
            "COLUMNS": "100",
            "CI": "true",
            "GITHUB_ACTIONS": "true",
            "GITHUB_EVENT_NAME": self.event,
            "GITHUB_EVENT_PATH": str(path),
            "GITHUB_REPOSITORY": REPO,
            "GITHUB_REF": self.ref,
            "GITHUB_SHA": sha,
            "GITHUB_RUN_ID": "9000000001",
            "GITHUB_RUN_ATTEMPT": "1",
            "GITHUB_API_URL": self.server.url,
            "GITHUB_SERVER_URL": "https://github.test",
            "GIT_CONFIG_GLOBAL": os.devnull,
            "NO_PROXY": "127.0.0.1",
        }
        runner = ActionRunner(
            ACTION,
            self.root,
            self.temp / "runner",
            github,
            job_environment(**(known | self.environ)),
        )
        return runner.run(**{"python_version": "", **inputs})

    def stub(self, code: int = 0) -> "Job":
        """Let `evalkit` only end with that code, for what is about the steps around it."""
        self.environ["STUB_CODE"] = str(code)
        return self

    def _tools(self) -> Path:
        """`evalkit` as it is here, and a `python` whose pip installs nothing."""
        folder = self.temp / "bin"
        folder.mkdir(exist_ok=True)
        scripts = {
            "evalkit": 'if [ -n "${STUB_CODE:-}" ]; then mkdir -p .evalkit/runs\n'
            'if [ -n "${STUB_LAST:-}" ]; then echo "$STUB_LAST" > .evalkit/last.json; fi\n'
            f'exit "$STUB_CODE"; fi\nexec "{sys.executable}" -m evalkit "$@"',
            "python": 'if [ "$1 $2" = "-m pip" ]; then echo "$@" >> "$PIP_LOG"; '
            f'exit "${{PIP_CODE:-0}}"; fi\nexec "{sys.executable}" "$@"',
        }
        for name, script in scripts.items():
            path = folder / name
            path.write_text(f"#!/bin/sh\n{script}\n")
            path.chmod(path.stat().st_mode | stat.S_IXUSR)
        return folder


@pytest.fixture
def server() -> Iterator[GithubServer]:
    server = GithubServer().start()
    yield server
    server.stop()
    assert server.violations == []


@pytest.fixture
def job(tmp_path: Path, server: GithubServer) -> Job:
    """A project at a commit, whose prompt ask@v2 is wrong in 12 of 120 cases, and hostile."""
    project = ProjectFiles(tmp_path / "project")
    project.replies["ask@v2"] = wrong_in_first(12)
    right = project.replies["ask@v1"]
    project.replies["ask@v2"] = lambda n: {"content": HOSTILE} if n < 12 else right(n)
    project.write()
    project.commit()
    temp = tmp_path / "job"
    temp.mkdir()
    return Job(project, server, temp)


def uses(ended: Ended, action: str) -> list[dict[str, str]]:
    """What the steps of an action were given."""
    return [each.given for each in ended.used if each.action.startswith(f"{action}@")]


def uploaded(top: Path, paths: str, workspace: Path) -> bytes:
    """The artifact of these paths, which starts where they part."""
    raw = io.BytesIO()
    with zipfile.ZipFile(raw, "w") as archive:
        for path in (workspace / each for each in paths.split()):
            for file in [path, *path.rglob("*")]:
                if file.is_file():
                    archive.write(file, file.resolve().relative_to(top.resolve()))
    return raw.getvalue()


def commands(log: str) -> list[str]:
    """The lines of a log that the runner obeys."""
    obeyed, stopped = [], ""
    for line in log.splitlines():
        if stopped:
            stopped = "" if line == f"::{stopped}::" else stopped
        elif line.startswith("::stop-commands::"):
            stopped = line.removeprefix("::stop-commands::")
        elif line.startswith("::"):
            obeyed.append(line)
    assert not stopped, "commands stay stopped"
    return obeyed


def test_a_pass_is_0_and_is_published(job: Job) -> None:
    ended = job.run()
    assert ended.code == 0, ended.log
    assert (ended.outputs["exit-code"], ended.outputs["verdict"]) == ("0", "pass")
    (check,) = job.server.checks
    assert (check["conclusion"], check["head_sha"]) == ("success", HEAD)
    (comment,) = job.server.comments
    assert "PASS" in comment["body"]
    assert "PASS" in ended.summary


def test_a_failure_is_1_and_is_published_all_the_more(job: Job) -> None:
    ended = job.run(args=V2)
    assert ended.code == 1, ended.log
    assert (ended.outputs["exit-code"], ended.outputs["verdict"]) == ("1", "fail")
    run = ended.outputs["run-id"]
    (check,) = job.server.checks
    assert check["conclusion"] == "failure"
    (comment,) = job.server.comments
    assert run in comment["body"] and "FAIL" in comment["body"]
    assert "FAIL" in ended.summary
    (kept,) = uses(ended, "actions/upload-artifact")
    bundle = job.root / ".evalkit/runs" / run
    assert kept["path"].split() == ["./.evalkit/last.json", str(bundle)]
    assert kept["name"] == "evalkit-run"
    archive = RunArchive(uploaded(job.root / ".evalkit", kept["path"], job.root), name="a.zip")
    assert archive.runs() == (f"runs/{run}",), "what `evalkit fetch` reads"
    last = archive.last()
    assert last is not None and last.run == run
    shown = [line for line in commands(ended.log) if line.startswith("::error file=")]
    assert len(shown) == 9, "GitHub shows ten errors of a step, and the verdict is one"
    assert shown[0].startswith("::error file=goldensets/ask/v1/cases.jsonl,line=1,")


def test_what_a_model_said_is_no_command_to_the_runner(job: Job) -> None:
    ended = job.run(args=V2)
    assert "boo" in ended.log, "the log shows what was said"
    assert [line for line in commands(ended.log) if "set-output" in line or "boo" in line] == []


def test_a_measured_failure_stays_1_although_nothing_can_be_published(job: Job) -> None:
    job.server.decide = lambda name: "forbidden"
    ended = job.run(args=V2)
    assert ended.code == 1
    assert "could not be published whole (exit 4)" in ended.log
    assert "FAIL" in ended.summary


def test_a_pass_stays_0_although_nothing_can_be_published(job: Job) -> None:
    job.server.decide = lambda name: "unauthorized"
    ended = job.run()
    assert (ended.code, ended.outputs["verdict"]) == (0, "pass")
    assert any(
        line.startswith("::warning title=evalkit::The report") for line in commands(ended.log)
    )


def test_files_with_a_mistake_are_2_and_say_where(job: Job) -> None:
    job.project.suite["gate"] = {"max_dorp_pp": 3}
    job.project.write()
    ended = job.run()
    assert ended.code == 2, ended.log
    assert (ended.outputs["verdict"], ended.outputs["run-id"]) == ("not_run", "")
    (check,) = job.server.checks
    assert check["conclusion"] not in ("success", "neutral", "skipped")
    assert "max_dorp_pp" in job.server.comments[0]["body"]
    (kept,) = uses(ended, "actions/upload-artifact")
    assert kept["path"].split() == ["./.evalkit/last.json"]


def test_arguments_that_nobody_knows_are_2_and_no_earlier_result_is_shown(job: Job) -> None:
    assert job.run().code == 0
    job.server.checks.clear()
    ended = job.run(args="--nonsense")
    assert (ended.code, ended.outputs["verdict"]) == (2, "not_run")
    assert ended.outputs["run-id"] == ""
    assert job.server.checks == []
    assert "left no result" in ended.summary


def test_a_run_that_never_gates_is_3(job: Job) -> None:
    ended = job.run(args="--case c0001")
    assert (ended.code, ended.outputs["exit-code"]) == (3, "3"), ended.log
    assert ended.outputs["verdict"] == "not_gated"
    assert job.server.checks[0]["conclusion"] not in ("success", "neutral", "skipped")


def test_a_provider_that_is_down_is_4_and_never_1(job: Job) -> None:
    provider = {"kind": "openai", "base_url": "http://127.0.0.1:9/v1"}  # nobody listens there
    job.project.config |= {"providers": {"scripts": provider}, "run": {"retries": 0}}
    job.project.write()
    ended = job.run(args="--accept-gate-change")
    assert (ended.code, ended.outputs["verdict"]) == (4, "incomplete"), ended.log
    assert ended.outputs["run-id"]
    assert job.server.checks[0]["conclusion"] not in ("success", "neutral", "skipped")


@pytest.mark.parametrize("code", [1, 2, 3, 4, 70, 130, 137])
def test_the_job_ends_as_the_run_ends(job: Job, code: int) -> None:
    ended = job.stub(code).run()
    assert (ended.code, ended.outputs["exit-code"]) == (code, str(code))
    assert ended.outputs["verdict"] == ("not_run" if code == 2 else "broken"), "it said nothing"
    assert f"left no result** (exit {code})" in ended.summary


@pytest.mark.parametrize("last", [None, '{"exit_code": 1, "kind": "run"}', "[", '{"exit_code": 0}'])
def test_what_ends_with_0_and_measured_nothing_is_not_green(job: Job, last: str | None) -> None:
    job.stub()
    if last is None:
        ended = job.run(args="--help")
    else:
        job.environ["STUB_LAST"] = last
        ended = job.run()
    assert (ended.code, ended.outputs["exit-code"], ended.outputs["verdict"]) == (2, "2", "not_run")


def test_suites_and_arguments_are_split_and_read_by_no_shell(job: Job) -> None:
    assert job.run(suites="ask", args="--set\nsuites.ask.target.prompt=ask@v1").code == 0
    marker = job.temp / "pwned"
    assert (
        job.run(suites=f"$(touch {marker}) ask;touch {marker}", args=f"`touch {marker}` *").code
        == 2
    )
    assert not marker.exists()


@pytest.mark.parametrize("event", ["pull_request_target", "workflow_run", "issue_comment"])
def test_events_that_would_run_a_strangers_code_are_refused_first(job: Job, event: str) -> None:
    job.event = event
    if event != "pull_request_target":
        job.environ["GITHUB_SHA"] = "ab" * 20
    ended = job.run()
    assert (ended.code, ended.outputs["exit-code"]) == (2, "2")
    assert "::error title=evalkit::" in ended.log
    assert job.pip_log() == []
    assert not (job.root / ".evalkit").exists()
    assert [ended.steps[name].outcome for name in ("install", "run", "publish")] == ["skipped"] * 3


def test_a_live_run_takes_only_the_commit_that_was_read(job: Job) -> None:
    job.event, job.ref = "workflow_dispatch", "refs/heads/main"
    sha = job.project.git("rev-parse", "HEAD").strip()
    for wrong in (
        {"pull_request": "7"},
        {"pull_request": "7", "sha": sha[:12]},
        {"pull_request": "7", "sha": "ab" * 20},
        {"pull_request": "7; rm -rf .", "sha": sha},
    ):
        ended = job.run(**wrong)
        assert ended.code == 2, ended.log
        assert ended.steps["run"].outcome == "skipped"
    job.project.git("remote", "add", "origin", str(job.root))
    ended = job.run(pull_request="7", sha=sha, base_ref="main", args="--live")
    assert ended.code == 0, ended.log
    record = json.loads(
        (job.root / ".evalkit/runs" / ended.outputs["run-id"] / "run.json").read_text()
    )
    assert record["git"]["main"] is False, "a proposed change is never a run of main"
    (check,) = job.server.checks
    assert check["head_sha"] == sha
    assert len(job.server.comments) == 1
    assert not [each for each in ended.used if "cache/save" in each.action]


def test_a_forks_pull_request_is_gated_on_what_is_written_down(job: Job) -> None:
    job.head_repo = job.server.head_repo = "stranger/fork"
    job.server.decide = lambda name: "forbidden" if name.startswith(("make", "update")) else None
    ended = job.run(args=V2)
    assert ended.code == 1
    assert "comes from a fork" in ended.summary
    assert job.server.comments == job.server.checks == []
    assert len(uses(ended, "actions/cache/restore")) == 1, "main's bank, and not its own tries"
    assert uses(ended, "actions/cache/save") == []


def test_only_main_fills_the_bank_and_tries_are_of_one_commit(job: Job) -> None:
    ended = job.stub().run()
    bank, tries = uses(ended, "actions/cache/restore")
    assert bank["restore-keys"].startswith("evalkit-1-bank-Linux-")
    assert HEAD in tries["restore-keys"]
    (saved,) = uses(ended, "actions/cache/save")
    assert saved["key"].startswith("evalkit-1-tries-") and HEAD in saved["key"]
    assert saved["path"] == tries["path"]
    job.event, job.ref = "push", "refs/heads/main"
    (saved,) = uses(job.run(), "actions/cache/save")
    assert saved["key"].startswith(bank["restore-keys"])
    assert saved["path"] == bank["path"]
    job.ref = "refs/heads/other"
    assert uses(job.run(), "actions/cache/save") == []
    assert uses(job.run(cache="false"), "actions/cache/restore") == []


def test_gates_with_other_keys_or_folders_have_other_caches(job: Job) -> None:
    scopes = {
        job.stub().run(**more).steps["guard"].outputs["scope"]
        for more in ({}, {"key": "a"}, {"key": "b"})
    }
    assert len(scopes) == 3


def test_the_newest_runs_are_kept(job: Job) -> None:
    runs = job.root / ".evalkit/runs"
    runs.mkdir(parents=True)
    old = [f"20200101T00000{number}Z-0000" for number in range(5)]
    for name in [*old, "mine", ".incoming-x"]:
        (runs / name).mkdir()
    job.stub().run(bank_runs="3")
    assert sorted(path.name for path in runs.iterdir()) == [".incoming-x", *old[-3:], "mine"]


def test_the_action_installs_its_own_version_unless_told(job: Job) -> None:
    job.stub().run()
    assert job.pip_log()[-1].endswith(f"-- {ACTION.parents[3]}")
    job.run(source="git+https://git.example/evalkit@v1")
    assert job.pip_log()[-1].endswith("-- git+https://git.example/evalkit@v1")


@pytest.mark.parametrize("source", ["evalkit", "evalkit==1.0", "evalkit[local]", "evalkit @ x"])
def test_a_strangers_package_of_that_name_is_refused(job: Job, source: str) -> None:
    ended = job.run(source=source)
    assert (ended.code, ended.outputs["verdict"]) == (2, "not_run")
    assert job.pip_log() == []


def test_an_installation_that_fails_is_2_and_never_1(job: Job) -> None:
    job.environ["PIP_CODE"] = "1"
    ended = job.run()
    assert (ended.code, ended.outputs["exit-code"]) == (2, "2")
    assert ended.steps["publish"].outcome == "skipped"


def test_a_shallow_checkout_gets_its_base(job: Job, tmp_path: Path) -> None:
    origin = job.project
    origin.suite.pop("baseline")
    origin.write()
    origin.commit("main moves on")
    origin.git("checkout", "-q", "-b", "change")
    origin.suite["target"] = {"prompt": "ask@v2"}
    origin.write()
    for number in range(3):
        origin.commit(f"change {number}")
    clone = tmp_path / "clone"
    url = f"file://{origin.root}"
    origin.git("clone", "-q", "--depth=1", "--branch=change", url, str(clone))
    job.project = ProjectFiles(clone)
    job.environ["GITHUB_BASE_REF"] = "main"
    ended = job.run(comment="false", check="false")
    assert (ended.code, ended.outputs["verdict"]) == (1, "fail"), ended.log


def test_a_project_in_a_folder_is_run_there(job: Job, tmp_path: Path) -> None:
    root = tmp_path / "mono"
    nested = ProjectFiles(root / "services/bot")
    nested.write()
    top = ProjectFiles(root)
    top.commit()
    job.project = top
    ended = job.run(working_directory="services/bot", key="bot")
    assert ended.code == 0, ended.log
    (kept,) = uses(ended, "actions/upload-artifact")
    assert kept["path"].split()[0] == "services/bot/.evalkit/last.json"
    assert "bot" in job.server.checks[0]["name"]


def test_shards_are_green_publish_nothing_and_are_merged_by_a_job_that_gates(job: Job) -> None:
    job.project.commit("as it is checked out")
    shards = job.temp / "shards of a run"
    for index in (1, 2):
        ended = job.run(args=f"{V2} --shard {index}/2", key=f"shard-{index}")
        assert (ended.code, ended.outputs["verdict"]) == (0, "shard"), ended.log
        assert "the job that merges the parts decides" in ended.log
        (kept,) = uses(ended, "actions/upload-artifact")
        archive = zipfile.ZipFile(
            io.BytesIO(uploaded(job.root / ".evalkit", kept["path"], job.root))
        )
        archive.extractall(shards / f"evalkit-shard-{index}")
    assert (job.server.checks, job.server.comments) == ([], [])
    lacking = job.run(merge=str(shards / "evalkit-shard-1"), key="an earlier try")
    assert (lacking.code, lacking.outputs["verdict"]) == (2, "not_run")
    assert "shard 2 of 2 is missing" in lacking.log
    merged = job.run(merge=str(shards))
    assert (merged.code, merged.outputs["verdict"]) == (1, "fail"), merged.log
    run = merged.outputs["run-id"]
    assert (job.root / ".evalkit/runs" / run / "report.html").is_file()
    assert "FAIL" in merged.summary
    assert run in job.server.comments[-1]["body"], merged.log
