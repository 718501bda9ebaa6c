"""Sessions of judges that answer by script, and the rubrics and outputs of these tests."""

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from evalkit.records.asset import Output, Rubric, RubricScale, Tool
from evalkit.records.call import (
    Completion,
    Decision,
    Message,
    PreparedCall,
    Reply,
    ToolCall,
    Usage,
)
from evalkit.records.case import Document
from evalkit.records.judgment import Subject

PERSONAL = re.compile(r"[\w.]+@[\w.]+\.[a-z]+")
BINARY = RubricScale(kind="binary", passes="It is kind.", fails="It is not.")
GRADED = RubricScale(kind="graded", lowest=1, highest=5, levels={"1": "bad", "5": "good"})
CHECKLIST = RubricScale(kind="checklist", items={"greets": "A greeting?", "short": "Short?"})

Answer = Completion | Exception
Asked = Callable[[str, Sequence[Message], int], Answer]
"""From route, messages and trial to what happens."""


def rubric(prompt: str = '{{ output | data("REPLY") }}', **changes: Any) -> Rubric:
    """A rubric with one route."""
    return Rubric(
        **{
            "name": "tone",
            "version": 1,
            "digest": "sha256:0",
            "path": "rubrics/tone/v1.yaml",
            "scale": BINARY,
            "criteria": ("Kind: no blame.", "Short."),
            "prompt": prompt,
            "routes": ("judge",),
            **changes,
        }
    )


def subject(output: Any = "Thank you.", **changes: Any) -> Subject:
    """An output to be judged."""
    return Subject(**{"input": {"question": "Where is it?"}, "output": output, **changes})


def completion(content: str = "", **reply: Any) -> Completion:
    """A completion with this text; `reply` are fields of its reply."""
    return Completion(
        reply=Reply(
            **{
                "content": content,
                "model": "m-1-2026",
                "usage": Usage(input_tokens=90, output_tokens=20),
                "origin": "live",
                "measurement_id": "r-1",
                "measured_at": "2026-05-04T10:00:00Z",
                "latency_s": 0.5,
                **reply,
            }
        ),
        model="m-1",
        planned_model="m-1",
        key="k-1",
        cost_usd=0.002,
        billed_usd=0.001,
    )


def says(verdict: str = "pass", **more: Any) -> Completion:
    """A reply of the asked form."""
    return completion(json.dumps({"reason": "So.", "evidence": "", "verdict": verdict, **more}))


@dataclass
class JudgeSession:
    """Hands one question on to `asked`; e-mail addresses are what it redacts."""

    route: str
    asked: Asked
    billed_usd: float = 0.0
    identity: str = ""
    decisions: Sequence[Decision] = ()
    tries: int = 0

    async def retrieve(self, index: str, query: str) -> tuple[Document, ...]:
        raise AssertionError("a judge retrieves nothing")

    def prepare(self, messages: Sequence[Message], **more: Any) -> PreparedCall:
        raise AssertionError("nothing is planned here")

    async def complete(
        self,
        messages: Sequence[Message],
        *,
        tools: Sequence[Tool] = (),
        params: Mapping[str, Any] | None = None,
        output: Output | None = None,
        trial: int = 1,
    ) -> Completion:
        assert not tools, "a judge has no tools"
        answer = self.asked(self.route, messages, trial)
        self.billed_usd += 0.001
        if isinstance(answer, Exception):
            raise answer
        return answer

    def authorize(self, call: ToolCall) -> None:
        raise AssertionError("a judge calls nothing")

    def redacted(self, text: str) -> str:
        return PERSONAL.sub("[EMAIL_1]", text)

    def is_plain(self, texts: Iterable[str]) -> bool:
        return all(self.redacted(text) == text for text in texts)

    def redacted_reply(self, reply: Reply) -> Reply:
        return msgspec.structs.replace(reply, content=self.redacted(reply.content))

    def cited(self, text: str, parsed: Any) -> tuple[str, ...]:
        return ()


@dataclass
class Sessions:
    """Implements ports.JudgeSessions: `asked` answers every question, `shown` is what it saw."""

    asked: Asked
    shown: list[tuple[str, Sequence[Message], int]] = field(default_factory=list)
    opened: list[tuple[str, Subject, str, str]] = field(default_factory=list)

    def open(
        self, route: str, subject: Subject, *, suite: str = "", case: str = ""
    ) -> JudgeSession:
        self.opened.append((route, subject, suite, case))
        return JudgeSession(route, self._note)

    def _note(self, route: str, messages: Sequence[Message], trial: int) -> Answer:
        self.shown.append((route, messages, trial))
        return self.asked(route, messages, trial)


def always(answer: Answer) -> Sessions:
    """Sessions in which the same happens to every question."""
    return Sessions(lambda route, messages, trial: answer)


def by_route(**answers: Answer) -> Sessions:
    """Sessions in which each route has its own answer."""
    return Sessions(lambda route, messages, trial: answers[route])
