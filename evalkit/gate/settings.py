"""What a suite requires, checked once so that the arithmetic behind it never has to."""

import math
from collections.abc import Mapping
from enum import StrEnum
from fractions import Fraction

import msgspec

from evalkit.gate.amounts import Amount, exact
from evalkit.records.verdict import OnInconclusive, Quarantined

# amounts, limited by max_increase_pct
RATIO_METRICS = (
    "cost_usd_per_resolved",
    "tokens_per_success",
    "cost_usd",
    "tokens",
    "latency_s",
    "time_to_resolution_s",
)
# shares of attempts: those that should not rise take max_increase_pp, the others max_drop_pp
RISING_RATES = ("guardrail_rate", "judge_disagreement")
FALLING_RATES = ("success_rate", "tool_call_accuracy", "policy_compliance")
RATE_METRICS = RISING_RATES + FALLING_RATES


class Rule(StrEnum):
    """When a drop FAILs; a PASS means the same under each of them."""

    STATISTICAL = "statistical"
    STRICT = "strict"
    SIMPLE = "simple"


class SliceSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What the cases with a tag require. Without a rule of its own a slice takes the suite's drop.

    `min_pass_rate` is a fraction, `max_drop_pp` percentage points. Advisory slices
    (`required=False`) are reported and never gate.
    """

    min_pass_rate: Amount | None = None
    max_drop_pp: Amount | None = None
    required: bool = True

    def __post_init__(self) -> None:
        """Raise ValueError for a margin or floor that cannot be one."""
        margin_of(self.max_drop_pp)
        floor_of(self.min_pass_rate)


class MetricSettings(msgspec.Struct, frozen=True, kw_only=True):
    """How much worse a metric may get: by percent of the baseline, or by points for a rate.

    `max_increase_pp` is for a rate that should not rise, `max_drop_pp` for one that should not
    fall.
    """

    max_increase_pct: Amount | None = None
    max_increase_pp: Amount | None = None
    max_drop_pp: Amount | None = None
    required: bool = True

    def __post_init__(self) -> None:
        """Raise ValueError unless exactly one limit is given, and positive."""
        given = (self.max_increase_pct, self.max_increase_pp, self.max_drop_pp)
        limits = [limit for limit in given if limit is not None]
        if len(limits) != 1 or exact(limits[0]) <= 0:
            raise ValueError(
                "a metric takes one limit above 0: max_increase_pct, or for a rate max_increase_pp "
                "or max_drop_pp"
            )
        margin_of(self.points)

    @property
    def points(self) -> Amount | None:
        """The limit of a rate in percentage points; None for an amount."""
        return self.max_drop_pp if self.max_increase_pp is None else self.max_increase_pp


class GateSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What a suite requires. `alpha` is the error at each end; `max_error_share` a fraction.

    `anchor_margin_pp` is how far the candidate may lie below the anchor, None without one.
    `quarantined` are the cases whose quarantine is in force: they count for invariants only.

    Raises ValueError for a value out of range, an unknown metric, or settings that require
    nothing at all.
    """

    max_drop_pp: Amount | None = 3
    rule: Rule = Rule.STATISTICAL
    alpha: float = 0.05
    on_inconclusive: OnInconclusive = "escalate"
    min_pass_rate: Amount | None = None
    invariants: tuple[str, ...] = ()
    slices: Mapping[str, SliceSettings] = msgspec.field(default_factory=dict)
    metrics: Mapping[str, MetricSettings] = msgspec.field(default_factory=dict)
    max_error_share: Amount = "0.02"
    owner: str | None = None
    has_baseline: bool = True
    anchor_margin_pp: Amount | None = None
    quarantined: tuple[Quarantined, ...] = ()

    def __post_init__(self) -> None:
        """Raise ValueError for what could not be gated on."""
        msgspec.structs.force_setattr(self, "rule", Rule(self.rule))
        if not (math.isfinite(self.alpha) and 0 < self.alpha < 0.5):
            raise ValueError(f"alpha must lie between 0 and 0.5, not {self.alpha}")
        if self.on_inconclusive not in ("escalate", "warn", "fail"):
            raise ValueError(
                f"on_inconclusive is escalate, warn or fail, not {self.on_inconclusive!r}"
            )
        if not 0 <= exact(self.max_error_share) <= 1:
            raise ValueError(f"max_error_share is between 0 and 1, not {self.max_error_share}")
        margin_of(self.max_drop_pp)
        margin_of(self.anchor_margin_pp)
        floor_of(self.min_pass_rate)
        for name, metric in self.metrics.items():
            _check_metric(name, metric)
        for tag, rules in self.slices.items():
            if rules.min_pass_rate is None and self.slice_margin(tag) is None:
                raise ValueError(f"slice {tag!r} requires nothing: no floor and no drop")
        if not self._gates():
            without = "" if self.has_baseline else " without a baseline"
            raise ValueError(f"these settings require nothing{without}: give a min_pass_rate")

    @property
    def margin(self) -> Fraction | None:
        """`max_drop_pp` as an exact fraction."""
        return margin_of(self.max_drop_pp)

    @property
    def anchor_margin(self) -> Fraction | None:
        """`anchor_margin_pp` as an exact fraction."""
        return margin_of(self.anchor_margin_pp)

    @property
    def floor(self) -> Fraction | None:
        """`min_pass_rate` as an exact fraction."""
        return floor_of(self.min_pass_rate)

    @property
    def error_share(self) -> Fraction:
        """`max_error_share` as an exact fraction."""
        return exact(self.max_error_share)

    def slice_margin(self, tag: str) -> Fraction | None:
        """The margin of a slice: its own, or the suite's when the slice names no rule at all."""
        rules = self.slices[tag]
        if rules.max_drop_pp is None and rules.min_pass_rate is None:
            return self.margin
        return margin_of(rules.max_drop_pp)

    def _gates(self) -> bool:
        """Whether at least one required part can be decided."""
        if self.floor is not None or self.invariants or self.anchor_margin is not None:
            return True
        required = [rules for rules in self.slices.values() if rules.required]
        if any(rules.min_pass_rate is not None for rules in required):
            return True
        metric = any(rules.required for rules in self.metrics.values())
        return self.has_baseline and (self.margin is not None or bool(required) or metric)


