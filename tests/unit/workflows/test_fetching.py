"""CI's run is brought here from GitHub and GitLab, and a token goes nowhere else."""

import io
import json
import shutil
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from evalkit import Project
from evalkit.errors import HostError, Refused, StoreError, UsageError
from evalkit.ports import HttpReply
from evalkit.store.runs import RunStore
from evalkit.workflows.forges.fetching import Fetched, FetchRequest, fetch_run
from tests.cli.project import ProjectFiles, wrong_in_first
from tests.servers.ci_server import Asked, CiServer, Page
from tests.unit.control.providers.fakes import FixedClock

TOKEN = "ghp_s3cr3t"
SHA = "3f2a1c9d5e6f708192a3b4c5d6e7f80912345678"
DATA = (
    "run.json",
    "attempts.jsonl",
    "scores.jsonl",
    "traces.jsonl",
    "assets/ask.json",
    "assets/ask.cases.jsonl",
)


@dataclass(frozen=True)
class Made:
    """A run that CI made: its id and its folder."""

    id: str
    folder: Path

    def zipped(self, *, at: str | None = None, more: Mapping[str, bytes] | None = None) -> bytes:
        """It as an artifact has it."""
        raw = io.BytesIO()
        start = f"runs/{self.id}/" if at is None else at
        with zipfile.ZipFile(raw, "w", zipfile.ZIP_DEFLATED) as archive:
            for path in sorted(self.folder.rglob("*")):
                if path.is_file() and path.name != "run.lock":
                    archive.write(path, start + path.relative_to(self.folder).as_posix())
            for name, content in (more or {}).items():
                archive.writestr(name, content)
        return raw.getvalue()


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """A run that regressed."""
    files = ProjectFiles(tmp_path_factory.mktemp("ci") / "project")
    files.replies["ask@v2"] = wrong_in_first(12)
    files.write()
    run = Project.load(files.root).run(set={"suites.ask.target.prompt": "ask@v2"})
    return Made(run.record.id, Path(run.stored.path))


@pytest.fixture
def server() -> Iterator[CiServer]:
    with CiServer() as server:
        yield server


@pytest.fixture
def storage() -> Iterator[CiServer]:
    """Where a forge keeps its files: another host."""
    with CiServer() as server:
        yield server


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """The project on the laptop."""
    return ProjectFiles(tmp_path / "project").write().root


def fetch(
    root: Path, server: CiServer, environ: Mapping[str, str] | None = None, **request: Any
) -> Fetched:
    """Fetch from the server, as GitHub's or GitLab's API."""
    known = {"GITHUB_API_URL": server.url, "CI_API_V4_URL": f"{server.url}/api/v4"}
    known |= {"GITHUB_TOKEN": TOKEN, "GITLAB_TOKEN": TOKEN}
    return fetch_run(
        root,
        FetchRequest(**{"repository": "acme/evals", **request}),
        environ=known | dict(environ or {}),
        clock=FixedClock(),
    )


def artifact(number: int, run: int, name: str = "evalkit-run", hour: int = 20) -> dict[str, Any]:
    """An artifact as GitHub describes it."""
    return {
        "id": number,
        "name": name,
        "size_in_bytes": 1000,
        "expired": False,
        "created_at": f"2026-11-24T{hour:02}:00:00Z",
        "workflow_run": {"id": run, "head_sha": SHA},
    }


def github_run(
    number: int, event: str = "pull_request", home: str = "acme/evals"
) -> dict[str, Any]:
    """A workflow run as GitHub describes it."""
    return {
        "id": number,
        "event": event,
        "status": "completed",
        "head_sha": SHA,
        "head_branch": "change",
        "head_repository": {"full_name": home},
    }


def github(server: CiServer, raw: bytes, storage: CiServer | None = None) -> None:
    """Pull request 7 of acme/evals, whose last commit one workflow run kept `raw` for."""
    repo = "/repos/acme/evals"
    server.on("GET", f"{repo}/pulls/7", {"number": 7, "head": {"sha": SHA}})
    server.lists(f"{repo}/actions/runs", [github_run(501)], key="workflow_runs")
    server.on("GET", f"{repo}/actions/runs/501", github_run(501))
    server.lists(f"{repo}/actions/runs/501/artifacts", [artifact(9, 501)], key="artifacts")
    server.lists(f"{repo}/actions/artifacts", [artifact(9, 501)], key="artifacts")
    if storage is None:
        server.on("GET", f"{repo}/actions/artifacts/9/zip", raw)
    else:
        moved = Page(302, headers={"location": f"{storage.url}/blob?sig=abc"})
        server.on("GET", f"{repo}/actions/artifacts/9/zip", moved)
        storage.on("GET", "/blob", raw)


