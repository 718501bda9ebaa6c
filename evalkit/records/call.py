"""One model call: the request as it leaves, the reply as it came, and the trace of decisions."""

from typing import Annotated, Any, Literal

import msgspec

from evalkit.records.asset import PromptPart, Role, Tool

Origin = Literal["live", "cache", "recording", "scripted"]
Act = Literal[
    "route", "retrieve", "complete", "authorize", "budget", "redact", "step", "tool", "guardrail"
]
# warned: a policy in its shadow mode would have denied or changed it
DecisionOutcome = Literal["allowed", "denied", "changed", "failed", "answered", "warned"]


class ToolCall(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A call the model asks for. `arguments` is None when the model's text was no JSON object.

    `signature` is what its vendor wants back with the call in the next turn (Gemini), opaque to us.
    """

    name: str
    arguments: dict[str, Any] | None
    id: str = ""
    raw: str | None = None
    signature: str | None = None


class Message(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One message of a request; `part` is for counting and never sent.

    An assistant's turn may hold the `tool_calls` that it asked for. A message of role `tool` is the
    result of the call named by `tool_call_id`, of the tool called `name`.
    """

    role: Role
    content: str
    part: PromptPart = "input"
    tool_calls: tuple[ToolCall, ...] = ()
    tool_call_id: str = ""
    name: str = ""


# what is counted of calls together still fits into a float, and into what JSON readers hold
Tokens = Annotated[int, msgspec.Meta(ge=0, le=2**53)]
# nothing that was paid for makes room in a budget
Usd = Annotated[float, msgspec.Meta(ge=0)]


class Usage(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Tokens of one call, in OpenAI's convention, which traces and price lists share.

    `cached_tokens` (read from a provider's cache) and `cache_write_tokens` are inside
    `input_tokens`, `reasoning_tokens` inside `output_tokens`. `estimated` tells that nobody
    counted: the numbers come from the lengths of the texts.
    """

    input_tokens: Tokens = 0
    output_tokens: Tokens = 0
    cached_tokens: Tokens = 0
    cache_write_tokens: Tokens = 0
    reasoning_tokens: Tokens = 0
    estimated: bool = False

    @property
    def total(self) -> int:
        """All tokens of the call."""
        return self.input_tokens + self.output_tokens


class Attribution(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Whose call it is. Never part of a cache key, and never sent to a provider."""

    suite: str = ""
    variant: str = ""
    case: str = ""
    prompt: str = ""


class Request(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is asked of a model. `model` is the provider's id; `key` digests all that matters."""

    model: str
    messages: tuple[Message, ...]
    key: str
    params: dict[str, Any] = {}
    tools: tuple[Tool, ...] = ()
    schema: dict[str, Any] | None = None
    trial: int = 1
    attribution: Attribution = Attribution()


class Guardrail(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a vendor's own guardrail found. `name` is the vendor's word for it (a category, a
    policy), `where` the side it looked at."""

    name: str
    action: Literal["blocked", "changed", "flagged"]
    where: Literal["request", "reply"] = "reply"
    message: str = ""


class Reply(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a provider answered. `measured_at` is ISO 8601 in UTC, of the original measurement.

    `request_id` is the provider's own, for its support.
    """

    content: str
    model: str
    usage: Usage
    origin: Origin
    measurement_id: str
    measured_at: str
    latency_s: float
    tool_calls: tuple[ToolCall, ...] = ()
    finish_reason: str = "stop"
    refusal: str | None = None
    guardrails: tuple[Guardrail, ...] = ()
    request_id: str = ""


class CallPiece(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A piece of a tool call. `arguments` is more of its JSON's text; id and name come once.

    `index` tells the calls of a reply apart, counted from 0.
    """

    index: int
    id: str = ""
    name: str = ""
    arguments: str = ""


class Piece(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A piece of a reply that is streamed: more of its text, of a refusal, or of a tool call.

    The last piece holds nothing but the whole reply.
    """

    text: str = ""
    refusal: str = ""
    call: CallPiece | None = None
    reply: Reply | None = None


class Fallback(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A hop to the next model and why."""

    model: str
    code: str
    message: str


class Completion(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A reply that passed the session. `model` is the configured name that answered.

    `cost_usd` is the list price of the usage (None without a price), `billed_usd` what this run
    spent on it, which is 0 for a replay.
    """

    reply: Reply
    model: str
    planned_model: str
    key: str
    cost_usd: Usd | None
    billed_usd: Usd
    fallbacks: tuple[Fallback, ...] = ()

    @property
    def content(self) -> str:
        """The reply's text."""
        return self.reply.content

    @property
    def tool_calls(self) -> tuple[ToolCall, ...]:
        """The calls the model asks for; each has to be authorized before it is made."""
        return self.reply.tool_calls


class Decision(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One entry of a trace: what was decided, by which rule, about what, and why."""

    act: Act
    outcome: DecisionOutcome
    rule: str
    message: str
    at: str
    data: dict[str, Any] = {}


class PreparedCall(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A call before it is made: its request, its bounds, and where its reply would come from.

    `input_tokens` is an upper bound by part, `output_tokens` the cap. `max_cost_usd` is the list
    price of both bounds, None where the model has no price; `max_output_cost_usd` is the part of it
    that the output cap stands for. `missing` names what a replaying provider lacks. Of a loop,
    `request` is its first call, and bounds and costs are of `max_calls` calls together.
    """

    request: Request
    model: str
    provider: str
    origin: Origin
    input_tokens: dict[str, int]
    output_tokens: int
    max_cost_usd: float | None
    max_output_cost_usd: float | None = None
    missing: str | None = None
    max_calls: int = 1
