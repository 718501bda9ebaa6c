"""Wall time, CPU and memory of a process and everything that it starts."""

import ctypes
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

SAMPLE_S = 0.05
PAGE_MB = os.sysconf("SC_PAGE_SIZE") / 2**20
PR_SET_CHILD_SUBREAPER = 36


@dataclass(frozen=True)
class Usage:
    """What one command used."""

    code: int | None  # None: it was stopped because it took too long
    began_s: float  # by the monotonic clock
    wall_s: float
    cpu_s: float  # user and system time of the whole tree
    peak_rss_mb: float  # of the whole tree; pages that processes share count in each


def adopt_orphans() -> None:
    """On Linux, have descendants whose parent ended given to this process, so that they count."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def run(
    command: list[str], *, cwd: Path, environ: Mapping[str, str], log: Path, timeout_s: float
) -> Usage:
    """Run to the end, its output into `log`; stops the whole group of processes at the timeout.

    Raises OSError when the command cannot be started.
    """
    others = set(_children(os.getpid()))
    with log.open("wb") as out:
        began_s = time.monotonic()
        process = subprocess.Popen(
            command,
            cwd=cwd,
            env=dict(environ),
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            start_new_session=True,
        )
    watch = _Watch(process.pid, timeout_s)
    watch.start()
    try:
        _, status, used = os.wait4(process.pid, 0)
    except BaseException:
        os.killpg(process.pid, signal.SIGKILL)
        os.wait4(process.pid, 0)
        raise
    finally:
        wall_s = time.monotonic() - began_s
        watch.stop()
        process.returncode = 0  # it is waited for; what it ended with is in Usage
    cpu_s = used.ru_utime + used.ru_stime
    for left in set(_children(os.getpid())) - others:  # what it left running is its work too
        os.kill(left, signal.SIGKILL)
        _, _, orphan = os.wait4(left, 0)
        cpu_s += orphan.ru_utime + orphan.ru_stime
    in_mb = 2**20 if sys.platform == "darwin" else 2**10
    return Usage(
        code=None if watch.timed_out else os.waitstatus_to_exitcode(status),
        began_s=began_s,
        wall_s=wall_s,
        cpu_s=cpu_s,
        peak_rss_mb=max(watch.peak_mb, used.ru_maxrss / in_mb),
    )


class _Watch(threading.Thread):
    """Adds up the memory of a tree now and then, and ends it when its time is over."""

    def __init__(self, pid: int, timeout_s: float) -> None:
        super().__init__(daemon=True)
        self.peak_mb = 0.0
        self.timed_out = False
        self._pid = pid
        self._until_s = time.monotonic() + timeout_s
        self._ended = threading.Event()

    def run(self) -> None:
        while not self._ended.wait(SAMPLE_S):
            self.peak_mb = max(self.peak_mb, sum(map(_rss_mb, _tree(self._pid))))
            if time.monotonic() > self._until_s and not self.timed_out:
                self.timed_out = True
                os.killpg(self._pid, signal.SIGKILL)

    def stop(self) -> None:
        self._ended.set()
        self.join()


def _children(pid: int) -> Iterator[int]:
    for tasks in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            yield from (int(child) for child in tasks.read_text().split())
        except OSError:
            continue  # it ended


def _tree(pid: int) -> Iterator[int]:
    yield pid
    for child in _children(pid):
        yield from _tree(child)


def _rss_mb(pid: int) -> float:
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * PAGE_MB
    except (OSError, IndexError):
        return 0.0
