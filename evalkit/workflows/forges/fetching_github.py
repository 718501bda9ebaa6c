"""Artifacts of GitHub Actions: found by pull request, by workflow run, or by when they were made.

Endpoints as in GitHub's REST API 2022-11-28; the token needs to read actions and pull requests.
"""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Any, ClassVar

import msgspec

from evalkit.errors import UsageError
from evalkit.ports import Clock, Transport
from evalkit.workflows.forges.artifacts import (
    MOST_LOOKED_AT,
    Artifact,
    cannot_be_found,
    download,
    explained,
    moment,
    none_found,
    typed,
)
from evalkit.workflows.forges.host_api import HostApi, quoted
from evalkit.workflows.forges.repositories import Repository

# events whose workflow, and whose tree, no pull request chooses
_OWN_EVENTS = frozenset({"push", "schedule", "workflow_dispatch", "release", "merge_group"})


class _Head(msgspec.Struct):
    sha: str


class _Pull(msgspec.Struct):
    head: _Head


class _Named(msgspec.Struct):
    full_name: str = ""


class _Run(msgspec.Struct):
    id: int
    event: str = ""
    status: str | None = None
    head_branch: str | None = None
    head_repository: _Named | None = None


class _Runs(msgspec.Struct):
    workflow_runs: list[_Run]


class _Id(msgspec.Struct):
    id: int | None = None


class _Artifact(msgspec.Struct):
    id: int
    name: str
    size_in_bytes: int = 0
    created_at: str | None = None
    workflow_run: _Id | None = None


class _Artifacts(msgspec.Struct):
    artifacts: list[_Artifact]


class GitHubArtifacts:
    """The artifacts of one repository."""

    usual_name: ClassVar[str] = "evalkit-run"  # what the action keeps a run as

    def __init__(
        self, repository: Repository, token: str, *, transport: Transport, clock: Clock
    ) -> None:
        """Nothing is asked before a method is called."""
        self._name = repository.name
        self._path = quoted("repos", *repository.name.split("/"))
        self._api = HostApi(
            host=repository.host,
            base_url=repository.api.rstrip("/"),
            headers={
                "accept": "application/vnd.github+json",
                "authorization": f"Bearer {token}",
                "x-github-api-version": "2022-11-28",
            },
            transport=transport,
            clock=clock,
        )

    async def of_change(self, number: int, name: str) -> list[Artifact]:
        """Those of that name that the runs for a pull request's last commit made, newest first.

        Raises UsageError for a pull request that no workflow ran for.
        """
        what = f"pull request {number}"
        pull = typed(await self._get(f"/pulls/{number}", what), _Pull, self._api)
        sha = pull.head.sha
        runs: list[_Run] = []
        with self._explained(f"the workflow runs for commit {sha[:12]}"):
            async for page in self._api.pages(
                f"{self._path}/actions/runs", params={"head_sha": sha}
            ):
                runs += typed(page, _Runs, self._api).workflow_runs
        if not runs:
            raise UsageError(
                f"no workflow of {self._name} has run for {what} at its last commit {sha[:12]} yet"
            )
        return await self._of_runs(runs, name, f"{what} ({sha[:12]})")

    async def of_ci_run(self, number: int, name: str) -> list[Artifact]:
        """Those of that name that one run of a workflow made, newest first."""
        return await self._of_runs([await self._run(number)], name, f"workflow run {number}")

    async def made_between(self, first: datetime, last: datetime, name: str) -> list[Artifact]:
        """Those of that name from a span of time, the earliest first."""
        found: list[tuple[datetime, int, _Artifact]] = []
        with self._explained("the artifacts"):
            async for page in self._api.pages(
                f"{self._path}/actions/artifacts", params={"name": name}
            ):
                artifacts = typed(page, _Artifacts, self._api).artifacts
                for each in artifacts:
                    made, run = moment(each.created_at), each.workflow_run
                    if made and first <= made <= last and run is not None and run.id is not None:
                        found.append((made, run.id, each))
                # the newest come first
                if any(made < first for each in artifacts if (made := moment(each.created_at))):
                    break
        found.sort(key=lambda timed: timed[0])
        return [
            _artifact(each, await self._run(run), self._name)
            for _, run, each in found[:MOST_LOOKED_AT]
        ]

    async def download(self, artifact: Artifact) -> bytes:
        """Its zip file. Raises UsageError for one that expired."""
        path = f"{self._path}/actions/artifacts/{artifact.id}/zip"
        with self._explained(artifact.words):
            return await download(self._api, path, artifact.words)

    async def _of_runs(self, runs: Sequence[_Run], name: str, what: str) -> list[Artifact]:
        matching: list[Artifact] = []
        others: set[str] = set()
        for run in runs:
            with self._explained(f"the artifacts of workflow run {run.id}"):
                async for page in self._api.pages(f"{self._path}/actions/runs/{run.id}/artifacts"):
                    for each in typed(page, _Artifacts, self._api).artifacts:
                        if each.name == name:
                            matching.append(_artifact(each, run, self._name))
                        else:
                            others.add(each.name)
        if not matching:
            raise none_found(what, name, others, busy=any(r.status != "completed" for r in runs))
        return sorted(matching, key=lambda artifact: artifact.made_at, reverse=True)

    async def _run(self, number: int) -> _Run:
        found = await self._get(f"/actions/runs/{number}", f"workflow run {number}")
        return typed(found, _Run, self._api)

    async def _get(self, path: str, what: str) -> Any:
        with self._explained(what):
            return await self._api.call("GET", self._path + path)

    def _explained(self, what: str) -> AbstractContextManager[None]:
        return explained(
            self._api,
            {
                401: "the token is not accepted; it may have expired",
                403: f"the token may not read {what}; it needs to read actions and pull requests",
                404: f"{cannot_be_found(what)} in {self._name}, or the token may not see it: a "
                "private repository is hidden from a token without access to it",
                410: f"{what} has expired and is gone; run the workflow again, and give the upload "
                "more retention-days to keep the next one longer",
            },
        )


def _artifact(each: _Artifact, run: _Run, repository: str) -> Artifact:
    home = "" if run.head_repository is None else run.head_repository.full_name
    return Artifact(
        id=each.id,
        name=each.name,
        bytes=each.size_in_bytes,
        made_at=each.created_at or "",
        ci_run=run.id,
        own=run.event in _OWN_EVENTS and home.casefold() == repository.casefold(),
    )
