"""`evalkit judge audit`: what was tried on a judge, how often it moved, and what to do."""

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

import msgspec

from evalkit.records.audit import AuditRow, Finding, JudgeAudit
from evalkit.report.calibration.wording import NOT_DEFINED, interval_words, labelled_words
from evalkit.report.figures import count, p_value, percent, points, usd
from evalkit.report.screen import Page, Screen, screen_of, styled
from evalkit.report.untrusted import one_line

if TYPE_CHECKING:
    from rich.text import Text

_LABEL = 10
_WIDE, _ROOMY = 88, 60
_STYLES: dict[Finding, str] = {"ok": "green", "weak": "bold red", "not measured": "yellow"}
_SIGNED = frozenset({"verbosity", "self_preference"})
# their rows tell rates of either side; of the rest that moved nothing there is nothing to tell
_BY_SOURCE = frozenset({"self_preference", "differential"})


def audit_json(audit: JudgeAudit) -> str:
    """The audit as indented JSON with sorted keys (`evalkit.audit/1`)."""
    return msgspec.json.format(msgspec.json.encode(audit, order="sorted"), indent=2).decode()


def audit_text(
    audit: JudgeAudit, *, stored: str | None = None, screen: Screen | None = None
) -> str:
    """Where it is weak in the first line, a table of everything tried, then what to do.

    `stored` is the file that holds the audit.
    """
    page = Page(screen or screen_of(sys.stdout))
    _put_head(page, audit)
    page.line()
    _put_table(page, audit.rows)
    _put_rows(page, "What to do", [row for row in audit.rows if row.finding == "weak"])
    ok = [row for row in audit.rows if row.finding == "ok"]
    _put_rows(page, "What was seen", [row for row in ok if row.moved or row.check in _BY_SOURCE])
    _put_rows(page, "Not measured", [row for row in audit.rows if row.finding == "not measured"])
    page.line()
    errors = f", {count(audit.errors, 'error')}" if audit.errors else ""
    took = f"{count(audit.calls, 'call')} of a judge{errors}, {usd(audit.billed_usd)} spent"
    page.labelled("took", took, indent=0, width=_LABEL)
    if stored is not None:
        page.literal(styled("stored".ljust(_LABEL), "dim").append(one_line(stored)))
    return page.text()


def _put_head(page: Page, audit: JudgeAudit) -> None:
    kinds = list(dict.fromkeys(row.check for row in audit.rows))
    measured = {row.check for row in audit.rows if row.finding != "not measured"}
    weak = [kind for kind in kinds if any(row.check == kind for row in audit.weak)]
    if weak:
        names = ", ".join(kind.replace("_", "-") for kind in weak)
        line = styled("WEAK", _STYLES["weak"]).append(f"  {one_line(audit.rubric)}: {names}")
    elif measured:
        line = styled("NOTHING FOUND", "bold green").append(f"  {one_line(audit.rubric)}")
    else:
        line = styled("NOT MEASURED", "bold yellow").append(f"  {one_line(audit.rubric)}")
    line.append(f"; {len(measured)} of {len(kinds)} kinds of check were measured")
    page.line(line, hang=2)
    page.labelled("judge", one_line(audit.asked), indent=0, width=_LABEL)
    outputs = f"{count(audit.outputs, 'output')} with {labelled_words(audit.labelled_by)}"
    page.labelled("tried on", f"{outputs}; seed {audit.seed}", indent=0, width=_LABEL)


def _put_table(page: Page, rows: Sequence[AuditRow]) -> None:
    """As many columns as there is room for; the rate and the finding on every screen."""
    width = page.screen.width
    header = ["check", "rate"]
    header += ["interval"] if width >= _ROOMY else []
    header += ["outputs", "p"] if width >= _WIDE else []
    header += ["finding"]
    cells = [_cells(row, width) for row in rows]
    page.table(header, cells)


def _cells(row: AuditRow, width: int) -> "list[Text | str]":
    measured = row.finding != "not measured" or row.share is not None
    cells: list[Text | str] = [one_line(row.name), _rate(row) if measured else NOT_DEFINED]
    if width >= _ROOMY:
        cells.append(_interval(row))
    if width >= _WIDE:
        cells += [f"{row.n:,}" if row.n else NOT_DEFINED, p_value(row.p).removeprefix("p = ")]
    cells.append(styled(row.finding, _STYLES[row.finding]))
    return cells


def _rate(row: AuditRow) -> str:
    if row.share is None:
        return NOT_DEFINED
    if row.check in _SIGNED:
        return points(round(row.share.value, 3), signed=True)
    return percent(row.share.value)


def _interval(row: AuditRow) -> str:
    if row.share is None:
        return NOT_DEFINED
    words = interval_words(row.share.lower, row.share.upper)
    return f"{words.removesuffix(' %')} pp" if row.check in _SIGNED else words


def _put_rows(page: Page, title: str, rows: Sequence[AuditRow]) -> None:
    """What was tried in each row, what came of it and what to do; alike ones together."""
    told: dict[tuple[str, str], list[AuditRow]] = {}
    for row in rows:
        told.setdefault((row.detail, row.todo), []).append(row)
    told = {words: alike for words, alike in told.items() if any(words)}
    if not told:
        return
    page.line()
    page.line(styled(title, "bold"))
    for (detail, todo), alike in told.items():
        names = ", ".join(one_line(row.name.removeprefix("injection: ")) for row in alike)
        tried = f" ({one_line(alike[0].tried)})" if len(alike) == 1 else ""
        page.line(styled(names, "bold").append(styled(tried, "dim")), indent=2, hang=2)
        for words in (detail, todo):
            if words:
                page.line(one_line(words), indent=4)
