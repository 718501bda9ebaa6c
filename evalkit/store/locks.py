"""One writer a run: an exclusive lock that the operating system drops with its process."""

import fcntl
import os
from pathlib import Path

from evalkit.errors import StoreError
from evalkit.store.files import explained


def is_locked(path: Path) -> bool:
    """Whether a process holds the lock at that path; a file that is not there is held by nobody.

    Raises StoreError.
    """
    with explained("read", path):
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        except FileNotFoundError:
            return False
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(descriptor)
    return False


class RunLock:
    """Held from construction to `release` (or the end of the process, however it ends).

    The file holds the process id of the holder, for the message of whoever comes second.
    """

    def __init__(self, path: Path) -> None:
        """Take the lock. Raises StoreError, with the holder's process id, where it is taken."""
        self.path = path
        with explained("lock", path):
            flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
            self._descriptor = os.open(path, flags, 0o644)
        try:
            with explained("lock", path):
                self._take()
        except BaseException:
            os.close(self._descriptor)
            raise
        self._held = True

    def _take(self) -> None:
        try:
            # flock and not lockf: a lock of lockf vanishes when this process closes any other
            # descriptor of the file, and does not keep out the process itself.
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            holder = os.pread(self._descriptor, 32, 0).decode("ascii", "replace").strip()
            raise StoreError(
                f"run {self.path.parent.name} is being written by another process "
                f"(pid {holder or 'unknown'}); wait until it ends, or stop it"
            ) from error
        os.ftruncate(self._descriptor, 0)
        os.pwrite(self._descriptor, f"{os.getpid()}\n".encode(), 0)

    def release(self) -> None:
        """Let the next one in. Releasing twice is harmless."""
        if self._held:
            self._held = False
            os.close(self._descriptor)
