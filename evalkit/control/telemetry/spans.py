"""Spans while a session goes on: a few stamps and references on the hot path, nothing more.

What a span says is put together once, at the session's end (`describing.py`).
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC
from typing import Any

from evalkit.errors import EvalkitError
from evalkit.ports import Clock
from evalkit.records.call import ToolCall
from evalkit.records.span import Operation

_EPOCH_NS = 1_000_000_000


class OpenSpan:
    """An operation that goes on. `about` are the objects that its attributes are read from."""

    __slots__ = (
        "about",
        "decisions",
        "end_ns",
        "error",
        "mark",
        "message",
        "name",
        "operation",
        "parent",
        "place",
        "start_ns",
    )

    def __init__(
        self, mark: object, operation: Operation, name: str, parent: int | None, start_ns: int
    ) -> None:
        """Made by `SpanBook`; `mark` is the book's, since to hold the book would be a cycle."""
        self.mark = mark
        self.operation = operation
        self.name = name
        self.parent = parent
        self.place = 0
        self.start_ns = start_ns
        self.end_ns = start_ns
        self.decisions: list[int] = []
        self.error: str | None = None
        self.message: str | None = None
        self.about: dict[str, Any] = {}


# A session's acts may be gathered, so what is open belongs to a task and not to the session.
_CURRENT: ContextVar[OpenSpan | None] = ContextVar("evalkit_span", default=None)


class SpanBook:
    """The spans of one session, the whole session first."""

    def __init__(self, clock: Clock, name: str = "") -> None:
        """The session begins now; `name` is its route."""
        self._clock = clock
        self._began_s = clock.monotonic()
        # the time of day is read once: a clock that is set back would turn spans around
        self._began_ns = round(clock.now().astimezone(UTC).timestamp() * 1e6) * 1000
        self._mark = object()
        self.root = OpenSpan(self._mark, "invoke_workflow", name, None, self._began_ns)
        self.spans: list[OpenSpan] = [self.root]

    def now_ns(self) -> int:
        """Nanoseconds since 1970, never backwards."""
        return self._began_ns + round((self._clock.monotonic() - self._began_s) * _EPOCH_NS)

    def current(self) -> OpenSpan:
        """The innermost span that this task has open, else the session's own."""
        span = _CURRENT.get()
        return span if span is not None and span.mark is self._mark else self.root

    @contextmanager
    def open(self, operation: Operation, name: str, **about: Any) -> Iterator[OpenSpan]:
        """A span around what happens inside; an exception makes it one that failed."""
        span = OpenSpan(self._mark, operation, name, self.current().place, self.now_ns())
        span.place = len(self.spans)
        span.about = about
        self.spans.append(span)
        token = _CURRENT.set(span)
        try:
            yield span
        except BaseException as error:
            span.error, span.message = _code_of(error), str(error)
            raise
        finally:
            _CURRENT.reset(token)
            span.end_ns = self.now_ns()

    @contextmanager
    def resume(
        self, call: ToolCall, *, result: Any = None, error: str | None = None
    ) -> Iterator[OpenSpan]:
        """The span in which that call was authorized goes on, up to its result or its `error`.

        A call that nobody authorized has a span of its own.
        """
        for span in reversed(self.spans):
            if span.about.get("call") == call and "result" not in span.about:
                break
        else:
            with self.open("execute_tool", call.name, call=call) as span:
                pass
        span.about["result"] = result if error is None else error
        if error is not None and span.error is None:
            span.error, span.message = "tool_error", error
        token = _CURRENT.set(span)
        try:
            yield span
        except BaseException as raised:
            span.error, span.message = _code_of(raised), str(raised)
            raise
        finally:
            _CURRENT.reset(token)
            span.end_ns = self.now_ns()


def _code_of(error: BaseException) -> str:
    """What a failed span's error.type says: a failure's code, a rule, or the exception's name."""
    if isinstance(error, EvalkitError):
        for name in ("code", "rule"):
            if isinstance(code := getattr(error, name, None), str):
                return code
    return type(error).__name__
