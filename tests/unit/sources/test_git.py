"""git as the baseline's source: read at a ref, nothing checked out, errors that say what to do."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from evalkit.errors import ConfigError, Refused
from evalkit.sources.assets import load_assets
from evalkit.sources.git import (
    GitTree,
    changed_files,
    default_branch,
    git_state,
    head_commit,
    merge_base,
    read_git_state,
    resolve_ref,
)

Git = Callable[..., str]


@pytest.fixture
def repository(tmp_path: Path, git: Git) -> Path:
    """A repository with one commit on main."""
    root = tmp_path / "repository"
    (root / "prompts" / "desk").mkdir(parents=True)
    (root / "evalkit.yaml").write_text("version: 1\n")
    (root / "prompts" / "desk" / "v1.yaml").write_text("one")
    (root / "prompts" / "desk" / "v2.yaml").write_text("two")
    git("init", "-q", cwd=root)
    git("add", ".", cwd=root)
    git("commit", "-qm", "first", cwd=root)
    return root


class TestTree:
    def test_files_are_those_of_the_commit(self, repository: Path) -> None:
        (repository / "evalkit.yaml").write_text("changed")
        (repository / "new.txt").write_text("new")
        tree = GitTree(repository, "HEAD")
        assert tree.read("evalkit.yaml") == b"version: 1\n"
        assert tree.list("prompts/desk") == ["v1.yaml", "v2.yaml"]
        assert tree.list(".") == ["evalkit.yaml", "prompts"]
        assert tree.list("nowhere") == []
        assert tree.exists("prompts/desk/v2.yaml")
        assert not tree.exists("new.txt")
        assert not tree.exists("prompts")
        with pytest.raises(FileNotFoundError):
            tree.read("new.txt")

    def test_the_label_names_the_ref_and_the_commit(self, repository: Path, git: Git) -> None:
        sha = git("rev-parse", "HEAD", cwd=repository)
        assert GitTree(repository, "main").label == f"main ({sha[:7]})"
        assert GitTree(repository, sha).label == sha[:7]

    def test_a_project_in_a_subfolder_sees_its_own_files(self, repository: Path) -> None:
        tree = GitTree(repository / "prompts", "HEAD")
        assert tree.list(".") == ["desk"]
        assert tree.read("desk/v1.yaml") == b"one"
        assert not tree.exists("evalkit.yaml")

    def test_a_project_younger_than_the_commit_is_empty(self, repository: Path) -> None:
        (repository / "later").mkdir()
        tree = GitTree(repository / "later", "HEAD")
        assert tree.list(".") == []
        assert not tree.exists("evalkit.yaml")

    def test_trees_of_one_commit_share_what_they_read_and_those_of_others_do_not(
        self, repository: Path, git: Git
    ) -> None:
        tree = GitTree(repository, "HEAD")
        assert tree.read("prompts/desk/v1.yaml") == b"one"
        (repository / "prompts" / "desk" / "v1.yaml").write_text("another")
        git("commit", "-qam", "second", cwd=repository)
        # what stands in memory needs no object store
        (repository / ".git").rename(repository / "away")
        assert GitTree(repository, tree.sha).read("prompts/desk/v1.yaml") == b"one"
        (repository / "away").rename(repository / ".git")
        assert GitTree(repository, "HEAD").read("prompts/desk/v1.yaml") == b"another"
        below = GitTree(repository / "prompts", tree.sha)
        assert below.list(".") == ["desk"]

    def test_large_files_are_streamed(self, repository: Path, git: Git) -> None:
        content = os.urandom(700_000)
        (repository / "large.bin").write_bytes(content)
        git("add", ".", cwd=repository)
        git("commit", "-qm", "large", cwd=repository)
        tree = GitTree(repository, "HEAD")
        with tree.open("large.bin") as stream:
            assert stream.read(1000) == content[:1000]
        with tree.open("large.bin") as stream:
            assert stream.read() == content
        assert tree.read("large.bin") == content

    def test_symlinks_are_followed_inside_the_project_only(
        self, repository: Path, git: Git
    ) -> None:
        (repository / "alias").symlink_to("prompts/desk")
        (repository / "prompts" / "up.yaml").symlink_to("../evalkit.yaml")
        (repository / "out").symlink_to("../../etc/passwd")
        (repository / "absolute").symlink_to("/etc/passwd")
        (repository / "x").symlink_to("y")
        (repository / "y").symlink_to("x")
        git("add", ".", cwd=repository)
        git("commit", "-qm", "links", cwd=repository)
        tree = GitTree(repository, "HEAD")
        assert tree.read("alias/v1.yaml") == b"one"
        assert tree.read("prompts/up.yaml") == b"version: 1\n"
        assert tree.list("alias") == ["v1.yaml", "v2.yaml"]
        for path, words in (("out", "out of"), ("absolute", "out of"), ("x", "circle")):
            with pytest.raises(ConfigError, match=words):
                tree.read(path)

    @pytest.mark.parametrize("path", ["../x", "/x", "a/../../x"])
    def test_paths_that_leave_the_project_are_refused(self, repository: Path, path: str) -> None:
        with pytest.raises(ConfigError, match="out of the project"):
            GitTree(repository, "HEAD").read(path)

    def test_names_that_are_not_ascii_are_read(self, repository: Path, git: Git) -> None:
        (repository / "prompts" / "überblick ü.yaml").write_text("x")
        git("add", ".", cwd=repository)
        git("commit", "-qm", "names", cwd=repository)
        assert GitTree(repository, "HEAD").read("prompts/überblick ü.yaml") == b"x"


class TestState:
    def test_a_clean_tree_has_a_commit_and_a_branch(self, repository: Path, git: Git) -> None:
        state = git_state(repository)
        assert state.sha == git("rev-parse", "HEAD", cwd=repository)
        assert (state.branch, state.dirty) == ("main", False)

    def test_edits_and_new_files_make_it_dirty(self, repository: Path) -> None:
        (repository / "new.txt").write_text("")
        assert git_state(repository).dirty

    def test_a_detached_head_has_no_branch(self, repository: Path, git: Git) -> None:
        git("checkout", "-q", "--detach", cwd=repository)
        assert git_state(repository).branch is None

    def test_before_the_first_commit_there_is_a_branch_and_no_commit(
        self, tmp_path: Path, git: Git
    ) -> None:
        git("init", "-q")
        state = git_state(tmp_path)
        assert (state.sha, state.branch) == (None, "main")

    def test_outside_of_a_repository_is_refused_or_empty(self, tmp_path: Path) -> None:
        with pytest.raises(Refused, match="no git repository"):
            git_state(tmp_path)
        assert read_git_state(tmp_path).sha is None

    def test_the_environment_of_a_hook_does_not_lead_elsewhere(
        self, repository: Path, tmp_path: Path, git: Git, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        other = tmp_path / "other"
        other.mkdir()
        git("init", "-q", cwd=other)
        monkeypatch.setenv("GIT_DIR", str(other / ".git"))
        assert git_state(repository).sha is not None


class TestRefs:
    @pytest.mark.parametrize("ref", ["nowhere", "", "--all", "HEAD~9", "main:evalkit.yaml"])
    def test_an_unknown_ref_is_refused(self, repository: Path, ref: str) -> None:
        with pytest.raises(Refused, match="knows no commit"):
            resolve_ref(repository, ref)

    def test_without_a_repository_the_trouble_is_not_the_ref(self, tmp_path: Path) -> None:
        with pytest.raises(Refused, match="no git repository"):
            GitTree(tmp_path, "main")

    def test_a_shallow_clone_says_how_to_get_the_rest(
        self, repository: Path, tmp_path: Path, git: Git
    ) -> None:
        first = git("rev-parse", "HEAD", cwd=repository)
        git("commit", "-qm", "second", "--allow-empty", cwd=repository)
        git("clone", "-q", "--depth=1", repository.as_uri(), str(tmp_path / "shallow"))
        with pytest.raises(Refused, match="fetch-depth: 0"):
            resolve_ref(tmp_path / "shallow", first)

    def test_the_merge_base_is_where_the_branches_parted(self, repository: Path, git: Git) -> None:
        parted = git("rev-parse", "HEAD", cwd=repository)
        git("checkout", "-qb", "work", cwd=repository)
        git("commit", "-qm", "mine", "--allow-empty", cwd=repository)
        git("checkout", "-q", "main", cwd=repository)
        git("commit", "-qm", "theirs", "--allow-empty", cwd=repository)
        git("checkout", "-q", "work", cwd=repository)
        assert merge_base(repository, "main") == parted

    def test_histories_without_a_common_commit_are_refused(
        self, repository: Path, git: Git
    ) -> None:
        git("checkout", "-q", "--orphan", "other", cwd=repository)
        git("commit", "-qm", "other", cwd=repository)
        with pytest.raises(Refused, match="no common commit"):
            merge_base(repository, "main")

    def test_the_default_branch_is_the_remotes_where_there_is_one(
        self, repository: Path, tmp_path: Path, git: Git
    ) -> None:
        assert default_branch(repository) == "main"
        git("clone", "-q", str(repository), str(tmp_path / "clone"))
        assert default_branch(tmp_path / "clone") == "origin/main"
        git("branch", "-qm", "main", "topic", cwd=repository)
        assert default_branch(repository) is None

    def test_the_commit_that_is_checked_out_is_read_as_the_state_reads_it(
        self, repository: Path, tmp_path: Path, git: Git
    ) -> None:
        assert head_commit(repository / "prompts") == git("rev-parse", "HEAD", cwd=repository)
        assert head_commit(repository) == git_state(repository).sha
        git("checkout", "-q", "--detach", cwd=repository)
        git("mv", "evalkit.yaml", "# branch.oid x", cwd=repository)
        moved = git_state(repository)
        assert (moved.sha, moved.branch, moved.dirty) == (head_commit(repository), None, True)
        (tmp_path / "young").mkdir()
        git("init", "-q", cwd=tmp_path / "young")
        assert head_commit(tmp_path / "young") is None
        assert git_state(tmp_path / "young").sha is None
        (tmp_path / "none").mkdir()
        for nowhere in (tmp_path / "none", repository / ".git"):
            with pytest.raises(Refused):
                head_commit(nowhere)
            with pytest.raises(Refused):
                git_state(nowhere)


class TestChangedFiles:
    def test_edits_deletions_renames_and_new_files_are_changes(
        self, repository: Path, git: Git
    ) -> None:
        base = git("rev-parse", "HEAD", cwd=repository)
        git("mv", "prompts/desk/v1.yaml", "prompts/desk/v3.yaml", cwd=repository)
        git("commit", "-qm", "renamed", cwd=repository)
        (repository / "prompts" / "desk" / "v2.yaml").unlink()
        (repository / "evalkit.yaml").write_text("version: 1\nroutes: []\n")
        (repository / "prompts" / "neu ü.yaml").write_text("")
        (repository / ".gitignore").write_text("*.log\n")
        (repository / "ignored.log").write_text("")
        assert changed_files(repository, base) == [
            ".gitignore",
            "evalkit.yaml",
            "prompts/desk/v1.yaml",
            "prompts/desk/v2.yaml",
            "prompts/desk/v3.yaml",
            "prompts/neu ü.yaml",
        ]

    def test_paths_are_relative_to_a_project_in_a_subfolder(self, repository: Path) -> None:
        (repository / "evalkit.yaml").write_text("outside of the project\n")
        (repository / "prompts" / "desk" / "v1.yaml").write_text("changed")
        (repository / "prompts" / "new.yaml").write_text("")
        assert changed_files(repository / "prompts", "HEAD") == ["desk/v1.yaml", "new.yaml"]

    def test_a_clean_tree_has_no_changes(self, repository: Path) -> None:
        assert changed_files(repository, "HEAD") == []


def test_a_project_loads_from_a_ref_as_it_does_from_disk(sample: Any, git: Git) -> None:
    git("init", "-q", cwd=sample.root)
    git("add", ".", cwd=sample.root)
    git("commit", "-qm", "sample", cwd=sample.root)
    now = sample.load()
    sample.change("prompts/desk/v1.yaml", "Answer with one queue.", "Answer.")
    then = load_assets(GitTree(sample.root, "HEAD"))
    assert then.label.startswith("HEAD (")
    assert then.digests == now.digests
    assert then.suites["desk"].golden == now.suites["desk"].golden
    assert then.suites["desk"].digests != sample.load().suites["desk"].digests
