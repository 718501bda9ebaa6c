"""Where a repository lives: which forge, which API, which name, and whose token may go there."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from evalkit.errors import Refused, UsageError
from evalkit.sources.git_command import run_git

ForgeKind = Literal["github", "gitlab"]

_SCP = re.compile(r"(?:[^@/]+@)?(?P<host>[^:/]+):(?!//)(?P<path>.+)")
_PART = r"[A-Za-z0-9_][A-Za-z0-9_.-]*"


@dataclass(frozen=True, slots=True)
class _Forge:
    """A kind of forge. The token variables count for its own host and for the one that CI's
    environment names; `elsewhere` are those for any other host."""

    title: str
    host: str
    api: str
    path: str
    shape: str
    name: re.Pattern[str]
    api_env: str
    server_env: str
    tokens: tuple[str, ...]
    elsewhere: tuple[str, ...]


_FORGES: Mapping[ForgeKind, _Forge] = {
    "github": _Forge(
        title="GitHub",
        host="github.com",
        api="https://api.github.com",
        path="/api/v3",
        shape="OWNER/NAME",
        name=re.compile(f"{_PART}/{_PART}"),
        api_env="GITHUB_API_URL",
        server_env="GITHUB_SERVER_URL",
        tokens=("GITHUB_TOKEN", "GH_TOKEN"),
        elsewhere=("GH_ENTERPRISE_TOKEN", "GITHUB_ENTERPRISE_TOKEN"),
    ),
    "gitlab": _Forge(
        title="GitLab",
        host="gitlab.com",
        api="https://gitlab.com/api/v4",
        path="/api/v4",
        shape="GROUP/NAME",
        name=re.compile(f"{_PART}(?:/{_PART})+"),
        api_env="CI_API_V4_URL",
        server_env="CI_SERVER_URL",
        tokens=("GITLAB_TOKEN",),
        elsewhere=(),
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Repository:
    """A repository of a forge. `name` is `owner/repository`, with GitLab's groups between.

    `familiar` tells that its host is the forge's own or that of the CI job's server: only such a
    host is sent a token that was not named for it.
    """

    kind: ForgeKind
    host: str
    api: str
    name: str
    familiar: bool


def find_repository(
    root: Path, named: str | None, *, gitlab: bool, environ: Mapping[str, str]
) -> Repository:
    """The repository that `named` names (`[HOST/]OWNER/NAME`), else the remote `origin` of `root`.

    Raises UsageError where neither tells.
    """
    host, name = _split(named) if named is not None else _origin(root)
    kind: ForgeKind = "gitlab" if gitlab or "gitlab" in (host or "") else "github"
    forge = _FORGES[kind]
    if not forge.name.fullmatch(name):
        raise UsageError(f"{name!r} is no repository of {forge.title}; expected {forge.shape}")
    server = urlsplit(environ.get(forge.server_env, "")).netloc or forge.host
    api = environ.get(forge.api_env)
    if api and host in (None, server):
        return Repository(kind=kind, host=server, api=api, name=name, familiar=True)
    if host in (None, forge.host):
        return Repository(kind=kind, host=forge.host, api=forge.api, name=name, familiar=True)
    api = f"https://{host}{forge.path}"
    return Repository(kind=kind, host=str(host), api=api, name=name, familiar=host == server)


def token_for(repository: Repository, token_env: str | None, environ: Mapping[str, str]) -> str:
    """The token from the environment variable that is named, else from the usual ones.

    Raises UsageError where none of them is set, and for what is no token. The value itself is in no
    message.
    """
    forge = _FORGES[repository.kind]
    if token_env is not None:
        usual: tuple[str, ...] = (token_env,)
    else:
        usual = forge.tokens if repository.familiar else forge.elsewhere
    for name in usual:
        token = environ.get(name, "").strip()
        if token and (not token.isascii() or not token.isprintable() or " " in token):
            raise UsageError(f"${name} holds something that is no token")
        if token:
            return token
    where = f"a token for {repository.host} in the environment"
    if not usual:
        raise UsageError(
            f"{repository.host} is not {forge.host}, so it is sent no token that was not named for "
            f"it: put {where} and name its variable with --token-env"
        )
    names = " or ".join(f"${name}" for name in usual)
    raise UsageError(
        f"{forge.title} gives artifacts only to those who say who they are: put {where}, as "
        f"{names}" + ("" if token_env else ", or name another variable with --token-env")
    )


def _split(named: str) -> tuple[str | None, str]:
    if "://" in named:
        return _from_url(named)
    first, _, rest = named.partition("/")
    if "/" in rest and ("." in first or ":" in first):
        return first, rest
    return None, named


def _origin(root: Path) -> tuple[str | None, str]:
    try:
        url = run_git(root, "remote", "get-url", "origin").decode(errors="replace").strip()
    except Refused as error:
        raise UsageError(
            "there is no git remote `origin` here that would name the repository; give --repo "
            "OWNER/NAME"
        ) from error
    return _from_url(url)


def _from_url(url: str) -> tuple[str | None, str]:
    """Host and name; what a URL holds besides (a password, say) is left out."""
    if "://" in url:
        parts = urlsplit(url)
        host, path = parts.hostname, parts.path
        if parts.scheme in ("http", "https") and parts.port is not None:
            host = f"{host}:{parts.port}"
    elif (match := _SCP.fullmatch(url)) is not None:
        host, path = match["host"], match["path"]
    else:
        raise UsageError("the git remote `origin` is a folder; give --repo OWNER/NAME")
    return host, path.strip("/").removesuffix(".git")
