"""Every request of `fetch` is one that GitHub describes."""

from pathlib import Path

import pytest

from evalkit.errors import UsageError
from tests.peers.openapi import Description, description_path
from tests.servers.ci_server import CiServer
from tests.unit.workflows.test_fetching import Made, fetch, github
from tests.unit.workflows.test_fetching import made as made
from tests.unit.workflows.test_fetching import root as root
from tests.unit.workflows.test_fetching import server as server

pytestmark = pytest.mark.downloads


@pytest.fixture(scope="module", params=["api.github.com.json", "ghes-3.17.json"])
def description(request: pytest.FixtureRequest) -> Description:
    """GitHub's own site, and the oldest Enterprise Server that the package describes."""
    return Description(description_path(request.param))


def test_every_request_is_as_github_describes_it(
    root: Path, server: CiServer, made: Made, description: Description
) -> None:
    github(server, made.zipped())
    fetch(root, server, change=7)
    fetch(root, server, run="501")
    with pytest.raises(UsageError):
        fetch(root, server, run="20200101T000000Z-0000")
    assert len({each.path for each in server.asked}) == 6
    for each in server.asked:
        description.check_request(each.method, each.path, each.query, each.body)
