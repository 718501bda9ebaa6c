"""What one variant did on one case in one trial: a line of the run's journal."""

from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Any, Literal

import msgspec

from evalkit.records.call import Decision, Fallback, Origin, ToolCall, Usage, Usd
from evalkit.records.span import Span

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
    CIRCUIT_OPEN = "circuit_open"
    TARGET_ERROR = "target_error"

    WRONG_OUTPUT = "wrong_output"
    SCHEMA_VIOLATION = "schema_violation"
    WRONG_TOOL_CALLS = "wrong_tool_calls"
    WRONG_TRAJECTORY = "wrong_trajectory"
    WRONG_RETRIEVAL = "wrong_retrieval"
    WRONG_CITATIONS = "wrong_citations"
    WRONG_APPROVALS = "wrong_approvals"
    OVER_CAPS = "over_caps"
    FORBIDDEN_TOOL = "forbidden_tool"
    NOT_BLOCKED = "not_blocked"
    JUDGED_BAD = "judged_bad"
    OTHER_MODEL = "other_model"
    SCORER_ERROR = "scorer_error"


FAILURE_MODES: Mapping[FailureMode, str] = {
    FailureMode.POLICY: "A policy blocked the attempt, and the case does not expect that.",
    FailureMode.REFUSAL: "The model refused to answer.",
    FailureMode.INVALID_OUTPUT: "The reply is not of the form that the prompt asks for.",
    FailureMode.TRUNCATED: "The reply was cut off by `max_tokens`, so it is no whole answer.",
    FailureMode.TIMEOUT: "No reply came within the time allowed.",
    FailureMode.CONNECTION: "The provider could not be reached, or the connection broke.",
    FailureMode.RATE_LIMITED: "The provider asked for fewer calls (429) until no try was left.",
    FailureMode.SERVER_ERROR: "The provider failed (5xx).",
    FailureMode.AUTHENTICATION: "The provider did not accept the key.",
    FailureMode.BAD_REQUEST: "The provider did not accept the request.",
    FailureMode.CONTEXT_LENGTH: "The request is longer than the model takes.",
    FailureMode.CONTENT_FILTER: "The provider's content filter held the request or the reply back.",
    FailureMode.MALFORMED_REPLY: "What came back is not a reply that can be read.",
    FailureMode.EMPTY_REPLY: "The reply holds neither text nor a tool call.",
    FailureMode.NOT_RECORDED: "There is no recording or script of this call.",
    FailureMode.BUDGET: "A budget of the project had too little left for the call.",
    FailureMode.QUOTA: "The account's quota at the provider is used up.",
    FailureMode.CIRCUIT_OPEN: "The provider failed so often of late that it was not asked again.",
    FailureMode.TARGET_ERROR: "The program that is tested raised, crashed, hung or said nothing.",
    FailureMode.WRONG_OUTPUT: "The answer is not what was expected, whole or in part.",
    FailureMode.SCHEMA_VIOLATION: "The answer does not meet its JSON Schema.",
    FailureMode.WRONG_TOOL_CALLS: "The tool calls are not those that were expected.",
    FailureMode.WRONG_TRAJECTORY: "The workflow did not take the expected way.",
    FailureMode.WRONG_RETRIEVAL: "It found too few of the expected documents, or forbidden ones.",
    FailureMode.WRONG_CITATIONS: "It cites what was not retrieved, or not what was expected.",
    FailureMode.WRONG_APPROVALS: "Approvals were not asked for where they had to be.",
    FailureMode.OVER_CAPS: "It took more steps, calls, tokens, money or time than allowed.",
    FailureMode.FORBIDDEN_TOOL: "A tool that the case forbids was allowed to run.",
    FailureMode.NOT_BLOCKED: "A policy had to block the attempt, and none did.",
    FailureMode.JUDGED_BAD: "A judge failed the answer.",
    FailureMode.OTHER_MODEL: "Another model answered than was planned (`fallback: error`).",
    FailureMode.SCORER_ERROR: "A scorer could not judge the answer, so there is no result.",
}
"""Every code in one line. The order is that of the published list."""

