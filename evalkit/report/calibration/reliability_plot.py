"""How far a graded score tells the chance of a pass: a plot in characters."""

from dataclasses import dataclass

from evalkit.records.calibration import Reliability, ReliabilityBin
from evalkit.report.calibration.wording import coefficient
from evalkit.report.figures import percent
from evalkit.report.screen import Page, styled

_FITTED = {"platt": "fitted by Platt's sigmoid", "isotonic": "fitted by isotonic regression"}
_WIDEST, _NARROWEST = 51, 21
_BESIDE = 44  # columns that the figures of a row take


@dataclass(frozen=True, slots=True)
class PlotGlyphs:
    """What the plot is drawn with."""

    predicted: str
    observed: str
    both: str
    interval: str
    empty: str


LINES = PlotGlyphs("│", "●", "◉", "─", "·")
ASCII_LINES = PlotGlyphs("|", "o", "@", "-", ".")


def put_reliability(page: Page, reliability: Reliability, glyphs: PlotGlyphs = LINES) -> None:
    """A row a bin: what the score predicts, what the labels show, and how far they lie apart."""
    page.line(
        styled("What a score tells", "bold").append(
            f"  chance of a pass, {_FITTED[reliability.method]} to the tuning part, held against "
            "the test part",
            style="dim",
        ),
        hang=2,
    )
    width = max(_NARROWEST, min(_WIDEST, page.screen.width - _BESIDE))
    scale = f"0 %{'100 %':>{width - 3}}"
    rows = [
        (
            _scores(each),
            f"{each.n:,}",
            percent(each.predicted),
            percent(each.observed.value),
            bin_line(each, width, glyphs),
        )
        for each in reliability.bins
    ]
    page.table(("score", "labels", "predicted", "passed", scale), rows)
    page.line(
        styled(
            f"{glyphs.predicted} predicted, {glyphs.observed} labelled pass, "
            f"{glyphs.interval} its 95 % interval",
            "dim",
        ),
        indent=2,
    )
    page.line(
        f"ECE {coefficient(reliability.ece)}, Brier {coefficient(reliability.brier)}, "
        f"AUC {coefficient(reliability.auc)}",
        indent=2,
    )


def _scores(each: ReliabilityBin) -> str:
    if each.lowest == each.highest:
        return f"{each.lowest:g}"
    return f"{each.lowest:g} to {each.highest:g}"


def bin_line(each: ReliabilityBin, width: int, glyphs: PlotGlyphs = LINES) -> str:
    """One bin between 0 and 100 %, `width` characters long."""

    def column(share: float) -> int:
        return round(max(0.0, min(1.0, share)) * (width - 1))

    line = [glyphs.empty] * width
    first, last = column(each.observed.lower), column(each.observed.upper)
    line[first : last + 1] = [glyphs.interval] * (last + 1 - first)
    observed, predicted = column(each.observed.value), column(each.predicted)
    line[predicted] = glyphs.predicted
    line[observed] = glyphs.both if observed == predicted else glyphs.observed
    return "".join(line)
