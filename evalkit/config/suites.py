"""`suites`: what is tested, on which cases, scored by what, held against what."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from evalkit.config.base import Name, Part, Reference
from evalkit.config.scorers import ScorerEntry

Invariant = Literal["forbidden_tools", "policy"]


class Target(Part):
    """What is tested. Other kinds of target come with later versions."""

    prompt: Annotated[Reference, Field(description="`name@vN` or `name@latest`.")]


class SetBaseline(Part):
    """A baseline made of the working tree with some keys changed; needs no git history."""

    set: Annotated[
        dict[str, str | int | float | bool],
        Field(min_length=1, description="Dotted keys of evalkit.yaml and their values."),
    ]


Baseline = str | SetBaseline


class SliceGate(Part):
    """What the cases with one tag require."""

    min_pass_rate: Annotated[float | None, Field(gt=0, le=1)] = None
    max_drop_pp: Annotated[float | None, Field(gt=0, lt=100)] = None
    required: bool = True


class MetricGate(Part):
    """How much a metric may rise."""

    max_increase_pct: Annotated[float | None, Field(gt=0)] = None
    max_increase_pp: Annotated[float | None, Field(gt=0)] = None
    required: bool = True

    @model_validator(mode="after")
    def _one_limit(self) -> "MetricGate":
        if (self.max_increase_pct is None) == (self.max_increase_pp is None):
            raise ValueError("give max_increase_pct, or max_increase_pp for a rate, and only one")
        return self


class Gate(Part):
    """What a suite requires to pass."""

    max_drop_pp: Annotated[
        float | None,
        Field(gt=0, lt=100, description="The margin: how many percentage points it may drop."),
    ] = 3.0
    rule: Annotated[
        Literal["statistical", "strict", "simple"],
        Field(description="When a drop fails; a pass means the same under each."),
    ] = "statistical"
    alpha: Annotated[float, Field(gt=0, lt=0.5, description="The error at each end.")] = 0.05
    on_inconclusive: Annotated[
        Literal["escalate", "warn", "fail"],
        Field(description="escalate: exit 3. warn: exit 0 with a warning. fail: exit 1."),
    ] = "escalate"
    min_pass_rate: Annotated[float | None, Field(gt=0, le=1)] = None
    invariants: Annotated[
        list[Invariant],
        Field(description="Broken by one attempt: a forbidden tool, or what policy must stop."),
    ] = []
    slices: dict[str, SliceGate] = {}
    metrics: Annotated[
        dict[
            Literal[
                "cost_usd_per_resolved",
                "tokens_per_success",
                "cost_usd",
                "tokens",
                "latency_s",
                "guardrail_rate",
            ],
            MetricGate,
        ],
        Field(description="Ratios take max_increase_pct, guardrail_rate takes max_increase_pp."),
    ] = {}
    max_error_share: Annotated[
        float,
        Field(ge=0, le=1, description="More attempts than this without a result: incomplete."),
    ] = 0.02


class Suite(Part):
    """A golden set, a target, scorers and a gate."""

    golden: Annotated[Reference, Field(description="`name@vN` or `name@latest`.")]
    route: Name
    target: Target
    trials: Annotated[int, Field(ge=1, le=100)] = 1
    scorers: Annotated[list[ScorerEntry], Field(min_length=1)]
    baseline: Annotated[
        Baseline | None, Field(description="A git ref, a run bundle, or {set: …}.")
    ] = None
    gate: Gate = Gate()
    owner: Annotated[str | None, Field(description="Shown wherever the suite fails.")] = None
    fallback: Annotated[
        Literal["error", "accept"],
        Field(description="Whether an answer of a fallback model counts."),
    ] = "error"
    evidence: Annotated[
        Literal["any", "live"], Field(description="live refuses recordings and scripts.")
    ] = "any"
