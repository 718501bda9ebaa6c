"""The verdict on a commit: a check run, or a commit status where check runs are not allowed."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from msgspec.structs import replace

from evalkit.errors import HostError, UsageError
from evalkit.report.github.annotations import Annotation
from evalkit.report.github.check import (
    batches,
    check_payload,
    conclusion_of,
    more_payload,
    status_payload,
)
from evalkit.report.github.stamp import Stamp, read_stamp
from evalkit.report.github.subject import Subject
from evalkit.workflows.forges.artifacts import typed
from evalkit.workflows.forges.github_context import GithubContext
from evalkit.workflows.forges.github_replies import CheckRun, CheckRuns, Output, Status
from evalkit.workflows.forges.host_api import HostApi, Unanswered, quoted
from evalkit.workflows.forges.stamped import check_collision

_LOOKS = 4
_JOB = re.compile(r"/actions/runs/(\d+)/attempts/(\d+)$")


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckWriter:
    """Writes the verdict on `context.head` under one name."""

    api: HostApi
    context: GithubContext
    name: str

    async def write_check(
        self, subject: Subject, stamp: Stamp, summary: str, annotations: Sequence[Annotation]
    ) -> str:
        """Make the check run, and add annotations 50 at a time. Returns what was done, in words.

        Publishing again adds what is missing. A newer run's check is left as it is.
        Raises HostError, and UsageError where another job of the CI run uses the same key.
        """
        for _ in range(_LOOKS):
            runs = await self._runs(stamp.key)
            shown = [run_stamp for _, run_stamp in runs]
            newer = next((each for each in shown if stamp.is_older_than(each)), None)
            if newer is not None:
                return f"left as it is, as it shows the newer run {newer.run}"
            mine = next((run for run, run_stamp in runs if run_stamp == stamp), None)
            try:
                if mine is None:
                    check_collision(stamp, shown, what="check")
                    mine = await self._make(subject, stamp, summary, annotations)
                await self._add(mine, subject, summary, annotations)
            except Unanswered:
                continue  # see what arrived, and go on from there
            return f"{conclusion_of(subject)}: {mine.html_url or self.name}"
        raise HostError(f"{self.api.host} did not answer while the check was made; publish again")

    async def _runs(self, key: str) -> list[tuple[CheckRun, Stamp]]:
        """Our check runs under the key on this commit, with their stamps."""
        found = []
        path = self._repo("commits", str(self.context.head), "check-runs")
        async for page in self.api.pages(path, params={"check_name": self.name}):
            for run in typed(page, CheckRuns, self.api).check_runs:
                stamp = read_stamp(run.external_id or "")
                if stamp is not None and stamp.key == key:
                    found.append((run, stamp))
        return found

    async def _make(
        self,
        subject: Subject,
        stamp: Stamp,
        summary: str,
        annotations: Sequence[Annotation],
    ) -> CheckRun:
        payload = check_payload(
            subject,
            name=self.name,
            head_sha=str(self.context.head),
            external_id=stamp.marker,
            summary=summary,
            details_url=self.context.job_url,
            annotations=next(batches(annotations)),
        )
        reply = await self.api.call("POST", self._repo("check-runs"), payload)
        sent = Output(annotations_count=len(payload["output"]["annotations"]))
        return replace(typed(reply, CheckRun, self.api), output=sent)

    async def _add(
        self,
        run: CheckRun,
        subject: Subject,
        summary: str,
        annotations: Sequence[Annotation],
    ) -> None:
        """Add the annotations that it does not have yet; a request may have brought a batch."""
        start, there = 0, run.output.annotations_count
        for batch in batches(annotations):
            missing = batch[max(0, there - start) :]
            start += len(batch)
            if missing:
                payload = more_payload(subject, summary=summary, annotations=missing)
                path = self._repo("check-runs", str(run.id))
                await self.api.call("PATCH", path, payload, once=True)

    async def write_status(self, subject: Subject) -> str:
        """Set the commit status of our name. Returns what was done, in words.

        Raises HostError, and UsageError where it would turn what another job of this CI run said
        from red to green.
        """
        payload = status_payload(subject, context=self.name, target_url=self.context.job_url)
        shown = await self._status()
        if shown is not None:
            theirs, ours = _job(shown.target_url), _job(self.context.job_url)
            if theirs is not None and ours is not None and theirs > ours:
                return "left as it is, as it shows a newer run"
            same = theirs is not None and theirs == ours
            if same and payload["state"] == "success" and shown.state != "success":
                raise UsageError(
                    f"another job of this CI run set the status {self.name!r} to "
                    f"{shown.state}, and this one would turn it green; give each job a "
                    "--key of its own"
                )
        # setting it twice changes nothing, as the last one counts
        path = self._repo("statuses", str(self.context.head))
        await self.api.call("POST", path, payload, once=False)
        return f"{payload['state']}: {self.name}"

    async def _status(self) -> Status | None:
        """The last status of our name on this commit; names are read without regard to case."""
        path = self._repo("commits", str(self.context.head), "statuses")
        async for page in self.api.pages(path):
            for status in typed(page, list[Status], self.api):
                if status.context.lower() == self.name.lower():
                    return status
        return None

    def _repo(self, *parts: str) -> str:
        return quoted("repos", self.context.owner, self.context.name, *parts)


def _job(url: str | None) -> tuple[int, int] | None:
    """The number and the attempt of the CI run of a job's page."""
    found = _JOB.search(url or "")
    return None if found is None else (int(found[1]), int(found[2]))
