"""A job on a pull request of a server that stands for GitHub, and a way to publish from it."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from evalkit.control.providers.transport import HttpTransport
from evalkit.records.last_run import LastRun
from evalkit.records.run import StoredRun
from evalkit.store.runs import RunStore
from evalkit.workflows.deciding import score_attempts
from evalkit.workflows.forges.publishing import Publication
from evalkit.workflows.forges.publishing_github import GithubRequest, publish_github
from tests.servers.github_server import HEAD, MERGE, REPO, TOKEN, GithubServer
from tests.unit.control.providers.fakes import FixedClock
from tests.unit.report.conftest import MakeRun, Results

Sides = dict[str, tuple[Results, Results]]
AT = "2026-11-24T19:33:05+00:00"


def store(root: Path, run: StoredRun) -> None:
    """Write a bundle as a run does."""
    bundle = RunStore(root).create(run.record)
    for snapshot in run.snapshots:
        bundle.write_snapshot(snapshot)
    with bundle.journal() as journal:
        for attempt in run.attempts:
            journal.append(attempt)
    bundle.write_scores(run.scores)


def make_scored(make_run: MakeRun, results: Sides, **spec: Any) -> StoredRun:
    """A run whose scores are what its scorers say of its replies."""
    words = {True: "payment", False: "wish"}
    stored, _ = make_run(
        results,
        outputs={
            case: (words[b[0] is True], words[c[0] is True]) for case, (b, c) in results.items()
        },
        snapshot={"scorers": ({"exact": {}, "gate": True},)},
        **spec,
    )
    return replace(stored, scores=tuple(score_attempts(stored.snapshots, stored.attempts)))


def write_last(root: Path, **values: Any) -> None:
    """Write last.json as a command does."""
    last = LastRun(
        **{"at": AT, "command": ("run",), "exit_code": 1, "kind": "run", "sha": HEAD} | values
    )
    folder = root / ".evalkit"
    folder.mkdir(exist_ok=True)
    (folder / "last.json").write_bytes(msgspec.json.encode(last))


@dataclass
class Desk:
    """A project, a job's environment, and a way to publish from it."""

    root: Path
    server: GithubServer
    environ: dict[str, str]
    clock: FixedClock = field(default_factory=FixedClock)

    def publish(self, run: str | None = None, **request: Any) -> Publication:
        return publish_github(
            self.root,
            run,
            GithubRequest(**request),
            environ=self.environ,
            transport=HttpTransport(proxy_for=lambda url: None),
            clock=self.clock,
        )

    @property
    def summary(self) -> str:
        path = self.root / "summary.md"
        return path.read_text(encoding="utf-8") if path.exists() else ""

    def event(self, **content: Any) -> None:
        """Replace the event."""
        Path(self.environ["GITHUB_EVENT_PATH"]).write_text(json.dumps(content), encoding="utf-8")


def pull_request(*, head_repo: str | None = REPO) -> dict[str, Any]:
    """A pull request in an event."""
    repo = None if head_repo is None else {"full_name": head_repo}
    return {
        "number": 7,
        "head": {"sha": HEAD, "repo": repo},
        "base": {"sha": "0" * 40, "repo": {"full_name": REPO}},
    }


@pytest.fixture
def desk(tmp_path: Path, github_server: GithubServer) -> Desk:
    """A job on pull request 7 that has run nothing yet."""
    desk = Desk(
        root=tmp_path,
        server=github_server,
        environ={
            "GITHUB_ACTIONS": "true",
            "GITHUB_TOKEN": TOKEN,
            "GITHUB_REPOSITORY": REPO,
            "GITHUB_API_URL": github_server.url,
            "GITHUB_SERVER_URL": "https://github.test",
            "GITHUB_EVENT_NAME": "pull_request",
            "GITHUB_EVENT_PATH": str(tmp_path / "event.json"),
            "GITHUB_SHA": MERGE,
            "GITHUB_RUN_ID": "9000000001",
            "GITHUB_RUN_ATTEMPT": "1",
            "GITHUB_STEP_SUMMARY": str(tmp_path / "summary.md"),
        },
    )
    desk.event(number=7, pull_request=pull_request())
    return desk


Ran = Callable[..., StoredRun]


@pytest.fixture
def ran(desk: Desk, make_run: MakeRun, regressed: Sides) -> Ran:
    """`ran(**spec)`: the project's last run; it fails unless other results are given."""

    def run(results: Sides | None = None, **spec: Any) -> StoredRun:
        stored = make_scored(make_run, results or regressed, **spec)
        store(desk.root, stored)
        write_last(desk.root, run=stored.record.id, exit_code=stored.record.exit_code)
        return stored

    return run


def same(number: int) -> Sides:
    """Cases that nothing changed for."""
    return {f"c{each:03}": ((True,), (True,)) for each in range(number)}


def publish_everything(desk: Desk, ran: Ran) -> None:
    """Every request that publishing makes, at least once."""
    broken = {f"c{number:03}": ((True,), (number > 130,)) for number in range(300)}
    ran(same(120), id="20261124T193301Z-0001")
    desk.publish()  # makes the comment and a check
    desk.environ["GITHUB_RUN_ID"] = "9000000002"
    ran(broken, id="20261124T193301Z-0002")
    desk.publish()  # updates the comment, makes a check in several requests
    ran(broken, id="20261124T193301Z-0003")
    desk.environ["GITHUB_RUN_ID"] = "9000000003"
    desk.publish(check="status")
    desk.server.say(
        "<!-- evalkit:root run=x at=2026-11-24T19:33:01+00:00 ci=1/1 suites=none exit=1 -->",
        login="github-actions[bot]",
        kind="Bot",
    )
    desk.publish()  # deletes the second comment
    desk.event()
    desk.publish(pr=7)  # asks for the pull request
    desk.server.login = "ada"
    desk.environ["GITHUB_TOKEN"] = desk.server.token = "ghp_abcdefghijklmnopqrstuvwxyz0123456789"
    desk.event(number=7, pull_request=pull_request())
    desk.publish(key="mine")  # asks whose token it is
