"""`evalkit run --live` against the embedded model: the verdict that the recordings give."""

import json
import shutil
from pathlib import Path

import pytest

from evalkit.control.providers.engine import missing_engine
from tests.cli.conftest import Evalkit, evalkit

__all__ = ["evalkit"]

ROOT = Path(__file__).parents[2]
pytestmark = [
    pytest.mark.local_model,
    pytest.mark.skipif(missing_engine() is not None, reason=str(missing_engine())),
]


def test_a_live_run_answers_as_the_recordings_do(evalkit: Evalkit, tmp_path: Path) -> None:
    project = tmp_path / "project"
    project.mkdir()
    for name in ("evalkit.yaml", "prompts", "goldensets", "recordings", "schemas", "tools"):
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, project / name)
        else:
            shutil.copy(source, project / name)
    # of each a second and a half of CPU: so many that other prompts or settings would show
    few = [flag for number in range(1, 9) for flag in ("--case", f"tr-{number:04}")]
    worse = ("--set", "suites.ticket_routing.target.prompt=ticket_routing@v2")
    outputs = []
    for more in ((), ("--live", "--no-cache")):
        done = evalkit("run", "ticket_routing", *worse, *few, *more, cwd=project)
        assert done.returncode == 3, done.stderr  # selected cases never gate
        run = sorted((project / ".evalkit/runs").iterdir())[-1]
        lines = (run / "attempts.jsonl").read_text().splitlines()
        attempts = [json.loads(line) for line in lines]
        outputs.append({(a["variant"], a["case"]): a["output"] for a in attempts})
        assert {a["origin"] for a in attempts} == {"live" if more else "recording"}
    recorded, live = outputs
    assert len(recorded) == len(live) == 16
    # another processor may round otherwise: a wide band, never exact scores
    assert sum(recorded[place] == live[place] for place in recorded) >= 13
