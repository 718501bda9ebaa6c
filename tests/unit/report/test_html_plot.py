"""The interval plot: what was measured against what is allowed, in its place and in words."""

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalkit.records.verdict import (
    Estimate,
    Outcome,
    PairedCounts,
    PartVerdict,
    SuiteVerdict,
)
from evalkit.report.html.plot import interval_plots
from evalkit.report.html.plot_rows import panels_of
from evalkit.report.html.scale import Scale, scale_over


def part(name: str, kind: Any, outcome: Outcome = Outcome.PASS, **more: Any) -> PartVerdict:
    values: dict[str, Any] = {
        "name": name,
        "kind": kind,
        "outcome": outcome,
        "best": outcome,
        "worst": outcome,
        "required": True,
        "message": "",
        "alpha": 0.05,
    }
    return PartVerdict(**(values | more))


def drop(name: str = "drop", kind: Any = "drop", **more: Any) -> PartVerdict:
    values: dict[str, Any] = {
        "estimate": Estimate(drop=0.04, lower=-0.01, upper=0.09),
        "margin": 0.03,
    }
    return part(name, kind, **(values | more))


def suite(*parts: PartVerdict, unknown: int = 0) -> SuiteVerdict:
    return SuiteVerdict(
        suite="s",
        outcome=Outcome.FAIL,
        parts=parts,
        unknown=unknown,
        planned=100,
        on_inconclusive="escalate",
    )


def places(svg: str, class_: str) -> list[float]:
    """The horizontal places of the lines of a class, in percent."""
    return [float(at) for at in re.findall(rf'<line class="{class_}" x1="([\d.]+)%"', svg)]


def test_interval_zero_and_margin_stand_in_their_order() -> None:
    plot = interval_plots(suite(drop()))
    assert plot is not None
    (zero,), (limit,) = places(plot, "zero"), places(plot, "limit")
    low, *_ = places(plot, "interval")
    point = float(re.findall(r'<svg x="([\d.]+)%"', plot)[0])
    assert low < zero < limit < point < 100
    # a hundredth of the axis is the same everywhere: 1 pp below zero, 3 pp above it
    assert (limit - zero) / (zero - low) == pytest.approx(3, rel=1e-3)


def test_every_row_says_in_words_what_it_shows() -> None:
    plot = interval_plots(suite(drop(outcome=Outcome.FAIL)))
    assert 'aria-label="all cases: 4 pp (-1 pp to 9 pp), margin 3 pp: FAIL"' in (plot or "")


def test_outcomes_differ_in_shape() -> None:
    shapes = set()
    for outcome in (Outcome.PASS, Outcome.FAIL, Outcome.INCONCLUSIVE, Outcome.NOT_MEASURED):
        plot = interval_plots(suite(drop(outcome=outcome)))
        shapes.add(re.findall(r'class="point" d="([^"]+)"', plot or "")[0])
    assert len(shapes) == 4


def test_what_has_no_interval_is_not_drawn() -> None:
    assert interval_plots(suite(part("invariant:policy", "invariant"))) is None


def test_an_incomplete_part_is_not_drawn() -> None:
    """Its figures would show a regression that nobody measured."""
    assert interval_plots(suite(drop(outcome=Outcome.INCOMPLETE))) is None


def test_units_are_kept_apart() -> None:
    counts = PairedCounts(
        cases=1,
        groups=1,
        b=0,
        c=0,
        both_pass=1,
        both_fail=0,
        trials_baseline=1,
        trials_candidate=1,
    )
    panels = panels_of(
        [
            drop("metric:guardrail_rate", "metric", counts=counts),
            drop("metric:cost_usd", "metric"),
            drop("slice:vip drop", "slice_drop"),
            drop(),
            drop("anchor drop", "anchor"),
            part("floor", "floor", floor=0.8, candidate_rate=0.9, candidate_interval=(0.85, 0.93)),
        ]
    )
    assert [[row.label for row in panel.rows] for panel in panels] == [
        ["all cases", "guardrail_rate", "vip drop", "anchor drop"],
        ["cost_usd"],
        ["all cases"],
    ]
    assert panels[1].rows[0].value == "+4.0 % (-1.0 % to +9.0 %), limit +3.0 %"
    assert panels[2].rows[0].value == "90.0 % (85.0 % to 93.0 %), floor 80.0 %"


def test_a_floor_is_hatched_below_and_a_margin_above() -> None:
    floor = part("floor", "floor", floor=0.8, candidate_rate=0.9, candidate_interval=(0.85, 0.93))
    below = interval_plots(suite(floor)) or ""
    above = interval_plots(suite(drop())) or ""
    assert '<rect class="past" x="0%"' in below
    assert '<rect class="past" x="0%"' not in above
    assert places(below, "zero") == []


def test_advisory_and_unknown_are_said() -> None:
    plot = interval_plots(suite(drop(required=False), unknown=4)) or ""
    assert "advisory" in plot
    assert "4 cases without a result" in plot


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=8))
def test_an_axis_holds_every_value_inside_and_its_labels_are_few(values: list[float]) -> None:
    scale = scale_over(values)
    assert scale.low < scale.high
    assert all(0 <= scale.at(value) <= 100 for value in values)
    ticks = scale.ticks()
    assert len(ticks) <= 8
    assert ticks == sorted(ticks)
    assert all(3 <= scale.at(tick) <= 97 for tick in ticks)


def test_an_axis_stays_within_its_bounds() -> None:
    assert scale_over([0.9, 1.0], within=(0.0, 1.0)).high == 1.0
    assert Scale(0, 1).at(7) == 100
