"""A collector that takes OTLP over HTTP and is strict about it: what it would not accept is kept in
`faults`. Decoded with OpenTelemetry's own protocol buffers."""

import gzip
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.common.v1.common_pb2 import AnyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

CLIENT, INTERNAL = Span.SPAN_KIND_CLIENT, Span.SPAN_KIND_INTERNAL
KINDS = {
    "invoke_workflow": INTERNAL,
    "chat": CLIENT,
    "retrieval": CLIENT,
    "execute_tool": INTERNAL,
}
REQUIRED = {
    "invoke_workflow": {"gen_ai.workflow.name": "string_value", "evalkit.route": "string_value"},
    "chat": {"gen_ai.provider.name": "string_value", "gen_ai.request.model": "string_value"},
    "retrieval": {"gen_ai.data_source.id": "string_value"},
    "execute_tool": {"gen_ai.tool.name": "string_value", "gen_ai.tool.type": "string_value"},
}
TYPES = {
    "gen_ai.usage.input_tokens": "int_value",
    "gen_ai.usage.output_tokens": "int_value",
    "gen_ai.request.max_tokens": "int_value",
    "gen_ai.response.finish_reasons": "array_value",
    "evalkit.cost_usd": "double_value",
    "server.port": "int_value",
    "error.type": "string_value",
}
EVENT = {
    f"evalkit.decision.{name}": "string_value" for name in ("act", "outcome", "rule", "message")
}


class Collector:
    """What arrived. `status` is what it answers with, once `answers` is set."""

    def __init__(self) -> None:
        self.spans: list[Span] = []
        self.resources: list[dict[str, str]] = []
        self.headers: list[dict[str, str]] = []
        self.bodies: list[bytes] = []
        self.faults: list[str] = []
        self.status = 200
        self.answers = threading.Event()
        self.answers.set()
        self.url = ""

    def take(self, path: str, headers: dict[str, str], body: bytes) -> None:
        """Decode a request, or keep what is wrong with it."""
        self.headers.append(headers)
        if path != "/v1/traces":
            self.faults.append(f"path {path}")
        if headers.get("content-type") != "application/x-protobuf":
            self.faults.append(f"content type {headers.get('content-type')}")
        if headers.get("content-encoding") == "gzip":
            body = gzip.decompress(body)
        self.bodies.append(body)
        request = ExportTraceServiceRequest()
        request.ParseFromString(body)
        if request.SerializeToString() != body and request.ByteSize() != len(body):
            self.faults.append("fields that the protocol does not have")
        for resource in request.resource_spans:
            said = {each.key: each.value.string_value for each in resource.resource.attributes}
            self.resources.append(said)
            if "service.name" not in said:
                self.faults.append("no service.name")
            for scope in resource.scope_spans:
                if not scope.scope.name:
                    self.faults.append("no scope")
                self.spans.extend(scope.spans)

    def check(self) -> list[str]:
        """Everything wrong with what arrived so far, taken together."""
        faults = list(self.faults)
        by_id = {(span.trace_id, span.span_id): span for span in self.spans}
        if len(by_id) != len(self.spans):
            faults.append("a span id came twice")
        for span in self.spans:
            faults += [f"{span.name}: {fault}" for fault in _faults(span, by_id)]
        return faults


def _faults(span: Span, by_id: dict[tuple[bytes, bytes], Span]) -> Iterator[str]:
    if len(span.trace_id) != 16 or not any(span.trace_id):
        yield "trace id"
    if len(span.span_id) != 8 or not any(span.span_id):
        yield "span id"
    if not 0 < span.start_time_unix_nano <= span.end_time_unix_nano:
        yield "times"
    if len({each.key for each in span.attributes}) != len(span.attributes):
        yield "an attribute came twice"
    said = attributes(span)
    kinds = {each.key: each.value.WhichOneof("value") for each in span.attributes}
    operation = said.get("gen_ai.operation.name")
    if operation not in KINDS:
        yield f"operation {operation}"
        return
    if span.kind != KINDS[operation]:
        yield f"kind {span.kind}"
    if not span.name.startswith(operation + " "):
        yield "name"
    for key, kind in REQUIRED[operation].items():
        if kinds.get(key) != kind or not said[key]:
            yield f"no {key}"
    for key, kind in TYPES.items():
        if key in kinds and kinds[key] != kind:
            yield f"{key} is {kinds[key]}"
    failed = span.status.code == Status.STATUS_CODE_ERROR
    if failed != ("error.type" in said):
        yield "status and error.type differ"
    if operation == "chat" and not failed and "gen_ai.usage.input_tokens" not in said:
        yield "no usage"
    if (operation == "invoke_workflow") != (not span.parent_span_id):
        yield "parent"
    if span.parent_span_id:
        parent = by_id.get((span.trace_id, span.parent_span_id))
        if parent is None:
            yield "a parent that is not there"
        elif not (
            parent.start_time_unix_nano <= span.start_time_unix_nano
            and span.end_time_unix_nano <= parent.end_time_unix_nano
        ):
            yield "outside of its parent's time"
    last = span.start_time_unix_nano
    for event in span.events:
        if event.name != "evalkit.decision":
            yield f"event {event.name}"
        if not last <= event.time_unix_nano <= span.end_time_unix_nano:
            yield "events out of order"
        last = event.time_unix_nano
        found = {each.key: each.value.WhichOneof("value") for each in event.attributes}
        for key, kind in EVENT.items():
            if found.get(key) != kind:
                yield f"event without {key}"


def attributes(span: Span) -> dict[str, Any]:
    """A span's attributes as plain data."""
    return {each.key: _plain(each.value) for each in span.attributes}


def _plain(value: AnyValue) -> Any:
    kind = value.WhichOneof("value")
    if kind == "array_value":
        return [_plain(each) for each in value.array_value.values]
    return getattr(value, kind) if kind else None


@contextmanager
def collector() -> Iterator[Collector]:
    """A collector on a free loopback port."""
    found = Collector()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            found.answers.wait()
            if found.status == 200:
                named = {name.lower(): value for name, value in self.headers.items()}
                found.take(self.path, named, body)
            answer = ExportTraceServiceResponse().SerializeToString()
            self.send_response(found.status)
            self.send_header("content-type", "application/x-protobuf")
            self.send_header("content-length", str(len(answer)))
            with suppress(OSError):  # whoever asked may have given up
                self.end_headers()
                self.wfile.write(answer)

        def log_message(self, *arguments: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    found.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield found
    finally:
        found.answers.set()
        server.shutdown()
        server.server_close()
        thread.join()
