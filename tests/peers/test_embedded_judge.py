"""The embedded model as a (poor) judge, from the first label to a run that it may not gate."""

import json
from pathlib import Path

import pytest
import yaml

from evalkit.control.providers.engine import missing_engine
from tests.cli.conftest import Evalkit, call_evalkit, evalkit
from tests.cli.project import ProjectFiles

__all__ = ["evalkit"]

pytestmark = [
    pytest.mark.local_model,
    pytest.mark.skipif(missing_engine() is not None, reason=str(missing_engine())),
]
CASES = 6
RUBRIC = {
    "name": "tone",
    "version": 1,
    "scale": {"kind": "binary", "pass": "The reply is polite.", "fail": "It is not."},
    "criteria": ["Polite: no blame and no sarcasm."],
    "judge": {
        "route": "judge",
        "prompt": "Criterion: {{ criteria[0] }}\nReply:\n{{ output }}\n",
        "params": {"temperature": 0, "max_tokens": 60},
    },
    "calibration": {"labelled_by": "anyone"},
}


@pytest.fixture
def project(tmp_path: Path) -> ProjectFiles:
    """Two prompts and a judge, all asked of the embedded model."""
    made = ProjectFiles(tmp_path / "project", cases=CASES)
    made.config["providers"] = {"embedded": {"kind": "local"}}
    price = {"input_usd_per_mtok": 0, "output_usd_per_mtok": 0}
    model = {"provider": "embedded", "id": "SmolLM2-135M-Instruct.Q4_1", "price": price}
    made.config["models"] = {"tiny": model}
    made.config["routes"] = [
        {"name": name, "models": {"primary": "tiny"}, "max_tokens": cap}
        for name, cap in (("ask", 12), ("judge", 60))
    ]
    made.suite["scorers"] = [{"regex": {"pattern": "."}}, {"judge": "tone@v1"}]
    made.suite["gate"] = {"max_drop_pp": 60, "max_trials": 1}
    made.write()
    (made.root / "rubrics/tone").mkdir(parents=True)
    (made.root / "rubrics/tone/v1.yaml").write_text(yaml.safe_dump(RUBRIC), encoding="utf-8")
    return made


def test_a_poor_judge_is_labelled_calibrated_found_unfit_and_does_not_gate(
    evalkit: Evalkit, project: ProjectFiles
) -> None:
    v2 = ("--set", "suites.ask.target.prompt=ask@v2")
    first = evalkit("run", *v2, cwd=project.root)
    assert first.returncode == 3, first.stderr
    assert "Nobody has measured how often the judge of tone@v1 is wrong." in _words(first.stdout)

    keys = "\n".join("pf"[number % 2] for number in range(2 * CASES))
    who = ("--labeller", "t", "--by", "rule")
    labelled = call_evalkit(
        *("judge", "label", "tone@v1", "--run", "latest", *who),
        cwd=project.root,
        typed=f"{keys}\nq\n",
    )
    assert labelled.returncode == 0, labelled.stderr

    measured = evalkit("judge", "calibrate", "tone@v1", "--json", cwd=project.root)
    assert measured.returncode == 0, measured.stderr
    found = json.loads(measured.stdout)["measured"]
    assert found["fit"] is False
    assert any("at least 50 have to" in why for why in found["why"])

    again = evalkit("run", *v2, cwd=project.root)
    assert again.returncode == 3, again.stderr
    assert "INCONCLUSIVE judge tone" in _words(again.stdout)
    assert "cannot decide" in _words(again.stdout)
    assert evalkit("check", cwd=project.root).returncode == 0  # unfit is known, not stale


def _words(text: str) -> str:
    return " ".join(text.split())
