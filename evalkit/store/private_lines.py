"""Files of lines that several processes append to, readable by their owner alone.

A line is written whole under a lock. What a crash tore off behind the last newline is cut by the
next writer, and left out by readers.
"""

import fcntl
import os
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from evalkit.errors import StoreError
from evalkit.store.files import explain, explained, sync_folder

PATIENCE_S = 10.0
_PAUSE_S = 0.002
_TAIL = 1 << 16


@contextmanager
def locked(path: Path, *, patience_s: float = PATIENCE_S) -> Iterator[None]:
    """One holder at a time, of all threads and processes of the machine.

    The operating system takes the lock from a process that ends. The folder is made where it is
    missing. Raises StoreError where it is held for longer than `patience_s`.
    """
    with explained("lock", path):
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        _take(descriptor, path, patience_s)
        yield
    finally:
        os.close(descriptor)


def _take(descriptor: int, path: Path, patience_s: float) -> None:
    deadline = time.monotonic() + patience_s
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError as error:
            if time.monotonic() > deadline:
                raise StoreError(
                    f"another process has held {path} for {patience_s:g} s; wait until it ends, "
                    "or stop it"
                ) from error
        except OSError as error:
            raise explain(error, "lock", path) from error
        time.sleep(_PAUSE_S)


@contextmanager
def opened(path: Path) -> Iterator[int]:
    """A descriptor for reading and appending; the file is made where it is missing."""
    with explained("open", path):
        flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW
        descriptor = os.open(path, flags, 0o600)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def last_line(descriptor: int, path: Path) -> bytes:
    """The last whole line with its newline, empty where there is none; a torn one is cut."""
    with explained("read", path):
        size = os.fstat(descriptor).st_size
        length, tail = 0, b""
        while length < size and tail.count(b"\n") < 2:
            length = min(size, length * 2 or _TAIL)
            tail = os.pread(descriptor, length, size - length)
        end = tail.rfind(b"\n") + 1
        if end < len(tail):
            os.ftruncate(descriptor, size - (len(tail) - end))
    return tail[tail.rfind(b"\n", 0, max(0, end - 1)) + 1 : end]


def append_line(descriptor: int, line: bytes, path: Path) -> None:
    """Write a line whole or not at all."""
    size = os.fstat(descriptor).st_size
    try:
        written = os.write(descriptor, line)
        while written < len(line):  # a disk that fills takes a part first, then refuses
            written += os.write(descriptor, line[written:])
    except OSError as error:
        os.ftruncate(descriptor, size)
        raise explain(error, "append to", path) from error


@contextmanager
def written_private(path: Path, content: bytes) -> Iterator[Path]:
    """A file beside `path` with that content, on the disk, for the owner's eyes alone; to be moved
    into its place. What was not moved is removed."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}.tmp")
    with explained("write", path):
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with explained("write", path), os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        yield temporary
    finally:
        temporary.unlink(missing_ok=True)


def replace_private(path: Path, content: bytes) -> None:
    """As `store.files.write_whole`, for the owner's eyes alone."""
    with written_private(path, content) as temporary, explained("write", path):
        os.replace(temporary, path)
        sync_folder(path.parent)
