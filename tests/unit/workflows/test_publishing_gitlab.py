"""A merge request shows one note with the newest run, and nothing in it is carried out."""

import json
import xml.etree.ElementTree as ET
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalkit import Project
from evalkit.control.providers.transport import HttpTransport
from evalkit.errors import UsageError
from evalkit.records.last_run import LastRun
from evalkit.report.github.stamp import Stamp, read_stamp
from evalkit.report.github.subject import Subject
from evalkit.report.gitlab import state_of, status_payload, without_commands
from evalkit.workflows.forges.gitlab_context import read_context
from evalkit.workflows.forges.publishing import Publication
from evalkit.workflows.forges.publishing_gitlab import GitlabRequest, publish_gitlab
from tests.cli.project import ProjectFiles
from tests.servers.gitlab_server import TOKEN, GitlabServer
from tests.unit.control.providers.fakes import FixedClock

HOSTILE = "/merge\n```\n/merge\n/approve\n````\n/close\n> /merge\n@all #1 !2 <img src=x onerror=1>"
V2 = {"suites.ask.target.prompt": "ask@v2"}


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project whose last run regressed in 12 of 120 cases, on replies that want to be obeyed."""
    files = ProjectFiles(tmp_path_factory.mktemp("gitlab") / "project")
    bad = {"content": HOSTILE}
    right = files.replies["ask@v1"]
    files.replies["ask@v2"] = lambda number: bad if number < 12 else right(number)
    files.write()
    run = Project.load(files.root).run(set=V2)
    assert run.exit_code == 1
    write_last(files.root, exit_code=1, kind="run", run=run.record.id)
    return files.root


def write_last(root: Path, **changes: Any) -> None:
    """How the last command ended."""
    last = LastRun(**{"at": "2026-11-24T20:00:00+00:00", "command": ("run",), **changes})
    (root / ".evalkit").mkdir(exist_ok=True)
    (root / ".evalkit/last.json").write_bytes(msgspec.json.encode(last))


@pytest.fixture
def server() -> Iterator[GitlabServer]:
    with GitlabServer() as server:
        yield server
    assert server.violations == []
    assert server.actions == []


def job(server: GitlabServer, **changes: str) -> dict[str, str]:
    """The environment of a job for merge request 7."""
    return {
        "GITLAB_CI": "true",
        "CI_API_V4_URL": server.api,
        "CI_PROJECT_ID": "41",
        "CI_MERGE_REQUEST_PROJECT_ID": "41",
        "CI_MERGE_REQUEST_SOURCE_PROJECT_ID": "41",
        "CI_MERGE_REQUEST_IID": "7",
        "CI_PIPELINE_ID": "70",
        "CI_JOB_URL": "https://gitlab.example/acme/bot/-/jobs/901",
        "GITLAB_TOKEN": TOKEN,
        "CI_JOB_TOKEN": "job-token",
        **changes,
    }


def publish(
    root: Path, server: GitlabServer, environ: Mapping[str, str] | None = None, **request: Any
) -> Publication:
    return publish_gitlab(
        root,
        None,
        GitlabRequest(**request),
        environ=job(server, **dict(environ or {})),
        transport=HttpTransport(),
        clock=FixedClock(),
    )


def test_one_note_is_made_and_then_updated_in_place(project: Path, server: GitlabServer) -> None:
    first = publish(project, server)
    assert (first.done, first.problems, first.exit_code) == (["note: made"], [], 0)
    (note,) = server.notes
    assert "## evalkit: FAIL" in note["body"]
    assert "evalkit fetch --run 70" in note["body"]
    assert "https://gitlab.example/acme/bot/-/jobs/901" in note["body"]
    server.add_note("a colleague's")
    note["body"] = note["body"].replace("FAIL", "PASS")
    assert publish(project, server).done == ["note: updated"]
    assert len(server.notes) == 2
    assert "## evalkit: FAIL" in server.notes[0]["body"]
    assert len(note["body"]) < 65_536


def test_a_note_that_shows_a_newer_run_stays(project: Path, server: GitlabServer) -> None:
    newer = Stamp(key="root", run="20991231T000000Z-ffff", at="2099-12-31T00:00:00Z", ci=71)
    server.add_note(f"{newer.marker}\n## evalkit: PASS")
    assert "newer run 20991231T000000Z-ffff" in publish(project, server).done[0]
    assert server.notes[0]["body"].endswith("PASS")


def test_what_somebody_else_wrote_is_never_changed(project: Path, server: GitlabServer) -> None:
    fake = Stamp(key="root", run="20991231T000000Z-ffff", at="2099-12-31T00:00:00Z", ci=9999)
    server.add_note(f"{fake.marker}\n## evalkit: PASS", author=666)
    assert publish(project, server).done == ["note: made"]
    assert len(server.notes) == 2
    assert server.notes[0]["body"].endswith("PASS")


def test_doubled_notes_become_one_again(project: Path, server: GitlabServer) -> None:
    publish(project, server)
    server.add_note(server.notes[0]["body"])
    publish(project, server)
    assert len(server.notes) == 1


def test_a_note_beyond_the_first_page_is_found(project: Path, server: GitlabServer) -> None:
    for number in range(130):
        server.add_note(f"note {number}", author=5)
    publish(project, server)
    assert publish(project, server).done == ["note: updated"]
    assert len(server.notes) == 131


def test_two_gates_of_one_project_keep_a_note_each(project: Path, server: GitlabServer) -> None:
    publish(project, server)
    publish(project, server, key="nightly")
    assert len(server.notes) == 2
    assert "evalkit (nightly)" in server.notes[1]["body"]


def test_nothing_that_a_model_said_is_carried_out(project: Path, server: GitlabServer) -> None:
    publish(project, server)
    (note,) = server.notes
    assert "\\x2fmerge" in note["body"] or "/merge" in note["body"], "the reply is shown"
    assert server.actions == []
    assert "<img" not in note["body"].replace("&lt;img", "").partition("```")[0]


@pytest.mark.parametrize(
    "line", ["/merge", "  /merge", "\t/close", "> /merge", "- /merge", "1. /label x", "> > /merge"]
)
def test_a_line_that_begins_with_a_command_does_not(line: str) -> None:
    changed = without_commands(f"before\n{line}\nafter")
    assert "\\x2f" in changed
    assert changed.replace("\\x2f", "/") == f"before\n{line}\nafter"


@given(st.text(st.sampled_from("/ \t\n>-*1.`~abm:<"), max_size=60))
def test_no_line_begins_with_a_slash_and_a_letter(text: str) -> None:
    for line in without_commands(text).split("\n"):
        assert not line.lstrip(" \t>").startswith(tuple(f"/{letter}" for letter in "abm"))


def test_what_is_no_command_stays_as_it_is() -> None:
    text = "a /merge\n`/merge`\nhttps://x/merge\n/ 2\n//x\n<!-- evalkit:root -->\n</details>"
    assert without_commands(text) == text
    assert without_commands("::include{file=x}") == "\\x3a:include{file=x}"


def test_a_status_says_how_it_ended_on_the_commit_that_is_reviewed(
    project: Path, server: GitlabServer
) -> None:
    done = publish(project, server, note=False, status=True, sha="ab" * 20, other_commit=True)
    assert done.done == ["status: failed: evalkit"]
    (status,) = server.statuses
    assert (status["sha"], status["state"], status["pipeline_id"]) == ("ab" * 20, "failed", 70)
    assert status["description"].startswith("FAIL: ask: the pass rate fell")


def last(kind: Any, code: int) -> Subject:
    return Subject(last=LastRun(at="", command=(), exit_code=code, kind=kind))


@pytest.mark.parametrize(
    ("subject", "state"),
    [
        (last("not_measured", 2), "canceled"),
        (last("interrupted", 130), "canceled"),
        (last("config", 2), "failed"),
        (last("refused", 2), "failed"),
        (last("bug", 70), "failed"),
        (last("run", 0), "failed"),  # its bundle is not here, so nothing shows that it passed
    ],
)
def test_only_a_measured_pass_is_a_success(subject: Subject, state: str) -> None:
    assert state_of(subject) == state
    assert len(status_payload(subject, name="evalkit")["description"]) <= 255


def test_a_run_that_was_refused_is_noted_with_how_it_can_be_measured(
    tmp_path: Path, server: GitlabServer
) -> None:
    root = ProjectFiles(tmp_path / "project").write().root
    settle = "record it with evalkit record"
    write_last(root, exit_code=2, kind="not_measured", message="ask@v3 is new", settle=settle)
    publish(root, server, live_run="press the button of the job evalkit-live")
    (note,) = server.notes
    assert "NOT MEASURED" in note["body"]
    assert settle in note["body"]
    assert "press the button" in note["body"]
    stamp = read_stamp(note["body"])
    assert stamp is not None and stamp.exit_code == 2


def test_code_quality_names_the_lines_of_cases_that_broke(
    project: Path, server: GitlabServer, tmp_path: Path
) -> None:
    file = tmp_path / "deep" / "code-quality.json"
    done = publish(project, server, note=False, code_quality=file)
    assert (done.exit_code, server.asked) == (0, [])
    found = json.loads(file.read_text())
    assert len(found) == 12
    assert found[0]["location"] == {
        "path": "goldensets/ask/v1/cases.jsonl",
        "lines": {"begin": 1},
    }
    assert {each["severity"] for each in found} == {"major"}
    assert len({each["fingerprint"] for each in found}) == 12
    assert "/merge" not in file.read_text()


def test_the_runs_junit_names_no_test_twice(project: Path) -> None:
    (junit,) = project.glob(".evalkit/runs/*/junit.xml")
    tests = [(t.get("classname"), t.get("name")) for t in ET.parse(junit).iter("testcase")]
    assert len(tests) == len(set(tests)) > 120


def test_without_a_token_it_says_what_is_needed(project: Path, server: GitlabServer) -> None:
    done = publish(project, server, {"GITLAB_TOKEN": ""})
    assert (done.exit_code, server.asked) == (2, [])
    assert "CI_JOB_TOKEN cannot write notes" in str(done.problems[0])


def test_a_forks_pipeline_without_a_token_is_as_it_should_be(
    project: Path, server: GitlabServer
) -> None:
    fork = {"CI_MERGE_REQUEST_SOURCE_PROJECT_ID": "666", "CI_PROJECT_ID": "666"}
    done = publish(project, server, {**fork, "GITLAB_TOKEN": ""})
    assert (done.exit_code, done.problems) == (0, [])
    assert "a fork's pipeline has no token" in done.notes[0]
    done = publish(project, server, fork)
    assert done.done == ["note: made"], "the note is on the project it is to be merged into"
    assert "comes from a fork" in server.notes[0]["body"]


@pytest.mark.parametrize("status", [401, 403, 404])
def test_a_refusal_is_4_and_says_what_the_token_needs(
    project: Path, server: GitlabServer, status: int
) -> None:
    server.refuse["POST", "notes"] = status
    server.refuse["POST", "statuses"] = status
    done = publish(project, server, status=True, sha="ab" * 20, other_commit=True)
    assert done.exit_code == 4
    server.refuse.clear()
    said = " ".join(str(problem) for problem in done.problems)
    assert "the role Reporter" in said
    assert TOKEN not in said


def test_a_status_is_set_although_the_note_was_refused(project: Path, server: GitlabServer) -> None:
    server.refuse["GET", "notes"] = 403
    done = publish(project, server, status=True, sha="ab" * 20, other_commit=True)
    assert done.done == ["status: failed: evalkit"]
    assert done.exit_code == 4


def test_a_run_of_another_commit_is_not_shown_as_this_ones(
    tmp_path: Path, server: GitlabServer
) -> None:
    files = ProjectFiles(tmp_path / "project", cases=4)
    files.write()
    sha = files.commit()
    write_last(files.root, exit_code=2, kind="refused", sha=sha)
    with pytest.raises(UsageError, match="--other-commit"):
        publish(files.root, server, {"CI_COMMIT_SHA": "ab" * 20})
    assert publish(files.root, server, {"CI_COMMIT_SHA": sha}).exit_code == 0


def test_outside_of_a_job_everything_can_be_named(project: Path, server: GitlabServer) -> None:
    done = publish_gitlab(
        project,
        None,
        GitlabRequest(project="41", merge_request=7, api_url=server.api, token_env="MINE"),
        environ={"MINE": TOKEN},
        transport=HttpTransport(),
        clock=FixedClock(),
    )
    assert done.done == ["note: made"]


@pytest.mark.parametrize(
    ("environ", "says"),
    [
        ({}, "give --project"),
        ({"CI_PROJECT_ID": "../41"}, "no project of GitLab"),
        ({"CI_PROJECT_ID": "41", "CI_COMMIT_SHA": "main"}, "no full commit id"),
        ({"CI_PROJECT_ID": "41", "CI_API_V4_URL": "http://gl.example/api/v4"}, "https"),
    ],
)
def test_what_the_environment_says_is_checked(environ: dict[str, str], says: str) -> None:
    with pytest.raises(UsageError, match=says):
        read_context(environ)


def test_a_job_without_a_merge_request_writes_no_note(project: Path, server: GitlabServer) -> None:
    done = publish(project, server, {"CI_MERGE_REQUEST_IID": ""})
    assert (done.exit_code, server.asked) == (0, [])
    assert "no merge request" in done.notes[0]
