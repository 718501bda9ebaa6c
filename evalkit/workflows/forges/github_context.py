"""Where on GitHub something is asked or published: from the job's environment, or from flags."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec

from evalkit.errors import UsageError

PUBLIC_API = "https://api.github.com"
PUBLIC_SITE = "https://github.com"
API_VERSION = "2022-11-28"
TOKEN_ENVS = ("GITHUB_TOKEN", "GH_TOKEN")
_REPO = re.compile(r"(?!\.)[A-Za-z0-9._-]+/(?!\.{1,2}$)[A-Za-z0-9._-]+")
_SHA = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")


@dataclass(frozen=True, slots=True, kw_only=True)
class GithubContext:
    """One repository, and what of it is meant.

    `head` is the commit that is shown: a pull request's own, never the merge that CI tests.
    `commits` maps the commits that a run may be of to what each is, in words. `summary` is the
    file of the job's summary, `ci` and `attempt` the number of its run. `fork` tells that the pull
    request comes from another repository; None where nothing says it.
    """

    repo: str
    api_url: str
    site_url: str
    pr: int | None = None
    head: str | None = None
    commits: Mapping[str, str] = field(default_factory=dict)
    fork: bool | None = None
    in_actions: bool = False
    ci: int | None = None
    attempt: int = 1
    summary: Path | None = None

    @property
    def owner(self) -> str:
        """Whose the repository is."""
        return self.repo.partition("/")[0]

    @property
    def name(self) -> str:
        """The repository's name."""
        return self.repo.partition("/")[2]

    @property
    def job_url(self) -> str | None:
        """The page of the CI run, where this is one."""
        if not self.in_actions or self.ci is None:
            return None
        return f"{self.site_url}/{self.repo}/actions/runs/{self.ci}/attempts/{self.attempt}"


def read_context(
    environ: Mapping[str, str],
    *,
    repo: str | None = None,
    pr: int | None = None,
    sha: str | None = None,
    api_url: str | None = None,
) -> GithubContext:
    """The context of a GitHub job, with what flags say on top.

    Raises UsageError for what is missing or is no such thing, and on `pull_request_target`, where
    the code of a stranger would run next to the repository's token.
    """
    in_actions = environ.get("GITHUB_ACTIONS") == "true"
    if environ.get("GITHUB_EVENT_NAME") == "pull_request_target":
        raise UsageError(
            "this job runs on pull_request_target, where the pull request's code has the "
            "repository's secrets and a token that can write; evalkit runs such code (targets, "
            "scorers), so it publishes nothing from there: use the event pull_request"
        )
    event = _read_event(environ)
    here = repo is None or repo == environ.get("GITHUB_REPOSITORY")
    repo = _checked_repo(repo or environ.get("GITHUB_REPOSITORY"))
    found = _from_event(event, environ) if here else _Meant()
    if pr is not None and pr != found.pr:
        found = _Meant(pr=pr)  # the event is about something else; its head is asked for
    if sha is not None:
        found = _Meant(pr=found.pr, head=_checked_sha(sha), fork=found.fork, merge=found.merge)
    commits = {found.head: "the commit it is shown on"} if found.head else {}
    if found.merge and here and pr in (None, found.pr):
        commits.setdefault(found.merge, "the commit that this job tests")
    ci = environ.get("GITHUB_RUN_ID", "")
    attempt = environ.get("GITHUB_RUN_ATTEMPT", "")
    return GithubContext(
        repo=repo,
        api_url=_checked_url(api_url or environ.get("GITHUB_API_URL") or PUBLIC_API, "--api-url"),
        site_url=_checked_url(environ.get("GITHUB_SERVER_URL") or PUBLIC_SITE, "GITHUB_SERVER_URL"),
        pr=found.pr,
        head=found.head,
        commits=commits,
        fork=found.fork,
        in_actions=in_actions,
        ci=int(ci) if in_actions and ci.isdigit() else None,
        attempt=int(attempt) if attempt.isdigit() else 1,
        summary=_path(environ.get("GITHUB_STEP_SUMMARY")),
    )


