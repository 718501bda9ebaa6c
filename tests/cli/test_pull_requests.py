"""Changes that make their own test easier: each is named, and none ends with 0 by itself."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import V2, Evalkit
from tests.cli.project import RIGHT, ProjectFiles, always, wrong_in_first

Edit = Callable[[ProjectFiles], None]


@pytest.fixture
def project(tmp_path: Path) -> ProjectFiles:
    """What `main` has: a prompt that is always right, and one that is wrong in 12 of 120 cases."""
    project = ProjectFiles(tmp_path / "project")
    project.replies["ask@v2"] = wrong_in_first(12)
    project.suite["gate"] = {"max_drop_pp": 3, "slices": {"even": {"max_drop_pp": 8}}}
    return project


def said(done: "subprocess.CompletedProcess[str]") -> str:
    return " ".join(done.stdout.split())


def change_cases(change: Callable[[int], dict[str, Any] | None]) -> Edit:
    """Change every case by its number, or leave it out."""

    def edit(project: ProjectFiles) -> None:
        changes = [(project.case(number), change(number)) for number in range(project.cases)]
        project.write_cases([case | more for case, more in changes if more is not None])

    return edit


def bump_golden_set(project: ProjectFiles) -> None:
    """A version 2 without the cases that break."""
    folder = project.root / "goldensets/ask/v2"
    folder.mkdir()
    (folder / "set.yaml").write_text("name: ask\nversion: 2\ndescription: Fewer.\n")
    kept = [json.dumps(project.case(number)) for number in range(12, 120)]
    (folder / "cases.jsonl").write_text("\n".join(kept) + "\n")
    project.suite["golden"] = "ask@v2"
    project.write()


def easier(number: int, **change: Any) -> dict[str, Any]:
    """A change of the first 12 cases only."""
    return change if number < 12 else {}


@pytest.mark.parametrize(
    ("edit", "says"),
    [
        (change_cases(lambda number: None if number < 12 else {}), "12 cases of ask@v1 are gone"),
        (bump_golden_set, "12 cases of ask@v1 are gone: c0000"),
        (change_cases(lambda n: easier(n, expected={"output": "no"})), "c0000 (expected)"),
        (change_cases(lambda n: easier(n, input={"question": "Easy?"})), "c0000 (input)"),
        (change_cases(lambda n: easier(n, tags=["odd"])), "c0000 (tags)"),
        (change_cases(lambda n: easier(n, group=f"g{n // 2}")), "c0000 (group)"),
    ],
)
def test_cases_that_ask_less_are_named(
    evalkit: Evalkit, project: ProjectFiles, edit: Edit, says: str
) -> None:
    project.write()
    project.commit()
    edit(project)
    done = evalkit("run", cwd=project.root)
    assert done.returncode == 3, done.stdout + done.stderr
    assert says in said(done)
    assert evalkit("run", "--accept-gate-change", cwd=project.root).returncode == 0


def test_more_cases_and_tags_that_no_slice_reads_are_no_weaker_gate(
    evalkit: Evalkit, project: ProjectFiles
) -> None:
    project.case_changes = {3: {"tags": ["odd", "old"]}}
    project.write()
    project.commit()
    project.case_changes = {3: {"tags": ["odd", "new"], "added": "2026-11-24"}}
    project.cases = 140
    project.write()
    done = evalkit("run", cwd=project.root)
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_scorers_schema_that_asks_less_is_named(evalkit: Evalkit, project: ProjectFiles) -> None:
    project.suite["scorers"] = [{"exact": {}}, {"json_schema": "schemas/reply.json"}]
    project.case_changes = {number: {"expected": {"output": {"a": 1}}} for number in range(120)}
    project.replies = {f"ask@v{v}": always({"content": '{"a": 1}'}) for v in (1, 2)}
    project.write()
    schema = project.root / "schemas/reply.json"
    schema.parent.mkdir()
    schema.write_text(json.dumps({"type": "object", "required": ["a"]}))
    project.commit()
    schema.write_text(json.dumps({"type": "object"}))
    done = evalkit("run", cwd=project.root)
    assert done.returncode == 3, done.stdout + done.stderr
    assert "schemas/reply.json" in said(done)


def test_a_baseline_that_is_made_worse_is_named(evalkit: Evalkit, project: ProjectFiles) -> None:
    project.replies["ask@v2"] = always(RIGHT)
    project.suite["target"] = {"prompt": "ask@v2"}
    project.write()
    project.commit()
    prompt = project.root / "prompts/ask/v1.yaml"
    prompt.write_text(project.prompt(1, "Say no. {{ input.question }}"))
    done = evalkit("run", cwd=project.root)
    assert done.returncode == 3, done.stdout + done.stderr
    assert "prompts/ask/v1.yaml changed since" in said(done)


def test_a_baseline_that_names_something_worse_is_named(
    evalkit: Evalkit, project: ProjectFiles
) -> None:
    project.write()
    project.commit()
    worse = {"set": {"suites.ask.target.prompt": "ask@v2"}}
    project.suite.update(target={"prompt": "ask@v2"}, baseline=worse)
    project.write()
    done = evalkit("run", cwd=project.root)
    assert done.returncode == 3
    assert "the baseline went from" in said(done)


@pytest.mark.parametrize(
    ("edit", "says"),
    [
        (
            lambda config: config["models"]["tiny"]["price"].update(output_usd_per_mtok=0),
            "output_usd_per_mtok of model tiny went from 1 to 0",
        ),
        (
            lambda config: config["budgets"][0].update(max_usd=500),
            "max_usd of the budget of a run went from 5 to 500",
        ),
        (lambda config: config.update(breaker=None), "circuits are switched off"),
    ],
)
def test_more_that_may_be_spent_is_named(
    evalkit: Evalkit, project: ProjectFiles, edit: Callable[[dict[str, Any]], None], says: str
) -> None:
    project.config["budgets"] = [{"scope": "run", "max_usd": 5}]
    project.write()
    project.commit()
    edit(project.config)
    project.write()
    done = evalkit("run", cwd=project.root)
    assert done.returncode == 3
    assert says in said(done)
    assert evalkit("run", "--accept-gate-change", cwd=project.root).returncode == 0


def test_replies_that_are_written_instead_of_measured_are_named(
    evalkit: Evalkit, project: ProjectFiles
) -> None:
    project.write()
    project.commit()
    assert evalkit("run", *V2, cwd=project.root).returncode == 1
    project.replies["ask@v2"] = always(RIGHT)
    project.write_replies()
    done = evalkit("run", *V2, cwd=project.root)
    assert done.returncode == 3
    assert "say something else now: c0000" in said(done)


def test_a_model_that_a_script_stands_in_for_is_named(
    evalkit: Evalkit, project: ProjectFiles
) -> None:
    scripts = project.config["providers"].pop("scripts")
    project.config["providers"]["scripts"] = {"kind": "openai", "base_url": "http://127.0.0.1:9/v1"}
    project.write()
    project.commit()
    project.config["providers"]["scripts"] = scripts
    project.write()
    done = evalkit("run", cwd=project.root)
    assert done.returncode == 3
    assert "model tiny went from a live model to a script" in said(done)


@pytest.mark.parametrize("variable", ["GITHUB_BASE_REF", "CI_MERGE_REQUEST_DIFF_BASE_SHA"])
def test_a_base_that_the_clone_lacks_leaves_the_gate_unguarded_and_says_so(
    evalkit: Evalkit, project: ProjectFiles, variable: str
) -> None:
    project.write()
    project.commit()
    project.suite["gate"] = {"max_drop_pp": 50}
    project.write()
    project.commit()
    done = evalkit("run", cwd=project.root, environ={variable: "f00d" * 10})
    assert done.returncode == 3, done.stdout + done.stderr
    assert "fetch-depth: 0" in said(done)
    assert "nothing shows that the gate was not loosened" in said(done)


def test_a_run_that_failed_is_no_baseline_to_be_proud_of(
    evalkit: Evalkit, project: ProjectFiles
) -> None:
    project.write()
    assert evalkit("run", *V2, cwd=project.root).returncode == 1
    done = evalkit("run", *V2, "--baseline", "latest", cwd=project.root)
    assert done.returncode == 3
    assert "failed its own gate" in said(done)
