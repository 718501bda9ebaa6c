"""The working tree: the project's files and nothing outside of it."""

import os
from pathlib import Path

import pytest

from evalkit.errors import ConfigError
from evalkit.sources.tree import WorkingTree, check_path


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A project beside a secret."""
    (tmp_path / "secret.txt").write_text("secret")
    root = tmp_path / "project"
    (root / "folder").mkdir(parents=True)
    (root / "folder" / "b.txt").write_bytes(b"b\r\n")
    (root / "folder" / "a.txt").write_text("a")
    return root


def _refused(root: Path, path: str) -> str:
    with pytest.raises(ConfigError) as raised:
        WorkingTree(root).read(path)
    (problem,) = raised.value.problems
    assert problem.file == path
    return problem.message


def test_files_are_read_byte_for_byte_and_listed_in_order(root: Path) -> None:
    tree = WorkingTree(root)
    assert tree.label == "working tree"
    assert tree.read("folder/b.txt") == b"b\r\n"
    assert tree.list("folder") == ["a.txt", "b.txt"]
    assert tree.list(".") == ["folder"]
    with tree.open("folder/a.txt") as stream:
        assert stream.read() == b"a"


def test_what_is_not_there_is_not_there(root: Path) -> None:
    tree = WorkingTree(root)
    assert not tree.exists("folder/c.txt")
    assert not tree.exists("folder")
    assert tree.exists("folder/a.txt")
    assert tree.list("nowhere") == []
    assert tree.list("folder/a.txt") == []
    for path in ("folder/c.txt", "nowhere/c.txt", "folder/a.txt/c.txt"):
        with pytest.raises(FileNotFoundError):
            tree.read(path)


@pytest.mark.parametrize(
    "path", ["../secret.txt", "folder/../../secret.txt", "/etc/passwd", "a\\b"]
)
def test_paths_that_leave_the_project_are_refused(root: Path, path: str) -> None:
    assert _refused(root, path) == "leads out of the project"


def test_a_path_with_a_null_byte_is_refused(root: Path) -> None:
    with pytest.raises(ConfigError, match="leads out"):
        WorkingTree(root).read("folder/a\0.txt")


def test_symlinks_inside_the_project_are_followed(root: Path) -> None:
    (root / "link.txt").symlink_to("folder/a.txt")
    (root / "linked").symlink_to("folder")
    tree = WorkingTree(root)
    assert tree.read("link.txt") == tree.read("linked/a.txt") == b"a"
    assert tree.list("linked") == ["a.txt", "b.txt"]


def test_symlinks_out_of_the_project_are_refused(root: Path) -> None:
    (root / "link.txt").symlink_to("../secret.txt")
    (root / "up").symlink_to("..")
    assert "out of the project" in _refused(root, "link.txt")
    assert "out of the project" in _refused(root, "up/secret.txt")
    with pytest.raises(ConfigError, match="out of the project"):
        WorkingTree(root).list("up")


def test_symlinks_in_a_circle_are_refused(root: Path) -> None:
    (root / "x").symlink_to("y")
    (root / "y").symlink_to("x")
    assert "circle" in _refused(root, "x")
    assert "circle" in _refused(root, "x/a.txt")
    with pytest.raises(ConfigError, match="circle"):
        WorkingTree(root).exists("y")


def test_a_root_that_is_a_symlink_is_the_folder_it_leads_to(root: Path, tmp_path: Path) -> None:
    (tmp_path / "alias").symlink_to(root)
    assert WorkingTree(tmp_path / "alias").read("folder/a.txt") == b"a"


def test_what_is_no_regular_file_is_refused_without_waiting_for_it(root: Path) -> None:
    os.mkfifo(root / "pipe")
    assert _refused(root, "pipe") == "is no regular file"
    assert _refused(root, "folder") == "is no regular file"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read_is_refused(root: Path) -> None:
    (root / "folder" / "a.txt").chmod(0)
    assert "Permission denied" in _refused(root, "folder/a.txt")


@pytest.mark.parametrize(
    ("path", "normal"), [("a/b", "a/b"), ("./a//b/", "a/b"), ("", "."), (".", "."), ("...", "...")]
)
def test_paths_have_one_normal_form(path: str, normal: str) -> None:
    assert check_path(path) == normal
