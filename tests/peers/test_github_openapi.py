"""Every request of `publish github`, and every reply of the tests' server, as GitHub describes."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from tests.peers.openapi import Description, description_path
from tests.servers.github_server import GithubServer
from tests.servers.github_server import github_server as github_server
from tests.unit.report.conftest import make_run as make_run
from tests.unit.report.conftest import regressed as regressed
from tests.unit.workflows.github_desk import Desk, Ran, publish_everything
from tests.unit.workflows.github_desk import desk as desk
from tests.unit.workflows.github_desk import ran as ran

pytestmark = pytest.mark.downloads


@pytest.fixture(scope="module", params=["api.github.com.json", "ghes-3.17.json"])
def description(request: pytest.FixtureRequest) -> Description:
    """GitHub's own site, and the oldest Enterprise Server that the package describes."""
    return Description(description_path(request.param))


def checked(server: GithubServer) -> Iterator[Any]:
    """The requests that were carried out. The pull request's reply is a part of the real one."""
    yield from (each for each in server.seen if each.status < 400)


def test_every_request_and_reply_is_as_github_describes_it(
    desk: Desk, ran: Ran, description: Description
) -> None:
    publish_everything(desk, ran)
    for each in checked(desk.server):
        operation = description.check_request(each.method, each.path, each.params, each.body)
        assert str(each.status) in operation["responses"]
        if each.shape != "pull":
            description.check_reply(operation, each.status, each.reply)


def test_the_description_refuses_what_is_wrong(description: Description) -> None:
    path = "/repos/acme/support-bot/check-runs"
    good: dict[str, Any] = {
        "name": "evalkit",
        "head_sha": "ab" * 20,
        "status": "completed",
        "conclusion": "success",
        "output": {"title": "t", "summary": "s", "annotations": []},
    }
    description.check_request("POST", path, {}, good)
    wrong = [
        good | {"conclusion": "passed"},
        good | {"unknown": 1},
        good | {"output": {"summary": "s"}},
        good | {"output": {"title": "t", "summary": "s" * 65_536}},
        {key: value for key, value in good.items() if key != "name"},
    ]
    for body in wrong:
        with pytest.raises((AssertionError, jsonschema.ValidationError)):
            description.check_request("POST", path, {}, body)
    with pytest.raises(AssertionError):
        description.check_request("PUT", path, {}, good)
    with pytest.raises(AssertionError):
        description.check_request("POST", path, {"page": "1"}, good)


def test_the_description_refuses_a_reply_that_is_no_such_thing(
    desk: Desk, ran: Ran, description: Description
) -> None:
    ran()
    desk.publish()
    made = [each for each in desk.server.seen if each.shape in ("make comment", "make check")]
    assert len(made) == 2
    for each in made:
        operation, _ = description.operation(each.method, each.path)
        description.check_reply(operation, each.status, each.reply)
        for key in ("id", "node_id", "html_url"):
            less = {name: value for name, value in each.reply.items() if name != key}
            with pytest.raises(jsonschema.ValidationError):
                description.check_reply(operation, each.status, less)


def test_a_folder_can_be_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EVALKIT_GITHUB_OPENAPI", str(tmp_path))
    assert description_path("api.github.com.json") == tmp_path / "api.github.com.json"
