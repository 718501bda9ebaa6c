"""`suites`: what is tested, on which cases, scored by what, held against what."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from evalkit.config.base import Name, Part, Reference
from evalkit.config.scorers import ScorerEntry

Invariant = Literal["forbidden_tools", "policy"]


class Target(Part):
    """What is tested. Other kinds of target come with later versions."""

    prompt: Annotated[Reference, Field(description="The prompt: `name@vN`, or `name@latest`.")]


class SetBaseline(Part):
    """A baseline made of the working tree with some keys changed; needs no git history."""

    set: Annotated[
        dict[str, str | int | float | bool],
        Field(min_length=1, description="Dotted keys of evalkit.yaml and their values."),
    ]


Baseline = Annotated[str, Field(min_length=1)] | SetBaseline


class SliceGate(Part):
    """What the cases with one tag require."""

    min_pass_rate: Annotated[
        float | None, Field(gt=0, le=1, description="The floor, as a share: .95 is 95 %.")
    ] = None
    max_drop_pp: Annotated[
        float | None,
        Field(
            gt=0,
            lt=100,
            description="The margin, in percentage points. Default: the suite's, where the slice "
            "has no floor.",
        ),
    ] = None
    required: Annotated[bool, Field(description="false: reported, and never gates.")] = True


class MetricGate(Part):
    """How much a metric may rise."""

    max_increase_pct: Annotated[
        float | None, Field(gt=0, description="In percent of the baseline.")
    ] = None
    max_increase_pp: Annotated[
        float | None, Field(gt=0, lt=100, description="In percentage points, for a rate.")
    ] = None
    required: Annotated[bool, Field(description="false: reported, and never gates.")] = True

    @model_validator(mode="after")
    def _one_limit(self) -> "MetricGate":
        if (self.max_increase_pct is None) == (self.max_increase_pp is None):
            raise ValueError("give max_increase_pct, or max_increase_pp for a rate, and only one")
        return self


class Gate(Part):
    """What a suite requires to pass."""

    max_drop_pp: Annotated[
        float | None,
        Field(
            gt=0,
            lt=100,
            description="The margin: how many percentage points the pass rate may drop. null: no "
            "drop is looked at, and something else is required.",
        ),
    ] = 3.0
    rule: Annotated[
        Literal["statistical", "strict", "simple"],
        Field(
            description="When a drop fails. statistical: it is real and at least the margin. "
            "strict: it is real. simple: it is at least the margin, real or not. A pass means the "
            "same under each: a drop past the margin is ruled out."
        ),
    ] = "statistical"
    alpha: Annotated[
        float, Field(gt=0, lt=0.5, description="The chance of error at each end of the interval.")
    ] = 0.05
    on_inconclusive: Annotated[
        Literal["escalate", "warn", "fail"],
        Field(description="escalate: exit 3. warn: exit 0 with a warning. fail: exit 1."),
    ] = "escalate"
    min_pass_rate: Annotated[
        float | None,
        Field(gt=0, le=1, description="A floor for the candidate, as a share; needs no baseline."),
    ] = None
    invariants: Annotated[
        list[Invariant],
        Field(
            description="Fails the suite on one attempt. forbidden_tools: a tool of "
            "`expected.forbidden_tools` was allowed. policy: what a policy had to block was not."
        ),
    ] = []
    slices: Annotated[
        dict[str, SliceGate], Field(description="What the cases with a tag require, by tag.")
    ] = {}
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
        Field(
            description="How much each may rise. guardrail_rate takes max_increase_pp, the others "
            "max_increase_pct."
        ),
    ] = {}
    max_error_share: Annotated[
        float,
        Field(
            ge=0,
            le=1,
            description="With a larger share of attempts without a result the run is incomplete.",
        ),
    ] = 0.02


class Suite(Part):
    """A golden set, a target, scorers and a gate."""

    golden: Annotated[Reference, Field(description="The golden set: `name@vN`, or `name@latest`.")]
    route: Annotated[Name, Field(description="The route that every call takes.")]
    target: Annotated[Target, Field(description="What is tested.")]
    trials: Annotated[
        int, Field(ge=1, le=100, description="Repeats of each case; its result is their mean.")
    ] = 1
    scorers: Annotated[
        list[ScorerEntry],
        Field(min_length=1, description="A case passes when every one that gates passes it."),
    ]
    baseline: Annotated[
        Baseline | None,
        Field(
            description="What it is compared with: a git ref, a run bundle, or {set: …}. Default: "
            "the `baseline` of the file."
        ),
    ] = None
    gate: Annotated[Gate, Field(description="What it takes to pass.")] = Gate()
    owner: Annotated[str | None, Field(description="Shown wherever the suite fails.")] = None
    fallback: Annotated[
        Literal["error", "accept"],
        Field(description="What an answer of a fallback model counts as: no result, or a result."),
    ] = "error"
    evidence: Annotated[
        Literal["any", "live"],
        Field(description="live: a verdict never rests on recordings or scripts."),
    ] = "any"
