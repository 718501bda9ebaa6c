"""What one variant did on one case in one trial: a line of the run's journal."""

from enum import StrEnum
from typing import Any, Literal

import msgspec

from evalkit.records.call import Decision, Fallback, Origin, ToolCall, Usage

AttemptState = Literal["answered", "blocked", "refused", "error", "invalid"]
# the anchor is the fixed point that `gate.anchor` holds every candidate against
VariantName = Literal["baseline", "candidate", "anchor"]
# Suite, variant, case, trial: what identifies an attempt within a run.
Place = tuple[str, str, str, int]


class FailureMode(StrEnum):
    """Why an attempt failed: the one published list (docs/failure-modes.md).

    The first group is known when the attempt ends: infrastructure, policy, or no usable answer. The
    second is what the scorers found in an answer.
    """

    POLICY = "policy"
    REFUSAL = "refusal"
    INVALID_OUTPUT = "invalid_output"
    TRUNCATED = "truncated"
    TIMEOUT = "timeout"
    CONNECTION = "connection"
    RATE_LIMITED = "rate_limited"
    SERVER_ERROR = "server_error"
    AUTHENTICATION = "authentication"
    BAD_REQUEST = "bad_request"
    CONTEXT_LENGTH = "context_length"
    CONTENT_FILTER = "content_filter"
    MALFORMED_REPLY = "malformed_reply"
    EMPTY_REPLY = "empty_reply"
    NOT_RECORDED = "not_recorded"
    BUDGET = "budget"
    QUOTA = "quota"

    WRONG_OUTPUT = "wrong_output"
    SCHEMA_VIOLATION = "schema_violation"
    WRONG_TOOL_CALLS = "wrong_tool_calls"
    WRONG_CITATIONS = "wrong_citations"
    FORBIDDEN_TOOL = "forbidden_tool"
    NOT_BLOCKED = "not_blocked"
    JUDGED_BAD = "judged_bad"
    OTHER_MODEL = "other_model"
    SCORER_ERROR = "scorer_error"


class Attempt(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One attempt. All texts are redacted.

    `at` is ISO 8601 in UTC; `identity` a pseudonym. `output` is the reply's text and `parsed` its
    JSON when the prompt asks for JSON. `latency_s` is the provider's, None for what was not called.
    `documents` are the ids retrieved. `pooled_from` is the run that measured it, where an earlier run
    of the same content lends it to this one as a further trial.
    """

    at: str
    variant: VariantName
    suite: str
    case: str
    trial: int
    key: str
    state: AttemptState
    origin: Origin | None = None
    identity: str = ""
    failure_mode: FailureMode | None = None
    error: str | None = None
    rule: str | None = None
    output: str | None = None
    parsed: Any = None
    tool_calls: tuple[ToolCall, ...] = ()
    allowed_tools: tuple[str, ...] = ()
    documents: tuple[str, ...] = ()
    citations: tuple[str, ...] = ()
    prompt: str = ""
    route: str = ""
    model: str = ""
    planned_model: str = ""
    model_id: str = ""
    fallbacks: tuple[Fallback, ...] = ()
    decisions: tuple[Decision, ...] = ()
    usage: Usage = Usage()
    cost_usd: float | None = None
    billed_usd: float = 0.0
    latency_s: float | None = None
    tries: int = 0
    finish_reason: str | None = None
    measurement_id: str | None = None
    measured_at: str | None = None
    pooled_from: str | None = None

    @property
    def has_result(self) -> bool:
        """Whether it says anything about the target: all but an infrastructure error do."""
        return self.state != "error"

    @property
    def place(self) -> Place:
        """What identifies an attempt within a run."""
        return self.suite, self.variant, self.case, self.trial
