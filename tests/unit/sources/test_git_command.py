"""Where git is asked, and where what it would say is known without it."""

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from evalkit.errors import Refused
from evalkit.sources.git_command import GitFailed, run_git

Git = Callable[..., str]
ASKED = ("rev-parse", "--show-toplevel")


def git_says(folder: Path) -> str:
    """The words of git itself."""
    asked = subprocess.run(
        ["git", *ASKED],
        cwd=folder,
        env=os.environ | {"LC_ALL": "C"},
        capture_output=True,
        text=True,
        check=False,
    )
    return (asked.stdout + asked.stderr).strip()


def our_words(folder: Path) -> str:
    """What is made of it."""
    try:
        return run_git(folder, *ASKED).decode().strip()
    except GitFailed as error:
        return error.reason


def test_what_git_says_of_a_folder_is_said_whether_or_not_it_is_asked(
    tmp_path: Path, git: Git
) -> None:
    outside, inside, bare = tmp_path / "a/b", tmp_path / "work/deep", tmp_path / "bare"
    for folder in (outside, inside, bare):
        folder.mkdir(parents=True)
    git("init", "-q", cwd=tmp_path / "work")
    git("init", "-q", "--bare", cwd=bare)
    linked = tmp_path / "linked"
    linked.symlink_to(inside)
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / ".git").write_text("gitdir: nowhere\n")
    for folder in (outside, inside, linked, bare, broken):
        assert our_words(folder) == git_says(folder), folder
    assert our_words(inside) == str(tmp_path / "work")


def test_settings_are_asked_for_outside_of_a_repository_too(tmp_path: Path, git: Git) -> None:
    settings = tmp_path / "settings"
    git("config", "--file", str(settings), "user.name", "Ana", cwd=tmp_path)
    assert run_git(tmp_path, "config", "--file", str(settings), "user.name") == b"Ana\n"


def test_a_folder_that_is_not_there_is_told_as_that(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="there is no folder"):
        run_git(tmp_path / "gone", *ASKED)
