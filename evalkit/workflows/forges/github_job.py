"""One publication to GitHub, part by part: each is published for itself."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Any, Literal

from evalkit.errors import EvalkitError, HostError, StoreError, UsageError
from evalkit.report.github.annotations import annotations_of, log_commands, split_for_log
from evalkit.report.github.check import SUMMARY_LIMIT
from evalkit.report.github.comment import comment_body, stamp_of
from evalkit.report.github.document import Ending, document, live_run_words
from evalkit.report.github.stamp import Stamp, clean_key
from evalkit.report.github.subject import Subject
from evalkit.report.github.summary import SUMMARY_LIMIT_BYTES, summary_text
from evalkit.workflows.forges.artifacts import typed
from evalkit.workflows.forges.github_check import CheckWriter
from evalkit.workflows.forges.github_comment import CommentWriter
from evalkit.workflows.forges.github_context import GithubContext
from evalkit.workflows.forges.github_replies import PullRequest, User
from evalkit.workflows.forges.host_api import HostApi, quoted
from evalkit.workflows.forges.publishing import Publication, check_commit

CheckKind = Literal["check", "status", "none"]


@dataclass(frozen=True, slots=True, kw_only=True)
class GithubRequest:
    """What to publish, and where; what is None comes from the job's environment.

    `key` tells this comment and check from others of the repository, `name` is the check's.
    `live_run` says how a maintainer starts a live run. `other_commit` shows a run of another commit
    than the one that is meant.
    """

    repo: str | None = None
    pr: int | None = None
    sha: str | None = None
    api_url: str | None = None
    token_env: str | None = None
    key: str | None = None
    name: str | None = None
    live_run: str | None = None
    comment: bool = True
    check: CheckKind = "check"
    summary: bool = True
    annotations: bool = True
    other_commit: bool = False
    dry_run: bool = False


@dataclass(slots=True, kw_only=True)
class GithubJob:
    """One publication: `run` does everything that was asked for, and says what came of it."""

    request: GithubRequest
    context: GithubContext
    subject: Subject
    api: HostApi
    token: str | None
    newer_head: str | None = None

    async def run(self) -> Publication:
        """Publish, and give the transport back. Raises UsageError for a run of another commit."""
        out = Publication()
        try:
            asked = self._asks_the_api(out) and await self._attempt(out, "pull request", self._look)
            if not self.request.other_commit:
                check_commit(self.subject, self.context.commits, publication=out)
            self.subject = replace(
                self.subject, fork=bool(self.context.fork), newer_head=self.newer_head
            )
            self._write_summary(out)
            checked = False
            if asked:
                if self.request.comment:
                    await self._comment(out)
                checked = await self._verdict(out)
            self._annotate(out, checked=checked)
        finally:
            await self.api.transport.close()
        return out

    def _asks_the_api(self, out: Publication) -> bool:
        """Whether comment or check are wanted and can be asked for."""
        if not self.request.comment and self.request.check == "none":
            return False
        if self.token is None and not self.request.dry_run:
            out.problems.append(
                UsageError(
                    "there is no token, so neither comment nor check is published: give the job "
                    "GITHUB_TOKEN in its environment, or name the variable with --token-env"
                )
            )
            return False
        return True

    async def _look(self) -> None:
        """Ask for the pull request's head, where nothing says it."""
        context = self.context
        if context.pr is None or (context.head is not None and context.fork is not None):
            return
        path = quoted("repos", context.owner, context.name, "pulls", str(context.pr))
        pull = typed(await self.api.call("GET", path), PullRequest, self.api)
        head = pull.head.sha
        commits = dict(context.commits) or {head: "the pull request's head"}
        if pull.merge_commit_sha is not None:
            commits.setdefault(pull.merge_commit_sha, "the pull request's merge")
        if context.head not in (None, head) and not self.request.dry_run:
            self.newer_head = head
        self.context = replace(context, head=context.head or head, commits=commits, fork=pull.fork)

    def _write_summary(self, out: Publication) -> None:
        path = self.context.summary
        if not self.request.summary or path is None:
            return
        try:
            there = path.stat().st_size if path.exists() else 0
            text = summary_text(
                self.subject,
                room_bytes=SUMMARY_LIMIT_BYTES - there,
                title=self._title,
                ending=self._ending,
            )
            if text is None:
                out.notes.append("the job's summary is full already, so nothing was added to it")
            elif self.request.dry_run:
                out.summary = text
            else:
                with path.open("a", encoding="utf-8", errors="replace") as file:
                    file.write(text)
                out.done.append("summary: added to the job's page")
        except OSError as error:
            out.problems.append(
                StoreError(f"the job's summary at {path} cannot be written: {error.strerror}")
            )

    async def _comment(self, out: Publication) -> None:
        if self.context.pr is None:
            out.notes.append("no comment: this is about no pull request (--pr names one)")
            return

        async def write() -> None:
            writer = CommentWriter(api=self.api, context=self.context, login=await self._login())
            body = comment_body(self.subject, self._stamp, title=self._title, ending=self._ending)
            out.done.append(f"comment: {await writer.write(body, self._stamp)}")

        await self._attempt(out, "comment", write)

    async def _verdict(self, out: Publication) -> bool:
        """Write the check, or the status. Whether a check was written."""
        if self.request.check == "none":
            return False
        if self.context.head is None:
            out.notes.append("no check: nothing says which commit it is about (--sha names one)")
            return False
        writer = CheckWriter(api=self.api, context=self.context, name=self._name)
        if self.request.check == "check":
            try:
                summary = document(
                    self.subject, limit=SUMMARY_LIMIT, title=self._title, ending=self._ending
                )
                annotations = annotations_of(self.subject) if self.request.annotations else ()
                if self.context.in_actions:  # the log has the first ones already
                    annotations = split_for_log(annotations)[1]
                done = await writer.write_check(self.subject, self._stamp, summary, annotations)
                out.done.append(f"check: {done}")
                return True
            except HostError as error:
                if error.status != 403 or self.context.fork:
                    self._fail(out, "check", error)
                    return False
                out.notes.append(
                    f"no check run, a commit status instead: {_permission('check', error)}"
                )
            except EvalkitError as error:
                out.problems.append(error)
                return False

        async def write() -> None:
            out.done.append(f"status: {await writer.write_status(self.subject)}")

        await self._attempt(out, "status", write)
        return False

    def _annotate(self, out: Publication, *, checked: bool) -> None:
        """Lines for the log of a job on GitHub, which no other log would read."""
        if self.request.annotations and self.context.in_actions:
            rest_in = f"the check {self._name!r}" if checked else "the job's summary"
            out.commands = log_commands(annotations_of(self.subject), rest_in=rest_in)

    async def _attempt(
        self, out: Publication, what: str, work: Callable[[], Awaitable[Any]]
    ) -> bool:
        """Do one thing; what goes wrong is kept, and keeps nothing else from being done."""
        try:
            await work()
        except EvalkitError as error:
            self._fail(out, what, error)
            return False
        return True

    def _fail(self, out: Publication, what: str, error: EvalkitError) -> None:
        """Keep what went wrong; that a fork's token cannot write is how it should be."""
        if self.context.fork and isinstance(error, HostError) and error.status == 403:
            out.notes.append(
                f"no {what}: a fork's job may not write here; the job's summary and annotations "
                "have it all"
            )
            return
        if isinstance(error, HostError) and error.status in (403, 404):
            error = HostError(_permission(what, error), status=error.status)
        out.problems.append(error)

    async def _login(self) -> str | None:
        """Who the token belongs to; None for an app, such as the one behind a job's token."""
        if self.token is None or self.token.startswith("ghs_"):
            return None
        try:
            user = typed(await self.api.call("GET", "/user"), User, self.api)
        except HostError as error:
            if error.status in (403, 404):  # only apps have no user
                return None
            raise
        return user.login

    @property
    def _key(self) -> str:
        return clean_key(self.request.key or self.subject.project or "root")

    @property
    def _title(self) -> str:
        return "evalkit" if self._key == "root" else f"evalkit ({self._key})"

    @property
    def _name(self) -> str:
        return self.request.name or self._title

    @property
    def _stamp(self) -> Stamp:
        context = self.context
        return stamp_of(self.subject, key=self._key, ci=context.ci, attempt=context.attempt)

    @property
    def _ending(self) -> Ending:
        context = self.context
        fetch = None if context.ci is None else f"evalkit fetch --run {context.ci}"
        live_run = live_run_words(self.request.live_run)
        return Ending(url=context.job_url, fetch=fetch, live_run=live_run)


_PERMISSIONS = {
    "comment": "pull-requests: write",
    "check": "checks: write",
    "status": "statuses: write",
    "pull request": "pull-requests: read",
}


def _permission(what: str, error: HostError) -> str:
    return f"{error}; the job's token needs `{_PERMISSIONS[what]}` under `permissions:`"
