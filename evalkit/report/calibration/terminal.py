"""A measured judge as a page: fit or not in the first line, then everything that says so."""

import sys
from collections.abc import Sequence
from typing import TextIO

from evalkit.records.asset import Rubric
from evalkit.records.calibration import Calibration, Drift, JudgeMeasured
from evalkit.report.calibration.agreement_block import put_agreement
from evalkit.report.calibration.corrected_block import put_corrected
from evalkit.report.calibration.errors_block import put_confusion, put_rates
from evalkit.report.calibration.reliability_plot import (
    ASCII_LINES,
    LINES,
    PlotGlyphs,
    put_reliability,
)
from evalkit.report.calibration.wording import labelled_words
from evalkit.report.figures import count, p_value, usd
from evalkit.report.screen import Page, Screen, screen_of, styled
from evalkit.report.sparkline import ASCII, glyphs_of
from evalkit.report.untrusted import one_line

_LABEL = 12


def calibration_text(
    calibration: Calibration,
    *,
    rubric: Rubric,
    stored: str | None = None,
    notes: Sequence[str] = (),
    billed_usd: float | None = None,
    screen: Screen | None = None,
    stream: TextIO | None = None,
) -> str:
    """The page. `rubric` tells what it takes to be fit, `stored` the file that holds the
    calibration now (None: none does), `notes` what else the reader has to know, `billed_usd` what
    asking the judge took (None: it was not asked)."""
    stream = stream or sys.stdout
    page = Page(screen or screen_of(stream))
    measured = calibration.measured
    _put_head(page, calibration)
    page.line()
    put_confusion(page, measured)
    page.line()
    put_rates(page, measured, rubric)
    page.line()
    put_agreement(page, measured)
    if measured.reliability is not None:
        page.line()
        put_reliability(page, measured.reliability, _plot_glyphs(stream))
    page.line()
    put_corrected(page, measured)
    page.line()
    if billed_usd is not None:
        page.labelled("spent", usd(billed_usd), indent=0, width=_LABEL)
    _put_end(page, calibration, stored, notes)
    return page.text()


def _put_head(page: Page, calibration: Calibration) -> None:
    measured = calibration.measured
    line = styled("FIT", "bold green") if measured.fit else styled("UNFIT", "bold red")
    line.append(f"  {one_line(calibration.rubric)}: ")
    line.append("this judge may gate" if measured.fit else "this judge may report, not gate")
    page.line(line, hang=2)
    for reason in measured.why:
        page.line(one_line(reason), indent=2, hang=2)
    page.labelled("judge", one_line(calibration.asked), indent=0, width=_LABEL)
    page.labelled("labels", labels_words(measured), indent=0, width=_LABEL)


def labels_words(measured: JudgeMeasured) -> str:
    """Who labelled, and how many for what; the disputed count nowhere."""
    counts = measured.counts
    return (
        f"{labelled_words(measured.labelled_by)}; test part {counts.test_passes:,} pass and "
        f"{counts.test_fails:,} fail, tuning part {counts.tuning_passes:,} and "
        f"{counts.tuning_fails:,}; {counts.double:,} labelled twice, {counts.disputed:,} disputed"
    )


def drift_words(drift: Drift) -> str:
    """What a drift test found."""
    return (
        f"{count(drift.changed, 'verdict')} of {drift.n:,} on the same outputs changed since the "
        f"last calibration ({p_value(drift.p)})"
    )


def _put_end(
    page: Page, calibration: Calibration, stored: str | None, notes: Sequence[str]
) -> None:
    if calibration.drifted is not None:
        page.labelled(
            "drift",
            f"{drift_words(calibration.drifted)}: the judge moved under one name, so it counts as "
            "stale until it says the same twice. Calibrate again with --no-cache.",
            indent=0,
            width=_LABEL,
            style="yellow",
        )
    for note in notes:
        page.labelled("note", one_line(note), indent=0, width=_LABEL, style="yellow")
    words = (
        "not stored" if stored is None else f"{one_line(stored)}, for this judge and these labels"
    )
    page.labelled("stored", words, indent=0, width=_LABEL)
    for number, (command, purpose) in enumerate(next_commands(calibration)):
        line = styled("" if number else "next", "dim")
        line.append(" " * (_LABEL - line.cell_len)).append(command, style="bold cyan")
        page.literal(line.append(f"  {purpose}", style="dim"))
    if not calibration.measured.fit:
        page.line(
            styled("This is a measurement, so it ends with exit code 0 for an unfit judge.", "dim")
        )


def next_commands(calibration: Calibration) -> list[tuple[str, str]]:
    """(command, what for): what somebody would type after this measurement."""
    rubric = one_line(calibration.rubric)
    commands = [(f"evalkit judge audit {rubric}", "what moves its verdicts that should not")]
    if calibration.measured.missing_labels or not calibration.measured.fit:
        commands.insert(0, (f"evalkit judge label {rubric}", "more labels"))
    return commands


def _plot_glyphs(stream: TextIO) -> PlotGlyphs:
    return ASCII_LINES if glyphs_of(stream) is ASCII else LINES
