"""`evalkit fetch`: the run that CI made, brought here for `show` and `diff`."""

import asyncio
import os
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal

import msgspec

from evalkit.control.providers.transport import HttpTransport
from evalkit.errors import Refused, StoreError, UsageError
from evalkit.ports import Clock, Transport
from evalkit.records.run import RunState
from evalkit.records.verdict import Outcome
from evalkit.store.archive import RUN_ID, RunArchive
from evalkit.store.bundle import Bundle
from evalkit.store.runs import RunStore
from evalkit.workflows.forges.artifacts import Artifact, Artifacts
from evalkit.workflows.forges.fetching_github import GitHubArtifacts
from evalkit.workflows.forges.fetching_gitlab import GitLabArtifacts
from evalkit.workflows.forges.repositories import Repository, find_repository, token_for
from evalkit.workflows.history.keeping import open_synced
from evalkit.workflows.runs.reporting import write_reports
from evalkit.workflows.wiring import SystemClock

MAX_ARTIFACT_BYTES = 256 * 1024 * 1024
# how long after a run began its artifact may be made
_LONGEST_RUN = timedelta(days=2)
_NUMBER = re.compile(r"[0-9]{1,18}")


class FetchRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What to fetch: the run of a pull or merge request (`change`), or `run`, which is the number
    of a workflow run or pipeline, or the id of a run of evalkit.

    `repository` is `[HOST/]OWNER/NAME`, None for the one of the remote `origin`. `artifact` is its
    name on GitHub, its job's on GitLab. `token_env` names the variable with the token.
    """

    change: int | None = None
    run: str | None = None
    repository: str | None = None
    artifact: str | None = None
    token_env: str | None = None
    gitlab: bool = False


class Fetched(msgspec.Struct, frozen=True, kw_only=True):
    """A run that is here now. Schema history: `evalkit.fetched/1` is the first.

    `fresh` is False where it was here before. `artifact` is when what it came in was made and
    `ci_run` what made that; both None for a run that nobody had to be asked for.
    """

    run: str
    path: str
    fresh: bool
    state: RunState
    exit_code: int
    outcome: Outcome | None
    repository: str | None = None
    artifact: str | None = None
    ci_run: int | None = None
    next: tuple[str, ...] = ()
    schema: Literal["evalkit.fetched/1"] = "evalkit.fetched/1"

    def json(self) -> str:
        """It as indented JSON."""
        return msgspec.json.format(msgspec.json.encode(self), indent=2).decode()


def fetch_run(
    root: Path,
    request: FetchRequest,
    *,
    environ: Mapping[str, str] = os.environ,
    transport: Transport | None = None,
    clock: Clock | None = None,
    max_bytes: int = MAX_ARTIFACT_BYTES,
) -> Fetched:
    """Bring a run of CI into the project at `root`, without changing one that is there.

    An archive of more than `max_bytes` is not fetched. Raises UsageError for what is not there or
    may not be read, Refused where CI ran nothing, HostError where CI's host cannot be asked,
    StoreError for an archive that holds no sound run.
    """
    if (request.change is None) == (request.run is None):
        raise UsageError("say which run: --pr NUMBER, or --run ID")
    store = RunStore(root)
    if request.run is not None and RUN_ID.fullmatch(request.run) and store.holds(request.run):
        return _fetched(store.open(request.run), False)
    repository = find_repository(root, request.repository, gitlab=request.gitlab, environ=environ)
    token = token_for(repository, request.token_env, environ)

    async def look() -> "_Found":
        opened = transport or HttpTransport(max_reply_bytes=max_bytes)
        try:
            kind = GitLabArtifacts if repository.kind == "gitlab" else GitHubArtifacts
            artifacts = kind(repository, token, transport=opened, clock=clock or SystemClock())
            return await _find(
                _Ci(artifacts, request.artifact or kind.usual_name, max_bytes), request
            )
        finally:
            if transport is None:
                await opened.close()

    found = asyncio.run(look())
    placed = found.archive.place(found.folder, store, main=found.artifact.own)
    if placed.fresh:
        run = placed.bundle.load_whole()
        write_reports(placed.bundle, run)
        # where it cannot be written now, it reads the bundle the next time
        with suppress(StoreError), open_synced(root):
            pass
    return _fetched(placed.bundle, placed.fresh, repository, found.artifact)


@dataclass(frozen=True, slots=True)
class _Ci:
    """Where to look, for artifacts of which name, of which size at most."""

    artifacts: Artifacts
    name: str
    max_bytes: int

    async def open(self, artifact: Artifact) -> RunArchive:
        """An artifact's archive. Raises StoreError for one that is too large."""
        if artifact.bytes > self.max_bytes:
            raise StoreError(
                f"{artifact.words} has {artifact.bytes:,} bytes; up to {self.max_bytes:,} are "
                "fetched"
            )
        return RunArchive(await self.artifacts.download(artifact), name=artifact.words)


