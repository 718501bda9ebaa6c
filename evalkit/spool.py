"""Texts that are kept out of memory once they are many."""

import os
import tempfile
import weakref

from evalkit.errors import StoreError

IN_MEMORY_BYTES = 8 * 1024 * 1024
_WRITTEN_AT_ONCE = 256 * 1024


class SpooledTexts:
    """Texts one behind the other, in memory up to `in_memory` bytes, beyond that in a file.

    The file has no name, so that nobody else reads it and nothing is left of it after a crash. What
    was read of a project stays what it was, although its files may be edited meanwhile. Raises
    StoreError where the file cannot take more or cannot be read.
    """

    def __init__(self, in_memory: int = IN_MEMORY_BYTES, folder: str | None = None) -> None:
        """No text yet. `folder` is where the file is made; that of temporary files by default."""
        self._most = in_memory
        self._folder = folder or tempfile.gettempdir()
        self._size = 0
        self._tail = bytearray()  # what stands behind that which the file holds
        self._file: int | None = None
        self._written = 0

    def add(self, text: bytes) -> int:
        """Where the text stands from now on."""
        start = self._size
        self._tail += text
        self._size += len(text)
        if len(self._tail) > (self._most if self._file is None else _WRITTEN_AT_ONCE):
            self._write()
        return start

    def read(self, start: int, size: int) -> bytes:
        """The text that stands there."""
        if start >= self._written:
            at = start - self._written
            return bytes(self._tail[at : at + size])
        assert self._file is not None
        try:
            text = os.pread(self._file, size, start)
        except OSError as error:
            raise self._refused("read", error) from error
        if len(text) != size:
            raise StoreError("the temporary file that holds the cases was cut off meanwhile")
        return text

    def _write(self) -> None:
        try:
            if self._file is None:
                self._file, path = tempfile.mkstemp(dir=self._folder)
                weakref.finalize(self, os.close, self._file)
                os.unlink(path)
            while self._tail:
                written = os.write(self._file, self._tail)
                self._written += written
                del self._tail[:written]
        except OSError as error:
            raise self._refused("write", error) from error

    def _refused(self, act: str, error: OSError) -> StoreError:
        return StoreError(
            f"cannot {act} a temporary file in {self._folder} for cases that are too many for "
            f"memory ({error.strerror}); free some room there, or name another folder in TMPDIR"
        )
