"""`--engine`: what is refused before a run starts, and what that says."""

import importlib.util
import os
import socket
from pathlib import Path

import pytest

from tests.cli.conftest import Ask
from tests.cli.project import ProjectFiles

IS_INSTALLED = importlib.util.find_spec("ray") is not None


@pytest.mark.skipif(IS_INSTALLED, reason="Ray is installed")
def test_ray_that_is_not_installed_is_a_usage_error_with_the_line_that_installs_it(
    ask: Ask, tmp_path: Path
) -> None:
    root = ProjectFiles(tmp_path / "project", cases=3).write().root
    said = ask("run", "--engine", "ray", cwd=root)
    assert said.code == 2 and "pip install 'evalkit[ray]'" in said.err
    assert not (root / ".evalkit/runs").exists()


def test_an_address_goes_with_ray_alone(ask: Ask, tmp_path: Path) -> None:
    root = ProjectFiles(tmp_path / "project", cases=3).write().root
    said = ask("run", "--engine", "asyncio", "--engine-address", "auto", cwd=root)
    assert said.code == 2 and "give --engine ray with it" in said.err


def test_another_engine_is_refused_with_those_that_there_are(ask: Ask, tmp_path: Path) -> None:
    root = ProjectFiles(tmp_path / "project", cases=3).write().root
    said = ask("run", "--engine", "dask", cwd=root)
    assert said.code == 2 and "'asyncio', 'ray'" in said.err


def test_settings_of_ray_without_it_are_refused_where_they_stand(ask: Ask, tmp_path: Path) -> None:
    project = ProjectFiles(tmp_path / "project", cases=3)
    project.config["run"] = {"engine": {"workers": 4}}
    said = ask("check", cwd=project.write().root)
    assert said.code == 2 and "run.engine" in said.err and "belongs to kind: ray" in said.err


@pytest.mark.ray
@pytest.mark.skipif(
    not IS_INSTALLED and not os.environ.get("EVALKIT_REQUIRE_RAY"), reason="Ray is not installed"
)
@pytest.mark.filterwarnings("default")
def test_a_cluster_that_cannot_be_reached_is_told_at_once_and_ends_with_4(
    ask: Ask, tmp_path: Path
) -> None:
    root = ProjectFiles(tmp_path / "project", cases=3).write().root
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{closed.getsockname()[1]}"
        for each in (f"ray://{address}", address):
            said = ask("run", "--engine-address", each, cwd=root)
            assert said.code == 4 and f"the Ray cluster at {each} cannot be reached" in said.err
    assert not (root / ".evalkit/runs").exists()
