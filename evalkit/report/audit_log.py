"""`evalkit audit`: entries and the result of a check, as text and as JSON."""

import sys
from collections.abc import Sequence

import msgspec

from evalkit.records.audit_log import AuditEntry, AuditReport
from evalkit.report.figures import count
from evalkit.report.screen import Page, Screen, screen_of, styled
from evalkit.report.structures import encode
from evalkit.report.untrusted import clip, one_line

_MOST_ABOUT = 600
_LABEL = 8


def entries_json(entries: Sequence[AuditEntry]) -> str:
    """The entries as indented JSON (`evalkit.audit_entries/1`)."""
    said = {"schema": "evalkit.audit_entries/1", "entries": msgspec.to_builtins(entries)}
    return msgspec.json.format(msgspec.json.encode(said), indent=2).decode()


def entries_text(entries: Sequence[AuditEntry], *, screen: Screen | None = None) -> str:
    """An entry a paragraph: when, what kind, by whom, about what."""
    page = Page(screen or screen_of(sys.stdout))
    if not entries:
        page.line("No entry of the audit log fits.")
    for entry in entries:
        line = styled(f"{entry.seq:>5}  {entry.at[:19].replace('T', ' ')}  ", "dim")
        line.append(one_line(entry.kind), style="bold")
        page.line(line, hang=7)
        who = ", ".join(f"{key} {value}" for key, value in entry.actor.items()) or "nobody known"
        page.labelled("by", one_line(who), indent=7, width=_LABEL)
        for key, value in entry.about.items():
            text = value if isinstance(value, str) else encode(value)
            page.labelled(
                "", one_line(f"{key}: {clip(text, _MOST_ABOUT)}"), indent=7, width=_LABEL, hang=2
            )
    return page.text()


def report_json(report: AuditReport) -> str:
    """The result of a check as indented JSON."""
    said = {"schema": "evalkit.audit_report/1", "holds": report.holds}
    said |= msgspec.to_builtins(report)
    return msgspec.json.format(msgspec.json.encode(said), indent=2).decode()


def report_text(report: AuditReport, *, screen: Screen | None = None) -> str:
    """Whether the log holds, in a line, then what else there is to know."""
    page = Page(screen or screen_of(sys.stdout))
    noun = "entry" if report.entries == 1 else "entries"
    if report.problem is not None:
        title = styled("The audit log does not hold: ", "red").append(one_line(report.problem))
        page.line(title, hang=2)
        page.labelled("file", one_line(report.path))
        page.labelled("held", f"{report.entries:,} {noun} before that")
        return page.text()
    if not report.last_seq:
        page.line("The audit log is empty.")
        return page.text()
    signed = ", and its head is signed" if report.signed else ""
    page.line(
        styled("The audit log holds: ", "green").append(f"{report.entries:,} {noun}{signed}.")
    )
    page.labelled("file", one_line(report.path))
    page.labelled("head", f"entry {report.last_seq:,}, {report.last_hash}")
    if report.pruned:
        page.labelled(
            "pruned", f"{count(report.pruned, 'older entry').replace('entrys', 'entries')}"
        )
    for note in report.notes:
        page.labelled("note", one_line(note))
    return page.text()
