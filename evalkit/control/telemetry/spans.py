"""Spans while a session goes on: a few stamps and references on the hot path, nothing more.

What a span says is put together once, at the session's end (`describing.py`).
"""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from types import TracebackType
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
        self._began_ns = round(clock.now().timestamp() * 1e6) * 1000
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

    def open(
        self, operation: Operation, name: str, **about: Any
    ) -> AbstractContextManager[OpenSpan]:
        """A span around what happens inside; an exception makes it one that failed."""
        span = OpenSpan(self._mark, operation, name, self.current().place, self.now_ns())
        span.place = len(self.spans)
        span.about = about
        self.spans.append(span)
        return _Inside(self, span)

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
        with _Inside(self, span):
            yield span


class _Inside:
    """What happens meanwhile belongs to the span. A class, since every call is in one: a generator
    takes several times as long."""

    __slots__ = ("_book", "_span", "_token")

    def __init__(self, book: SpanBook, span: OpenSpan) -> None:
        self._book = book
        self._span = span

    def __enter__(self) -> OpenSpan:
        self._token = _CURRENT.set(self._span)
        return self._span

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        _CURRENT.reset(self._token)
        span = self._span
        if error is not None:
            span.error, span.message = _code_of(error), str(error)
        span.end_ns = self._book.now_ns()


def _code_of(error: BaseException) -> str:
    """What a failed span's error.type says: a failure's code, a rule, or the exception's name."""
    if isinstance(error, EvalkitError):
        for name in ("code", "rule"):
            if isinstance(code := getattr(error, name, None), str):
                return code
    return type(error).__name__
