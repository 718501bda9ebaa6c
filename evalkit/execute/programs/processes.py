"""Processes of a target: in a group of their own, which ends with the attempt or the run."""

import asyncio
import contextlib
import os
import signal
import sys
from collections import deque
from collections.abc import Mapping, Sequence
from pathlib import Path

_KEPT_BYTES = 8_192
# Kills the groups it was told of once nobody holds the other end of its input any more.
_MINDER = """
import os, signal, sys
groups = set()
for line in sys.stdin:
    (groups.add if line[0] == "+" else groups.discard)(int(line[1:]))
for group in groups:
    try:
        os.killpg(group, signal.SIGKILL)
    except OSError:
        pass
"""


class Minder:
    """A small process that outlives a run which is killed, and ends what that run had started."""

    def __init__(self) -> None:
        """Nothing is started before it is needed."""
        self._process: asyncio.subprocess.Process | None = None
        self._starting = asyncio.Lock()

    async def watch(self, group: int) -> None:
        """End this process group when this process ends, however it ends."""
        async with self._starting:
            if self._process is None:
                self._process = await asyncio.create_subprocess_exec(
                    sys.executable,
                    "-I",
                    "-c",
                    _MINDER,
                    stdin=asyncio.subprocess.PIPE,
                    stdout=asyncio.subprocess.DEVNULL,
                    stderr=asyncio.subprocess.DEVNULL,
                    start_new_session=True,
                )
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
            process.stdin.close()
            await process.wait()


class TargetProcess:
    """One running process: its input and output, the end of what it wrote to stderr."""

    def __init__(self, process: asyncio.subprocess.Process, minder: Minder) -> None:
        """Made by `start`."""
        assert process.stdin is not None and process.stdout is not None
        self.stdin = process.stdin
        self.stdout = process.stdout
        self._process = process
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
        process = await asyncio.create_subprocess_exec(
            *argv,
            cwd=folder,
            env=dict(environ),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,
            limit=limit,
        )
        started = cls(process, minder)
        await minder.watch(process.pid)
        return started

    @property
    def alive(self) -> bool:
        """Whether it still runs."""
        return self._process.returncode is None

    async def wait(self) -> int:
        """The exit code; below 0 the signal that ended it."""
        return await self._process.wait()

    async def stderr_tail(self) -> str:
        """The end of what it wrote to stderr, once that is closed or nobody waits any longer."""
        await asyncio.wait([self._draining], timeout=1.0)
        return b"".join(self._tail)[-_KEPT_BYTES:].decode("utf-8", "replace")

    async def kill(self) -> None:
        """End it and everything in its group."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self.stdin.close()
        await self._process.wait()
        self._minder.forget(self._process.pid)
        self._draining.cancel()
        await asyncio.gather(self._draining, return_exceptions=True)
        # closes the pipes that a process outside the group may still hold
        transport = getattr(self._process, "_transport", None)
        if transport is not None:
            transport.close()

    async def _drain(self) -> None:
        stream = self._process.stderr
        assert stream is not None
        while piece := await stream.read(65_536):
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
