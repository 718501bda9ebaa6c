"""A server of a code host and a job on it, as fixtures of this folder's tests."""

from tests.servers.github_server import github_server
from tests.unit.report.conftest import make_run, regressed
from tests.unit.workflows.github_desk import desk, ran

__all__ = ["desk", "github_server", "make_run", "ran", "regressed"]
