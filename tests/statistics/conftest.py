"""The simulations run briefly, and in full where `-m full_simulation` asks for it."""

import pytest

from tests.statistics.effort import Effort

FULL = "full_simulation"


@pytest.fixture(params=["brief", pytest.param("full", marks=pytest.mark.full_simulation)])
def effort(request: pytest.FixtureRequest) -> Effort:
    """How long to simulate."""
    return Effort(full=request.param == "full")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave the full simulations out unless they are named, whatever else -m selects."""
    if FULL in config.option.markexpr:
        return
    full = [item for item in items if item.get_closest_marker(FULL)]
    if full:
        config.hook.pytest_deselected(items=full)
        items[:] = [item for item in items if not item.get_closest_marker(FULL)]
