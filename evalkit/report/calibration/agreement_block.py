"""How far judge and labels agree, and how far two labellers do: reported, never gated on."""

from evalkit.records.calibration import Agreement, JudgeMeasured
from evalkit.report.calibration.wording import ceiling_words, coefficient, coefficient_with
from evalkit.report.figures import percent
from evalkit.report.screen import Page, styled


def put_agreement(page: Page, measured: JudgeMeasured) -> None:
    """Raw agreement and the coefficients; they move with the pass rate, which is why."""
    page.line(
        styled("Agreement", "bold").append("  told, never what a judge is fit by", style="dim")
    )
    ceiling = ceiling_words(measured.human)
    rows = [
        _row(name, agreement)
        for name, agreement in (
            ("judge and label", measured.agreement),
            (ceiling, measured.ceiling),
        )
        if agreement is not None
    ]
    if rows:
        header = ("", "outputs", "equal", "kappa", "AC1", "alpha")
        page.table(header, rows)
    if measured.ceiling is None:
        page.labelled(
            ceiling,
            "not known: no output was labelled twice, so nothing tells how well two labellers "
            "would agree",
            width=len(ceiling) + 2,
        )


def _row(name: str, agreement: Agreement) -> tuple[str, ...]:
    return (
        name,
        f"{agreement.n:,}",
        percent(agreement.raw),
        coefficient_with(agreement.kappa, agreement.kappa_interval),
        coefficient_with(agreement.ac1, agreement.ac1_interval),
        coefficient(agreement.alpha),
    )
