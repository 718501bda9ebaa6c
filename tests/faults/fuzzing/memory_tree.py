"""A project in memory, of which one file is another than it was."""

import io
from collections.abc import Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import BinaryIO

from evalkit.sources.tree import check_path

DATA = Path(__file__).resolve().parents[2] / "data" / "fuzz"
PROJECT: Mapping[str, bytes] = {
    path.relative_to(DATA / "project").as_posix(): path.read_bytes()
    for path in sorted((DATA / "project").rglob("*"))
    if path.is_file() and ".evalkit" not in path.parts
}
"""Every file of tests/data/fuzz/project by its path: one of each kind that evalkit reads."""


class MemoryTree:
    """Implements ports.FileTree over files in memory."""

    label = "memory"

    def __init__(self, files: Mapping[str, bytes]) -> None:
        """`files` by their paths in the project."""
        self._files = files

    def read(self, path: str) -> bytes:
        """The content of a file. Raises FileNotFoundError, and ConfigError for one outside."""
        try:
            return self._files[check_path(path)]
        except KeyError:
            raise FileNotFoundError(path) from None

    def open(self, path: str) -> AbstractContextManager[BinaryIO]:
        """The same as a stream."""
        return io.BytesIO(self.read(path))

    def exists(self, path: str) -> bool:
        """Whether there is such a file."""
        return check_path(path) in self._files

    def list(self, folder: str) -> list[str]:
        """Names in a folder, sorted."""
        within = check_path(folder)
        prefix = "" if within == "." else f"{within}/"
        found = {
            path[len(prefix) :].split("/")[0] for path in self._files if path.startswith(prefix)
        }
        return sorted(found)


def changed(path: str, raw: bytes) -> MemoryTree:
    """The project with another content of one file."""
    return MemoryTree({**PROJECT, path: raw})