@dataclass(frozen=True, slots=True)
class _Found:
    """The archive with the run, in one of its folders."""

    artifact: Artifact
    archive: RunArchive
    folder: str


async def _find(ci: _Ci, request: FetchRequest) -> _Found:
    if request.run is not None and RUN_ID.fullmatch(request.run):
        return await _find_run(ci, request.run)
    if request.change is not None:
        listed = await ci.artifacts.of_change(request.change, ci.name)
    elif _NUMBER.fullmatch(request.run or ""):
        listed = await ci.artifacts.of_ci_run(int(request.run or ""), ci.name)
    else:
        raise UsageError(
            f"{request.run!r} is neither the number of a workflow run or pipeline, nor the whole "
            "id of a run of evalkit such as 20261124T204619Z-7490"
        )
    archive = await ci.open(listed[0])
    return _Found(listed[0], archive, _newest(archive))


async def _find_run(ci: _Ci, run: str) -> _Found:
    """The artifact that holds a run of evalkit; its id tells when to look for it."""
    try:
        began = datetime.strptime(run.partition("-")[0], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    except ValueError as error:
        raise UsageError(f"{run!r} is no id of a run: it begins with no time") from error
    # clocks of machines differ a little
    first, last = began - timedelta(minutes=10), began + _LONGEST_RUN
    for artifact in await ci.artifacts.made_between(first, last, ci.name):
        archive = await ci.open(artifact)
        for folder in archive.runs():
            if archive.id_of(folder) == run:
                return _Found(artifact, archive, folder)
    raise UsageError(
        f"no artifact {ci.name!r} of the two days after it began holds run {run}; it may have "
        "another name (--artifact), or have expired"
    )


def _newest(archive: RunArchive) -> str:
    """The folder of the run that the artifact was made for. Raises Refused where CI ran nothing."""
    folders = archive.runs()
    last = archive.last()
    if last is not None and last.run is not None:
        named = [folder for folder in folders if archive.id_of(folder) == last.run]
        if named:
            return named[-1]
    if last is not None and last.run is None:
        # the rest of a long message, such as each case that lacks a recording, is in CI's log
        said = next(iter(last.message.splitlines()), last.kind)
        lines = [f"CI ran nothing (exit {last.exit_code}): {said.removesuffix(' Missing:')}"]
        lines += list(last.problems)
        if last.settle and last.settle not in said:
            lines.append(last.settle)
        raise Refused("\n".join(lines))
    if not folders:
        raise StoreError(f"{archive.name} holds no run of evalkit")
    return folders[-1]


def _fetched(
    bundle: Bundle,
    fresh: bool,
    repository: Repository | None = None,
    artifact: Artifact | None = None,
) -> Fetched:
    record = bundle.read_record()
    return Fetched(
        run=record.id,
        path=str(bundle.path),
        fresh=fresh,
        state=record.state,
        exit_code=record.exit_code,
        outcome=None if record.verdict is None else record.verdict.outcome,
        repository=None if repository is None else f"{repository.host}/{repository.name}",
        artifact=None if artifact is None else artifact.made_at,
        ci_run=None if artifact is None else artifact.ci_run,
        next=(f"evalkit show {record.id}", f"evalkit diff {record.id}"),
    )
