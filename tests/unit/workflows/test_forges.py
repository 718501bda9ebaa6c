"""Which forge a repository lives on, and whose token may go there."""

import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from evalkit.errors import UsageError
from evalkit.workflows.forges.repositories import Repository, find_repository, token_for

GITHUB = "https://api.github.com"
ON_GITLAB = {"CI_SERVER_URL": "https://git.acme.io", "CI_API_V4_URL": "https://git.acme.io/api/v4"}
ON_GHES = {"GITHUB_SERVER_URL": "https://gh.acme.io", "GITHUB_API_URL": "https://gh.acme.io/api/v3"}


def find(
    named: str | None = None,
    *,
    root: Path = Path(),
    gitlab: bool = False,
    environ: Mapping[str, str] | None = None,
) -> Repository:
    return find_repository(root, named, gitlab=gitlab, environ=environ or {})


def origin(root: Path, url: str) -> Path:
    """A git repository whose remote origin is this."""
    for arguments in (("init", "-q"), ("remote", "add", "origin", url)):
        subprocess.run(["git", *arguments], cwd=root, check=True)
    return root


@pytest.mark.parametrize(
    ("url", "kind", "api", "name"),
    [
        ("https://github.com/acme/evals.git", "github", GITHUB, "acme/evals"),
        ("https://github.com/acme/evals", "github", GITHUB, "acme/evals"),
        ("git@github.com:acme/evals.git", "github", GITHUB, "acme/evals"),
        ("ssh://git@github.com/acme/evals.git", "github", GITHUB, "acme/evals"),
        ("https://u:p4ss@github.com/acme/evals/", "github", GITHUB, "acme/evals"),
        ("https://gh.acme.io/a/b.git", "github", "https://gh.acme.io/api/v3", "a/b"),
        ("ssh://git@gh.acme.io:2222/a/b.git", "github", "https://gh.acme.io/api/v3", "a/b"),
        ("https://gh.acme.io:8443/a/b", "github", "https://gh.acme.io:8443/api/v3", "a/b"),
        (
            "git@gitlab.com:acme/ml/evals.git",
            "gitlab",
            "https://gitlab.com/api/v4",
            "acme/ml/evals",
        ),
        ("https://gitlab.acme.io/a/b.git", "gitlab", "https://gitlab.acme.io/api/v4", "a/b"),
    ],
)
def test_the_remote_names_forge_and_repository(
    tmp_path: Path, url: str, kind: str, api: str, name: str
) -> None:
    found = find(root=origin(tmp_path, url))
    assert (found.kind, found.api, found.name) == (kind, api, name)
    assert "p4ss" not in repr(found)


@pytest.mark.parametrize(
    ("named", "host", "name"),
    [
        ("acme/evals", "github.com", "acme/evals"),
        ("github.com/acme/evals", "github.com", "acme/evals"),
        ("gh.acme.io/acme/evals", "gh.acme.io", "acme/evals"),
        ("https://github.com/acme/evals", "github.com", "acme/evals"),
    ],
)
def test_a_named_repository_may_have_its_host(named: str, host: str, name: str) -> None:
    found = find(named)
    assert (found.host, found.name) == (host, name)


def test_a_server_of_ones_own_is_known_from_cis_environment() -> None:
    found = find("acme/evals", environ=ON_GHES)
    assert (found.api, found.familiar) == ("https://gh.acme.io/api/v3", True)
    found = find("git.acme.io/acme/evals", gitlab=True, environ=ON_GITLAB)
    assert (found.api, found.familiar) == ("https://git.acme.io/api/v4", True)
    found = find("github.com/acme/evals", environ=ON_GHES)
    assert (found.api, found.familiar) == (GITHUB, True)


@pytest.mark.parametrize("named", ["evals", "../x", "a/b/c", "a/..", "a b/c", "a/b?x=1", ""])
def test_what_names_no_repository_is_refused(named: str) -> None:
    with pytest.raises(UsageError):
        find(named)


def test_without_a_remote_the_repository_has_to_be_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="give --repo OWNER/NAME"):
        find(root=tmp_path)
    with pytest.raises(UsageError, match="is a folder"):
        find(root=origin(tmp_path, "/srv/git/evals"))


def test_the_usual_tokens_go_to_the_forges_own_host() -> None:
    assert token_for(find("a/b"), None, {"GH_TOKEN": " t1\n"}) == "t1"
    assert token_for(find("a/b"), None, {"GITHUB_TOKEN": "t2", "GH_TOKEN": "t1"}) == "t2"
    gitlab = find("a/b", gitlab=True)
    assert token_for(gitlab, None, {"GITLAB_TOKEN": "t3", "GITHUB_TOKEN": "t2"}) == "t3"
    assert token_for(find("a/b", environ=ON_GHES), None, {"GITHUB_TOKEN": "t4"}) == "t4"


def test_another_host_gets_no_token_that_was_not_meant_for_it() -> None:
    everything = {"GITHUB_TOKEN": "t", "GH_TOKEN": "t", "GITLAB_TOKEN": "t"}
    with pytest.raises(UsageError, match="GH_ENTERPRISE_TOKEN"):
        token_for(find("gh.evil.example/a/b"), None, everything)
    with pytest.raises(UsageError, match="name its variable with --token-env"):
        token_for(find("gitlab.evil.example/a/b"), None, everything)
    assert token_for(find("gh.acme.io/a/b"), "GITHUB_TOKEN", everything) == "t"
    enterprise = {**everything, "GH_ENTERPRISE_TOKEN": "e"}
    assert token_for(find("gh.acme.io/a/b"), None, enterprise) == "e"


@pytest.mark.parametrize("token_env", [None, "MY_TOKEN"])
def test_without_a_token_its_variable_is_named(token_env: str | None) -> None:
    with pytest.raises(UsageError, match="GITHUB_TOKEN" if token_env is None else "MY_TOKEN"):
        token_for(find("a/b"), token_env, {"MY_TOKEN": " "})


@pytest.mark.parametrize("token", ["two words", "line\nbreak", "ümlaut", "esc\x1b[31m"])
def test_what_is_no_token_is_refused_and_not_shown(token: str) -> None:
    with pytest.raises(UsageError, match=r"\$GITHUB_TOKEN holds something") as caught:
        token_for(find("a/b"), None, {"GITHUB_TOKEN": token})
    assert token not in str(caught.value)
