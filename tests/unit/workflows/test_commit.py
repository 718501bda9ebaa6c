"""Which runs are the default branch's: only those feed the bank of baselines."""

from pathlib import Path

import pytest

from evalkit.workflows.setup.commit import read_commit
from tests.cli.project import ProjectFiles


@pytest.fixture
def committed(tmp_path: Path) -> ProjectFiles:
    project = ProjectFiles(tmp_path / "project", cases=3).write()
    project.commit()
    return project


def test_a_clean_checkout_of_the_default_branch_is_main(committed: ProjectFiles) -> None:
    state = read_commit(committed.root, {})
    assert (state.branch, state.main) == ("main", True)


def test_uncommitted_changes_are_not_main(committed: ProjectFiles) -> None:
    (committed.root / "evalkit.yaml").write_text("version: 1\n")
    assert not read_commit(committed.root, {}).main


def test_another_branch_is_not_main(committed: ProjectFiles) -> None:
    committed.git("checkout", "-q", "-b", "change")
    assert not read_commit(committed.root, {}).main


def test_a_detached_checkout_in_ci_has_the_branch_that_ci_names(committed: ProjectFiles) -> None:
    committed.git("checkout", "-q", "--detach")
    sha = committed.git("rev-parse", "HEAD").strip()
    pushed = read_commit(committed.root, {"GITHUB_REF": "refs/heads/main", "GITHUB_SHA": sha})
    assert (pushed.branch, pushed.main) == ("main", True)
    assert read_commit(committed.root, {"CI_COMMIT_BRANCH": "main", "CI_COMMIT_SHA": sha}).main


def test_another_commit_than_ci_was_started_for_is_not_main(committed: ProjectFiles) -> None:
    committed.git("checkout", "-q", "--detach")
    environ = {"GITHUB_REF": "refs/heads/main", "GITHUB_SHA": "0" * 40}
    assert not read_commit(committed.root, environ).main


@pytest.mark.parametrize(
    "environ",
    [
        {"GITHUB_HEAD_REF": "main", "GITHUB_REF": "refs/pull/3/merge"},
        {"CI_MERGE_REQUEST_IID": "3", "CI_MERGE_REQUEST_SOURCE_BRANCH_NAME": "main"},
    ],
)
def test_a_fork_whose_branch_is_called_main_is_not_main(
    committed: ProjectFiles, environ: dict[str, str]
) -> None:
    committed.git("checkout", "-q", "--detach")
    assert not read_commit(committed.root, environ).main


def test_without_git_nothing_is_main(tmp_path: Path) -> None:
    assert read_commit(tmp_path, {}) == read_commit(tmp_path, {"GITHUB_REF": "refs/heads/main"})
    assert not read_commit(tmp_path, {}).main
