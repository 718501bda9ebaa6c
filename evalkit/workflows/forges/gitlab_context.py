"""Where on GitLab something is published: from the job's environment, or from flags."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from evalkit.errors import UsageError

PUBLIC_API = "https://gitlab.com/api/v4"
TOKEN_ENV = "GITLAB_TOKEN"
_SHA = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_PROJECT = re.compile(r"[0-9]{1,18}|(?!\.)[\w.-]+(?:/(?!\.)[\w.-]+)+", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class GitlabContext:
    """One project, and what of it is meant.

    `project` is its number or path. `sha` is the commit that gets a status; `commits` maps those
    that a run may be of to what each is, in words. `fork` tells that the merge request comes from
    another project.
    """

    api_url: str
    project: str
    merge_request: int | None = None
    sha: str | None = None
    commits: Mapping[str, str] = field(default_factory=dict)
    fork: bool = False
    pipeline: int | None = None
    job_url: str | None = None


def read_context(
    environ: Mapping[str, str],
    *,
    project: str | None = None,
    merge_request: int | None = None,
    sha: str | None = None,
    api_url: str | None = None,
) -> GitlabContext:
    """The context of a GitLab job, with what flags say on top.

    A note goes to the project that the merge request is for, which of a fork's is not the one that
    the job runs in. Raises UsageError for what is missing or is no such thing.
    """
    target = environ.get("CI_MERGE_REQUEST_PROJECT_ID")
    project = project or target or environ.get("CI_PROJECT_ID")
    if not project:
        raise UsageError(
            "nothing says which project this is: outside of GitLab's CI give --project GROUP/NAME"
        )
    if not _PROJECT.fullmatch(project):
        raise UsageError(f"{project!r} is no project of GitLab; expected its number or GROUP/NAME")
    tested = environ.get("CI_COMMIT_SHA")
    source = environ.get("CI_MERGE_REQUEST_SOURCE_BRANCH_SHA")
    head = sha or source or tested
    if head is not None and not _SHA.fullmatch(head):
        raise UsageError(f"{head!r} is no full commit id")
    commits = {} if head is None else {head: "the commit it is shown on"}
    if tested and sha in (None, source, tested):
        commits.setdefault(tested, "the commit that this job tests")
    origin = environ.get("CI_MERGE_REQUEST_SOURCE_PROJECT_ID")
    return GitlabContext(
        api_url=_checked_url(api_url or environ.get("CI_API_V4_URL") or PUBLIC_API),
        project=project,
        merge_request=merge_request or _number(environ.get("CI_MERGE_REQUEST_IID")),
        sha=head,
        commits=commits,
        fork=bool(origin and target and origin != target),
        pipeline=_number(environ.get("CI_PIPELINE_ID")),
        job_url=environ.get("CI_JOB_URL") or None,
    )


def read_token(environ: Mapping[str, str], name: str | None = None) -> str | None:
    """The token in that variable, or in GITLAB_TOKEN; None without one.

    Raises UsageError for a variable that was named and is not set, and for a value that is no
    token. The value itself is in no message.
    """
    found = name or TOKEN_ENV
    token = environ.get(found, "").strip()
    if not token:
        if name is not None:
            raise UsageError(f"--token-env names ${name}, which is not set")
        return None
    if not token.isascii() or not token.isprintable() or " " in token:
        raise UsageError(f"${found} holds something that is no token")
    return token


def _checked_url(url: str) -> str:
    parts = urlsplit(url)
    loopback = parts.hostname in ("127.0.0.1", "localhost", "::1")
    if parts.hostname is None or not (parts.scheme == "https" or loopback):
        raise UsageError(f"{url!r} is no https address of GitLab's API, such as {PUBLIC_API}")
    return url.rstrip("/")


def _number(text: str | None) -> int | None:
    return int(text) if text and text.isascii() and text.isdigit() and int(text) > 0 else None
