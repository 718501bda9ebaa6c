"""Spans to a collector over OTLP/HTTP, by OpenTelemetry's own encoder and exporter (extra `otel`).

A thread of its own sends them in batches. Whoever hands spans over never waits: what does not fit
into the queue, and what a collector does not take, is counted and told once, at the end.
"""

import json
import logging
import queue
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from evalkit.control.telemetry import attributes as names
from evalkit.errors import Refused
from evalkit.records.call import Decision
from evalkit.records.span import Span, span_decisions, span_id_of

if TYPE_CHECKING:
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import Event, ReadableSpan
    from opentelemetry.sdk.trace.export import SpanExporter

INSTALL = "pip install 'evalkit[otel]'"
QUEUE_TRACES = 4096
BATCH_SPANS = 512
PAUSE_S = 1.0
# After a batch that was not taken: how many of the next ones are dropped unasked. A collector that
# is down must not hold a run up at its end, once for every batch.
SKIPPED_BATCHES = 8
_EXPORTER_LOG = "opentelemetry.exporter.otlp.proto.http.trace_exporter"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """What became of the spans that were handed over."""

    sent: int
    lost: int
    reason: str

    @property
    def warning(self) -> str | None:
        """What to tell, None where nothing was lost."""
        if not self.lost:
            return None
        noun = "span" if self.lost == 1 else "spans"
        return (
            f"{self.lost:,} {noun} did not reach the collector ({self.reason}); {self.sent:,} did. "
            "Nothing else is affected"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class SentTrace:
    """A trace on its way: what is sent of a session, or of an attempt."""

    trace_id: str
    spans: Sequence[Span]
    decisions: Sequence[Decision]
    attributes: Mapping[str, Any]


class OtlpExporter:
    """Sends traces to one collector until it is closed. Safe between tasks and threads."""

    def __init__(
        self,
        endpoint: str,
        *,
        headers: Mapping[str, str],
        timeout_s: float,
        service: str,
        version: str,
    ) -> None:
        """`endpoint` is the whole address. Raises Refused where the extra is not installed."""
        self._exporter, self._resource = _build(endpoint, headers, timeout_s, service, version)
        self._timeout_s = timeout_s
        self._endpoint = endpoint
        self._version = version
        self._queue: queue.Queue[SentTrace | None] = queue.Queue(QUEUE_TRACES)
        self._lock = threading.Lock()
        self._sent = self._lost = self._skip = 0
        self._reason = ""
        self._closed = False
        self._heard = _LastWords()
        logger = logging.getLogger(_EXPORTER_LOG)
        logger.addHandler(self._heard)
        self._propagated = logger.propagate
        logger.propagate = False  # it would tell of every try; the end is told once
        self._thread = threading.Thread(target=self._work, name="evalkit-otlp", daemon=True)
        self._thread.start()

    def take(
        self,
        trace_id: str,
        spans: Sequence[Span],
        decisions: Sequence[Decision],
        attributes: Mapping[str, Any] | None = None,
    ) -> None:
        """Hand a trace over; returns at once. `attributes` go to its first span."""
        if not spans:
            return
        trace = SentTrace(
            trace_id=trace_id, spans=spans, decisions=decisions, attributes=attributes or {}
        )
        with self._lock:
            if not self._closed:
                try:
                    self._queue.put_nowait(trace)
                except queue.Full:
                    self._lose(len(spans), "the collector is slower than what was sent to it")
            else:
                self._lose(len(spans), "the exporter was closed")

    def close(self, *, patience_s: float | None = None) -> Sent:
        """Send what is left, for at most `patience_s` (default: one timeout and a second)."""
        patience_s = self._timeout_s + 1.0 if patience_s is None else patience_s
        with self._lock:
            first = not self._closed
            self._closed = True
        if first:
            with suppress(queue.Full):
                self._queue.put(None, timeout=patience_s)
            self._thread.join(patience_s)
            self._exporter.shutdown()  # ends a wait between two tries
            self._thread.join(1.0)
            logger = logging.getLogger(_EXPORTER_LOG)
            logger.removeHandler(self._heard)
            logger.propagate = self._propagated
            with self._lock:
                left = self._drain()
                if left:
                    self._lose(left, f"{self._endpoint} did not take them in time")
        with self._lock:
            return Sent(sent=self._sent, lost=self._lost, reason=self._reason)

    def _drain(self) -> int:
        left = 0
        while True:
            try:
                trace = self._queue.get_nowait()
            except queue.Empty:
                return left
            left += 0 if trace is None else len(trace.spans)

    def _lose(self, count: int, reason: str) -> None:
        """Count spans that are lost; the first reason is the one that is told. Lock is held."""
        self._lost += count
        self._reason = self._reason or reason

    def _work(self) -> None:
        ended = False
        while not ended:
            batch, ended = self._next_batch()
            if not batch:
                continue
            count = sum(len(trace.spans) for trace in batch)
            reason = self._send(batch)
            with self._lock:
                if reason is None:
                    self._sent += count
                else:
                    self._lose(count, reason)

    def _next_batch(self) -> tuple[list[SentTrace], bool]:
        """What is there, up to a batch, and whether it is the last."""
        batch: list[SentTrace] = []
        count = 0
        timeout_s: float | None = None
        while count < BATCH_SPANS:
            try:
                trace = self._queue.get(timeout=timeout_s)
            except queue.Empty:
                return batch, False
            if trace is None:
                return batch, True
            batch.append(trace)
            count += len(trace.spans)
            timeout_s = PAUSE_S
        return batch, False

    def _send(self, batch: Sequence[SentTrace]) -> str | None:
        """Why a batch was not taken; None where it was."""
        if self._skip:
            self._skip -= 1
            return self._reason
        try:
            from opentelemetry.sdk.trace.export import SpanExportResult

            spans = [span for trace in batch for span in self._readable(trace)]
            if self._exporter.export(spans) is SpanExportResult.SUCCESS:
                return None
            reason = f"{self._endpoint}: {self._heard.last or 'it refused them'}"
        except Exception as error:  # a span less is no reason to end a run
            reason = f"{type(error).__name__}: {error}"
        self._skip = SKIPPED_BATCHES
        return reason

    def _readable(self, trace: SentTrace) -> "list[ReadableSpan]":
        from opentelemetry.sdk.trace import ReadableSpan
        from opentelemetry.sdk.util.instrumentation import InstrumentationScope
        from opentelemetry.trace import SpanContext, SpanKind, Status, StatusCode, TraceFlags

        scope = InstrumentationScope("evalkit", self._version)
        contexts = [
            SpanContext(
                trace_id=int(trace.trace_id, 16),
                span_id=int(span_id_of(trace.trace_id, place), 16),
                is_remote=False,
                trace_flags=TraceFlags(TraceFlags.SAMPLED),
            )
            for place in range(len(trace.spans))
        ]
        kinds = {"chat": SpanKind.CLIENT, "retrieval": SpanKind.CLIENT}
        found = []
        for place, span in enumerate(trace.spans):
            more = trace.attributes if place == 0 else {}
            status = Status(StatusCode.UNSET)
            if span.error is not None:
                status = Status(StatusCode.ERROR, span.message or span.error)
            found.append(
                ReadableSpan(
                    name=_span_name(span),
                    context=contexts[place],
                    parent=None if span.parent is None else contexts[span.parent],
                    resource=self._resource,
                    attributes=_primitive({**span.attributes, **more}),
                    events=_events(span, trace.decisions),
                    kind=kinds.get(span.operation, SpanKind.INTERNAL),
                    status=status,
                    start_time=span.start_ns,
                    end_time=span.end_ns,
                    instrumentation_scope=scope,
                )
            )
        return found


class _LastWords(logging.Handler):
    """Keeps what the exporter said last, instead of showing each of its tries."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.last = ""

    def emit(self, record: logging.LogRecord) -> None:
        self.last = record.getMessage()[:300]


def _build(
    endpoint: str, headers: Mapping[str, str], timeout_s: float, service: str, version: str
) -> "tuple[SpanExporter, Resource]":
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
    except ImportError as error:
        raise Refused(
            f"telemetry.otlp needs the extra `otel`, which is not installed; {INSTALL}"
        ) from error
    exporter = OTLPSpanExporter(endpoint=endpoint, headers=dict(headers), timeout=timeout_s)
    return exporter, Resource.create({"service.name": service, "service.version": version})


def _span_name(span: Span) -> str:
    """As the conventions name spans: the operation, and the model, tool, index or workflow."""
    name = span.attributes.get(names.REQUEST_MODEL, span.name)
    return f"{span.operation} {name}" if name else span.operation


def _events(span: Span, decisions: Sequence[Decision]) -> "list[Event]":
    from opentelemetry.sdk.trace import Event

    events = []
    last_ns = span.start_ns
    for decision in span_decisions(span, decisions):
        last_ns = max(last_ns, _decided_at_ns(decision, span))
        said = {
            names.DECISION_ACT: decision.act,
            names.DECISION_OUTCOME: decision.outcome,
            names.DECISION_RULE: decision.rule,
            names.DECISION_MESSAGE: decision.message,
        }
        if decision.data:
            said[names.DECISION_DATA] = json.dumps(decision.data, ensure_ascii=False, default=str)
        events.append(Event(names.DECISION_EVENT, attributes=said, timestamp=last_ns))
    return events


def _decided_at_ns(decision: Decision, span: Span) -> int:
    """When a decision was made, within its span.

    Decisions are dated to the millisecond, spans finer: what rounding moved out is moved back.
    """
    try:
        at = datetime.fromisoformat(decision.at)
    except ValueError:
        return span.start_ns
    at = at if at.tzinfo else at.replace(tzinfo=UTC)
    return min(max(round(at.timestamp() * 1e3) * 1_000_000, span.start_ns), span.end_ns)


def _primitive(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """Attributes as every collector takes them: what is nested becomes its JSON."""
    return {key: _flat(value) for key, value in attributes.items() if value is not None}


def _flat(value: Any) -> Any:
    if isinstance(value, str | bool | int | float):
        return value
    if isinstance(value, list | tuple) and all(isinstance(each, str) for each in value):
        return list(value)
    return json.dumps(value, ensure_ascii=False, default=str)
