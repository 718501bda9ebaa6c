"""A clock, providers and a cache that do as they are told, and a plane built around them."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from evalkit.config.budgets import Budget
from evalkit.config.prices import Price
from evalkit.config.routes import Model, Route
from evalkit.config.traffic import BreakerRules, Limits
from evalkit.control.checks import PolicyCheck
from evalkit.control.factory import ControlPlane, SessionOpening
from evalkit.control.flights import Flights
from evalkit.control.ledger.book import Ledger
from evalkit.control.retrieval.catalogue import Catalogue
from evalkit.control.session import ControlSession
from evalkit.control.traffic import Traffic
from evalkit.errors import ProviderError
from evalkit.ports import Accounts, Approvals, Cache, CallLog, EventSink
from evalkit.records.asset import Tool
from evalkit.records.call import Decision, Message, Reply, Request, ToolCall, Usage
from evalkit.records.case import Case, Document

START = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)
PRICE = Price(input_usd_per_mtok=1.0, output_usd_per_mtok=4.0)


class FakeClock:
    """Time that passes only in `sleep`, and at once."""

    def __init__(self) -> None:
        self.slept: list[float] = []

    def now(self) -> datetime:
        return START + timedelta(seconds=self.monotonic())

    def monotonic(self) -> float:
        return sum(self.slept)

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)


def reply_of(content: str = "fine", **fields: Any) -> Reply:
    """A live reply with 100 tokens in and 20 out."""
    given: dict[str, Any] = {
        "model": "fake-1",
        "usage": Usage(input_tokens=100, output_tokens=20),
        "origin": "live",
        "measurement_id": "m-1",
        "measured_at": "2026-11-24T09:00:00.000+00:00",
        "latency_s": 0.5,
    }
    return Reply(content=content, **(given | fields))


def error_of(code: str, **fields: Any) -> ProviderError:
    """An infrastructure error with the code as its message."""
    return ProviderError(code, f"the server said {code}", **fields)


Outcome = Reply | ProviderError | Callable[[Request], Awaitable[Reply]]


class FakeProvider:
    """Gives its outcomes in turn, the last one for ever, and keeps what it was asked."""

    def __init__(
        self,
        *outcomes: Outcome,
        name: str = "fake",
        identity: str | None = None,
        origin: Literal["live", "recording", "scripted"] = "live",
    ) -> None:
        self.name = name
        self.identity = identity or f"fake {name}"
        self.origin: Literal["live", "recording", "scripted"] = origin
        self.requests: list[Request] = []
        self._outcomes = list(outcomes) or [reply_of()]

    def missing(self, request: Request) -> str | None:
        return "nothing is recorded" if self.origin == "recording" else None

    async def complete(self, request: Request, *, timeout_s: float) -> Reply:
        self.requests.append(request)
        outcome = self._outcomes[0] if len(self._outcomes) == 1 else self._outcomes.pop(0)
        if isinstance(outcome, ProviderError):
            raise outcome
        return outcome if isinstance(outcome, Reply) else await outcome(request)

    async def close(self) -> None:
        pass


class DictCache:
    """A cache in memory."""

    def __init__(self) -> None:
        self.replies: dict[str, Reply] = {}

    def get(self, key: str) -> Reply | None:
        return self.replies.get(key)

    def put(self, key: str, reply: Reply) -> None:
        self.replies[key] = reply


ROUTE = Route.model_validate({"name": "work", "models": {"primary": "one", "fallback": "two"}})


@dataclass(kw_only=True)
class World:
    """Everything a control plane needs, each part replaceable."""

    route: Route = ROUTE
    one: FakeProvider = field(default_factory=lambda: FakeProvider(name="first"))
    two: FakeProvider = field(default_factory=lambda: FakeProvider(name="second"))
    price: Price | None = PRICE
    budgets: Sequence[Budget] = ()
    cache: Cache | None = None
    clock: FakeClock = field(default_factory=FakeClock)
    retries: int = 0
    case: Case = field(default_factory=lambda: Case(id="c1", input={"text": "hello"}))
    emit: EventSink | None = None
    catalogue: Catalogue | None = None
    accounts: Accounts | None = None
    three: FakeProvider = field(default_factory=lambda: FakeProvider(name="third"))
    breaker: BreakerRules | None = None
    limits: Limits | None = None
    approvals: Approvals | None = None
    checks: Sequence[PolicyCheck] = ()
    output_schema: Any = None
    flights: Flights | None = None
    calls: CallLog | None = None

    def __post_init__(self) -> None:
        self.ledger = Ledger(self.budgets, accounts=self.accounts, clock=self.clock)
        self.traffic = Traffic(self.clock)
        names = self.route.every_model
        providers = dict(zip(names, (self.one, self.two, self.three), strict=False))
        self.lanes = {
            name: self.traffic.lane(
                each.name, each.identity, name, limits=self.limits, breaker=self.breaker
            )
            for name, each in providers.items()
        }
        self.plane = ControlPlane(
            self.route,
            models={
                name: Model(provider="fake", id=f"{name}-id", price=self.price) for name in names
            },
            providers=providers,
            ledger=self.ledger,
            cache=self.cache,
            clock=self.clock,
            timeout_s=30.0,
            retries=self.retries,
            jitter=random.Random(7),
            emit=self.emit,
            approvals=self.approvals,
            checks=self.checks,
            output_schema=self.output_schema,
            catalogue=self.catalogue,
            lanes=self.lanes,
            flights=self.flights,
            calls=self.calls,
        )

    def open(self, *, work: str = "") -> ControlSession:
        """A session over the case."""
        return self.plane.open(self.case, suite="s", variant="candidate", prompt="p@v1", work=work)

    def opening(self, *, step: str | None = None) -> SessionOpening:
        """The same for a session that may not be needed."""
        return self.plane.opening(
            self.case, suite="s", variant="candidate", prompt="p@v1", step=step, keeping=True
        )


def route_with(**keys: Any) -> Route:
    """The route with some keys set."""
    return Route.model_validate(ROUTE.model_dump() | keys)


def ask(session: ControlSession, text: str = "hello", **keys: Any) -> Any:
    """Complete with one message and wait for it."""
    return asyncio.run(session.complete([Message(role="user", content=text)], **keys))


def documents(index: str, *ids: str) -> tuple[Document, ...]:
    """Documents of one index whose text is their id."""
    return tuple(Document(id=each, index=index, text=f"about {each}") for each in ids)


def tool(name: str, effect: Literal["read", "draft", "execute"] = "read") -> Tool:
    """A tool without parameters."""
    return Tool(name=name, effect=effect)


def call(name: str, **arguments: Any) -> ToolCall:
    """A call of a tool."""
    return ToolCall(name=name, arguments=arguments)


def traced(session: ControlSession, rule: str) -> list[Decision]:
    """The entries of a session's trace that rest on a rule."""
    return [decision for decision in session.decisions if decision.rule == rule]
