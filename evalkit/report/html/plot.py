"""What the gate measured against what it allows: each requirement's interval on a shared axis.

Drawn as inline SVG whose places are percentages, so that it fits any width and its text keeps its
size. Every row says in words what it shows; shapes, not colours, tell outcomes apart.
"""

from evalkit.records.verdict import Outcome, SuiteVerdict
from evalkit.report.figures import count
from evalkit.report.html.element import Markup, element, join
from evalkit.report.html.icons import OUTCOME_TONES
from evalkit.report.html.plot_rows import Panel, Row, panels_of
from evalkit.report.html.scale import Scale, scale_over
from evalkit.report.marks import MARKS

_HEIGHT = 34
_MIDDLE = _HEIGHT / 2
_SHAPES = {
    Outcome.PASS: ("circle", "M0-5.5A5.5 5.5 0 1 1 0 5.5A5.5 5.5 0 1 1 0-5.5z"),
    Outcome.FAIL: ("square", "M-5-5H5V5H-5z"),
    Outcome.INCONCLUSIVE: ("diamond", "M0-7L7 0L0 7L-7 0z"),
}
_OTHER = ("triangle", "M0-6L6.5 5H-6.5z")


def interval_plots(suite: SuiteVerdict) -> Markup | None:
    """The plots of a suite, one a unit; None where nothing that was measured has an interval."""
    # the figures of an incomplete part would show a regression that nobody measured
    parts = [part for part in suite.parts if part.outcome is not Outcome.INCOMPLETE]
    panels = [panel for panel in panels_of(parts) if panel.rows]
    if not panels:
        return None
    unknown = None
    if suite.unknown:
        words = (
            f"{count(suite.unknown, 'case')} without a result: bars span what they could have "
            "been, points are the worst case."
        )
        unknown = element("p", words, class_="legend")
    return join(map(_draw, panels), unknown)


def _draw(panel: Panel) -> Markup:
    limits = [row.limit for row in panel.rows if row.limit is not None]
    ends = [end for row in panel.rows for end in (row.low, row.high)]
    zero = [0.0] if panel.worse_right else []
    scale = scale_over([*ends, *limits, *zero], within=panel.within)
    return element(
        "figure",
        element("figcaption", panel.title, class_="plot-title"),
        element("ul", (_row(panel, row, scale) for row in panel.rows), class_="plot-rows"),
        _axis(panel, scale),
        _legend(panel),
        class_="plot",
    )


def _row(panel: Panel, row: Row, scale: Scale) -> Markup:
    part = row.part
    remarks = [] if part.required else ["advisory"]
    remarks += ["waived"] if part.waiver is not None else []
    return element(
        "li",
        element(
            "span",
            row.label,
            element("small", f" {', '.join(remarks)}") if remarks else None,
            class_="plot-label",
        ),
        element(
            "svg",
            _track(panel, row, scale),
            class_=f"plot-track tone-{OUTCOME_TONES[part.outcome]}",
            height=_HEIGHT,
            role="img",
            aria_label=row.words,
        ),
        element("span", row.value, class_="plot-value"),
        class_="plot-row",
    )


def _track(panel: Panel, row: Row, scale: Scale) -> Markup:
    low, high, point = scale.at(row.low), scale.at(row.high), scale.at(row.point)
    shapes = []
    if row.limit is not None:
        limit = scale.at(row.limit)
        left, width = (limit, 100 - limit) if panel.worse_right else (0, limit)
        shapes.append(
            _shape("rect", class_="past", x=f"{left}%", y=0, width=f"{width:.3f}%", height=_HEIGHT)
        )
        shapes.append(_vertical("limit", limit))
    if panel.worse_right:
        shapes.append(_vertical("zero", scale.at(0)))
    shapes.append(
        _shape("line", class_="interval", x1=f"{low}%", x2=f"{high}%", y1=_MIDDLE, y2=_MIDDLE)
    )
    shapes += [_vertical("interval", end, from_=_MIDDLE - 6, to=_MIDDLE + 6) for end in (low, high)]
    mark = _shape("path", class_="point", d=_SHAPES.get(row.part.outcome, _OTHER)[1])
    shapes.append(element("svg", mark, x=f"{point}%", y=str(_MIDDLE), overflow="visible"))
    return join(shapes)


def _axis(panel: Panel, scale: Scale) -> Markup:
    labels = [
        _shape("text", panel.unit(value), x=f"{scale.at(value)}%", y=12, text_anchor="middle")
        for value in scale.ticks()
    ]
    return element(
        "div",
        element("svg", labels, class_="plot-axis", height=16, aria_hidden="true"),
        element("span", panel.axis, class_="plot-sides", aria_hidden="true"),
        class_="plot-foot",
    )


def _legend(panel: Panel) -> Markup:
    alphas = {row.part.alpha for row in panel.rows if row.part.alpha is not None}
    level = f"{round(100 * (1 - 2 * alphas.pop()))} % " if len(alphas) == 1 else ""
    lines = f"Dashed line: {panel.limit}, hatched past it"
    lines += "; thin line: no change." if panel.worse_right else f". {_deciding(panel)}"
    outcomes = dict.fromkeys(row.part.outcome for row in panel.rows)
    shapes = ", ".join(f"{_SHAPES.get(o, _OTHER)[0]}: {MARKS[o].lower()}" for o in outcomes)
    words = f"Bar: {level}interval around what was measured. {shapes.capitalize()}. {lines}"
    return element("p", words, class_="legend")


def _deciding(panel: Panel) -> str:
    """What is held against a floor: a judge's rate is an estimate, any other was counted."""
    judged = {row.part.judged is not None for row in panel.rows}
    if judged == {True}:
        return "The whole bar decides."
    return (
        "The rate itself decides; of a judge the whole bar."
        if judged == {True, False}
        else ("The rate itself decides.")
    )


def _vertical(class_: str, at: float, *, from_: float = 0, to: float = _HEIGHT) -> Markup:
    return _shape("line", class_=class_, x1=f"{at}%", x2=f"{at}%", y1=from_, y2=to)


def _shape(name: str, *children: str, **attributes: str | float) -> Markup:
    written = {
        key: f"{each:g}" if isinstance(each, float) else each for key, each in attributes.items()
    }
    return element(name, *children, **written)
