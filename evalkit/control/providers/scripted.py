"""Scripted replies: written by hand, one a case and prompt, to exercise policies and the gate.

They measure no model, and say so wherever they show: origin and model are `scripted`, and usage is
estimated from the lengths of the texts.
"""

from pathlib import Path
from typing import Literal

import msgspec

from evalkit.config.json_lines import decode_lines
from evalkit.config.problems import capped
from evalkit.control.providers.answers import BYTES_A_TOKEN, estimate_usage
from evalkit.control.providers.identity import identity_of
from evalkit.errors import ConfigError, Problem, ProviderError
from evalkit.ports import Clock
from evalkit.records.attempt import FailureMode
from evalkit.records.call import Reply, Request, ToolCall


class ScriptedReply(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a script lets the model say."""

    content: str = ""
    tool_calls: tuple[ToolCall, ...] = ()
    refusal: str | None = None


class ScriptedLine(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One line of a script: the reply to a case under a prompt, in every trial."""

    case: str
    prompt: str
    reply: ScriptedReply


class ScriptedProvider:
    """Answers from one file by case and prompt.

    The file is read at the first question. Raises ConfigError then, with every broken line.
    """

    origin: Literal["scripted"] = "scripted"

    def __init__(self, path: Path, *, name: str, clock: Clock) -> None:
        """`path` is the script, one ScriptedLine a line."""
        self.name = name
        self.identity = identity_of("scripted")
        self._path = path
        self._clock = clock
        self._replies: dict[tuple[str, str], ScriptedReply] | None = None

    def missing(self, request: Request) -> str | None:
        """What the script lacks, or None."""
        asked = request.attribution
        if (asked.case, asked.prompt) in self._script():
            return None
        return (
            f"{self._shown} has no reply to case {asked.case} under prompt {asked.prompt}; add a "
            'line {"case": …, "prompt": …, "reply": {"content": …}}'
        )

    async def complete(self, request: Request, *, timeout_s: float) -> Reply:
        """The scripted reply, cut at the request's output cap as a model's would be.

        Raises ProviderError(not_recorded).
        """
        asked = request.attribution
        scripted = self._script().get((asked.case, asked.prompt))
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
            measurement_id=f"scripted/{asked.suite}/{asked.case}/{asked.prompt}",
            measured_at=self._clock.now().isoformat(timespec="milliseconds"),
            latency_s=0.0,
            tool_calls=calls,
            finish_reason="length" if is_cut else ends,
            refusal=scripted.refusal,
        )

    async def close(self) -> None:
        """Forget what was read."""
        self._replies = None

    @property
    def _shown(self) -> str:
        return f"{self._path.parent.name}/{self._path.name}"

    def _script(self) -> dict[tuple[str, str], ScriptedReply]:
        if self._replies is None:
            self._replies = self._read()
        return self._replies

    def _read(self) -> dict[tuple[str, str], ScriptedReply]:
        try:
            raw = self._path.read_bytes()
        except OSError as error:
            message = f"cannot be read: {error.strerror}"
            raise ConfigError([Problem(message=message, file=self._shown)]) from error
        replies: dict[tuple[str, str], ScriptedReply] = {}
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
            replies[place] = line.reply
        if problems:
            raise ConfigError(capped(problems))
        return replies


def _cut(content: str, cap: object) -> tuple[str, bool]:
    """The text within the cap, and whether that cut it."""
    raw = content.encode()
    if not isinstance(cap, int) or len(raw) <= cap * BYTES_A_TOKEN:
        return content, False
    return raw[: cap * BYTES_A_TOKEN].decode("utf-8", "ignore"), True