def asked_for(server: CiServer, end: str) -> Asked:
    """The request for a path with that end."""
    return next(each for each in server.asked if each.path.endswith(end))


def test_the_run_of_a_pull_request_is_placed_and_can_be_read(
    root: Path, server: CiServer, storage: CiServer, made: Made
) -> None:
    github(server, made.zipped(), storage)
    fetched = fetch(root, server, change=7)
    assert fetched.run == made.id
    assert (fetched.fresh, fetched.exit_code, fetched.outcome) == (True, 1, "fail")
    assert fetched.next == (f"evalkit show {made.id}", f"evalkit diff {made.id}")
    bundle = RunStore(root).open(made.id)
    for name in DATA:
        assert (bundle.path / name).read_bytes() == (made.folder / name).read_bytes()
    assert asked_for(server, "/actions/runs").query["head_sha"] == SHA
    assert not [path for path in bundle.path.parent.iterdir() if path.name != made.id]


def test_the_token_goes_to_the_api_and_not_to_where_it_sends_on(
    root: Path, server: CiServer, storage: CiServer, made: Made
) -> None:
    github(server, made.zipped(), storage)
    fetch(root, server, change=7)
    assert all(each.headers["authorization"] == f"Bearer {TOKEN}" for each in server.asked)
    (there,) = storage.asked
    assert there.query == {"sig": "abc"}
    assert "authorization" not in there.headers
    assert TOKEN not in json.dumps(there.headers)


def test_reports_are_written_anew_from_the_data(root: Path, server: CiServer, made: Made) -> None:
    folder = f"runs/{made.id}"
    raw = made.zipped()
    evil = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(raw)) as old, zipfile.ZipFile(evil, "w") as new:
        for info in old.infolist():
            changed = info.filename in (f"{folder}/report.md", f"{folder}/report.html")
            content = b"<script>alert(1)</script>" if changed else old.read(info)
            new.writestr(info.filename, content)
    github(server, evil.getvalue())
    fetch(root, server, change=7)
    path = RunStore(root).open(made.id).path
    for report in ("report.md", "junit.xml"):
        assert (path / report).read_bytes() == (made.folder / report).read_bytes()
    assert (path / "report.html").is_file()
    files = [each for each in path.rglob("*") if each.is_file()]
    assert not [each for each in files if b"alert(1)" in each.read_bytes()]


def test_fetching_again_changes_nothing(root: Path, server: CiServer, made: Made) -> None:
    github(server, made.zipped())
    fetch(root, server, change=7)
    mark = RunStore(root).open(made.id).path / "report.md"
    mark.write_text("mine")
    assert fetch(root, server, change=7).fresh is False
    assert mark.read_text() == "mine"


def test_another_run_with_its_id_is_left_alone(root: Path, server: CiServer, made: Made) -> None:
    github(server, made.zipped())
    target = RunStore(root).folder / made.id
    shutil.copytree(made.folder, target)
    (target / "scores.jsonl").write_text("")
    with pytest.raises(StoreError, match="here already and holds something else"):
        fetch(root, server, change=7)
    assert (target / "scores.jsonl").read_text() == ""


def test_a_workflow_run_is_fetched_by_its_number(root: Path, server: CiServer, made: Made) -> None:
    github(server, made.zipped(at=""))
    fetched = fetch(root, server, run="501")
    assert (fetched.run, fetched.ci_run) == (made.id, 501)