def read_token(environ: Mapping[str, str], name: str | None = None) -> str | None:
    """The token in that variable, or in the first of `TOKEN_ENVS` that is set; None without one.

    Raises UsageError for a variable that was named and is not set, and for a value that is no
    token. The value itself is in no message.
    """
    names = TOKEN_ENVS if name is None else (name,)
    found = next((each for each in names if environ.get(each)), None)
    if found is None:
        if name is not None:
            raise UsageError(f"--token-env names ${name}, which is not set")
        return None
    token = environ[found].strip()
    if not token.isascii() or not token.isprintable() or " " in token:
        raise UsageError(f"${found} holds something that is no token")
    return token


def github_headers(token: str | None) -> dict[str, str]:
    """The headers of every request to GitHub's REST API."""
    headers = {"accept": "application/vnd.github+json", "x-github-api-version": API_VERSION}
    return headers if token is None else headers | {"authorization": f"Bearer {token}"}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Meant:
    """What an event is about. `merge` is the commit that CI checked out for it."""

    pr: int | None = None
    head: str | None = None
    merge: str | None = None
    fork: bool | None = None


def _from_event(event: Mapping[str, Any], environ: Mapping[str, str]) -> _Meant:
    tested = environ.get("GITHUB_SHA") or None
    pull = event.get("pull_request")
    if isinstance(pull, dict):
        head, base = _mapping(pull.get("head")), _mapping(pull.get("base"))
        return _Meant(
            pr=_number(pull.get("number")) or _number(event.get("number")),
            head=_text(head.get("sha")),
            merge=tested,
            fork=_is_fork(head, base),
        )
    issue = _mapping(event.get("issue"))
    if issue.get("pull_request"):  # a comment on a pull request: its head is asked for
        return _Meant(pr=_number(issue.get("number")))
    finished = _mapping(event.get("workflow_run"))
    if finished:  # this job runs on the default branch, and is about another commit
        return _Meant(head=_text(finished.get("head_sha")))
    return _Meant(head=tested, merge=tested)


def _is_fork(head: Mapping[str, Any], base: Mapping[str, Any]) -> bool:
    """Whether two sides of a pull request are of different repositories; a deleted one is."""
    ours, theirs = _mapping(base.get("repo")), _mapping(head.get("repo"))
    return not theirs or theirs.get("full_name") != ours.get("full_name")


def _read_event(environ: Mapping[str, str]) -> Mapping[str, Any]:
    name = environ.get("GITHUB_EVENT_PATH")
    if not name:
        return {}
    try:
        event = msgspec.json.decode(Path(name).read_bytes())
    except (OSError, msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise UsageError(
            f"the event in {name} (GITHUB_EVENT_PATH) cannot be read: {error}"
        ) from error
    return _mapping(event)


def _checked_repo(repo: str | None) -> str:
    if not repo:
        raise UsageError(
            "which repository? give --repo OWNER/NAME (a GitHub job has it in GITHUB_REPOSITORY)"
        )
    if not _REPO.fullmatch(repo):
        raise UsageError(f"--repo is OWNER/NAME, not {repo!r}")
    return repo


def _checked_sha(sha: str) -> str:
    if not _SHA.fullmatch(sha):
        raise UsageError(f"--sha is a whole commit id of 40 digits, not {sha!r}")
    return sha


def _checked_url(url: str, name: str) -> str:
    parts = urlsplit(url)
    local = parts.hostname in ("localhost", "127.0.0.1", "::1")
    plain = re.fullmatch(r"[\x21-\x7e]+", url) is not None and not re.search(r"[<>\"'?#@]", url)
    if parts.hostname is None or not plain or parts.scheme not in ("https", "http"):
        raise UsageError(f"{name} is an address such as https://github.example/api/v3, not {url!r}")
    if parts.scheme == "http" and not local:
        raise UsageError(f"{name} is {url!r}: a token goes over https only")
    return url.rstrip("/")


def _path(name: str | None) -> Path | None:
    return Path(name) if name else None


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _number(value: Any) -> int | None:
    return value if isinstance(value, int) and value > 0 else None


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and _SHA.fullmatch(value) else None
