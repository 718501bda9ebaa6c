"""The working tree: files of the project on disk, and nothing outside of it."""

import errno
import os
import stat
from contextlib import AbstractContextManager
from pathlib import Path
from typing import BinaryIO

from evalkit.errors import ConfigError, Problem

_INSIDE = "a file inside the project"


class WorkingTree:
    """The files under `root`. Paths are relative to it, with `/` between folders."""

    label = "working tree"

    def __init__(self, root: Path) -> None:
        """`root` is the folder that holds evalkit.yaml."""
        self.root = Path(os.path.realpath(root))

    def read(self, path: str) -> bytes:
        """The content of a file.

        Raises FileNotFoundError, and ConfigError for a path that leaves the project, is no regular
        file, leads round in a circle or may not be read.
        """
        with self.open(path) as stream:
            try:
                return stream.read()
            except OSError as error:
                raise _refused(path, f"cannot be read: {error.strerror}") from error

    def open(self, path: str) -> AbstractContextManager[BinaryIO]:
        """The content of a file as a stream. Raises as `read` does."""
        real = self._locate(path)
        try:
            if not stat.S_ISREG(os.stat(real).st_mode):
                raise _refused(path, "is no regular file")
            return open(real, "rb")
        except FileNotFoundError:
            raise
        except OSError as error:
            raise _refused(path, f"cannot be read: {error.strerror}") from error

    def exists(self, path: str) -> bool:
        """Whether there is such a file. Raises ConfigError for a path that leaves the project."""
        try:
            return self._locate(path).is_file()
        except FileNotFoundError:
            return False

    def list(self, folder: str) -> list[str]:
        """Names in a folder, sorted; empty where there is no such folder.

        Raises ConfigError for a folder that leaves the project or may not be read.
        """
        try:
            return sorted(os.listdir(self._locate(folder)))
        except (FileNotFoundError, NotADirectoryError):
            return []
        except OSError as error:
            raise _refused(folder, f"cannot be read: {error.strerror}") from error

    def _locate(self, path: str) -> Path:
        """Where a path leads once every symlink is followed."""
        within = check_path(path)
        try:
            real = Path(os.path.realpath(self.root / within, strict=True))
        except (FileNotFoundError, NotADirectoryError) as error:
            raise FileNotFoundError(errno.ENOENT, "there is no such file", path) from error
        except OSError as error:
            circle = error.errno == errno.ELOOP
            words = "is a symlink that leads round in a circle" if circle else error.strerror
            raise _refused(path, str(words)) from error
        if not real.is_relative_to(self.root):
            raise _refused(path, "is a symlink that leads out of the project", _INSIDE)
        return real


def check_path(path: str) -> str:
    """A project path in its normal form; `.` is the project itself.

    Raises ConfigError for one that is absolute, climbs with `..`, or is not written with `/`.
    """
    parts = path.split("/")
    if path.startswith("/") or ".." in parts or "\\" in path or "\0" in path:
        raise _refused(path.replace("\0", "\\0"), "leads out of the project", _INSIDE)
    return "/".join(part for part in parts if part not in ("", ".")) or "."


def _refused(path: str, message: str, expected: str | None = None) -> ConfigError:
    return ConfigError([Problem(file=path, message=message, expected=expected)])


def tree_of(root: Path, file: Path) -> tuple[WorkingTree, str]:
    """The tree that a file of the command line is read through, and its path in there.

    It may lie anywhere: outside of the project at `root` its own folder is the tree.
    """
    full, within = file.resolve(), root.resolve()
    folder = within if full.is_relative_to(within) else full.parent
    return WorkingTree(folder), full.relative_to(folder).as_posix()
