"""What spans, traces and the audit log cost.

    python -m benchmarks.tracing

`act_us` is the CPU of one act as a span (opened, two decisions, closed), `describe_us` that of a
session of three acts described at its end, `describe_content_us` with what was said, `trace_us`
that of writing a trace, `note_us` of a denial in the audit log, `append_us` the time (not CPU) of
an entry that is made durable. Prints JSON lines.
"""

import asyncio
import json
import random
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from evalkit.config.routes import Route
from evalkit.control.factory import ControlPlane
from evalkit.control.ledger.book import Ledger
from evalkit.control.session import ControlSession
from evalkit.control.telemetry.spans import SpanBook
from evalkit.records.asset import Tool
from evalkit.records.call import Message, Reply, Request, ToolCall, Usage
from evalkit.records.case import Case, Document
from evalkit.records.span import SessionTrace, trace_id_of
from evalkit.store.audit import AuditFile
from evalkit.store.traces import TraceStore

TEXT = "The customer asks when the payout of last week arrives, and for whom. " * 30  # 2 kB
LOOKUP = Tool(name="lookup", effect="read", description="Look up.", parameters={"type": "object"})


class MachineClock:
    """The machine's time."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


class InstantProvider:
    """Answers at once."""

    name, identity, origin = "instant", "openai http://127.0.0.1:9/v1", "live"

    def missing(self, request: Request) -> str | None:
        return None

    async def complete(self, request: Request, *, timeout_s: float) -> Reply:
        return Reply(
            content=TEXT,
            model="m",
            usage=Usage(input_tokens=500, output_tokens=500),
            origin="live",
            measurement_id="m",
            measured_at="2026-11-24T09:00:00.000+00:00",
            latency_s=0.0,
            tool_calls=(ToolCall(name="lookup", arguments={"query": TEXT}, id="1"),),
        )

    async def close(self) -> None:
        pass


async def three_acts() -> ControlSession:
    """A session that retrieved, asked, and called a tool."""
    clock = MachineClock()
    plane = ControlPlane(
        Route.model_validate({"name": "r", "models": {"primary": "m"}}),
        models={},
        providers={"m": InstantProvider()},  # type: ignore[dict-item]
        ledger=Ledger([], clock=clock),
        cache=None,
        clock=clock,
        timeout_s=1,
        retries=0,
        jitter=random.Random(1),
    )
    documents = (Document(id="kb-1", index="kb", text=TEXT),)
    case = Case(id="c", input={"text": TEXT}, documents=documents, identity={"user": "ada"})
    session = plane.open(case, suite="s", variant="candidate", prompt="p@v1")
    await session.retrieve("kb", TEXT)
    completion = await session.complete([Message(role="user", content=TEXT)], tools=[LOOKUP])
    session.authorize(completion.tool_calls[0])
    session.tool_result(completion.tool_calls[0], {"found": TEXT})
    return session


def microseconds(act: Callable[[], object], times: int, *, cpu: bool = True) -> float:
    """The least of five means: what disturbs a measurement only makes it longer."""
    clock = time.process_time if cpu else time.perf_counter
    means = []
    for _ in range(5):
        began = clock()
        for _ in range(times):
            act()
        means.append((clock() - began) / times)
    return round(min(means) * 1e6, 1)


def main() -> None:
    """Measure and print."""
    session = asyncio.run(three_acts())
    book = SpanBook(MachineClock(), "r")

    def act() -> None:
        with book.open("chat", "m", offer=None) as span:
            book.current().decisions.append(1)
            book.current().decisions.append(2)
            span.about["reply"] = None

    said = {
        "act_us": microseconds(act, 2000),
        "describe_us": microseconds(session.spans, 500),
        "describe_content_us": microseconds(lambda: session.spans(content=True), 500),
    }
    spans, decisions = session.spans(), tuple(session.decisions)
    trace = SessionTrace(
        trace_id=trace_id_of(1),
        at="2026-11-24T09:00:00+00:00",
        route="r",
        spans=spans,
        decisions=decisions,
    )
    with tempfile.TemporaryDirectory() as folder:
        store = TraceStore(Path(folder))
        log = AuditFile(Path(folder), now=MachineClock().now, redact=str)
        about = {"route": "r", "rule": "tools.declared", "message": TEXT[:200]}
        said["trace_us"] = microseconds(lambda: store.append(trace), 300)
        said["note_us"] = microseconds(lambda: log.note("policy.denied", {"user": "a"}, about), 300)
        said["append_us"] = microseconds(
            lambda: log.append("approval.granted", {"user": "a"}, about), 30, cpu=False
        )
    print(json.dumps(said))


if __name__ == "__main__":
    main()
