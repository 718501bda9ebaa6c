"""The git command: run without a prompt, a pager or somebody's environment in the way."""

import os
import subprocess
from pathlib import Path

from evalkit.errors import Refused

# Set by hooks for the repository they run in; they would override the folder we ask about.
_INHERITED = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX", "GIT_COMMON_DIR")

# what git answers outside of a repository, too
_ANYWHERE = frozenset({"config"})
_SIGNS = (".git", "HEAD")
_OUTSIDE = "fatal: not a git repository (or any of the parent directories): .git"


def run_git(root: Path, *arguments: str, feed: bytes | None = None) -> bytes:
    """What git prints. Raises GitFailed where it exits with an error, Refused without git."""
    if any("\0" in each for each in arguments):
        raise GitFailed(arguments, "a name holds a NUL")
    if arguments[0] not in _ANYWHERE and _is_outside(root):
        raise GitFailed(arguments, _OUTSIDE)
    finished = _finished(root, arguments, feed)
    if finished.returncode != 0:
        raise GitFailed(arguments, finished.stderr.decode(errors="replace").strip())
    return finished.stdout


class GitFailed(Refused):
    """git said no; `reason` is what it said."""

    def __init__(self, arguments: tuple[str, ...], reason: str) -> None:
        """Keep the reason for callers that know what it means."""
        self.reason = reason
        super().__init__(f"git {arguments[0]} failed: {reason or 'it gave no reason'}")


def start_git(root: Path, *arguments: str) -> "subprocess.Popen[bytes]":
    """A running git whose output is read as it comes. Raises Refused without git."""
    try:
        return subprocess.Popen(
            _command(arguments),
            cwd=root,
            env=_environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
    except FileNotFoundError as error:
        raise _without_git(root) from error


def _is_outside(root: Path) -> bool:
    """Whether neither the folder nor one above it holds a `.git` or, as a bare repository does, a
    `HEAD`. Then git finds no repository, and a process for each question would be 4 ms."""
    if not root.is_dir():
        return False
    here = Path(os.path.realpath(root))
    return not any(
        os.path.lexists(folder / name) for folder in (here, *here.parents) for name in _SIGNS
    )


def _finished(
    root: Path, arguments: tuple[str, ...], feed: bytes | None
) -> "subprocess.CompletedProcess[bytes]":
    try:
        return subprocess.run(
            _command(arguments),
            cwd=root,
            env=_environment(),
            input=feed,
            stdin=subprocess.DEVNULL if feed is None else None,
            capture_output=True,
            check=False,
        )
    except FileNotFoundError as error:
        raise _without_git(root) from error


def _command(arguments: tuple[str, ...]) -> list[str]:
    return ["git", "--no-pager", "-c", "core.quotePath=false", *arguments]


def _environment() -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name not in _INHERITED}
    return kept | {"LC_ALL": "C", "GIT_TERMINAL_PROMPT": "0", "GIT_OPTIONAL_LOCKS": "0"}


def _without_git(root: Path) -> Refused:
    if not root.is_dir():
        return Refused(f"there is no folder {root}")
    return Refused("git is not installed, or not on the PATH, so no git ref can be read")
