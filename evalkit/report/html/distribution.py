"""How tokens, cost and latency are distributed over the attempts of both sides."""

import math
from array import array
from bisect import bisect_right
from collections.abc import Callable, Sequence

import msgspec

from evalkit.records.attempt import Attempt
from evalkit.records.comparison import SuiteComparison
from evalkit.records.run import StoredRun
from evalkit.report.amounts import InOrder, merged, nearest_rank, relative_change
from evalkit.report.figures import change, seconds, tokens, usd
from evalkit.report.html.element import Markup, element, join
from evalkit.report.html.scale import Scale, scale_over
from evalkit.report.html.table import figures_table

_HEIGHT = 150
_SIDE = 1_000
_MOST_STEPS = 250
_SHARES = (50, 90, 95, 99)
# an axis as long as one outlier would press everything else into its first pixels
_LONG_TAIL = 4


class Quantity(msgspec.Struct, frozen=True, kw_only=True):
    """Something that attempts take. `read` gives None where it was not measured."""

    title: str
    none: str
    read: Callable[[Attempt], float | None]
    unit: Callable[[float], str]


QUANTITIES = (
    Quantity(
        title="Tokens of an attempt",
        none="No attempt has a result, so no tokens were counted.",
        read=lambda attempt: float(attempt.usage.total),
        unit=tokens,
    ),
    Quantity(
        title="Cost of an attempt",
        none="No attempt has a price.",
        read=lambda attempt: attempt.cost_usd,
        unit=usd,
    ),
    Quantity(
        title="Latency of an attempt",
        none="Nothing was measured live, so there is no latency to compare.",
        read=lambda attempt: attempt.latency_s if attempt.origin == "live" else None,
        unit=seconds,
    ),
)


class Arm(msgspec.Struct, frozen=True):
    """The measured values of one side, smallest first."""

    label: str
    values: "array[float]"

    @property
    def mean(self) -> float | None:
        """The average; None of nothing."""
        return math.fsum(self.values) / len(self.values) if self.values else None


def distributions(run: StoredRun, suite: SuiteComparison) -> Markup:
    """A figure for each quantity: the share of attempts at or below each value, and a table."""
    variants = ["candidate"] if suite.before is None else ["baseline", "candidate"]
    read = {variant: [InOrder() for _ in QUANTITIES] for variant in variants}
    for attempt in run.attempts:
        if attempt.has_result and attempt.suite == suite.suite and attempt.variant in read:
            for quantity, values in zip(QUANTITIES, read[attempt.variant], strict=True):
                value = quantity.read(attempt)
                if value is not None:
                    values.append(value)
    return element(
        "div",
        (
            _figure(quantity, [Arm(name, read[name][number].all()) for name in variants])
            for number, quantity in enumerate(QUANTITIES)
        ),
        class_="distributions",
    )


def _figure(quantity: Quantity, arms: Sequence[Arm]) -> Markup:
    title = element("figcaption", quantity.title, class_="plot-title")
    values = merged([arm.values for arm in arms])
    if not values:
        return element("figure", title, element("p", quantity.none, class_="about"))
    if values[0] == values[-1]:
        words = f"Every attempt: {quantity.unit(values[0])}."
        return element("figure", title, element("p", words, class_="about"))
    scale, cut = _scale(values)
    above = f" {cut:,} above {quantity.unit(scale.high)} are not drawn." if cut else ""
    legend = f"The share of attempts at or below each value.{above}"
    return element(
        "figure",
        title,
        _key(arms),
        _plot(quantity, arms, scale),
        element("p", legend, class_="legend"),
        _table(quantity, arms),
    )


def _scale(ordered: Sequence[float]) -> tuple[Scale, int]:
    """The axis, and how many values are past its end."""
    common = nearest_rank(ordered, 99) or ordered[-1]
    scale = scale_over([ordered[0], ordered[-1]], within=(0.0, math.inf))
    if ordered[-1] > _LONG_TAIL * common > 0:
        scale = scale_over([ordered[0], common], within=(0.0, math.inf))
    return scale, len(ordered) - bisect_right(ordered, scale.high)


