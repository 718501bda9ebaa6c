"""What a clone brings along or lacks: committed measurements, the branch to compare with."""

import json
import subprocess
from pathlib import Path

import pytest

from tests.cli.conftest import V2, Evalkit
from tests.cli.project import ProjectFiles, wrong_in_first


@pytest.fixture
def project(tmp_path: Path) -> ProjectFiles:
    """`main` gates 3 pp; the branch `change` breaks 30 of 120 cases and gates 40 pp."""
    project = ProjectFiles(tmp_path / "project").write()
    project.commit()
    project.git("checkout", "-q", "-b", "change")
    project.suite["gate"] = {"max_drop_pp": 40}
    project.replies["ask@v2"] = wrong_in_first(30)
    project.write()
    project.commit()
    project.git("checkout", "-q", "main")
    return project


def clone(project: ProjectFiles, *flags: str) -> Path:
    """A clone of the branch `change`."""
    target = project.root.parent / "clone"
    url = project.root.as_uri()
    command = ["git", "clone", "-q", "--branch", "change", *flags, url, str(target)]
    subprocess.run(command, check=True, capture_output=True)
    return target


@pytest.mark.parametrize(
    "name", ["cache.sqlite3", "runs/20260101T000000Z-0000/run.json", "history.db"]
)
def test_measurements_that_a_commit_brings_along_are_refused(
    evalkit: Evalkit, tmp_path: Path, name: str
) -> None:
    project = ProjectFiles(tmp_path / "project").write()
    file = project.root / ".evalkit" / name
    file.parent.mkdir(parents=True)
    file.write_bytes(b"")
    project.commit()
    done = evalkit("run", *V2, cwd=project.root)
    assert done.returncode == 2, done.stdout + done.stderr
    assert f".evalkit/{name}" in done.stderr
    assert "git rm -r -q --cached .evalkit" in done.stderr
    assert evalkit("check", cwd=project.root).returncode == 2
    project.git("rm", "-r", "-q", "--cached", ".evalkit")
    file.unlink()
    assert evalkit("run", *V2, cwd=project.root).returncode == 0


def test_a_private_folder_that_is_a_committed_link_is_refused(
    evalkit: Evalkit, tmp_path: Path
) -> None:
    project = ProjectFiles(tmp_path / "project").write()
    (project.root / "elsewhere").mkdir()
    (project.root / ".evalkit").symlink_to("elsewhere")
    project.commit()
    assert evalkit("run", *V2, cwd=project.root).returncode == 2


def test_the_schema_for_editors_may_be_committed(evalkit: Evalkit, tmp_path: Path) -> None:
    project = ProjectFiles(tmp_path / "project").write()
    schema = project.root / ".evalkit/schema/evalkit.schema.json"
    schema.parent.mkdir(parents=True)
    schema.write_text("{}")
    project.commit()
    assert evalkit("run", *V2, cwd=project.root).returncode == 0


@pytest.mark.parametrize("flags", [["--single-branch"], ["--single-branch", "--depth=1"]])
def test_a_clone_without_the_default_branch_does_not_show_that_the_gate_is_what_it_was(
    evalkit: Evalkit, project: ProjectFiles, flags: list[str]
) -> None:
    done = evalkit("run", *V2, cwd=clone(project, *flags))
    assert done.returncode == 3, done.stdout + done.stderr
    said = " ".join(done.stdout.split())
    assert "nothing shows that the gate was not loosened" in said
    assert "git remote set-head origin --auto" in said


def test_a_clone_without_the_default_branch_is_not_compared_with_itself(
    evalkit: Evalkit, project: ProjectFiles
) -> None:
    project.git("checkout", "-q", "change")
    del project.suite["baseline"]
    project.suite["target"] = {"prompt": "ask@v2"}
    project.write()
    project.commit()
    project.git("checkout", "-q", "main")
    done = evalkit("run", cwd=clone(project, "--single-branch"))
    assert done.returncode == 2, done.stdout + done.stderr
    assert "no branch that changes are merged into" in done.stderr


def test_the_forge_says_which_branch_changes_are_merged_into(
    evalkit: Evalkit, project: ProjectFiles, tmp_path: Path
) -> None:
    """Also where another branch has the name of a usual default."""
    project.git("branch", "-q", "-m", "main", "develop")
    project.git("branch", "-q", "main", "change")
    cloned = clone(project)
    subprocess.run(["git", "remote", "set-head", "origin", "--delete"], cwd=cloned, check=True)
    assert evalkit("run", *V2, cwd=cloned).returncode == 0
    event = tmp_path / "event.json"
    event.write_text(json.dumps({"repository": {"default_branch": "develop"}}))
    for environ in ({"GITHUB_EVENT_PATH": str(event)}, {"CI_DEFAULT_BRANCH": "develop"}):
        done = evalkit("run", *V2, cwd=cloned, environ=environ)
        assert done.returncode == 3, done.stdout + done.stderr
        assert "max_drop_pp" in done.stdout


def test_a_project_that_was_moved_does_not_escape_what_guards_its_gate(
    evalkit: Evalkit, tmp_path: Path
) -> None:
    whole = ProjectFiles(tmp_path / "repository")
    ProjectFiles(whole.root / "old").write()
    whole.commit()
    whole.git("mv", "old", "new")
    moved = ProjectFiles(whole.root / "new")
    moved.suite["gate"] = {"max_drop_pp": 40}
    moved.write()
    done = evalkit("run", *V2, cwd=moved.root)
    assert done.returncode == 3, done.stdout + done.stderr
    assert "old/evalkit.yaml" in done.stdout


def test_a_second_project_of_a_repository_is_no_moved_one(evalkit: Evalkit, tmp_path: Path) -> None:
    whole = ProjectFiles(tmp_path / "repository")
    ProjectFiles(whole.root / "old").write()
    whole.commit()
    second = ProjectFiles(whole.root / "new").write()
    assert evalkit("run", *V2, cwd=second.root).returncode == 0
