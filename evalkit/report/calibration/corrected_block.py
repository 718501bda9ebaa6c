"""The pass rate with the judge's errors taken out, by each method, and what more labels tell."""

from evalkit.records.calibration import CorrectedRate, JudgeMeasured, Method
from evalkit.report.calibration.wording import share_words
from evalkit.report.figures import count
from evalkit.report.screen import Page, styled

_METHODS: dict[Method, str] = {
    "naive": "the judge's own, uncorrected",
    "rogan_gladen": "Rogan-Gladen",
    "post_stratified": "post-stratified by verdict",
    "ppi": "PPI++ on scores",
}


def put_corrected(page: Page, measured: JudgeMeasured) -> None:
    """A row a method, the one that applies marked; below it why each does or does not."""
    if measured.rates:
        page.line(
            styled("Pass rate of the labelled outputs", "bold").append(
                "  95 % intervals", style="dim"
            )
        )
        page.table(("", "rate", "interval", ""), [_row(each) for each in measured.rates])
        for each in measured.rates:
            if each.why:
                page.line(styled(f"{_METHODS[each.method]}: ", "dim").append(each.why), indent=4)
    if (words := missing_words(measured)) is not None:
        page.labelled("labels", words, width=12)


def _row(each: CorrectedRate) -> tuple[str, ...]:
    rate, interval, _ = share_words(each.rate)
    return _METHODS[each.method], rate, interval, "applies" if each.applies else ""


def missing_words(measured: JudgeMeasured) -> str | None:
    """How many more labels an interval of the wanted width takes; None where nobody asked."""
    if measured.width_pp is None:
        return None
    wanted = f"an interval {measured.width_pp:g} pp wide"
    if measured.missing_labels is None:
        return f"how many {wanted} takes cannot be told from these"
    if measured.missing_labels == 0:
        return f"enough for {wanted}"
    return f"{count(measured.missing_labels, 'more label')} would give {wanted}"
