"""A commit checked out beside the working tree, for programs that have to run as they were then."""

import contextlib
import os
import secrets
import shutil
from pathlib import Path

from evalkit.alive import is_alive
from evalkit.errors import Refused
from evalkit.sources.git_command import run_git
from evalkit.sources.git_refs import top_folder

# Hooks of the project belong to its working tree, and a checkout for a run is nobody's commit.
_QUIET = ("-c", "core.hooksPath=/dev/null")


class GitWorktree:
    """A commit's files in a folder below `.evalkit/worktrees`. `root` is the project's in it."""

    def __init__(self, root: Path, sha: str, *, state: Path) -> None:
        """Check `sha` out; folders that a killed run left behind are removed. Raises Refused."""
        self._root = root
        folder = state / "worktrees"
        folder.mkdir(parents=True, exist_ok=True)
        _remove_abandoned(root, folder)
        self.folder = folder / f"{sha[:12]}-{os.getpid()}-{secrets.token_hex(4)}"
        run_git(root, *_QUIET, "worktree", "add", "--detach", "--force", str(self.folder), sha)
        inside = Path(os.path.realpath(root)).relative_to(os.path.realpath(top_folder(root)))
        self.root = self.folder / inside

    def remove(self) -> None:
        """Take the folder away again."""
        _remove(self._root, self.folder)


def _remove_abandoned(root: Path, folder: Path) -> None:
    for each in folder.iterdir():
        process = f"{each.name}-".split("-")[1]
        if process.isdigit() and not is_alive(int(process)):
            _remove(root, each)


def _remove(root: Path, folder: Path) -> None:
    with contextlib.suppress(Refused):
        run_git(root, *_QUIET, "worktree", "remove", "--force", "--force", str(folder))
    shutil.rmtree(folder, ignore_errors=True)
    with contextlib.suppress(Refused):
        run_git(root, "worktree", "prune")
