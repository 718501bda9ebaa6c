"""Scripted replies: written by hand, a case and prompt, to exercise policies and the gate.

They measure no model, and say so wherever they show: origin and model are `scripted`, and usage is
estimated from the lengths of the texts.
"""

from collections.abc import AsyncGenerator, Callable
from pathlib import Path
from typing import Literal

import msgspec

from evalkit.config.json_lines import decode_lines
from evalkit.config.problems import capped
from evalkit.control.providers.answers import BYTES_A_TOKEN, estimate_usage
from evalkit.control.providers.identity import identity_of
from evalkit.control.providers.pieces import pieces_of
from evalkit.errors import ConfigError, Problem, ProviderError
from evalkit.ports import Clock
from evalkit.records.attempt import FailureMode
from evalkit.records.call import Piece, Reply, Request, ToolCall


class ScriptedReply(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a script lets the model say."""

    content: str = ""
    tool_calls: tuple[ToolCall, ...] = ()
    refusal: str | None = None


class ScriptedLine(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One line of a script: what is said to a case under a prompt, in every trial.

    `reply` is said at every turn of a workflow; `replies` are said one a turn, and then no more.
    """

    case: str
    prompt: str
    reply: ScriptedReply | None = None
    replies: tuple[ScriptedReply, ...] = ()

    def __post_init__(self) -> None:
        """Raises ValueError for a line with both, or with neither."""
        if (self.reply is None) == (not self.replies):
            raise ValueError("a line has either a `reply` or at least one of `replies`")

    def at(self, turn: int) -> ScriptedReply | None:
        """The reply of a turn, counted from 0; None where the script has ended."""
        if self.reply is not None:
            return self.reply
        return self.replies[turn] if turn < len(self.replies) else None


class ScriptedProvider:
    """Answers from one file by case and prompt.

    The file is read at the first question. Raises ConfigError then, with every broken line.
    """

    origin: Literal["scripted"] = "scripted"

    def __init__(
        self,
        path: Path,
        *,
        name: str,
        clock: Clock,
        read: Callable[[Path], bytes] = Path.read_bytes,
    ) -> None:
        """`path` is the script, one ScriptedLine a line. `read` reads it: a project's own reads
        nothing outside of it, and raises ConfigError."""
        self._read_file = read
        self.name = name
        self.identity = identity_of("scripted")
        self._path = path
        self._clock = clock
        self._lines: dict[tuple[str, str], ScriptedLine] | None = None

    def missing(self, request: Request) -> str | None:
        """What the script lacks, or None."""
        asked = request.attribution
        line = self._script().get((asked.case, asked.prompt))
        about = f"case {asked.case} under prompt {asked.prompt}"
        if line is None:
            return (
                f"{self._shown} has no reply to {about}; add a "
                'line {"case": …, "prompt": …, "reply": {"content": …}}'
            )
        if line.at(turn_of(request)) is None:
            return (
                f"{self._shown} has {len(line.replies)} replies to {about}, and the workflow asks "
                "for another; add it to the line's `replies`"
            )
        return None

    async def complete(self, request: Request, *, timeout_s: float) -> Reply:
        """The scripted reply, cut at the request's output cap as a model's would be.

        Raises ProviderError(not_recorded).
        """
        asked = request.attribution
        line, turn = self._script().get((asked.case, asked.prompt)), turn_of(request)
        scripted = None if line is None else line.at(turn)
        if scripted is None:
            raise ProviderError(FailureMode.NOT_RECORDED, self.missing(request) or "")
        content, is_cut = _cut(scripted.content, request.params.get("max_tokens"))
        calls = () if is_cut else scripted.tool_calls
        ends = "tool_calls" if calls else "stop"
        return Reply(
            content=content,
            model="scripted",
            usage=estimate_usage(request, content, calls),
            origin="scripted",
            # The same in every run and trial: a script read twice is not measured twice.
            measurement_id=f"scripted/{asked.suite}/{asked.case}/{asked.prompt}"
            + (f"/{turn + 1}" if turn else ""),
            measured_at=self._clock.now().isoformat(timespec="milliseconds"),
            latency_s=0.0,
            tool_calls=calls,
            finish_reason="length" if is_cut else ends,
            refusal=scripted.refusal,
        )

    async def stream(self, request: Request, *, timeout_s: float) -> AsyncGenerator[Piece, None]:
        """The same in pieces. Raises as `complete` does."""
        for piece in pieces_of(await self.complete(request, timeout_s=timeout_s)):
            yield piece

    async def close(self) -> None:
        """Forget what was read."""
        self._lines = None

    @property
    def _shown(self) -> str:
        return f"{self._path.parent.name}/{self._path.name}"

    def _script(self) -> dict[tuple[str, str], ScriptedLine]:
        if self._lines is None:
            self._lines = self._read()
        return self._lines

    def _read(self) -> dict[tuple[str, str], ScriptedLine]:
        try:
            raw = self._read_file(self._path)
        except OSError as error:
            message = f"cannot be read: {error.strerror}"
            raise ConfigError([Problem(message=message, file=self._shown)]) from error
        lines: dict[tuple[str, str], ScriptedLine] = {}
        seen: dict[tuple[str, str], int] = {}
        problems: list[Problem] = []
        for number, line in decode_lines(
            raw, ScriptedLine, noun="scripted reply", file=self._shown, problems=problems
        ):
            place = (line.case, line.prompt)
            if place in seen:
                again = f"case {line.case} under prompt {line.prompt} has a reply in line"
                problems.append(
                    Problem(message=f"{again} {seen[place]}", file=self._shown, line=number)
                )
            seen.setdefault(place, number)
            lines[place] = line
        if problems:
            raise ConfigError(capped(problems))
        return lines


def turn_of(request: Request) -> int:
    """How many turns of the model's own stand in the request; a prompt's examples are none."""
    return sum(
        message.role == "assistant" and message.part == "input" for message in request.messages
    )


def _cut(content: str, cap: object) -> tuple[str, bool]:
    """The text within the cap, and whether that cut it."""
    raw = content.encode()
    if not isinstance(cap, int) or len(raw) <= cap * BYTES_A_TOKEN:
        return content, False
    return raw[: cap * BYTES_A_TOKEN].decode("utf-8", "ignore"), True
