"""`evalkit publish plain` after `evalkit run`, whatever became of it."""

import json
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import V2, Evalkit, Gated
from tests.cli.project import ProjectFiles, wrong_in_first


def outcome(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "verdict.json").read_text(encoding="utf-8"))
    return found


@pytest.fixture
def project(tmp_path: Path) -> ProjectFiles:
    project = ProjectFiles(tmp_path / "project")
    project.replies["ask@v2"] = wrong_in_first(12)
    return project.write()


def test_the_last_run_is_published_even_where_it_was_refused(
    evalkit: Evalkit, project: ProjectFiles
) -> None:
    assert evalkit("run", *V2, cwd=project.root).returncode == 1
    done = evalkit("publish", "plain", "--to", "out", cwd=project.root)
    assert (done.returncode, done.stderr) == (0, "")
    out = project.root / "out"
    assert sorted(done.stdout.split()) == sorted(f"out/{path.name}" for path in out.iterdir())
    assert (outcome(out)["exit_code"], outcome(out)["outcome"]) == (1, "fail")
    project.suite["gate"] = {"max_dorp_pp": 3}
    project.write()
    assert evalkit("run", cwd=project.root).returncode == 2
    assert evalkit("publish", "plain", "--to", "out", cwd=project.root).returncode == 0
    assert (outcome(out)["exit_code"], outcome(out)["outcome"]) == (2, None)
    assert "max_dorp_pp" in (out / "report.md").read_text(encoding="utf-8")
    assert "max_dorp_pp" in (out / "report.html").read_text(encoding="utf-8")
    (error,) = ET.parse(out / "junit.xml").iter("error")
    assert "max_dorp_pp" in (error.text or "")


def test_a_stored_run_can_be_named(evalkit: Evalkit, gated: Gated, tmp_path: Path) -> None:
    done = evalkit("publish", "plain", gated.passed, "--to", str(tmp_path / "x"), cwd=gated.root)
    assert done.returncode == 0, done.stderr
    assert outcome(tmp_path / "x")["green"] is True


def test_where_nothing_was_run_it_is_2(evalkit: Evalkit, project: ProjectFiles) -> None:
    done = evalkit("publish", "plain", "--to", "out", cwd=project.root)
    assert (done.returncode, done.stdout) == (2, "")
    assert "no run to publish" in done.stderr
