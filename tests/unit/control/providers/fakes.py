"""What the tests of the providers inject: a clock that stands still, a transport that answers."""

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import msgspec

from evalkit.control.providers.openai import OpenAIProvider
from evalkit.ports import HttpReply
from evalkit.records.call import Attribution, Message, Request

T = TypeVar("T")
SECRET = "sk-proj-0123456789abcdefXYZ"


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine to its end."""
    return asyncio.run(work)


class FixedClock:
    """Stands at 2026-11-24 12:00 UTC until it is moved."""

    def __init__(self) -> None:
        self.passed_s = 0.0

    def now(self) -> datetime:
        return datetime(2026, 11, 24, 12, tzinfo=UTC) + timedelta(seconds=self.passed_s)

    def monotonic(self) -> float:
        return self.passed_s

    async def sleep(self, seconds: float) -> None:
        self.passed_s += seconds


class FakeTransport:
    """Answers every POST with `reply` and keeps what was sent; each call takes `takes_s`."""

    def __init__(self, reply: HttpReply, clock: FixedClock, takes_s: float = 0.0) -> None:
        self.reply = reply
        self.urls: list[str] = []
        self.headers: list[Mapping[str, str]] = []
        self.bodies: list[dict[str, Any]] = []
        self._clock = clock
        self._takes_s = takes_s

    async def post(
        self, url: str, *, headers: Mapping[str, str], body: bytes, timeout_s: float
    ) -> HttpReply:
        self.urls.append(url)
        self.headers.append(headers)
        self.bodies.append(msgspec.json.decode(body))
        self._clock.passed_s += self._takes_s
        return self.reply

    async def close(self) -> None:
        return None


def http_reply(status: int, body: Any, **headers: str) -> HttpReply:
    """A reply with a JSON body, or with bytes as they are."""
    raw = body if isinstance(body, bytes) else msgspec.json.encode(body)
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    return HttpReply(status=status, headers=names, body=raw)


def completion(**changes: Any) -> dict[str, Any]:
    """A chat completion; `message` and `finish_reason` go into its choice."""
    message = {"role": "assistant", "content": "yes", "refusal": None}
    message |= changes.pop("message", {})
    choice = {"index": 0, "message": message, "finish_reason": changes.pop("finish_reason", "stop")}
    usage = {
        "prompt_tokens": 20,
        "completion_tokens": 3,
        "total_tokens": 23,
        "prompt_tokens_details": {"cached_tokens": 8},
    }
    return {"id": "chatcmpl-1", "model": "m-2026", "choices": [choice], "usage": usage} | changes


def request(**changes: Any) -> Request:
    """A short request of case c1."""
    given: dict[str, Any] = {
        "model": "m",
        "messages": (
            Message(role="system", content="Answer yes or no.", part="system"),
            Message(role="user", content="Is it on?"),
        ),
        "key": "k1",
        "params": {"temperature": 0, "max_tokens": 16},
        "attribution": Attribution(suite="s", variant="candidate", case="c1", prompt="p@v1"),
    }
    return Request(**(given | changes))


def provider(
    transport: FakeTransport | Callable[[FixedClock], FakeTransport],
    *,
    base_url: str = "https://llm.example/v1",
    api_key_env: str | None = "LLM_KEY",
    environ: Mapping[str, str] | None = None,
    clock: FixedClock | None = None,
) -> OpenAIProvider:
    """A provider named `hosted` whose key is SECRET."""
    clock = clock or FixedClock()
    return OpenAIProvider(
        name="hosted",
        base_url=base_url,
        api_key_env=api_key_env,
        environ={"LLM_KEY": SECRET} if environ is None else environ,
        transport=transport if isinstance(transport, FakeTransport) else transport(clock),
        clock=clock,
    )


def answering(status: int, body: Any, **headers: str) -> FakeTransport:
    """A transport that gives this reply at once."""
    return FakeTransport(http_reply(status, body, **headers), FixedClock())