def test_a_run_is_fetched_by_its_own_id(root: Path, server: CiServer, made: Made) -> None:
    github(server, made.zipped())
    repo = "/repos/acme/evals"
    began = f"{made.id[:4]}-{made.id[4:6]}-{made.id[6:8]}T{made.id[9:11]}:{made.id[11:13]}:59Z"
    old = {**artifact(1, 501), "created_at": "2020-01-01T00:00:00Z"}
    other = {**artifact(3, 501), "created_at": began}
    found = {**artifact(9, 501), "created_at": began}
    server.lists(f"{repo}/actions/artifacts", [found, other, old], key="artifacts")
    renamed = json.loads((made.folder / "run.json").read_text()) | {"id": "20261124T000000Z-0000"}
    raw = io.BytesIO()
    with zipfile.ZipFile(raw, "w") as archive:
        archive.writestr("run.json", json.dumps(renamed))
    server.on("GET", f"{repo}/actions/artifacts/3/zip", raw.getvalue())
    fetched = fetch(root, server, run=made.id)
    assert (fetched.run, fetched.fresh) == (made.id, True)
    assert not [each for each in server.asked if "/artifacts/1/" in each.path]
    before = len(server.asked)
    assert fetch(root, server, run=made.id).fresh is False
    assert len(server.asked) == before, "what is here is asked of nobody"


def test_a_run_that_no_artifact_holds_is_said(root: Path, server: CiServer, made: Made) -> None:
    github(server, made.zipped())
    with pytest.raises(UsageError, match="no artifact 'evalkit-run' of the two days"):
        fetch(root, server, run="20200101T000000Z-0000")


def test_the_newest_artifact_counts_and_the_run_that_its_command_made(
    root: Path, server: CiServer, made: Made
) -> None:
    github(server, b"")
    repo = "/repos/acme/evals"
    both = [artifact(8, 501, hour=19), artifact(9, 501, hour=20)]
    server.lists(f"{repo}/actions/runs/501/artifacts", both, key="artifacts")
    last = {"at": "", "command": [], "exit_code": 1, "kind": "run", "run": made.id}
    bank = json.loads((made.folder / "run.json").read_text()) | {"id": "20991231T000000Z-ffff"}
    more = {
        "last.json": json.dumps({**last, "schema": "evalkit.last/1"}).encode(),
        "runs/20991231T000000Z-ffff/run.json": json.dumps(bank).encode(),
    }
    server.on("GET", f"{repo}/actions/artifacts/9/zip", made.zipped(more=more))
    assert fetch(root, server, change=7).run == made.id


def test_what_ci_refused_to_run_is_told_with_its_reason(root: Path, server: CiServer) -> None:
    last = {
        "schema": "evalkit.last/1",
        "at": "2026-11-24T20:00:00Z",
        "command": ["run"],
        "exit_code": 2,
        "kind": "not_measured",
        "message": "ask@v3 was never recorded. Missing:\n  ask candidate: c0001",
        "settle": "a maintainer starts the live run",
    }
    raw = io.BytesIO()
    with zipfile.ZipFile(raw, "w") as archive:
        archive.writestr("last.json", json.dumps(last))
    github(server, raw.getvalue())
    with pytest.raises(Refused, match=r"exit 2.*never recorded") as caught:
        fetch(root, server, change=7)
    assert "a maintainer starts the live run" in str(caught.value)
    assert "c0001" not in str(caught.value)


def test_an_artifact_without_a_run_is_no_run(root: Path, server: CiServer) -> None:
    raw = io.BytesIO()
    with zipfile.ZipFile(raw, "w") as archive:
        archive.writestr("coverage.xml", "<x/>")
    github(server, raw.getvalue())
    with pytest.raises(StoreError, match="holds no run of evalkit"):
        fetch(root, server, change=7)


def test_a_pull_request_cannot_bring_a_run_of_main(
    root: Path, server: CiServer, made: Made
) -> None:
    record = json.loads((made.folder / "run.json").read_text())
    record["git"] = {"sha": SHA, "branch": "main", "dirty": False, "main": True}
    raw = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(made.zipped())) as old, zipfile.ZipFile(raw, "w") as new:
        for info in old.infolist():
            changed = info.filename.endswith("/run.json")
            new.writestr(info.filename, json.dumps(record) if changed else old.read(info))
    github(server, raw.getvalue())
    with pytest.raises(StoreError, match="one of the main branch"):
        fetch(root, server, change=7)
    server.on("GET", "/repos/acme/evals/actions/runs/501", github_run(501, "push", "evil/evals"))
    with pytest.raises(StoreError, match="one of the main branch"):
        fetch(root, server, run="501")
    server.on("GET", "/repos/acme/evals/actions/runs/501", github_run(501, "push"))
    assert fetch(root, server, run="501").fresh


