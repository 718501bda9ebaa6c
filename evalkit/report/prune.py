"""`evalkit prune`: what was removed, or would be, as text and as JSON."""

import sys

import msgspec

from evalkit.records.pruned import Pruned, PruneReport
from evalkit.report.screen import Page, Screen, screen_of
from evalkit.report.untrusted import one_line

_NOUNS = {
    "runs": ("run", "runs"),
    "traces": ("trace", "traces"),
    "cache": ("cached reply", "cached replies"),
    "audit": ("audit entry", "audit entries"),
    "approvals": ("approval", "approvals"),
}


def prune_json(report: PruneReport) -> str:
    """The report as indented JSON (`evalkit.prune/1`)."""
    return msgspec.json.format(msgspec.json.encode(report), indent=2).decode()


def prune_text(report: PruneReport, *, screen: Screen | None = None) -> str:
    """A line a kind, with the runs by their names."""
    page = Page(screen or screen_of(sys.stdout))
    page.line("Would remove" if report.dry_run else "Removed")
    for each in report.pruned:
        page.labelled(each.kind, _words(each), width=11, hang=2)
        for name in each.names:
            page.labelled("", one_line(name), width=11)
        for run, why in sorted(each.kept.items(), reverse=True):
            page.labelled("", f"{one_line(run)} stays: {one_line(why)}", width=11)
    return page.text()


def _words(pruned: Pruned) -> str:
    one, many = _NOUNS[pruned.kind]
    if not pruned.count:
        return "nothing is that old"
    size = f", {_size(pruned.bytes)}" if pruned.bytes else ""
    return f"{pruned.count:,} {one if pruned.count == 1 else many}{size}"


def _size(size: int) -> str:
    for unit in ("bytes", "kB", "MB"):
        if size < 1000:
            return f"{size:,.0f} {unit}"
        size //= 1000
    return f"{size:,} GB"
