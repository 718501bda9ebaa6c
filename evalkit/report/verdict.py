"""A verdict on its own as text and as JSON: what `evalkit gate` prints."""

import sys

import msgspec

from evalkit.records.verdict import Verdict
from evalkit.report.figures import count
from evalkit.report.headline import verdict_reason
from evalkit.report.marks import mark
from evalkit.report.screen import Page, Screen, screen_of, styled
from evalkit.report.suite_block import put_verdict_parts
from evalkit.report.untrusted import one_line


def verdict_json(verdict: Verdict) -> str:
    """The whole verdict as indented JSON."""
    return msgspec.json.format(msgspec.json.encode(verdict), indent=2).decode()


def verdict_text(verdict: Verdict, *, screen: Screen | None = None) -> str:
    """The verdict and why in one line, then each suite's parts as after a run.

    `screen` is stdout's unless given.
    """
    page = Page(screen or screen_of(sys.stdout))
    line = mark(verdict.outcome).append(f" (exit {verdict.exit_code})")
    page.line(line.append(f"  {one_line(verdict_reason(verdict))}"), hang=2)
    for suite in verdict.suites:
        page.line()
        title = styled(one_line(suite.suite), "bold").append("  ")
        title.append_text(mark(suite.outcome))
        owner = f", owner {one_line(suite.owner)}" if suite.owner else ""
        page.line(title.append(f"  {count(suite.planned, 'case')}{owner}", style="dim"), hang=2)
        put_verdict_parts(page, suite, notes=suite.notes)
    return page.text()