@pytest.mark.parametrize(
    ("path", "status", "says"),
    [
        ("pulls/7", 404, "there is no pull request 7 in acme/evals, or the token may not see it"),
        ("pulls/7", 401, "the token is not accepted"),
        ("actions/runs", 403, "needs to read actions and pull requests"),
        ("actions/artifacts/9/zip", 410, "has expired and is gone"),
        ("actions/artifacts/9/zip", 404, "no artifact 'evalkit-run'"),
    ],
)
def test_a_refusal_says_what_to_do(
    root: Path, server: CiServer, made: Made, path: str, status: int, says: str
) -> None:
    github(server, made.zipped())
    server.on("GET", f"/repos/acme/evals/{path}", Page(status, {"message": "No"}))
    with pytest.raises(UsageError) as caught:
        fetch(root, server, change=7)
    assert says in str(caught.value)
    assert TOKEN not in str(caught.value)


def test_a_pull_request_without_a_run_or_artifact_says_which(
    root: Path, server: CiServer, made: Made
) -> None:
    github(server, made.zipped())
    runs = "/repos/acme/evals/actions/runs"
    server.lists(f"{runs}/501/artifacts", [artifact(4, 501, name="coverage")], key="artifacts")
    with pytest.raises(UsageError, match="there is 'coverage': name one with --artifact"):
        fetch(root, server, change=7)
    server.lists(f"{runs}/501/artifacts", [], key="artifacts")
    with pytest.raises(UsageError, match="nothing in it kept a run"):
        fetch(root, server, change=7)
    server.lists(runs, [{**github_run(501), "status": "in_progress"}], key="workflow_runs")
    with pytest.raises(UsageError, match="CI is still at it"):
        fetch(root, server, change=7)
    server.lists(runs, [], key="workflow_runs")
    with pytest.raises(UsageError, match="no workflow of acme/evals has run for pull request 7"):
        fetch(root, server, change=7)


def test_an_artifact_on_a_second_page_is_found(root: Path, server: CiServer, made: Made) -> None:
    github(server, made.zipped())
    many = [artifact(1000 + number, 501, name=f"log-{number}") for number in range(130)]
    path = "/repos/acme/evals/actions/runs/501/artifacts"
    server.lists(path, [*many, artifact(9, 501)], key="artifacts")
    assert fetch(root, server, change=7).run == made.id


def test_what_passes_is_asked_again_and_what_stays_broken_is_4(
    root: Path, server: CiServer, made: Made
) -> None:
    github(server, made.zipped())
    path = "/repos/acme/evals/actions/artifacts/9/zip"
    answers = [Page(503), Page(502), Page(body=made.zipped())]
    server.on("GET", path, lambda asked: answers.pop(0))
    assert fetch(root, server, change=7).fresh
    server.on("GET", path, Page(503))
    with pytest.raises(HostError) as caught:
        fetch(root, server, change=7)
    assert (caught.value.exit_code, caught.value.status) == (4, 503)


class Replies:
    """A transport that answers from a list and keeps what was asked."""

    def __init__(self, *replies: HttpReply) -> None:
        self.replies = list(replies)
        self.asked: list[tuple[str, dict[str, str]]] = []

    async def request(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str],
        body: bytes | None = None,
        timeout_s: float,
    ) -> HttpReply:
        self.asked.append((url, dict(headers)))
        return self.replies.pop(0)

    async def post(
        self, url: str, *, headers: Mapping[str, str], body: bytes, timeout_s: float
    ) -> HttpReply:
        raise AssertionError("fetch writes nothing")

    async def close(self) -> None:
        return None


def reply(body: Any, status: int = 200, **headers: str) -> HttpReply:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return HttpReply(status=status, headers=headers, body=raw)


