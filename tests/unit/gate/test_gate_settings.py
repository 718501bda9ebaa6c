"""Settings that cannot be gated on are refused before anything is decided."""

import math
from typing import Any

import pytest

from evalkit.gate import GateSettings, MetricSettings, SliceSettings

PCT = MetricSettings(max_increase_pct=10)
ADVISORY = MetricSettings(max_increase_pct=10, required=False)


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"max_drop_pp": 0}, "margin"),
        ({"max_drop_pp": 100}, "margin"),
        ({"max_drop_pp": math.nan}, "number"),
        ({"alpha": 0.5}, "alpha"),
        ({"alpha": math.nan}, "alpha"),
        ({"min_pass_rate": 95}, "min_pass_rate"),
        ({"min_pass_rate": 0}, "min_pass_rate"),
        ({"rule": "lenient"}, "lenient"),
        ({"on_inconclusive": "ignore"}, "on_inconclusive"),
        ({"max_error_share": 2}, "max_error_share"),
        ({"metrics": {"cost": PCT}}, "cost_usd_per_resolved"),
        ({"metrics": {"guardrail_rate": PCT}}, "max_increase_pp"),
        ({"metrics": {"latency_s": MetricSettings(max_increase_pp=3)}}, "max_increase_pct"),
        ({"metrics": {"success_rate": PCT}}, "max_drop_pp"),
        ({"metrics": {"success_rate": MetricSettings(max_increase_pp=3)}}, "max_drop_pp"),
        ({"metrics": {"judge_disagreement": MetricSettings(max_drop_pp=3)}}, "max_increase_pp"),
        ({"metrics": {"time_to_resolution_s": MetricSettings(max_drop_pp=3)}}, "max_increase_pct"),
        ({"anchor_margin_pp": 0}, "margin"),
        ({"max_drop_pp": None, "slices": {"x": SliceSettings()}}, "slice 'x'"),
    ],
)
def test_a_value_out_of_range_is_named(wrong: dict[str, Any], named: str) -> None:
    with pytest.raises(ValueError, match=named):
        GateSettings(**wrong)


@pytest.mark.parametrize(
    "limits",
    [
        {},
        {"max_increase_pct": 0},
        {"max_increase_pp": 120},
        {"max_drop_pp": 100},
        {"max_drop_pp": -1},
        {"max_drop_pp": 3, "max_increase_pp": 3},
    ],
)
def test_a_metric_needs_one_positive_limit(limits: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"limit|margin"):
        MetricSettings(**limits)


@pytest.mark.parametrize(
    "nothing",
    [
        {"max_drop_pp": None},
        {"has_baseline": False},
        {"has_baseline": False, "metrics": {"tokens": PCT}},
        {"has_baseline": False, "slices": {"x": SliceSettings()}},
        {"max_drop_pp": None, "slices": {"x": SliceSettings(min_pass_rate=1, required=False)}},
        {
            "max_drop_pp": None,
            "metrics": {"tokens": ADVISORY},
        },
    ],
)
def test_settings_that_require_nothing_are_refused(nothing: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="require nothing"):
        GateSettings(**nothing)


@pytest.mark.parametrize(
    "enough",
    [
        {},
        {"max_drop_pp": None, "min_pass_rate": "0.9"},
        {"has_baseline": False, "min_pass_rate": 1},
        {"has_baseline": False, "invariants": ("forbidden_tools",)},
        {"has_baseline": False, "slices": {"x": SliceSettings(min_pass_rate=1)}},
        {"max_drop_pp": None, "metrics": {"tokens": PCT}},
        {"max_drop_pp": None, "anchor_margin_pp": 5},
        {"has_baseline": False, "anchor_margin_pp": 5},
    ],
)
def test_one_requirement_is_enough(enough: dict[str, Any]) -> None:
    GateSettings(**enough)