def _plot(quantity: Quantity, arms: Sequence[Arm], scale: Scale) -> Markup:
    grid = []
    for share in (0, 50, 100):
        y = _HEIGHT - share * _HEIGHT / 100
        grid.append(element("line", class_="rail", x1="0%", x2="100%", y1=f"{y:g}", y2=f"{y:g}"))
        at = y + (12 if share == 100 else -4)
        grid.append(element("text", f"{share} %", x="0%", y=f"{at:g}", class_="share"))
    lines = [
        element("path", class_=f"steps {arm.label}", d=_steps(arm.values, scale))
        for arm in reversed(arms)  # the dashes of the baseline over the line of the candidate
        if arm.values
    ]
    stretched = element(
        "svg",
        lines,
        width="100%",
        height=_HEIGHT,
        viewBox=f"0 0 {_SIDE} {_SIDE}",
        preserveAspectRatio="none",
        overflow="visible",
    )
    ticks = [
        element(
            "text",
            quantity.unit(value),
            x=f"{scale.at(value)}%",
            y=_HEIGHT + 16,
            text_anchor="middle",
        )
        for value in scale.ticks(5)
    ]
    words = f"{quantity.title}: " + "; ".join(
        f"{arm.label} median {_quantile(quantity, arm, 50)}, 95 % at or below "
        f"{_quantile(quantity, arm, 95)}"
        for arm in arms
    )
    return element(
        "svg",
        join(grid, stretched, ticks),
        class_="ecdf",
        height=_HEIGHT + 22,
        role="img",
        aria_label=words,
    )


def _steps(values: Sequence[float], scale: Scale) -> str:
    """The steps of the shares as a path in a square of `_SIDE`; of many values, evenly many."""
    number = len(values)
    stride = max(1, number // _MOST_STEPS)
    path = [f"M{scale.at(values[0]) * _SIDE / 100:.1f} {_SIDE}"]
    for index in range(stride - 1, number, stride):
        if values[index] > scale.high:
            break
        x = scale.at(values[index]) * _SIDE / 100
        path.append(f"H{x:.1f}V{_SIDE - (index + 1) * _SIDE / number:.1f}")
    shown = bisect_right(values, scale.high)
    path.append(f"V{_SIDE - shown * _SIDE / number:.1f}H{_SIDE}")
    return "".join(path)


def _key(arms: Sequence[Arm]) -> Markup:
    items = []
    for arm in arms:
        line = element("line", class_=f"steps {arm.label}", x1=0, x2=24, y1=5, y2=5)
        swatch = element("svg", line, width=24, height=10, aria_hidden="true")
        items.append(element("li", swatch, arm.label))
    return element("ul", items, class_="key")


def _table(quantity: Quantity, arms: Sequence[Arm]) -> Markup:
    rows = [_table_row(quantity, "mean", [arm.mean for arm in arms])]
    for share in _SHARES:
        name = "median" if share == 50 else f"{share} % at or below"
        rows.append(_table_row(quantity, name, [nearest_rank(arm.values, share) for arm in arms]))
    rows.append(_table_row(quantity, "largest", [nearest_rank(arm.values, 100) for arm in arms]))
    header = ["", *(arm.label for arm in arms)] + (["change"] if len(arms) == 2 else [])
    counted = " and ".join(f"{len(arm.values):,}" for arm in arms)
    return figures_table(
        f"{quantity.title}, over {counted} attempts", header, rows, hidden_caption=True
    )


def _table_row(quantity: Quantity, name: str, values: Sequence[float | None]) -> tuple[str, ...]:
    cells = ["–" if value is None else quantity.unit(value) for value in values]
    if len(values) == 2:
        cells.append(change(relative_change(*values)))
    return (name, *cells)


def _quantile(quantity: Quantity, arm: Arm, share: int) -> str:
    value = nearest_rank(arm.values, share)
    return "unknown" if value is None else quantity.unit(value)