def test_a_file_that_is_not_kept_at_an_https_address_is_not_fetched(root: Path) -> None:
    transport = Replies(
        reply(github_run(501)),
        reply({"artifacts": [artifact(9, 501)]}),
        reply(b"", 302, location="http://storage.example/blob"),
    )
    with pytest.raises(HostError, match="not https"):
        fetch_run(
            root,
            FetchRequest(run="501", repository="acme/evals"),
            environ={"GITHUB_TOKEN": TOKEN},
            transport=transport,
            clock=FixedClock(),
        )
    assert [url.partition("?")[0] for url, _ in transport.asked] == [
        "https://api.github.com/repos/acme/evals/actions/runs/501",
        "https://api.github.com/repos/acme/evals/actions/runs/501/artifacts",
        "https://api.github.com/repos/acme/evals/actions/artifacts/9/zip",
    ]


def test_an_archive_that_is_too_large_is_not_even_begun(root: Path, server: CiServer) -> None:
    github(server, b"")
    huge = {**artifact(9, 501), "size_in_bytes": 10**12}
    server.lists("/repos/acme/evals/actions/runs/501/artifacts", [huge], key="artifacts")
    with pytest.raises(StoreError, match="1,000,000,000,000 bytes"):
        fetch(root, server, change=7)
    assert not [each for each in server.asked if each.path.endswith("/zip")]


def test_an_archive_that_turns_out_too_large_is_given_up(root: Path, server: CiServer) -> None:
    github(server, b"x" * 2_000_000)
    known = {"GITHUB_API_URL": server.url, "GITHUB_TOKEN": TOKEN}
    request = FetchRequest(change=7, repository="acme/evals")
    with pytest.raises(HostError, match="more than 1000000 bytes"):
        fetch_run(root, request, environ=known, clock=FixedClock(), max_bytes=1_000_000)


def test_gitlab_is_asked_by_merge_request_and_by_pipeline(
    root: Path, server: CiServer, storage: CiServer, made: Made
) -> None:
    api = "/api/v4/projects"
    pipelines = [
        {
            "id": 70,
            "sha": SHA,
            "status": "failed",
            "source": "merge_request_event",
            "project_id": 5,
        },
        {"id": 60, "sha": "0" * 40, "status": "failed", "project_id": 5},
    ]
    server.lists(f"{api}/acme%2Fgroup%2Fevals/merge_requests/7/pipelines", pipelines)
    server.on("GET", f"{api}/acme%2Fgroup%2Fevals/pipelines/70", pipelines[0])
    jobs = [
        {"id": 900, "name": "build", "finished_at": "2026-11-24T20:00:00Z"},
        {
            "id": 901,
            "name": "evalkit",
            "finished_at": "2026-11-24T20:00:00.123Z",
            "artifacts_file": {"filename": "artifacts.zip", "size": 1000},
            "pipeline": pipelines[0],
        },
    ]
    server.lists(f"{api}/5/pipelines/70/jobs", jobs)
    moved = Page(302, headers={"location": f"{storage.url}/blob"})
    server.on("GET", f"{api}/5/jobs/901/artifacts", moved)
    storage.on("GET", "/blob", made.zipped(at=f".evalkit/runs/{made.id}/"))
    named = {"repository": "acme/group/evals", "gitlab": True}
    assert fetch(root, server, change=7, **named).run == made.id
    assert all(each.headers["private-token"] == TOKEN for each in server.asked)
    assert "private-token" not in storage.asked[0].headers
    again = fetch(root, server, run="70", **named)
    assert (again.fresh, again.ci_run) == (False, 70)


def test_gitlab_says_what_is_missing(root: Path, server: CiServer) -> None:
    named = {"repository": "acme/evals", "gitlab": True}
    with pytest.raises(UsageError, match=r"no merge request 7 in acme/evals"):
        fetch(root, server, change=7, **named)
    path = "/api/v4/projects/acme%2Fevals"
    server.lists(f"{path}/merge_requests/7/pipelines", [])
    with pytest.raises(UsageError, match="no pipeline of acme/evals has run"):
        fetch(root, server, change=7, **named)


@pytest.mark.parametrize("request_", [{}, {"change": 7, "run": "501"}])
def test_one_run_has_to_be_named(root: Path, server: CiServer, request_: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match="--pr NUMBER, or --run ID"):
        fetch(root, server, **request_)


@pytest.mark.parametrize("run", ["latest", "2026", "20261124T19", "١٢٣", "-1", "1" * 30])
def test_what_is_no_number_and_no_id_is_said(root: Path, server: CiServer, run: str) -> None:
    github(server, b"")
    with pytest.raises(UsageError):
        fetch(root, server, run=run)