def margin_of(max_drop_pp: Amount | None) -> Fraction | None:
    """Percentage points as an exact fraction; ValueError unless between 0 and 100."""
    if max_drop_pp is None:
        return None
    margin = exact(max_drop_pp) / 100
    if not 0 < margin < 1:
        raise ValueError(f"a margin lies between 0 and 100 pp, not {max_drop_pp}")
    return margin


def floor_of(min_pass_rate: Amount | None) -> Fraction | None:
    """A floor as an exact fraction; ValueError unless above 0 and at most 1."""
    if min_pass_rate is None:
        return None
    floor = exact(min_pass_rate)
    if not 0 < floor <= 1:
        raise ValueError(f"min_pass_rate is a fraction above 0 and at most 1, not {min_pass_rate}")
    return floor


def _check_metric(name: str, metric: MetricSettings) -> None:
    if name not in RATIO_METRICS + RATE_METRICS:
        known = ", ".join(RATIO_METRICS + RATE_METRICS)
        raise ValueError(f"unknown metric {name!r}; known are {known}")
    if name in RISING_RATES and metric.max_increase_pp is None:
        raise ValueError(f"{name} is a rate: limit it with max_increase_pp")
    if name in FALLING_RATES and metric.max_drop_pp is None:
        raise ValueError(f"{name} is a rate that should not fall: limit it with max_drop_pp")
    if name in RATIO_METRICS and metric.max_increase_pct is None:
        raise ValueError(f"{name} is no rate: limit it with max_increase_pct")
