"""Stored sessions as tests need them: what was asked and answered, as spans hold it."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from evalkit.control.telemetry import attributes as names
from evalkit.records.span import SessionTrace, Span
from evalkit.store.traces import TraceStore

START_NS = 1_790_000_000_000_000_000


def said(role: str, text: str = "", *calls: dict[str, Any]) -> dict[str, Any]:
    """A message as spans hold it; `calls` have an id, a name and arguments."""
    parts: list[dict[str, Any]] = [{"type": "text", "content": text}] if text else []
    return {"role": role, "parts": parts + [{"type": "tool_call", **call} for call in calls]}


def told(call: str, result: str) -> dict[str, Any]:
    """A tool's result as a message."""
    return {"role": "tool", "parts": [{"type": "tool_call_response", "id": call, "result": result}]}


def chat(asked: Sequence[dict[str, Any]], answered: dict[str, Any] | str, **more: Any) -> Span:
    """An answered call."""
    answer = said("assistant", answered) if isinstance(answered, str) else answered
    about = {
        names.MODEL: "tiny",
        names.INPUT_MESSAGES: list(asked),
        names.OUTPUT_MESSAGES: [answer | {"finish_reason": "stop"}],
        names.INPUT_TOKENS: 10,
        names.OUTPUT_TOKENS: 5,
        names.COST_USD: 15e-6,
    }
    return Span(
        operation="chat",
        name="tiny",
        start_ns=START_NS,
        end_ns=START_NS + 1_000_000_000,
        parent=0,
        attributes=about | more,
    )


def act(operation: Any, name: str, *, error: str | None = None, **attributes: Any) -> Span:
    """A tool call or a retrieval; attributes by the names of the module, in lower case."""
    about = {getattr(names, key.upper()): value for key, value in attributes.items()}
    return Span(
        operation=operation,
        name=name,
        start_ns=START_NS,
        end_ns=START_NS,
        parent=0,
        attributes=about,
        error=error,
        message="it broke" if error else None,
    )


def trace_of(*spans: Span, digit: str = "a", **fields: Any) -> SessionTrace:
    """A session that may become a case; its id is that digit over and over."""
    root = Span(
        operation="invoke_workflow", name="ask", start_ns=START_NS, end_ns=START_NS + 2_000_000_000
    )
    trace = SessionTrace(
        trace_id=digit * 32,
        at="2026-11-30T10:00:00.000+00:00",
        route="ask",
        user="u-0123456789",
        use="evaluation",
        content=True,
        spans=(root, *spans),
        calls=len(spans),
        duration_s=2.0,
        cost_usd=15e-6,
    )
    return msgspec.structs.replace(trace, **fields)


def store(root: Path, *traces: SessionTrace) -> None:
    """Put them where a gateway puts them."""
    for trace in traces:
        TraceStore(root).append(trace)
