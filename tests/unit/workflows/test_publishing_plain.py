"""Any CI gets the same four files, whatever happened to the run."""

import json
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import msgspec
import pytest

from evalkit import Project
from evalkit.errors import StoreError, UsageError
from evalkit.records.last_run import LastRun
from evalkit.workflows.forges.publishing_plain import publish_plain
from tests.cli.project import ProjectFiles, wrong_in_first

FILES = {"report.md", "report.html", "junit.xml", "verdict.json"}
HOSTILE = '</code><script>alert(1)</script> ]]> & "\x1b[31m\x00 /merge ::error::x'


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project whose last run regressed."""
    files = ProjectFiles(tmp_path_factory.mktemp("plain") / "project")
    files.replies["ask@v2"] = wrong_in_first(12)
    files.write()
    run = Project.load(files.root).run(set={"suites.ask.target.prompt": "ask@v2"})
    write_last(files.root, exit_code=1, kind="run", run=run.record.id)
    return files.root


@pytest.fixture
def empty(tmp_path: Path) -> Path:
    """A project that was never run."""
    return ProjectFiles(tmp_path / "project", cases=4).write().root


def write_last(root: Path, **changes: Any) -> None:
    last = LastRun(**{"at": "2026-11-24T20:00:00+00:00", "command": ("run",), **changes})
    (root / ".evalkit").mkdir(exist_ok=True)
    (root / ".evalkit/last.json").write_bytes(msgspec.json.encode(last))


def outcome(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "verdict.json").read_text(encoding="utf-8"))
    return found


def test_a_runs_reports_and_its_verdict_are_copied(project: Path, tmp_path: Path) -> None:
    to = tmp_path / "a" / "b"
    done = publish_plain(project, None, to=to)
    assert {path.name for path in to.iterdir()} == FILES
    assert set(done.done) == {str(to / name) for name in FILES}
    (bundle,) = (project / ".evalkit/runs").iterdir()
    for name in FILES - {"verdict.json"}:
        assert (to / name).read_bytes() == (bundle / name).read_bytes()
    found = outcome(to)
    assert found["schema"] == "evalkit.outcome/1"
    assert (found["exit_code"], found["outcome"], found["green"]) == (1, "fail", False)
    assert (found["run"], found["suites"]) == (bundle.name, {"ask": "fail"})
    assert found["reason"].startswith("ask: the pass rate fell")


@pytest.mark.parametrize(
    ("kind", "code", "mark"),
    [
        ("not_measured", 2, "NOT MEASURED"),
        ("config", 2, "NOT RUN"),
        ("refused", 2, "NOT RUN"),
        ("store", 4, "BROKEN OFF"),
        ("bug", 70, "BROKEN OFF"),
        ("interrupted", 130, "INTERRUPTED"),
    ],
)
def test_a_run_that_was_refused_says_why_in_every_file(
    empty: Path, tmp_path: Path, kind: str, code: int, mark: str
) -> None:
    problems = ("evalkit.yaml:3:1: routes: is missing", HOSTILE)
    write_last(empty, exit_code=code, kind=kind, problems=problems, settle="record it first")
    to = tmp_path / "out"
    publish_plain(empty, None, to=to)
    assert {path.name for path in to.iterdir()} == FILES
    found = outcome(to)
    assert (found["exit_code"], found["outcome"], found["green"]) == (code, None, False)
    assert (found["mark"], found["settle"]) == (mark, "record it first")
    assert found["problems"] == list(problems)
    tree = ET.parse(to / "junit.xml").getroot()
    assert (tree.get("tests"), tree.get("errors"), tree.get("failures")) == ("1", "1", "0")
    (error,) = tree.iter("error")
    assert mark in error.get("message", "")
    assert "routes: is missing" in (error.text or "")
    page = (to / "report.html").read_text(encoding="utf-8")
    assert mark in page and "routes: is missing" in page and "record it first" in page
    assert "<script" not in page and "http" not in page.replace("http-equiv", "")
    text = (to / "report.md").read_text(encoding="utf-8")
    assert mark in text and "routes: is missing" in text
    for name in ("report.md", "report.html", "junit.xml"):
        assert "\x1b" not in (to / name).read_text(encoding="utf-8")


def test_nothing_of_an_earlier_run_stays(project: Path, empty: Path, tmp_path: Path) -> None:
    to = tmp_path / "out"
    publish_plain(project, None, to=to)
    before = {name: (to / name).read_bytes() for name in FILES}
    write_last(empty, exit_code=2, kind="refused", message="there is nothing to compare with")
    publish_plain(empty, None, to=to)
    assert [name for name in FILES if (to / name).read_bytes() == before[name]] == []


def test_a_run_that_was_killed_has_all_files_and_none_is_green(
    project: Path, empty: Path, tmp_path: Path
) -> None:
    (bundle,) = (project / ".evalkit/runs").iterdir()
    killed = empty / ".evalkit/runs" / bundle.name
    killed.mkdir(parents=True)
    (killed / "assets").mkdir()
    record = json.loads((bundle / "run.json").read_text())
    record |= {"state": "running", "verdict": None, "exit_code": 0}
    (killed / "run.json").write_text(json.dumps(record))
    (killed / "attempts.jsonl").write_bytes((bundle / "attempts.jsonl").read_bytes())
    for name in ("assets/ask.json", "assets/ask.cases.jsonl"):
        (killed / name).write_bytes((bundle / name).read_bytes())
    to = tmp_path / "out"
    publish_plain(empty, bundle.name, to=to)
    assert {path.name for path in to.iterdir()} == FILES
    assert (outcome(to)["mark"], outcome(to)["green"]) == ("RUNNING", False)
    assert ET.parse(to / "junit.xml").getroot().get("errors") == "1"


def test_a_stored_run_can_be_named(project: Path, tmp_path: Path) -> None:
    publish_plain(project, "latest", to=tmp_path / "out")
    assert outcome(tmp_path / "out")["outcome"] == "fail"


def test_where_nothing_was_run_it_says_so(empty: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no run to publish"):
        publish_plain(empty, None, to=tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_bundle_is_not_written_over(project: Path) -> None:
    (bundle,) = (project / ".evalkit/runs").iterdir()
    before = (bundle / "report.md").read_bytes()
    with pytest.raises(UsageError, match="is a run bundle"):
        publish_plain(project, None, to=bundle)
    assert (bundle / "report.md").read_bytes() == before


def test_a_folder_that_cannot_be_made_is_4(project: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError):
        publish_plain(project, None, to=tmp_path / "file" / "out")
