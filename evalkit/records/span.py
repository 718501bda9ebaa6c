"""A session as a trace: what it did, act by act, and which decisions were made meanwhile.

Schema history of a stored session: `evalkit.session_trace/1` is the first. Ids are not stored with
spans: they follow from the trace's id and the span's place, so that a run's trace has the same ids
however often it is read or sent.
"""

import hashlib
from collections.abc import Sequence
from typing import Any, Literal

import msgspec

from evalkit.records.call import Decision

Operation = Literal["invoke_workflow", "chat", "execute_tool", "retrieval"]
Use = Literal["evaluation", "training", "none"]

TRACE_ID_DIGITS = 32
SPAN_ID_DIGITS = 16


class Span(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True
):
    """One operation. `start_ns` and `end_ns` are nanoseconds since 1970 in UTC.

    `name` is what it is about: the route, the model, the tool, the index. `parent` is the place of
    the span above it in its list; the first span is the whole session and has none. `decisions` are
    the places of the decisions that were made in it. `error` is a code of `FailureMode`, a rule, or
    the name of an exception; None for what went well. Attributes have the names of
    `control/telemetry/attributes.py`; all texts are redacted.
    """

    operation: Operation
    name: str
    start_ns: int
    end_ns: int
    parent: int | None = None
    attributes: dict[str, Any] = {}
    decisions: tuple[int, ...] = ()
    error: str | None = None
    message: str | None = None

    @property
    def duration_s(self) -> float:
        """How long it took."""
        return (self.end_ns - self.start_ns) / 1e9


class SessionTrace(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A session outside of runs, as it is stored: a line of `.evalkit/traces/<day>.jsonl`.

    `at` is when it began, ISO 8601 in UTC. `identity` is the pseudonym of user, org and team
    together, `user`, `org` and `team` those of each alone. `use` says whether it may become a case
    or train anything. `calls` counts the tries, `denied` the acts that a policy denied. `cost_usd`
    is the list price of what was answered, `billed_usd` what was charged. `error` is the exception
    that the session ended with. `content` tells that the spans hold the redacted texts.
    """

    trace_id: str
    at: str
    route: str
    identity: str = ""
    user: str = ""
    org: str = ""
    team: str = ""
    use: Use = "none"
    conversation: str = ""
    duration_s: float = 0.0
    calls: int = 0
    denied: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cost_usd: float | None = None
    billed_usd: float = 0.0
    error: str | None = None
    content: bool = False
    spans: tuple[Span, ...] = ()
    decisions: tuple[Decision, ...] = ()
    schema: Literal["evalkit.session_trace/1"] = "evalkit.session_trace/1"


def trace_id_of(*parts: object) -> str:
    """The trace id of an attempt: of its run, suite, variant, case and trial, in this order."""
    text = "\0".join(str(part) for part in parts)
    return _nonzero(hashlib.sha256(text.encode("utf-8", "replace")).hexdigest(), TRACE_ID_DIGITS)


def span_id_of(trace_id: str, place: int) -> str:
    """The id of the span at that place of its trace."""
    text = f"{trace_id} {place}"
    return _nonzero(hashlib.sha256(text.encode()).hexdigest(), SPAN_ID_DIGITS)


def span_decisions(span: Span, decisions: Sequence[Decision]) -> tuple[Decision, ...]:
    """The decisions of a span; a place that is not there is left out."""
    return tuple(decisions[place] for place in span.decisions if 0 <= place < len(decisions))


def _nonzero(digits: str, length: int) -> str:
    """The first digits; an id of zeros alone is none to OpenTelemetry."""
    return digits[:length] if digits[:length].strip("0") else "1".zfill(length)
