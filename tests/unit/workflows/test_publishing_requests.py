"""Every request that publishing makes fits our own description of it, which the server checks."""

import json
import urllib.error
import urllib.request
from typing import Any

import pytest

from tests.servers.github_server import HEAD, REPO, TOKEN, GithubServer
from tests.servers.github_shapes import SHAPES
from tests.unit.workflows.github_desk import Desk, Ran, publish_everything


def test_everything_that_is_described_is_asked_and_nothing_else(desk: Desk, ran: Ran) -> None:
    publish_everything(desk, ran)
    assert set(desk.server.names()) == {shape.name for shape in SHAPES}
    assert desk.server.violations == []


GOOD = {"authorization": f"Bearer {TOKEN}", "accept": "application/vnd.github+json"}
GOOD |= {"x-github-api-version": "2022-11-28", "content-type": "application/json"}
STATUS = {"state": "success", "context": "evalkit", "description": "PASS"}


@pytest.mark.parametrize(
    ("path", "body", "headers"),
    [
        (f"/repos/{REPO}/statuses/{HEAD}", STATUS | {"state": "green"}, {}),
        (f"/repos/{REPO}/statuses/{HEAD}", STATUS | {"more": 1}, {}),
        (f"/repos/{REPO}/statuses/{HEAD}", {"state": "success"}, {}),
        (f"/repos/{REPO}/statuses/{HEAD}", STATUS | {"description": "x" * 141}, {}),
        (f"/repos/{REPO}/statuses/{HEAD[:7]}", STATUS, {}),
        (f"/repos/other/repo/statuses/{HEAD}", STATUS, {}),
        (f"/repos/{REPO}/statuses/{HEAD}", STATUS, {"authorization": "Bearer x"}),
        (f"/repos/{REPO}/statuses/{HEAD}", STATUS, {"accept": "*/*"}),
        (f"/repos/{REPO}/statuses/{HEAD}", STATUS, {"content-type": "text/plain"}),
        (f"/repos/{REPO}/issues/7/comments", {"body": "x" * 65_536}, {}),
        (f"/repos/{REPO}/issues/7/comments?page=1", {"body": "x"}, {}),
        ("/repos", {"body": "x"}, {}),
    ],
)
def test_the_server_refuses_what_does_not_fit(
    path: str, body: dict[str, Any], headers: dict[str, str]
) -> None:
    server = GithubServer().start()
    try:
        request = urllib.request.Request(
            server.url + path, data=json.dumps(body).encode(), headers=GOOD | headers, method="POST"
        )
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with pytest.raises(urllib.error.HTTPError) as caught:
            opener.open(request)
        caught.value.close()
        assert caught.value.code == 422
        assert len(server.violations) == 1
    finally:
        server.stop()
