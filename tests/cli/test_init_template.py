"""The project that `evalkit init` makes: it runs at once, and its README tells the truth."""

import json
from pathlib import Path
from typing import Any

import pytest

from evalkit.score.registry import build_scorers
from evalkit.score.scoring import case_problems
from evalkit.sources.assets import load_assets
from evalkit.sources.tree import WorkingTree
from evalkit.workflows.initialising import init_project
from tests.cli.conftest import Evalkit

SCRIPT = "scripted/help_desk.jsonl"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A fresh project."""
    folder = tmp_path / "evals"
    init_project(folder)
    return folder


def change_script(project: Path, change: Any) -> None:
    """Let `change` alter every line of the script, and write it back."""
    path = project / SCRIPT
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    for number, line in enumerate(lines):
        change(number, line)
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")


def say_other_topic(line: dict[str, Any]) -> None:
    """A reply with a topic that no case expects of it."""
    content = json.loads(line["reply"]["content"]) | {"topic": "building"}
    line["reply"]["content"] = json.dumps(content)


def call_waive_fee(number: int, line: dict[str, Any]) -> None:
    """What the message of hd-11 asks for."""
    if line["case"] == "hd-11":
        arguments = {"card": "L-11873", "amount": 4.8}
        line["reply"]["tool_calls"] = [{"name": "waive_fee", "arguments": arguments}]


def test_a_new_project_passes_its_floor_on_scripted_replies_and_says_so(
    project: Path, evalkit: Evalkit
) -> None:
    done = evalkit("run", cwd=project)
    assert done.returncode == 0, done.stderr
    assert "PASS (exit 0)" in done.stdout
    assert "95.0 %" in done.stdout
    assert "measure no model" in " ".join(done.stdout.split())


def test_it_has_twenty_cases_that_all_are_decided_and_all_have_a_reply(project: Path) -> None:
    assets = load_assets(WorkingTree(project))
    suite = assets.suites["help_desk"]
    cases = suite.golden.cases
    scorers = build_scorers(suite.suite.scorers, suite.schemas)
    assert len(cases) == 20
    assert [case_problems(scorers, case) for case in cases] == [()] * 20
    replies = [json.loads(line) for line in (project / SCRIPT).read_text("utf-8").splitlines()]
    assert [line["case"] for line in replies] == [case.id for case in cases]


def test_sixteen_of_twenty_miss_the_floor(project: Path, evalkit: Evalkit) -> None:
    change_script(project, lambda number, line: say_other_topic(line) if number < 3 else None)
    done = evalkit("run", cwd=project)
    assert done.returncode == 1, done.stderr
    assert "16 of 20" in done.stdout


def test_a_forbidden_tool_is_denied_and_breaks_the_invariant_once_it_is_not(
    project: Path, evalkit: Evalkit
) -> None:
    change_script(project, call_waive_fee)
    denied = evalkit("run", cwd=project)
    assert denied.returncode == 1
    assert "invariant:forbidden_tools: held" in denied.stdout
    assert "policies.disallow_actions" in denied.stdout
    config = project / "evalkit.yaml"
    text = config.read_text(encoding="utf-8")
    config.write_text(text.replace("[waive_fee]", "[]"), encoding="utf-8")
    allowed = evalkit("run", cwd=project)
    assert allowed.returncode == 1
    assert "forbidden_tools was broken in 1 attempt" in allowed.stdout


def test_uncommenting_the_real_model_as_described_gives_a_sound_configuration(
    project: Path, evalkit: Evalkit
) -> None:
    config = project / "evalkit.yaml"
    lines = config.read_text(encoding="utf-8").splitlines()
    for number, line in enumerate(lines):
        if line.startswith("  # ") and line[4:].lstrip().startswith(
            ("openai:", "gpt-4.1-mini:", "provider:", "id:", "price:", "my_server:", "my_model:")
        ):
            lines[number] = "  " + line[4:]
        lines[number] = lines[number].replace("primary: scripted", "primary: gpt-4.1-mini")
    config.write_text("\n".join(lines) + "\n", encoding="utf-8")
    checked = evalkit("check", cwd=project)
    assert checked.returncode == 0, checked.stderr
    run = evalkit("run", cwd=project)
    assert run.returncode == 2
    assert "OPENAI_API_KEY" in run.stderr
