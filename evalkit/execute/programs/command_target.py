"""A command as what is tested: a process for every attempt, JSON in and JSON out."""

import asyncio
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from evalkit.environment import environment_of_programs
from evalkit.errors import Refused
from evalkit.execute.play import Play
from evalkit.execute.programs.answer import (
    MAX_BYTES,
    ProgramAnswer,
    TargetFailed,
    clip_tail,
    read_answer,
)
from evalkit.execute.programs.attributed import attributed
from evalkit.execute.programs.playing import ProgramTarget
from evalkit.execute.programs.processes import Minder, TargetProcess, ended_words
from evalkit.ports import ModelDoor, Opening
from evalkit.records.call import PreparedCall
from evalkit.records.case import Case
from evalkit.records.json_text import decode_json

_LAST_WORDS_S = 0.5


class CommandTarget(ProgramTarget):
    """Runs `argv` in `folder` for every attempt: the case's input on stdin, an answer on stdout.

    The process is in a group of its own, which is ended with the attempt: by its timeout, when the
    run is cancelled, and when the run is killed. It is not sandboxed.
    """

    def __init__(
        self,
        argv: Sequence[str],
        *,
        folder: Path,
        timeout_s: float,
        reference: str,
        route: str,
        door: ModelDoor | None = None,
    ) -> None:
        """Nothing is started before an attempt; its own model calls go to the `door`."""
        super().__init__(reference=reference, route=route)
        self._argv = tuple(argv)
        self._folder = folder
        self._timeout_s = timeout_s
        self._minder = Minder()
        self._door = door

    async def prepare(self, opening: Opening, case: Case, trial: int) -> PreparedCall | None:
        """Nothing is known before it runs, but whether there is such a program. Raises Refused."""
        program = self._argv[0]
        if shutil.which(str(self._folder / program) if "/" in program else program) is None:
            raise Refused(
                f"target command: {program} cannot be started: no program of this name is there "
                "that may be executed"
            )
        return None

    async def close(self) -> None:
        """Everything it started has ended with its attempt."""
        await self._minder.close()

    async def _ask(self, case: Case, trial: int, play: Play) -> ProgramAnswer:
        async with attributed(self._door, play, trial) as token:
            more = {} if self._door is None else self._door.environ(token)
            return await self._run(case, {**environment_of_programs(), **more})

    async def _run(self, case: Case, environ: Mapping[str, str]) -> ProgramAnswer:
        try:
            process = await TargetProcess.start(
                self._argv,
                folder=self._folder,
                environ=environ,
                minder=self._minder,
                limit=65_536,
            )
        except OSError as error:
            raise TargetFailed(
                f"{self._argv[0]} cannot be started: {error.strerror or error}"
            ) from None
        try:
            async with asyncio.timeout(self._timeout_s):
                written = await _exchange(process, msgspec.json.encode(case.input) + b"\n")
                code = await process.wait()
        except TimeoutError:
            tail = clip_tail(await process.stderr_tail())
            raise TargetFailed(
                _with_tail(f"no answer within {self._timeout_s:g} s", tail)
            ) from None
        finally:
            await asyncio.shield(process.kill())
        if code != 0:
            tail = clip_tail(await process.stderr_tail())
            raise TargetFailed(_with_tail(f"the command {ended_words(code)}", tail))
        return read_answer(_decoded(written))


async def _exchange(process: TargetProcess, asked: bytes) -> bytes:
    """What it writes to stdout. Raises TargetFailed for more than anybody would read."""
    try:
        process.stdin.write(asked)
        await process.stdin.drain()
        process.stdin.close()
    except (BrokenPipeError, ConnectionResetError):
        pass  # a program may answer without reading
    pieces: list[bytes] = []
    reading = asyncio.create_task(_read(process, pieces))
    exiting = asyncio.create_task(process.wait())
    try:
        await asyncio.wait({reading, exiting}, return_when=asyncio.FIRST_COMPLETED)
        # what it left behind may hold its stdout open; its own words are all there by now
        await asyncio.wait({reading}, timeout=None if not exiting.done() else _LAST_WORDS_S)
        if reading.done():
            reading.result()
    finally:
        reading.cancel()
        exiting.cancel()
    return b"".join(pieces)


async def _read(process: TargetProcess, pieces: list[bytes]) -> None:
    size = 0
    while piece := await process.stdout.read(65_536):
        pieces.append(piece)
        size += len(piece)
        if size > MAX_BYTES:
            raise TargetFailed(f"it wrote more than {MAX_BYTES // 1024 // 1024} MB to stdout")


def _decoded(written: bytes) -> object:
    if not written.strip():
        raise TargetFailed("it wrote nothing to stdout; expected JSON")
    try:
        return decode_json(written.decode())
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        shown = clip_tail(written.decode("utf-8", "replace"))[:200]
        raise TargetFailed(f"stdout is not one JSON value ({error}): {shown}") from None


def _with_tail(words: str, tail: str) -> str:
    return f"{words}: {tail}" if tail else words
