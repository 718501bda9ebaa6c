"""The confusion table, and how often the judge is right about passes and about fails."""

from evalkit.records.asset import Rubric
from evalkit.records.calibration import JudgeMeasured, Share
from evalkit.report.calibration.wording import number, share_words
from evalkit.report.figures import percent
from evalkit.report.screen import Page, styled


def put_confusion(page: Page, measured: JudgeMeasured) -> None:
    """Labels against verdicts; weighted where the sample was."""
    table = measured.confusion
    page.line(styled("Labels against verdicts", "bold").append("  test part", style="dim"))
    cells = (
        ("label pass", table.true_pass, table.false_fail, table.abstained_pass),
        ("label fail", table.false_pass, table.true_fail, table.abstained_fail),
    )
    page.table(
        ("", "judge: pass", "judge: fail", "no verdict"),
        [(name, *(number(cell) for cell in row)) for name, *row in cells],
    )
    if any(not float(cell).is_integer() for _, *row in cells for cell in row):
        page.line(
            styled("Weighted: each label stands for the outputs it was drawn from.", "dim"),
            indent=2,
        )


def put_rates(page: Page, measured: JudgeMeasured, rubric: Rubric) -> None:
    """TPR, TNR and J beside what they have to reach, and the share without a verdict."""
    floor = rubric.floor
    page.line(styled("How often it is right", "bold").append("  95 % intervals", style="dim"))
    rows = [
        _row("passes that it passes (TPR)", measured.tpr, floor.min_tpr),
        _row("fails that it fails (TNR)", measured.tnr, floor.min_tnr),
        _row("J = TPR + TNR - 1", measured.youden, floor.min_j),
    ]
    page.table(("", "rate", "interval", "labels", "lower end needs"), rows)
    words = (
        f"{percent(measured.abstained)} of the outputs, at most "
        f"{percent(floor.max_abstained, beside=measured.abstained)} may be"
    )
    page.labelled("no verdict", words, width=12)
    if measured.threshold is not None:
        chosen = "as the rubric says"
        if rubric.scale.pass_from is None:
            chosen = "chosen on the tuning part to make J as large as possible"
        page.labelled(
            "threshold",
            f"a score passes from {measured.threshold:g} on, {chosen}",
            width=12,
        )


def _row(name: str, share: Share | None, needed: float) -> tuple[str, ...]:
    beside = None if share is None else share.lower
    return (name, *share_words(share), percent(needed, beside=beside))
