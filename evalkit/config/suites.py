"""`suites`: what is tested, on which cases, scored by what, held against what."""

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, model_validator

from evalkit.config.base import DATE, Name, Part, Reference
from evalkit.config.scorers import ScorerEntry
from evalkit.config.targets import Target

Invariant = Literal["forbidden_tools", "policy"]


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
    """How far a metric may get worse. Each metric takes one of the limits, by what it is."""

    max_increase_pct: Annotated[
        float | None, Field(gt=0, description="In percent of the baseline.")
    ] = None
    max_increase_pp: Annotated[
        float | None,
        Field(gt=0, lt=100, description="In percentage points, for a rate that should not rise."),
    ] = None
    max_drop_pp: Annotated[
        float | None,
        Field(gt=0, lt=100, description="In percentage points, for a rate that should not fall."),
    ] = None
    required: Annotated[bool, Field(description="false: reported, and never gates.")] = True

    @model_validator(mode="after")
    def _one_limit(self) -> "MetricGate":
        given = [self.max_increase_pct, self.max_increase_pp, self.max_drop_pp]
        if sum(limit is not None for limit in given) != 1:
            raise ValueError(
                "give one limit: max_increase_pct, or for a rate max_increase_pp or max_drop_pp"
            )
        return self


class AnchorGate(Part):
    """A fixed point that every candidate is held against as well, so that small drops add up."""

    to: Annotated[
        Baseline,
        Field(description="What stands still: a tag or other git ref, a run bundle, or {set: …}."),
    ]
    max_drop_pp: Annotated[
        float | None,
        Field(
            gt=0,
            lt=100,
            description="The margin against it, in percentage points. Default: the suite's.",
        ),
    ] = None


def _spelled_out(anchor: object) -> object:
    """`anchor: v1.0` is short for `anchor: {to: v1.0}`."""
    return {"to": anchor} if isinstance(anchor, str) else anchor


class QuarantinedCase(Part):
    """A flaky case whose pass or failure does not count for a while."""

    until: Annotated[str, Field(pattern=DATE, description="The last day it is left out.")]
    reason: Annotated[str, Field(min_length=3, description="Why, for the reader of a report.")]


class Quarantine(Part):
    """Flaky cases that are left out of everything but invariants, shown in every report."""

    max_share: Annotated[
        float,
        Field(gt=0, le=0.2, description="The largest share of the golden set that may be in it."),
    ] = 0.02
    cases: Annotated[
        dict[str, QuarantinedCase], Field(description="Each case with its end and its reason.")
    ] = {}


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
        Field(
            description="What an open verdict does. escalate: more trials are made while the "
            "budget and `max_trials` allow, and what stays open is exit 3. warn: exit 0 with a "
            "warning. fail: exit 1."
        ),
    ] = "escalate"
    max_trials: Annotated[
        int,
        Field(
            ge=1,
            le=100,
            description="How many times `trials` escalation may reach: it looks after 1, 2 and 4 "
            "times. 1: one look, which then has the whole of alpha. Replays cannot be tried again, "
            "so a suite on recordings or scripts looks once.",
        ),
    ] = 4
    anchor: Annotated[
        AnchorGate | None,
        BeforeValidator(_spelled_out),
        Field(
            description="A fixed point to hold every candidate against as well, so that small "
            "drops cannot add up unseen."
        ),
    ] = None
    baseline_max_age_days: Annotated[
        float | None,
        Field(
            gt=0,
            description="Replies of a live model that are older are measured again. Default: 7 "
            "for a model id that names no date and no version, none for a pinned one.",
        ),
    ] = None
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
                "time_to_resolution_s",
                "guardrail_rate",
                "judge_disagreement",
                "success_rate",
                "tool_call_accuracy",
                "policy_compliance",
            ],
            MetricGate,
        ],
        Field(
            description="How much worse each may get. Amounts (USD, tokens, seconds) take "
            "max_increase_pct; guardrail_rate and judge_disagreement take max_increase_pp; "
            "success_rate, tool_call_accuracy and policy_compliance take max_drop_pp."
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

    @property
    def anchor_margin_pp(self) -> float | None:
        """The margin against the anchor; None without an anchor."""
        if self.anchor is None:
            return None
        return self.anchor.max_drop_pp or self.max_drop_pp

    @model_validator(mode="after")
    def _anchor_has_a_margin(self) -> "Gate":
        if self.anchor is not None and self.anchor_margin_pp is None:
            raise ValueError("the anchor needs a max_drop_pp, as the suite has none")
        return self


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
    gate: Annotated[Gate, Field(description="What it takes to pass.")] = Gate.model_construct()
    owner: Annotated[str | None, Field(description="Shown wherever the suite fails.")] = None
    fallback: Annotated[
        Literal["error", "accept"],
        Field(description="What an answer of a fallback model counts as: no result, or a result."),
    ] = "error"
    assume_equal_errors: Annotated[
        bool,
        Field(
            description="true: judges are taken to err alike on baseline and candidate, also where "
            "the arms differ and no labels of both have shown it. Their correction rests on it."
        ),
    ] = False
    quarantine: Annotated[
        Quarantine, Field(description="Flaky cases that do not count for a while.")
    ] = Quarantine.model_construct()
    evidence: Annotated[
        Literal["any", "live"],
        Field(description="live: a verdict never rests on recordings or scripts."),
    ] = "any"
