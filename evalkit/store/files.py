"""Writing files that are whole or not there, and saying what to do when a disk refuses."""

import errno
import os
import stat
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from evalkit.alive import is_alive
from evalkit.errors import StoreError

# EFBIG is how a quota by RLIMIT_FSIZE shows itself.
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_AGAIN = "repeat the command, or go on with a run that has begun: `evalkit run --resume`"
_FORBIDDEN = frozenset({errno.EROFS, errno.EACCES, errno.EPERM})
_IN_THE_WAY = frozenset({errno.ENOTDIR, errno.EEXIST, errno.EISDIR})


def explain(error: OSError, act: str, path: Path) -> StoreError:
    """The StoreError for what the operating system refused: what happened and what to do."""
    reason = error.strerror or type(error).__name__
    if error.errno in _FULL:
        advice = f"there is no room left: free some and {_AGAIN}"
    elif error.errno in _FORBIDDEN:
        advice = "it is not writable here: make it so, or use a copy of the project that is"
    elif error.errno in _IN_THE_WAY:
        advice = "something else is in the way: move it aside"
    else:
        advice = f"look at the disk it is on and {_AGAIN}"
    return StoreError(f"cannot {act} {path} ({reason}); {advice}")


@contextmanager
def explained(act: str, path: Path) -> Iterator[None]:
    """Turn an OSError inside into a StoreError that names the act and the path."""
    try:
        yield
    except OSError as error:
        raise explain(error, act, path) from error


def write_whole(path: Path, content: bytes | Iterable[bytes]) -> None:
    """Write a file so that a reader sees the old content or the new one, even after a crash.

    Content may come in pieces, so that it need not be in memory as a whole.

    Folders above it are made. Raises StoreError; then the old content stands.
    """
    write_beside(path, content)()


def write_beside(path: Path, content: bytes | Iterable[bytes]) -> Callable[[], None]:
    """The first half of `write_whole`: the content is written, and stands beside its place. What is
    returned puts it there, and is called once, in any thread; it raises StoreError as well."""
    # The name holds the process id: two processes never write one temporary file.
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")

    def keep() -> None:
        with explained("write", path):
            try:
                with file:
                    os.fsync(file.fileno())
                os.replace(temporary, path)
            except BaseException:
                with suppress(OSError):
                    temporary.unlink()
                raise
            sync_folder(path.parent)

    with explained("write", path):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            temporary.unlink(missing_ok=True)
            file = open(temporary, "xb")  # noqa: SIM115 -- never through a link; closed by `keep`
            try:
                for piece in (content,) if isinstance(content, bytes) else content:
                    file.write(piece)
                file.flush()
            except BaseException:
                with suppress(OSError):
                    file.close()
                raise
        except BaseException:
            with suppress(OSError):
                temporary.unlink()
            raise
    return keep


def drop_unfinished(folder: Path) -> None:
    """Remove what processes left that were killed in `write_whole`. Only for who holds the lock of
    the folder, so that nobody is writing there now; nothing where a link leads elsewhere."""
    for left in () if folder.is_symlink() else folder.glob(".*.tmp"):
        with suppress(OSError):
            left.unlink()


def drop_abandoned(path: Path) -> None:
    """Remove what processes that are gone left beside `path`, as they were killed in `write_whole`.

    For a folder in which others may write: what is theirs stays.
    """
    for left in path.parent.glob(f".{path.name}.*.tmp"):
        process = left.name.split(".")[-2]
        if process.isdecimal() and not is_alive(int(process)):
            with suppress(OSError):
                left.unlink()


def sync_folder(folder: Path) -> None:
    """Make the names in a folder survive a power cut, where the file system can do that."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in {errno.EINVAL, errno.ENOTSUP}:  # not every file system has this
            raise
    finally:
        os.close(descriptor)


def open_plain(path: Path) -> BinaryIO:
    """A regular file, opened for reading.

    A pipe, which nobody may ever write to, and a device, which may never end, are refused. Raises
    OSError, and StoreError for what is no regular file.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    if stat.S_ISREG(os.fstat(descriptor).st_mode):
        return os.fdopen(descriptor, "rb")
    os.close(descriptor)
    raise StoreError(f"cannot read {path}: it is no regular file; move it aside")


def read_whole(path: Path) -> bytes:
    """A file's content. Raises FileNotFoundError, and StoreError for everything else."""
    try:
        with open_plain(path) as file:
            return file.read()
    except FileNotFoundError:
        raise
    except OSError as error:
        raise explain(error, "read", path) from error
