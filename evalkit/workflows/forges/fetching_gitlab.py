"""Artifacts of GitLab's jobs: found by merge request, by pipeline, or by when they were made.

Endpoints as in GitLab's REST API v4; the token needs the scope read_api. A job's artifact goes by
the name of the job.
"""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from typing import ClassVar

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

_BUSY = frozenset({"created", "waiting_for_resource", "preparing", "pending", "running"})
_OF_A_CHANGE = "merge_request_event"


class _Pipeline(msgspec.Struct):
    id: int
    sha: str = ""
    status: str = ""
    source: str = ""
    project_id: int | None = None


class _File(msgspec.Struct):
    size: int = 0


class _Job(msgspec.Struct):
    id: int
    name: str
    finished_at: str | None = None
    created_at: str | None = None
    artifacts_file: _File | None = None
    pipeline: _Pipeline | None = None

    @property
    def made_at(self) -> str:
        return self.finished_at or self.created_at or ""


class GitLabArtifacts:
    """The artifacts of one project."""

    usual_name: ClassVar[str] = "evalkit"  # the job's name in docs/ci.md

    def __init__(
        self, repository: Repository, token: str, *, transport: Transport, clock: Clock
    ) -> None:
        """Nothing is asked before a method is called."""
        self._name = repository.name
        self._path = quoted("projects", repository.name)
        self._homes: dict[int, str] = {}
        self._api = HostApi(
            host=repository.host,
            base_url=repository.api.rstrip("/"),
            headers={"private-token": token},
            transport=transport,
            clock=clock,
        )

    async def of_change(self, number: int, name: str) -> list[Artifact]:
        """Those of the job of that name in the pipelines for a merge request's last commit.

        Raises UsageError for a merge request without a pipeline.
        """
        path = f"{self._path}/merge_requests/{number}/pipelines"
        pipelines: list[_Pipeline] = []
        with self._explained(f"merge request {number}"):
            async for page in self._api.pages(path):
                pipelines += typed(page, list[_Pipeline], self._api)
        if not pipelines:
            raise UsageError(f"no pipeline of {self._name} has run for merge request {number} yet")
        newest = max(pipelines, key=lambda pipeline: pipeline.id)
        latest = [each for each in pipelines if each.sha == newest.sha]
        what = f"merge request {number} ({newest.sha[:12]})"
        return await self._of_pipelines(latest, name, what, own=False)

    async def of_ci_run(self, number: int, name: str) -> list[Artifact]:
        """Those of the job of that name in one pipeline, newest first."""
        what = f"pipeline {number}"
        with self._explained(what):
            found = await self._api.call("GET", f"{self._path}/pipelines/{number}")
        pipeline = typed(found, _Pipeline, self._api)
        own = pipeline.source != _OF_A_CHANGE
        return await self._of_pipelines([pipeline], name, what, own=own)

    async def made_between(self, first: datetime, last: datetime, name: str) -> list[Artifact]:
        """Those of the job of that name from a span of time, the earliest first."""
        wanted: list[tuple[datetime, _Job]] = []
        with self._explained("the jobs"):
            async for page in self._api.pages(f"{self._path}/jobs"):
                jobs = typed(page, list[_Job], self._api)
                for job in jobs:
                    made = moment(job.made_at)
                    if made and first <= made <= last and job.name == name and job.artifacts_file:
                        wanted.append((made, job))
                # the newest come first, by when they were made and not by when they ended
                if any(made < first for job in jobs if (made := moment(job.made_at))):
                    break
        wanted.sort(key=lambda timed: timed[0])
        return [
            _artifact(job, own=job.pipeline is not None and job.pipeline.source != _OF_A_CHANGE)
            for _, job in wanted[:MOST_LOOKED_AT]
        ]

    async def download(self, artifact: Artifact) -> bytes:
        """Its zip file. Raises UsageError for one that is gone."""
        home = self._homes.get(artifact.id, self._path)
        with self._explained(artifact.words):
            return await download(self._api, f"{home}/jobs/{artifact.id}/artifacts", artifact.words)

    async def _of_pipelines(
        self, pipelines: Sequence[_Pipeline], name: str, what: str, *, own: bool
    ) -> list[Artifact]:
        matching: list[Artifact] = []
        others: set[str] = set()
        for pipeline in pipelines:
            # the pipeline of a fork's merge request runs in the fork
            home = self._path
            if pipeline.project_id is not None:
                home = quoted("projects", str(pipeline.project_id))
            with self._explained(f"the jobs of pipeline {pipeline.id}"):
                async for page in self._api.pages(f"{home}/pipelines/{pipeline.id}/jobs"):
                    for job in typed(page, list[_Job], self._api):
                        if job.artifacts_file is not None and job.name == name:
                            self._homes[job.id] = home
                            matching.append(_artifact(job, own=own, ci_run=pipeline.id))
                        elif job.artifacts_file is not None:
                            others.add(job.name)
        if not matching:
            busy = any(pipeline.status in _BUSY for pipeline in pipelines)
            raise none_found(what, name, others, busy=busy)
        return sorted(matching, key=lambda artifact: artifact.made_at, reverse=True)

    def _explained(self, what: str) -> AbstractContextManager[None]:
        return explained(
            self._api,
            {
                401: "the token is not accepted; it may have expired, or lack the scope read_api",
                403: f"the token may not read {what}; it needs the scope read_api",
                404: f"{cannot_be_found(what)} in {self._name}: it may have expired, or the token "
                "may not see it (a private project is hidden from a token without access to it)",
            },
        )


def _artifact(job: _Job, *, own: bool, ci_run: int | None = None) -> Artifact:
    if ci_run is None and job.pipeline is not None:
        ci_run = job.pipeline.id
    return Artifact(
        id=job.id,
        name=job.name,
        bytes=0 if job.artifacts_file is None else job.artifacts_file.size,
        made_at=job.made_at,
        ci_run=ci_run,
        own=own,
    )
