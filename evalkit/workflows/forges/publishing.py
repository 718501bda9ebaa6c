"""`evalkit publish`: what is published, and how publishing it went. Each host has a module of its
own beside this one."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePath
from typing import Any

from evalkit.errors import EvalkitError, Refused, UsageError
from evalkit.report.github.stamp import started_after
from evalkit.report.github.subject import Subject
from evalkit.report.sharding import merge_command
from evalkit.sources.git_command import run_git
from evalkit.store.runs import RunStore
from evalkit.workflows.forges.publishing_dry import UNKNOWN_SHA
from evalkit.workflows.reading import compare_arms, load_run
from evalkit.workflows.runs.last_run import read_last


@dataclass(slots=True)
class Publication:
    """What came of publishing. `done` says what was published, `notes` what was left out on
    purpose and why, `problems` what failed; `commands` are lines for the log of a job, as they are.
    `requests` and `summary` are what a dry run would have sent and written, None otherwise.
    """

    done: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    problems: list[EvalkitError] = field(default_factory=list)
    commands: list[str] = field(default_factory=list)
    requests: list[dict[str, Any]] | None = None
    summary: str | None = None

    @property
    def exit_code(self) -> int:
        """0 where everything was published that can be, whatever the run's verdict; else 2 or 4."""
        return max((problem.exit_code for problem in self.problems), default=0)


def load_subject(
    root: Path, name: str | None = None, *, environ: Mapping[str, str] = os.environ
) -> Subject:
    """The last run of the project, or the stored run of that name.

    Raises UsageError where nothing was run or the run is unknown, StoreError for what is damaged.
    """
    last = None if name is not None else read_last(root)
    if name is None:
        killed = _killed_since(root, "" if last is None else last.at)
        if killed is not None:
            last, name = None, killed
        elif last is not None:
            name = last.run
        else:
            raise UsageError(
                f"there is no run to publish: {root / '.evalkit/last.json'} is missing, which "
                "every evalkit run writes; run it first, or name a stored run"
            )
    run = None if name is None else load_run(root, name)
    if run is not None and run.record.shard is not None:
        raise UsageError(
            f"run {run.record.id} {run.record.why_ungated}, so there is nothing to publish yet: "
            f"{merge_command(run.record)} decides, and what it makes is published"
        )
    return Subject(
        last=last,
        run=run,
        comparison=None if run is None else compare_arms(run),
        project=project_folder(root, environ),
    )


def _killed_since(root: Path, ended_at: str) -> str | None:
    """The newest run, where it began after the last one ended and never ended itself.

    A run that is killed cannot write how it ended, and what ended before it is not its result.
    """
    for bundle in RunStore(root).list()[:1]:
        record = bundle.read_record()
        if record.state == "running" and started_after(record.started_at, ended_at):
            return record.id
    return None


def project_folder(root: Path, environ: Mapping[str, str] = os.environ) -> str:
    """The project's folder in its repository, with slashes, empty at the top.

    Without git it is taken from the folder that CI checked out into.
    """
    try:
        prefix = run_git(root, "rev-parse", "--show-prefix").decode(errors="replace")
        return prefix.rstrip("\n").rstrip("/")
    except Refused:
        pass
    for name in ("GITHUB_WORKSPACE", "CI_PROJECT_DIR"):
        top = environ.get(name)
        if top and root.resolve().is_relative_to(Path(top).resolve()):
            folder = PurePath(root.resolve().relative_to(Path(top).resolve())).as_posix()
            return "" if folder == "." else folder
    return ""


def check_commit(subject: Subject, commits: Mapping[str, str], *, publication: Publication) -> None:
    """Refuse to show a run of another commit as this one's, which could be green over old code.

    `commits` maps the commits that are meant to what each is, in words. Raises UsageError.
    """
    # a dry run asks nobody, so it cannot know the head of a pull request
    commits = {sha: words for sha, words in commits.items() if sha != UNKNOWN_SHA}
    if not commits:
        return
    if subject.sha is None:
        publication.notes.append(
            "the run does not know its commit (no git where it ran), so nothing shows that it is "
            "of this one"
        )
        return
    if subject.sha not in commits:
        meant = ", ".join(f"{sha[:12]} ({words})" for sha, words in commits.items())
        raise UsageError(
            f"run {subject.id} is of commit {subject.sha[:12]}, and would be shown on "
            f"{meant}; run evalkit there first, or give --other-commit to publish it all the same"
        )
