"""Processes that run a Python function, each with one attempt at a time."""

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

from evalkit.environment import environment_of_programs
from evalkit.execute.programs.answer import MAX_BYTES, TargetFailed, clip_tail
from evalkit.execute.programs.processes import Minder, TargetProcess, ended_words
from evalkit.ports import ModelDoor

_START_TIMEOUT_S = 60.0
# This evalkit, whatever stands in the folder of the variant; then the function's own modules.
_BOOT = (
    "import sys; sys.path.insert(0, sys.argv[1]); "
    "from evalkit.execute.programs import child; sys.path.remove(sys.argv[1]); "
    "child.main(sys.argv[2], sys.argv[3])"
)

Serve = Callable[[str, Mapping[str, Any], int], Awaitable[dict[str, Any]]]


class FunctionRaised(Exception):
    """The function raised; `act` is the act of the session whose error it let through."""

    def __init__(self, message: str, act: int | None) -> None:
        """The message is the error and its place."""
        self.act = act
        super().__init__(message)


class PythonHost:
    """One process with the function loaded."""

    def __init__(self, process: TargetProcess, *, takes_session: bool, token: str = "") -> None:
        """Made by `start`; its model calls come with the `token`, if there is one."""
        self._process = process
        self.takes_session = takes_session
        self.token = token

    @classmethod
    async def start(
        cls, call: str, *, folder: Path, minder: Minder, door: ModelDoor | None = None
    ) -> "PythonHost":
        """Load the function in a process of its own, whose model calls go to the `door`.

        Raises TargetFailed where that fails.
        """
        token = "" if door is None else await door.issue()
        more = {} if door is None else door.environ(token)
        package = str(Path(__file__).parents[3])
        process = await TargetProcess.start(
            [sys.executable, "-P", "-c", _BOOT, package, str(folder), call],
            folder=folder,
            environ={**environment_of_programs(), "PYTHONDONTWRITEBYTECODE": "1", **more},
            minder=minder,
            limit=MAX_BYTES + 1024,
        )
        try:
            async with asyncio.timeout(_START_TIMEOUT_S):
                told = await _next(process)
            if told is None:
                raise TargetFailed(f"{call} cannot be loaded: {await _end_of(process)}")
            if told["is"] == "broken":
                raise TargetFailed(f"{call} cannot be loaded: {told['error']}")
        except TimeoutError:
            await asyncio.shield(process.kill())
            raise TargetFailed(f"{call} was not loaded within {_START_TIMEOUT_S:g} s") from None
        except BaseException:
            await asyncio.shield(process.kill())
            raise
        return cls(process, takes_session=told["session"], token=token)

    @property
    def alive(self) -> bool:
        """Whether it can take another attempt."""
        return self._process.alive

    async def call(self, given: Any, *, serve: Serve, timeout_s: float) -> Any:
        """What the function returns. `serve` does the acts of its session.

        `timeout_s` is the function's own time: what it waits for its session does not count.
        Raises FunctionRaised; TargetFailed for a process that ended or took too long, which is
        then gone.
        """
        left_s = timeout_s
        now = asyncio.get_running_loop().time
        message: Mapping[str, Any] = {"input": given}
        while True:
            began = now()
            try:
                async with asyncio.timeout(left_s):
                    # one that does not read what it is told holds up the writer
                    await self._send(message)
                    told = await _next(self._process)
            except TimeoutError:
                await self.kill()
                raise TargetFailed(f"no answer within {timeout_s:g} s") from None
            left_s -= now() - began
            if told is None:
                words = await _end_of(self._process)
                await self.kill()
                raise TargetFailed(f"its process {words}")
            match told["is"]:
                case "done":
                    return told["value"]
                case "failed":
                    raise FunctionRaised(told["error"], told["act"])
                case _:
                    done = await serve(told["act"], told["arguments"], told["id"])
                    message = {"id": told["id"], **done}

    async def kill(self) -> None:
        """End the process and all that it started."""
        await asyncio.shield(self._process.kill())

    async def _send(self, message: Mapping[str, Any]) -> None:
        try:
            self._process.stdin.write(json.dumps(message).encode() + b"\n")
            await self._process.stdin.drain()
        except (BrokenPipeError, ConnectionResetError):
            pass  # it has ended, which reading tells


async def _next(process: TargetProcess) -> dict[str, Any] | None:
    """The next line of the channel; None where it has ended, or holds what nobody agreed on."""
    try:
        line = await process.stdout.readline()
        told = json.loads(line) if line else None
    except (ValueError, RecursionError):
        return None
    return told if isinstance(told, dict) else None


async def _end_of(process: TargetProcess) -> str:
    """How a process ended, with what it said last."""
    try:
        async with asyncio.timeout(2.0):
            code = await process.wait()
    except TimeoutError:
        return "closed the channel to evalkit"
    tail = clip_tail(await process.stderr_tail())
    return f"{ended_words(code)}: {tail}" if tail else ended_words(code)


class HostPool:
    """Hosts of one function, at most `limit` of them, kept from one attempt to the next."""

    def __init__(
        self, call: str, *, folder: Path, limit: int, door: ModelDoor | None = None
    ) -> None:
        """Nothing is started before it is needed."""
        self._door = door
        self._call = call
        self._folder = folder
        self._free = asyncio.Semaphore(limit)
        self._idle: list[PythonHost] = []
        self._minder = Minder()

    async def take(self) -> PythonHost:
        """A host for one attempt, to be given back. Raises TargetFailed."""
        await self._free.acquire()
        try:
            while self._idle:
                host = self._idle.pop()
                if host.alive:
                    return host
                await host.kill()
            return await PythonHost.start(
                self._call, folder=self._folder, minder=self._minder, door=self._door
            )
        except BaseException:
            self._free.release()
            raise

    async def give_back(self, host: PythonHost, *, whole: bool) -> None:
        """After an attempt; one that is not `whole` was cut off in the middle, and is ended."""
        try:
            if whole and host.alive:
                self._idle.append(host)
            else:
                await host.kill()
        finally:
            self._free.release()

    async def close(self) -> None:
        """End them all."""
        while self._idle:
            await self._idle.pop().kill()
        await self._minder.close()
