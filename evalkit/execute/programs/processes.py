"""Processes of a target: in a group of their own, which ends with the attempt or the run."""

import asyncio
import contextlib
import os
import secrets
import signal
import sys
from collections import deque
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

_KEPT_BYTES = 8_192
_LAST_WORDS_S = 0.5
_MARK = "EVALKIT_STARTED_BY"
# Kills the groups it was told of once nobody holds the other end of its input any more. A program
# that was being started just then it was not told of: where there is /proc, it shows by its mark,
# as soon as it is more than a copy of who started it.
_MINDER = """
import glob, os, signal, sys, time
groups, waits_s = set(), (0, 0.1, 0.4, 1.5)
for line in sys.stdin:
    if line[0] == "=":
        waits_s = ()
        break
    (groups.add if line[0] == "+" else groups.discard)(int(line[1:]))
for group in groups:
    try:
        os.killpg(group, signal.SIGKILL)
    except OSError:
        pass
mark = sys.argv[1].encode()
for wait_s in waits_s:
    time.sleep(wait_s)
    for path in glob.glob("/proc/[0-9]*/environ"):
        try:
            with open(path, "rb") as file:
                if mark in file.read().split(b"\\0"):
                    os.kill(int(path.split("/")[2]), signal.SIGKILL)
        except OSError:
            pass
"""


class Minder:
    """A small process that outlives a run which is killed, and ends what that run had started."""

    def __init__(self) -> None:
        """Nothing is started before it is needed."""
        self._process: asyncio.subprocess.Process | None = None
        self._starting = asyncio.Lock()
        self._mark = f"{os.getpid()}-{secrets.token_hex(8)}"

    @property
    def marks(self) -> dict[str, str]:
        """A variable for the environment of what is started, which tells whose it is."""
        return {_MARK: self._mark}

    @asynccontextmanager
    async def starting(self) -> AsyncIterator[None]:
        """Around starting what it is then told to `watch`. It is there before, and nothing else is
        started meanwhile: a program that is at work and unknown would outlive this process."""
        async with self._starting:
            if self._process is None:
                self._process = await asyncio.create_subprocess_exec(
                    sys.executable,
                    "-I",
                    "-c",
                    _MINDER,
                    f"{_MARK}={self._mark}",
                    stdin=asyncio.subprocess.PIPE,
                    stdout=asyncio.subprocess.DEVNULL,
                    stderr=asyncio.subprocess.DEVNULL,
                    start_new_session=True,
                )
            yield

    def watch(self, group: int) -> None:
        """End this process group when this process ends, however it ends."""
        self._tell(f"+{group}\n")

    def forget(self, group: int) -> None:
        """The group has ended."""
        self._tell(f"-{group}\n")

    def _tell(self, line: str) -> None:
        if self._process is not None and self._process.stdin is not None:
            with contextlib.suppress(OSError, RuntimeError):
                self._process.stdin.write(line.encode())

    async def close(self) -> None:
        """Let it go."""
        process, self._process = self._process, None
        if process is not None and process.stdin is not None:
            with contextlib.suppress(OSError, RuntimeError):
                process.stdin.write(b"=\n")  # in order: nothing is being started
            process.stdin.close()
            await process.wait()


class _Exiting(asyncio.subprocess.SubprocessStreamProtocol):
    """Tells that the process has exited although a pipe of it is still open.

    `Process.wait` waits for all pipes: one that nobody reads any more, or that a process which was
    left behind still holds, would keep it waiting for ever.
    """

    def __init__(self, limit: int, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(limit, loop)
        self.exited = asyncio.Event()

    def process_exited(self) -> None:
        super().process_exited()
        self.exited.set()


class TargetProcess:
    """One running process: its input and output, the end of what it wrote to stderr."""

    def __init__(
        self, transport: asyncio.SubprocessTransport, protocol: _Exiting, minder: Minder
    ) -> None:
        """Made by `start`."""
        assert protocol.stdin is not None and protocol.stdout is not None
        assert protocol.stderr is not None
        self.stdin = protocol.stdin
        self.stdout = protocol.stdout
        self._stderr = protocol.stderr
        self._transport = transport
        self._exited = protocol.exited
        self._group = transport.get_pid()
        self._minder = minder
        self._tail: deque[bytes] = deque()
        self._kept = 0
        self._draining = asyncio.create_task(self._drain())

    @classmethod
    async def start(
        cls,
        argv: Sequence[str],
        *,
        folder: Path,
        environ: Mapping[str, str],
        minder: Minder,
        limit: int,
    ) -> "TargetProcess":
        """Start a program in a group of its own. Raises OSError. `limit` is the longest line."""
        loop = asyncio.get_running_loop()
        async with minder.starting():
            transport, protocol = await loop.subprocess_exec(
                lambda: _Exiting(limit, loop),
                *argv,
                cwd=folder,
                env={**environ, **minder.marks},
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                start_new_session=True,
            )
            minder.watch(transport.get_pid())
        return cls(transport, protocol, minder)

    @property
    def alive(self) -> bool:
        """Whether it still runs."""
        return not self._exited.is_set()

    async def wait(self) -> int:
        """The exit code; below 0 the signal that ended it."""
        await self._exited.wait()
        code = self._transport.get_returncode()
        assert code is not None, "it has exited"
        return code

    async def stderr_tail(self) -> str:
        """The end of what it wrote to stderr, once that is closed or nobody waits any longer."""
        await asyncio.wait([self._draining], timeout=_LAST_WORDS_S)
        return b"".join(self._tail)[-_KEPT_BYTES:].decode("utf-8", "replace")

    async def kill(self) -> None:
        """End it and everything in its group."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._group, signal.SIGKILL)
        await self._exited.wait()
        self._minder.forget(self._group)
        # what it wrote before it ended is read; a pipe that is held elsewhere is closed
        await asyncio.wait([self._draining], timeout=_LAST_WORDS_S)
        self._draining.cancel()
        self._transport.close()
        await asyncio.gather(self._draining, return_exceptions=True)

    async def _drain(self) -> None:
        while piece := await self._stderr.read(65_536):
            self._tail.append(piece[-_KEPT_BYTES:])
            self._kept += len(self._tail[-1])
            while self._kept - len(self._tail[0]) >= _KEPT_BYTES:
                self._kept -= len(self._tail.popleft())


def ended_words(code: int) -> str:
    """How a process ended, in words."""
    if code < 0:
        with contextlib.suppress(ValueError):
            return f"was ended by {signal.Signals(-code).name}"
        return f"was ended by signal {-code}"
    return f"exited with {code}"
