"""HTTP out by any method: what code hosts are asked with."""

import pytest

from evalkit.control.providers.transport import HttpTransport
from evalkit.errors import ProviderError
from evalkit.ports import HttpReply
from tests.servers.github_server import HEAD, REPO, TOKEN, GithubServer
from tests.servers.github_server import github_server as github_server
from tests.unit.control.providers.fakes import run

HEADERS = {
    "authorization": f"Bearer {TOKEN}",
    "accept": "application/vnd.github+json",
    "x-github-api-version": "2022-11-28",
}


def ask(method: str, url: str, body: bytes | None = None) -> HttpReply:
    async def work() -> HttpReply:
        transport = HttpTransport(proxy_for=lambda url: None)
        more = {} if body is None else {"content-type": "application/json"}
        try:
            return await transport.request(
                method, url, headers=HEADERS | more, body=body, timeout_s=5.0
            )
        finally:
            await transport.close()

    return run(work())


def test_get_has_no_body(github_server: GithubServer) -> None:
    reply = ask("GET", f"{github_server.url}/repos/{REPO}/pulls/7")
    assert (reply.status, HEAD.encode() in reply.body) == (200, True)
    assert "content-type" not in github_server.seen[0].headers
    assert github_server.seen[0].body is None


def test_patch_and_delete_are_what_they_say(github_server: GithubServer) -> None:
    number = github_server.say("before")
    url = f"{github_server.url}/repos/{REPO}/issues/comments/{number}"
    assert ask("PATCH", url, b'{"body": "after"}').status == 200
    assert github_server.comments[0]["body"] == "after"
    assert ask("DELETE", url).status == 204
    assert github_server.comments == []


def test_a_closed_port_is_a_connection_error_for_every_method() -> None:
    for method in ("GET", "PATCH", "DELETE"):
        with pytest.raises(ProviderError, match="no connection"):
            ask(method, "http://127.0.0.1:1/x")
