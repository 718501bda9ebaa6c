"""Recordings: a real model's replies from files of the project, found by the key of the request."""

from collections.abc import AsyncGenerator, Callable
from pathlib import Path
from typing import Literal

import msgspec

from evalkit.config.json_lines import decode_lines
from evalkit.config.problems import capped
from evalkit.control.providers.pieces import pieces_of
from evalkit.errors import ConfigError, Problem, ProviderError
from evalkit.records.attempt import FailureMode
from evalkit.records.call import Piece, Reply, Request
from evalkit.records.recording import Recording


class RecordingProvider:
    """Answers from `<folder>/*.jsonl`, one Recording a line; never asks a model.

    The files are read at the first question. Raises ConfigError then, with every broken line.
    """

    origin: Literal["recording"] = "recording"

    def __init__(
        self,
        folder: Path,
        *,
        name: str,
        model: str,
        identity: str,
        read: Callable[[Path], bytes] = Path.read_bytes,
    ) -> None:
        """`folder` holds the recordings of the configured name `model`.

        `identity` is that of the provider that was recorded. `read` reads a file: a project's own
        reads nothing outside of it, and raises ConfigError.
        """
        self._read_file = read
        self.name = name
        self.identity = identity
        self._folder = folder
        self._model = model
        self._replies: dict[str, Reply] | None = None

    def missing(self, request: Request) -> str | None:
        """What is not recorded and how to record it, or None."""
        if request.key in self._recorded():
            return None
        asked = request.attribution
        about = f"case {asked.case}" if asked.case else f"request {request.key[:20]}"
        if asked.prompt:
            about += f" under prompt {asked.prompt}"
        if request.trial > 1:
            about += f" (trial {request.trial})"
        verb = f"evalkit record {asked.suite}".rstrip()
        return (
            f"model {self._model} has no recorded reply to {about} in {self._shown(self._folder)}; "
            f"`{verb}` records it, `--live` asks the model itself"
        )

    async def complete(self, request: Request, *, timeout_s: float) -> Reply:
        """The recorded reply, with its own time, latency and measurement.

        Raises ProviderError(not_recorded).
        """
        reply = self._recorded().get(request.key)
        if reply is None:
            raise ProviderError(FailureMode.NOT_RECORDED, self.missing(request) or "")
        return reply

    async def stream(self, request: Request, *, timeout_s: float) -> AsyncGenerator[Piece, None]:
        """The same in pieces. Raises as `complete` does."""
        for piece in pieces_of(await self.complete(request, timeout_s=timeout_s)):
            yield piece

    async def close(self) -> None:
        """Forget what was read."""
        self._replies = None

    def _recorded(self) -> dict[str, Reply]:
        if self._replies is None:
            self._replies = self._read()
        return self._replies

    def _read(self) -> dict[str, Reply]:
        """All replies by key; of several under one key the first, in the order of the files."""
        replies: dict[str, Reply] = {}
        problems: list[Problem] = []
        for path in sorted(self._folder.glob("*.jsonl")):
            shown = self._shown(path)
            try:
                raw = self._read_file(path)
            except ConfigError as error:
                problems += error.problems
                continue
            except OSError as error:
                problems.append(Problem(message=f"cannot be read: {error.strerror}", file=shown))
                continue
            seen: dict[str, tuple[int, Reply]] = {}
            for number, recording in decode_lines(
                raw, Recording, noun="recording", file=shown, problems=problems
            ):
                first, reply = seen.setdefault(recording.key, (number, recording.reply))
                if reply != recording.reply:
                    message = f"is another reply to the request of line {first}; keep one"
                    problems.append(Problem(message=message, file=shown, line=number))
                replayed = msgspec.structs.replace(recording.reply, origin="recording")
                replies.setdefault(recording.key, replayed)
        if problems:
            raise ConfigError(capped(problems))
        return replies

    def _shown(self, path: Path) -> str:
        """The path from the recordings' own folder on, as it stands in the project."""
        return path.relative_to(self._folder.parent.parent).as_posix()
