"""Where something is published: the job's own words, flags on top, and nothing by accident."""

import json
from pathlib import Path
from typing import Any

import pytest

from evalkit.errors import UsageError
from evalkit.workflows.forges.github_context import GithubContext, read_context, read_token

HEAD, MERGE, BASE = "ab" * 20, "cd" * 20, "ef" * 20


def job(tmp_path: Path, event: Any, **environ: str) -> dict[str, str]:
    """The environment of a job on GitHub."""
    path = tmp_path / "event.json"
    path.write_text(json.dumps(event), encoding="utf-8")
    return {
        "GITHUB_ACTIONS": "true",
        "GITHUB_REPOSITORY": "acme/bot",
        "GITHUB_EVENT_NAME": "pull_request",
        "GITHUB_EVENT_PATH": str(path),
        "GITHUB_SHA": MERGE,
        "GITHUB_RUN_ID": "42",
        "GITHUB_RUN_ATTEMPT": "2",
        **environ,
    }


def pull(**changes: Any) -> dict[str, Any]:
    repo = {"full_name": "acme/bot"}
    values = {"number": 7, "head": {"sha": HEAD, "repo": repo}, "base": {"sha": BASE, "repo": repo}}
    return {"pull_request": values | changes}


def about(context: GithubContext) -> tuple[int | None, str | None, set[str], bool | None]:
    return context.pr, context.head, set(context.commits), context.fork


def test_a_pull_request_is_shown_on_its_own_commit_and_tested_on_its_merge(tmp_path: Path) -> None:
    context = read_context(job(tmp_path, pull()))
    assert about(context) == (7, HEAD, {HEAD, MERGE}, False)
    assert context.job_url == "https://github.com/acme/bot/actions/runs/42/attempts/2"
    assert context.api_url == "https://api.github.com"


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        (pull(head={"sha": HEAD, "repo": {"full_name": "x/bot"}}), (7, HEAD, {HEAD, MERGE}, True)),
        (pull(head={"sha": HEAD, "repo": None}), (7, HEAD, {HEAD, MERGE}, True)),
        ({"after": MERGE}, (None, MERGE, {MERGE}, None)),
        ({"issue": {"number": 9, "pull_request": {}}}, (None, MERGE, {MERGE}, None)),
        ({"issue": {"number": 9, "pull_request": {"url": "u"}}}, (9, None, set(), None)),
        ({"workflow_run": {"head_sha": HEAD}}, (None, HEAD, {HEAD}, None)),
        ([], (None, MERGE, {MERGE}, None)),
    ],
)
def test_every_event_is_about_its_own_commit(tmp_path: Path, event: Any, expected: Any) -> None:
    assert about(read_context(job(tmp_path, event))) == expected


def test_flags_win(tmp_path: Path) -> None:
    environ = job(tmp_path, pull())
    assert about(read_context(environ, pr=8)) == (8, None, set(), None)
    assert about(read_context(environ, pr=7)) == (7, HEAD, {HEAD, MERGE}, False)
    assert about(read_context(environ, sha=BASE)) == (7, BASE, {BASE, MERGE}, False)
    assert about(read_context(environ, repo="acme/other")) == (None, None, set(), None)
    assert about(read_context({}, repo="acme/bot", pr=3)) == (3, None, set(), None)


def test_an_enterprise_server_is_where_it_says(tmp_path: Path) -> None:
    environ = job(tmp_path, pull(), GITHUB_API_URL="https://git.test/api/v3/")
    environ["GITHUB_SERVER_URL"] = "https://git.test"
    context = read_context(environ)
    assert context.api_url == "https://git.test/api/v3"
    assert context.job_url == "https://git.test/acme/bot/actions/runs/42/attempts/2"


def test_another_ci_has_no_job_page() -> None:
    context = read_context({"GITHUB_RUN_ID": "42"}, repo="acme/bot")
    assert (context.job_url, context.ci, context.in_actions) == (None, None, False)


def test_the_event_that_gives_strangers_code_a_token_is_refused(tmp_path: Path) -> None:
    environ = job(tmp_path, pull(), GITHUB_EVENT_NAME="pull_request_target")
    with pytest.raises(UsageError, match="use the event pull_request"):
        read_context(environ)


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        ({}, "which repository"),
        ({"repo": "acme"}, "OWNER/NAME"),
        ({"repo": "acme/bot/x"}, "OWNER/NAME"),
        ({"repo": "acme/.."}, "OWNER/NAME"),
        ({"repo": "acme/bot", "sha": "main"}, "40 digits"),
        ({"repo": "acme/bot", "sha": "abcdef1"}, "40 digits"),
        ({"repo": "acme/bot", "api_url": "http://git.test/api/v3"}, "https only"),
        ({"repo": "acme/bot", "api_url": "git.test"}, "an address"),
        ({"repo": "acme/bot", "api_url": "https://u:p@git.test"}, "an address"),
        ({"repo": "acme/bot", "api_url": "https://git.test/?a=b"}, "an address"),
        ({"repo": "acme/bot", "api_url": "file:///etc"}, "an address"),
    ],
)
def test_what_is_no_such_thing_is_said_so(flags: dict[str, Any], says: str) -> None:
    with pytest.raises(UsageError, match=says):
        read_context({}, **flags)


def test_an_event_that_cannot_be_read_is_said_so(tmp_path: Path) -> None:
    environ = job(tmp_path, pull())
    Path(environ["GITHUB_EVENT_PATH"]).write_text("{", encoding="utf-8")
    with pytest.raises(UsageError, match="GITHUB_EVENT_PATH"):
        read_context(environ)


def test_a_token_is_looked_for_where_it_is_named() -> None:
    assert read_token({}) is None
    assert read_token({"GH_TOKEN": "a", "GITHUB_TOKEN": "b\n"}) == "b"
    assert read_token({"MINE": "c", "GITHUB_TOKEN": "b"}, "MINE") == "c"
    with pytest.raises(UsageError, match="MINE"):
        read_token({"GITHUB_TOKEN": "b"}, "MINE")
    with pytest.raises(UsageError) as caught:
        read_token({"GITHUB_TOKEN": "ghs_a\r\nb"})
    assert "ghs_" not in str(caught.value)
