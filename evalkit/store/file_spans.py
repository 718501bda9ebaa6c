"""Pieces of a file, read from anywhere in it."""

import os
import weakref
from pathlib import Path

from evalkit.store.files import explained, open_plain


class FileSpans:
    """A regular file that is opened when the first piece is asked for, and closed with this."""

    def __init__(self, path: Path) -> None:
        """Nothing is opened yet."""
        self._path = path
        self._descriptor: int | None = None

    def read(self, start: int, end: int) -> bytes:
        """The bytes from `start` up to `end`. Raises StoreError."""
        with explained("read", self._path):
            if self._descriptor is None:
                with open_plain(self._path) as file:
                    self._descriptor = os.dup(file.fileno())
                weakref.finalize(self, os.close, self._descriptor)
            return os.pread(self._descriptor, end - start, start)
