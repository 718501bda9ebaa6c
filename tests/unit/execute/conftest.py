"""A session that answers by script and writes down what it was asked."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from evalkit.errors import PolicyBlocked
from evalkit.records.asset import Output, Prompt, PromptMessage, Tool
from evalkit.records.call import (
    Completion,
    Decision,
    Message,
    PreparedCall,
    Reply,
    Request,
    ToolCall,
    Usage,
)
from evalkit.records.case import Case, Document

ADDRESS = re.compile(r"[a-z]+@example\.org|4111111111111111")


@dataclass
class StubSession:
    """Redacts addresses of example.org and one card number; denies the tools it is told to."""

    answer: Completion | Exception
    found: Sequence[Document] | Exception = ()
    denied: frozenset[str] = frozenset()
    decisions: list[Decision] = field(default_factory=list)
    tries: int = 1
    identity: str = "u-0123456789"
    cites: tuple[str, ...] = ()
    read: list[tuple[str, Any]] = field(default_factory=list)
    asked: list[tuple[str, Any]] = field(default_factory=list)

    @property
    def billed_usd(self) -> float:
        """What its one answer was billed, wherever that answer came to rest."""
        completion = getattr(self.answer, "completion", self.answer)
        return completion.billed_usd if isinstance(completion, Completion) else 0.0

    async def retrieve(self, index: str, query: str) -> tuple[Document, ...]:
        self.asked.append(("retrieve", (index, query)))
        if isinstance(self.found, Exception):
            raise self.found
        return tuple(self.found)

    def prepare(
        self,
        messages: Sequence[Message],
        *,
        tools: Sequence[Tool] = (),
        params: Mapping[str, Any] | None = None,
        output: Output | None = None,
        trial: int = 1,
    ) -> PreparedCall:
        self.asked.append(("prepare", tuple(message.content for message in messages)))
        return PreparedCall(
            request=Request(model="m-1", messages=tuple(messages), key="prepared", trial=trial),
            model="m",
            provider="p",
            origin="live",
            input_tokens={},
            output_tokens=1,
            max_cost_usd=0.0,
        )

    async def complete(
        self,
        messages: Sequence[Message],
        *,
        tools: Sequence[Tool] = (),
        params: Mapping[str, Any] | None = None,
        output: Output | None = None,
        trial: int = 1,
    ) -> Completion:
        texts = tuple(message.content for message in messages)
        self.asked.append(("complete", (texts, tuple(tools), dict(params or {}), output, trial)))
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer

    def authorize(self, call: ToolCall) -> None:
        self.asked.append(("authorize", call.name))
        if call.name in self.denied:
            raise PolicyBlocked("policies.disallow_actions", f"{call.name} is not allowed")

    def redacted(self, text: str) -> str:
        return ADDRESS.sub("[PII_1]", text)

    def is_plain(self, texts: Iterable[str]) -> bool:
        return all(self.redacted(text) == text for text in texts)

    def redacted_reply(self, reply: Reply) -> Reply:
        return msgspec.structs.replace(reply, content=self.redacted(reply.content))

    def cited(self, text: str, parsed: Any) -> tuple[str, ...]:
        self.read.append((text, parsed))
        return self.cites

    def acts(self) -> list[str]:
        return [act for act, _ in self.asked]


class StubClock:
    """Half past seven, for ever."""

    def now(self) -> datetime:
        return datetime(2026, 11, 24, 19, 30, tzinfo=UTC)

    def monotonic(self) -> float:
        return 0.0

    async def sleep(self, seconds: float) -> None:
        return None


@pytest.fixture
def clock() -> StubClock:
    """A clock that stands still."""
    return StubClock()


@pytest.fixture
def open_session() -> type[StubSession]:
    """The scripted session."""
    return StubSession


@pytest.fixture
def completion() -> Callable[..., Completion]:
    """A completion by its text; `reply` changes the reply, anything else the completion."""

    def build(content: str = "", *, reply: Mapping[str, Any] | None = None, **changes: Any) -> Any:
        return Completion(
            **{
                "reply": Reply(
                    **{
                        "content": content,
                        "model": "m-1-2026",
                        "usage": Usage(input_tokens=20, output_tokens=5),
                        "origin": "live",
                        "measurement_id": "req-1",
                        "measured_at": "2026-11-24T19:29:00+00:00",
                        "latency_s": 0.4,
                        **(reply or {}),
                    }
                ),
                "model": "m",
                "planned_model": "m",
                "key": "k1",
                "cost_usd": 0.002,
                "billed_usd": 0.002,
                **changes,
            }
        )

    return build


@pytest.fixture
def prompt() -> Callable[..., Prompt]:
    """A prompt by its templates; the first is the system's."""

    def build(*templates: str, **changes: Any) -> Prompt:
        messages = tuple(
            PromptMessage(
                role="system" if number == 0 else "user",
                content=template,
                part="system" if number == 0 else "input",
            )
            for number, template in enumerate(templates or ("Sort the ticket.", "{{ input.body }}"))
        )
        return Prompt(
            **{
                "name": "triage",
                "version": 1,
                "messages": messages,
                "digest": "sha256:0",
                "path": "prompts/triage/v1.yaml",
                **changes,
            }
        )

    return build


@pytest.fixture
def case() -> Callable[..., Case]:
    """A case by its changes."""

    def build(**changes: Any) -> Case:
        return Case(**{"id": "t-1", "input": {"body": "It beeps."}, **changes})

    return build
