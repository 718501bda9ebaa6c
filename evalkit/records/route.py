"""A route explained without a call: who would be asked, and within which limits.

Schema history: `evalkit.route/1` is the first.
"""

from typing import Literal

import msgspec

from evalkit.records.call import Origin


class LimitsExplained(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How fast a provider is asked by one process; None is no limit."""

    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None
    max_concurrency: int | None = None


class DegradeExplained(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who is asked under which pressure; a call may wait `after_s` before that is load."""

    to: tuple[str, ...]
    on: tuple[str, ...]
    after_s: float


class BreakerExplained(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """When a model's circuit opens, and for how long."""

    failure_rate: float
    min_calls: int
    window_s: float
    cool_down_s: float


class ModelExplained(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One model of a route, in the order in which it would be asked.

    `provider` is the one that would answer, `configured` the model's own; they differ where one
    stands in for another. `replies` is where the reply would come from, `source` the folder, file
    or address. `missing` keeps it from answering. Bounds are None while no prompt is known:
    `input_tokens` by part and `output_tokens` are upper bounds, `max_cost_usd` their list price
    (None without one). `over_budget` says why the budgets would not hold the call now,
    `degrades_to` which cheaper model is asked then. `asked` is the part of the route that names it,
    `region` where it answers (None where nobody says, or nothing leaves the process), `limits` are
    its provider's.
    """

    name: str
    id: str
    provider: str
    configured: str
    kind: str
    replies: Origin
    why: str
    source: str = ""
    missing: tuple[str, ...] = ()
    priced: bool = False
    input_tokens: dict[str, int] | None = None
    output_tokens: int | None = None
    max_cost_usd: float | None = None
    over_budget: str | None = None
    degrades_to: str | None = None
    asked: Literal["primary", "fallback", "degrade"] = "primary"
    tier: str | None = None
    region: str | None = None
    limits: LimitsExplained | None = None

    @property
    def bounded(self) -> bool:
        """Whether the prompt is known, and with it the bounds."""
        return self.input_tokens is not None


class BudgetExplained(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A cap that a call of the route is under; of one user or the like where `only` names it.

    `taken_usd` and `taken_tokens` are spent or held in its window now, None where that is not
    known before the call.
    """

    scope: str
    max_usd: float | None = None
    max_tokens: int | None = None
    only: str | None = None
    window: str = "run"
    on_exceed: str = "stop"
    taken_usd: float | None = None
    taken_tokens: int | None = None


class StepExplained(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A step of the route's workflow: what it may use, and how long its token holds."""

    tools: tuple[str, ...] = ()
    data: tuple[str, ...] = ()
    ttl_s: float = 0.0


class PermissionsExplained(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a session of the route may do. `caps` are those of a session, by their key.

    `allow_actions` None is every tool that was offered. `blocked_phrases` counts phrases by mode;
    what they say is not told. `modes` are of the policies that have one, by their key.
    """

    caps: dict[str, int] = {}
    allow_actions: tuple[str, ...] | None = None
    steps: dict[str, StepExplained] = {}
    approval_expires_s: float | None = None
    blocked_phrases: dict[str, int] = {}
    rego: tuple[str, ...] = ()
    output_schema: str | None = None
    modes: dict[str, str] = {}


class RouteExplained(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A route as a call would meet it (`evalkit.route/1`).

    `models` are the primary and its fallbacks in order; the next is asked after one of `falls_on`,
    and after none of `never`. `max_tokens` caps the output of one call. `bounds_note` says why
    nothing is known of the prompt, `blocked` which policy stops the case before any call. `screens`
    is what happens to personal data and secrets by kind, such as EMAIL: redact; a kind without an
    entry passes. `found_by` is the task and risk class that the route was found by, `left_out` are
    models of its tiers that it may not ask, with the reason. Without a `breaker` no model is ever
    left alone.
    """

    schema: Literal["evalkit.route/1"] = "evalkit.route/1"
    route: str
    models: tuple[ModelExplained, ...]
    falls_on: tuple[str, ...]
    never: tuple[str, ...]
    timeout_s: float
    retries: int
    max_tokens: int
    max_tokens_by: Literal["route", "default"]
    max_tool_calls: int | None = None
    max_chunks: int | None = None
    max_retrieved_tokens: int | None = None
    allow_indexes: tuple[str, ...] | None = None
    pii_redaction: bool = False
    screens: dict[str, str] = {}
    disallow_actions: tuple[str, ...] = ()
    require_citations: bool = False
    approval_by: str | None = None
    owner: str | None = None
    budgets: tuple[BudgetExplained, ...] = ()
    suite: str | None = None
    case: str | None = None
    prompt: str | None = None
    bounds_note: str | None = None
    blocked: str | None = None
    tasks: tuple[str, ...] = ()
    risks: tuple[str, ...] = ()
    found_by: str | None = None
    regions: tuple[str, ...] | None = None
    local_only: bool = False
    left_out: dict[str, str] = {}
    degrade: DegradeExplained | None = None
    breaker: BreakerExplained | None = None
    permissions: PermissionsExplained = PermissionsExplained()
