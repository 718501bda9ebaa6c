"""What the plots of a suite show: its requirements, grouped by the unit they are measured in."""

from collections.abc import Callable, Sequence

import msgspec

from evalkit.records.verdict import PartVerdict
from evalkit.report.figures import change, percent, points
from evalkit.report.marks import MARKS


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One requirement: its interval, and the limit that it is held against."""

    part: PartVerdict
    label: str
    point: float
    low: float
    high: float
    limit: float | None
    value: str

    @property
    def words(self) -> str:
        """What the row shows, for whoever does not see it."""
        return f"{self.label}: {self.value}: {MARKS[self.part.outcome]}"


class Panel(msgspec.Struct, frozen=True, kw_only=True):
    """Requirements that are measured in one unit; past the limit lies right if `worse_right`."""

    title: str
    rows: Sequence[Row]
    unit: Callable[[float], str]
    axis: str
    limit: str
    worse_right: bool = True
    within: tuple[float, float] | None = None


def panels_of(parts: Sequence[PartVerdict]) -> list[Panel]:
    """Drops in points, increases in percent, floors; a panel may have no row."""
    drops = [part for part in parts if part.estimate is not None and _in_points(part)]
    drops.sort(key=lambda part: part.kind != "drop")
    ratios = [part for part in parts if part.estimate is not None and not _in_points(part)]
    floors = [part for part in parts if part.floor is not None]
    return [
        Panel(
            title="Drops against their margins",
            rows=[_drop_row(part, points) for part in drops],
            unit=points,
            axis="← better · worse →",
            limit="margin",
        ),
        Panel(
            title="Increases against their limits",
            rows=[_drop_row(part, change) for part in ratios],
            unit=change,
            axis="← less · more →",
            limit="limit",
        ),
        Panel(
            title="Pass rates against their floors",
            rows=[row for part in floors if (row := _floor_row(part)) is not None],
            unit=percent,
            axis="← lower · higher →",
            limit="floor",
            worse_right=False,
            within=(0.0, 1.0),
        ),
    ]


def _in_points(part: PartVerdict) -> bool:
    """Whether the estimate is a difference of rates; the amounts of a metric are ratios."""
    return part.kind != "metric" or part.counts is not None


def _drop_row(part: PartVerdict, unit: Callable[[float], str]) -> Row:
    estimate = part.estimate
    assert estimate is not None, "only parts with an interval are drawn"
    value = f"{unit(estimate.drop)} ({unit(estimate.lower)} to {unit(estimate.upper)})"
    if part.margin is not None:
        value += f", {'margin' if _in_points(part) else 'limit'} {unit(part.margin)}"
    return Row(
        part=part,
        label=part_label(part),
        point=estimate.drop,
        low=estimate.lower,
        high=estimate.upper,
        limit=part.margin,
        value=value,
    )


def _floor_row(part: PartVerdict) -> Row | None:
    rate, floor = part.candidate_rate, part.floor
    if rate is None or floor is None:
        return None
    if part.judged is not None and part.candidate_interval is None:
        return None  # as a judge sees it, which nobody vouches for
    low, high = part.candidate_interval or (rate, rate)
    between = f" ({percent(low)} to {percent(high)})" if part.candidate_interval else ""
    return Row(
        part=part,
        label=part_label(part),
        point=rate,
        low=low,
        high=high,
        limit=floor,
        value=f"{percent(rate, beside=floor)}{between}, floor {percent(floor)}",
    )


def part_label(part: PartVerdict) -> str:
    """The part's name as a reader says it: 'high_risk drop', 'cost_usd_per_resolved'."""
    for start in ("slice:", "metric:", "invariant:"):
        if part.name.startswith(start):
            return part.name.removeprefix(start)
    return "all cases" if part.kind in ("drop", "floor") else part.name
