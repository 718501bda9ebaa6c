"""`evalkit publish gitlab`: a merge request's note, a commit's status, a Code Quality report.

JUnit needs no API: `evalkit publish plain` puts it where `artifacts:reports:junit` looks.
"""

import asyncio
import os
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from evalkit.errors import EvalkitError, HostError, UsageError
from evalkit.ports import Clock, Transport
from evalkit.report.github.comment import stamp_of
from evalkit.report.github.document import Ending, live_run_words
from evalkit.report.github.stamp import clean_key
from evalkit.report.github.subject import Subject
from evalkit.report.gitlab import (
    LIVE_RUN,
    code_quality_json,
    note_body,
    state_of,
    status_payload,
)
from evalkit.store.files import write_whole
from evalkit.workflows.forges.gitlab_context import GitlabContext, read_context, read_token
from evalkit.workflows.forges.gitlab_note import NoteWriter
from evalkit.workflows.forges.host_api import HostApi, quoted
from evalkit.workflows.forges.publishing import Publication, check_commit, load_subject

_NO_TOKEN = (
    "there is no token, so nothing is written to GitLab: put a project access token with the scope "
    "api (role Reporter for notes, Developer for statuses) into the CI/CD variable GITLAB_TOKEN; "
    "CI_JOB_TOKEN cannot write notes"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class GitlabRequest:
    """What to publish, and where; what is None comes from the job's environment.

    `key` tells this note and status from others of the project. `status` sets a commit status,
    which a job of GitLab's own CI is already. `code_quality` is where that report is written.
    `other_commit` shows a run of another commit than the one that is meant.
    """

    project: str | None = None
    merge_request: int | None = None
    sha: str | None = None
    api_url: str | None = None
    token_env: str | None = None
    key: str | None = None
    live_run: str | None = None
    note: bool = True
    status: bool = False
    code_quality: Path | None = None
    other_commit: bool = False


def publish_gitlab(
    root: Path,
    run: str | None,
    request: GitlabRequest,
    *,
    environ: Mapping[str, str] = os.environ,
    transport: Transport,
    clock: Clock,
) -> Publication:
    """Publish the last run, or the stored run of that name.

    Raises UsageError, StoreError and ConfigError where nothing was published; what fails later is
    among the publication's problems.
    """
    subject = load_subject(root, run)
    publication = Publication()
    if request.code_quality is not None:
        write_whole(request.code_quality, code_quality_json(subject).encode("utf-8", "replace"))
        publication.done.append(f"Code Quality report: {request.code_quality}")
    if not request.note and not request.status:
        return publication
    context = read_context(
        environ,
        project=request.project,
        merge_request=request.merge_request,
        sha=request.sha,
        api_url=request.api_url,
    )
    if not request.other_commit:
        check_commit(subject, context.commits, publication=publication)
    token = read_token(environ, request.token_env)
    if token is None:
        _note_missing_token(context, publication)
        return publication
    api = HostApi(
        host="GitLab",
        base_url=context.api_url,
        headers={"private-token": token},
        transport=transport,
        clock=clock,
    )
    subject = replace(subject, fork=context.fork)
    job = _Job(request=request, context=context, subject=subject, api=api)
    asyncio.run(job.run(publication))
    return publication


def _note_missing_token(context: GitlabContext, publication: Publication) -> None:
    if context.fork:
        publication.notes.append(
            "nothing is written to GitLab: a fork's pipeline has no token of this project, and the "
            "job's artifacts have it all"
        )
    else:
        publication.problems.append(UsageError(_NO_TOKEN))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Job:
    """One publication."""

    request: GitlabRequest
    context: GitlabContext
    subject: Subject
    api: HostApi

    async def run(self, out: Publication) -> None:
        """Write note and status; what fails keeps nothing else from being written."""
        try:
            if self.request.note:
                if self.context.merge_request is None:
                    out.notes.append("no note: this is about no merge request (--mr names one)")
                else:
                    await self._attempt(out, "note", self._note)
            if self.request.status:
                if self.context.sha is None:
                    out.notes.append("no status: nothing says which commit (--sha names one)")
                else:
                    await self._attempt(out, "status", self._status)
        finally:
            await self.api.transport.close()

    async def _attempt(
        self, out: Publication, what: str, work: Callable[[], Awaitable[str]]
    ) -> None:
        try:
            out.done.append(f"{what}: {await work()}")
        except HostError as error:
            out.problems.append(_explained(what, error))
        except EvalkitError as error:
            out.problems.append(error)

    async def _note(self) -> str:
        user = await self.api.call("GET", "/user")
        context = self.context
        fetch = None if context.pipeline is None else f"evalkit fetch --run {context.pipeline}"
        ending = Ending(
            url=context.job_url,
            fetch=fetch,
            live_run=live_run_words(self.request.live_run, LIVE_RUN),
        )
        stamp = stamp_of(self.subject, key=self._key, ci=context.pipeline)
        body = note_body(self.subject, stamp, title=self._title, ending=ending)
        writer = NoteWriter(
            api=self.api,
            project=context.project,
            merge_request=context.merge_request or 0,
            user=int(user["id"]),
        )
        return await writer.write(body, stamp)

    async def _status(self) -> str:
        context = self.context
        payload = status_payload(
            self.subject,
            name=self._title,
            target_url=context.job_url,
            pipeline=context.pipeline,
        )
        path = quoted("projects", context.project, "statuses", str(context.sha))
        # setting it twice changes nothing, as the last one counts
        await self.api.call("POST", path, payload, once=False)
        return f"{state_of(self.subject)}: {self._title}"

    @property
    def _key(self) -> str:
        return clean_key(self.request.key or self.subject.project or "root")

    @property
    def _title(self) -> str:
        return "evalkit" if self._key == "root" else f"evalkit ({self._key})"


def _explained(what: str, error: HostError) -> HostError:
    """A refusal with what the token needs."""
    if error.status not in (401, 403, 404):
        return error
    role = {"note": "Reporter", "status": "Developer"}[what]
    return HostError(
        f"{error}; a {what} takes a token with the scope api and the role {role} (CI_JOB_TOKEN "
        "cannot write one)",
        status=error.status,
    )