WITHOUT_RESULT = frozenset(
    (
        FailureMode.TIMEOUT,
        FailureMode.CONNECTION,
        FailureMode.RATE_LIMITED,
        FailureMode.SERVER_ERROR,
        FailureMode.AUTHENTICATION,
        FailureMode.BAD_REQUEST,
        FailureMode.CONTEXT_LENGTH,
        FailureMode.MALFORMED_REPLY,
        FailureMode.EMPTY_REPLY,
        FailureMode.NOT_RECORDED,
        FailureMode.BUDGET,
        FailureMode.QUOTA,
        FailureMode.CIRCUIT_OPEN,
        FailureMode.OTHER_MODEL,
        FailureMode.SCORER_ERROR,
    )
)
"""Those of attempts that say nothing about the target: unknown, not failed."""


StepKind = Literal["model", "tool", "retrieval", "user"]


class Step(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One act of a workflow, as it is stored: redacted, in the order in which they happened.

    `name` is the model that answered, the tool, or the index. `arguments` are a tool's, or
    `{"query"}` of a retrieval; None where a model wrote no JSON object. `output` is the reply's
    text, the tool's result (JSON as text unless it is a text), or what the user says next.
    `outcome`: done; denied by `rule`; failed (the tool raised, the provider was down). `call` ties
    a tool's step to the model's call. `documents` are the ids that a retrieval gave back, `refused`
    those it left out. `step` is the workflow step that it belongs to, empty where a route has none.
    """

    kind: StepKind
    name: str
    outcome: Literal["done", "denied", "failed"] = "done"
    rule: str | None = None
    message: str | None = None
    arguments: dict[str, Any] | None = None
    output: str | None = None
    call: str = ""
    documents: tuple[str, ...] = ()
    refused: tuple[str, ...] = ()
    step: str = ""
    usage: Usage = Usage()
    cost_usd: Usd | None = None
    latency_s: float | None = None
    approved_by: str | None = None


class Attempt(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One attempt. All texts are redacted.

    `at` is ISO 8601 in UTC; `identity` a pseudonym. `output` is the reply's text and `parsed` its
    JSON when the prompt asks for JSON. `latency_s` is the provider's, None for what was not called.
    `documents` are the ids retrieved. `steps` are all acts of a workflow of several, in order;
    `tool_calls`, `allowed_tools`, `documents`, `usage` and costs are then over all of them, and
    `output` is its last answer. `spans` are on their way to `traces.jsonl` and not kept in the
    journal's own line. `pooled_from` is the run that measured it, where an earlier
    run of the same content lends it to this one as a further trial.
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
    cost_usd: Usd | None = None
    billed_usd: Usd = 0.0
    latency_s: float | None = None
    tries: int = 0
    finish_reason: str | None = None
    measurement_id: str | None = None
    measured_at: str | None = None
    pooled_from: str | None = None
    steps: tuple[Step, ...] = ()
    spans: tuple[Span, ...] = ()

    @property
    def stopped(self) -> bool:
        """Whether a policy stopped it, or an act of a workflow that could go on without it."""
        return self.state == "blocked" or any(step.outcome == "denied" for step in self.steps)

    @property
    def is_unpriced(self) -> bool:
        """Whether it cost what nobody knows: its model has no price, or a program asked by itself
        and told no cost."""
        asked = self.usage.total > 0 or (self.origin is not None and not self.model)
        return self.cost_usd is None and asked

    @property
    def has_result(self) -> bool:
        """Whether it says anything about the target: all but an infrastructure error do."""
        return self.state != "error"

    @property
    def place(self) -> Place:
        """What identifies an attempt within a run."""
        return self.suite, self.variant, self.case, self.trial


def lent_to(made: Iterable[Attempt], trials: int) -> list[Attempt]:
    """Of one case's attempts in one arm, those that other runs lent: its trials beyond `trials`.

    A measurement that is among the first `trials` own ones is a replay of it and counts once.
    """
    attempts = list(made)
    own = {
        attempt.measurement_id
        for attempt in attempts
        if attempt.pooled_from is None and attempt.trial <= trials
    }
    return [
        attempt
        for attempt in attempts
        if attempt.pooled_from is not None and attempt.measurement_id not in own
    ]
