"""A change that costs more does not hide it by a lower price in evalkit.yaml."""

from pathlib import Path

import pytest

from tests.cli.project import ProjectFiles
from tests.faults.conftest import Evalkit, serve
from tests.servers.openai_server import OpenAIServer

CHEAP = {"input_usd_per_mtok": 0.05, "output_usd_per_mtok": 0.05}


@pytest.fixture
def dearer(tmp_path: Path, openai_server: OpenAIServer) -> ProjectFiles:
    """A branch whose prompt gets the same answers, a hundred times as long."""
    openai_server.answer = lambda seen: "yes" if "v1" in seen.prompt else "yes" + " " * 200
    project = serve(ProjectFiles(tmp_path / "project", cases=120), openai_server)
    project.route["max_tokens"] = 200
    project.suite["scorers"] = [{"exact": {"normalise": ["strip"]}}]
    project.suite["baseline"] = "main"
    project.suite["gate"] = {
        "max_drop_pp": 5,
        "max_trials": 1,
        "metrics": {"cost_usd_per_resolved": {"max_increase_pct": 10}},
    }
    project.write()
    project.commit()
    project.git("checkout", "-q", "-b", "change")
    project.suite["target"] = {"prompt": "ask@v2"}
    return project.write()


def test_both_arms_are_at_the_candidates_prices(evalkit: Evalkit, dearer: ProjectFiles) -> None:
    dearer.config["models"]["tiny"]["price"] = CHEAP
    dearer.write()
    done = evalkit("run", cwd=dearer.root)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "FAIL metric:cost_usd_per_resolved" in done.stdout


@pytest.mark.parametrize("flag", ["--no-cache", "--trials=1"])
def test_what_earlier_runs_lend_or_cached_is_priced_again(
    evalkit: Evalkit, dearer: ProjectFiles, flag: str
) -> None:
    assert evalkit("run", flag, cwd=dearer.root).returncode == 1
    dearer.config["models"]["tiny"]["price"] = CHEAP
    dearer.write()
    done = evalkit("run", flag, cwd=dearer.root)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "FAIL metric:cost_usd_per_resolved" in done.stdout


def test_a_stored_baseline_is_priced_again(evalkit: Evalkit, dearer: ProjectFiles) -> None:
    dearer.git("stash", "-q")
    assert evalkit("run", cwd=dearer.root).returncode == 0
    dearer.git("stash", "pop", "-q")
    dearer.config["models"]["tiny"]["price"] = CHEAP
    dearer.write()
    done = evalkit("run", "--baseline", "latest", cwd=dearer.root)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "FAIL metric:cost_usd_per_resolved" in done.stdout
