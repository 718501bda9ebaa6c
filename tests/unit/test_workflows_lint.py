"""Workflows and actions, ours and those that we tell others to write, pass real linters.

actionlint and shellcheck know workflows and shells, check-jsonschema has the published schemas of
GitHub's workflows and actions and of GitLab's pipelines, zizmor looks for what an attacker would.
"""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.y*ml"))
TEMPLATE = sorted((ROOT / "evalkit/workflows/template/.github/workflows").glob("*.y*ml"))
ACTION = ROOT / ".github/actions/evalkit/action.yml"
SCRIPTS = sorted(ACTION.parent.glob("*.sh"))
PINNED = re.compile(r"uses: [\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$")
BLOCK = re.compile(r"^```yaml\n(.*?)^```", re.MULTILINE | re.DOTALL)

Lint = Callable[..., None]


@pytest.fixture
def lint() -> Lint:
    """`lint(tool, arguments…)`: fails with what the tool says. CI has every tool."""

    def run(tool: str, *arguments: str | Path) -> None:
        path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
        found = shutil.which(tool, path=path)
        if found is None:
            assert not os.environ.get("CI"), f"{tool} is not installed: pip install -e '.[dev]'"
            pytest.skip(f"{tool} is not installed")
        done = subprocess.run(
            [found, *map(str, arguments)],
            cwd=ROOT,
            env={**os.environ, "PATH": path},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr

    return run


def shown() -> list[tuple[str, str]]:
    """The YAML that docs/ci.md shows: name and text; a comment in its first line is its name."""
    blocks = BLOCK.findall((ROOT / "docs/ci.md").read_text(encoding="utf-8"))
    return [(block.partition("\n")[0].removeprefix("# "), block) for block in blocks]


def written(tmp_path: Path, kind: str) -> list[Path]:
    """The shown files with that in their name, written to disk."""
    paths = []
    for name, text in shown():
        path = tmp_path / name
        if kind in name:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
            paths.append(path)
    assert paths, f"docs/ci.md shows no {kind}"
    return paths


def test_there_is_something_to_lint() -> None:
    assert {path.name for path in WORKFLOWS} >= {"checks.yml", "evals.yml", "evals-live.yml"}
    assert len(TEMPLATE) == 1
    assert {path.name for path in SCRIPTS} >= {"guard.sh", "run.sh", "publish.sh", "finish.sh"}
    names = [name for name, _ in shown()]
    assert any(name.startswith(".github/workflows/") for name in names)
    assert any(name.startswith(".gitlab-ci.yml") for name in names)


def test_actionlint_finds_nothing(lint: Lint, tmp_path: Path) -> None:
    lint("actionlint", *WORKFLOWS)
    lint("actionlint", *TEMPLATE, *written(tmp_path, "workflows"))


def test_workflows_and_actions_have_their_published_form(lint: Lint, tmp_path: Path) -> None:
    workflows = [*WORKFLOWS, *TEMPLATE, *written(tmp_path, "workflows")]
    lint("check-jsonschema", "--builtin-schema", "vendor.github-workflows", *workflows)
    lint("check-jsonschema", "--builtin-schema", "vendor.github-actions", ACTION)
    pipelines = written(tmp_path, ".gitlab-ci.yml")
    lint(
        "check-jsonschema",
        "--builtin-schema",
        "vendor.gitlab-ci",
        "--data-transform",
        "gitlab-ci",
        *pipelines,
    )


def test_zizmor_finds_no_way_in(lint: Lint, tmp_path: Path) -> None:
    options = ("--offline", "--no-progress", "--min-severity", "medium")
    lint("zizmor", *options, *WORKFLOWS, ACTION)
    # what others are told to write names the action by a tag that they replace with a commit
    for path in [*TEMPLATE, *written(tmp_path, "workflows")]:
        text = re.sub(
            r"(evalkit/\.github/actions/evalkit)@v\S+", rf"\1@{'0' * 40}", path.read_text()
        )
        copy = tmp_path / "pinned" / path.name
        copy.parent.mkdir(exist_ok=True)
        copy.write_text(text, encoding="utf-8")
        lint("zizmor", *options, copy)


def test_shellcheck_finds_nothing(lint: Lint) -> None:
    lint("shellcheck", *SCRIPTS, ROOT / ".ci/run")


@pytest.mark.parametrize("path", [*WORKFLOWS, ACTION, *TEMPLATE], ids=lambda path: path.name)
def test_what_others_wrote_is_named_by_its_commit(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    uses = [line.strip().removeprefix("- ") for line in text.splitlines() if "uses:" in line]
    others = [
        line
        for line in uses
        if not line.startswith(("uses: ./", "uses: $/", "uses: OWNER/evalkit/", "#"))
    ]
    assert [line for line in others if not PINNED.match(line)] == []
    assert uses


@pytest.mark.parametrize("path", [*WORKFLOWS, *TEMPLATE], ids=lambda path: path.name)
def test_no_workflow_runs_a_strangers_code_with_secrets(path: Path) -> None:
    workflow = yaml.safe_load(path.read_text(encoding="utf-8"))
    events = workflow[True]  # YAML 1.1 reads `on` as a truth value
    assert not {"pull_request_target", "workflow_run", "issue_comment"} & set(events)
    assert "permissions" in workflow


def test_no_expression_stands_in_a_script() -> None:
    """What a workflow puts into a script is code there; into the environment it is a text."""
    action = yaml.safe_load(ACTION.read_text(encoding="utf-8"))
    scripts = [step["run"] for step in action["runs"]["steps"] if "run" in step]
    for path in (*WORKFLOWS, *TEMPLATE):
        for job in yaml.safe_load(path.read_text(encoding="utf-8"))["jobs"].values():
            scripts += [step["run"] for step in job["steps"] if "run" in step]
    assert len(scripts) >= 7
    assert [script for script in scripts if "${{" in script] == []


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_a_script_can_be_started(script: Path) -> None:
    assert os.access(script, os.X_OK)
    assert script.read_text(encoding="utf-8").startswith("#!/usr/bin/env bash\n# ")
