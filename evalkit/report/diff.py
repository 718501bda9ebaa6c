"""What `evalkit diff` prints: what broke first, then what else changed, then the tables."""

import sys
from collections.abc import Sequence

import msgspec

from evalkit.records.comparison import CaseChange, Comparison, SuiteComparison
from evalkit.report.case_block import put_change
from evalkit.report.diff_markdown import diff_markdown
from evalkit.report.evidence import SCRIPTED_NOTE, alone, origins_of, scripted_words
from evalkit.report.figures import count
from evalkit.report.headline import verdict_reason
from evalkit.report.marks import mark
from evalkit.report.screen import Page, Screen, screen_of, styled
from evalkit.report.sections import never_words, sections_of
from evalkit.report.suite_block import put_parts, put_suite_head, put_tables
from evalkit.report.untrusted import one_line

__all__ = ["diff_json", "diff_markdown", "diff_text"]


def diff_json(comparison: Comparison) -> str:
    """The whole comparison as indented JSON (`evalkit.diff/1`)."""
    # changes of a large suite are described as they are written
    encoded = msgspec.json.encode(comparison, enc_hook=list)
    return msgspec.json.format(encoded, indent=2).decode()


def diff_text(
    comparison: Comparison, *, all_cases: bool = False, screen: Screen | None = None
) -> str:
    """The comparison on a terminal. `all_cases` shows every case instead of the first few."""
    page = Page(screen or screen_of(sys.stdout))
    _put_head(page, comparison)
    for suite in comparison.suites:
        page.line()
        put_suite_head(page, suite)
        put_parts(page, suite)
        page.line()
        _put_changes(page, suite, all_cases=all_cases)
        put_tables(page, suite)
        _put_only(page, suite)
    return page.text()


def _put_head(page: Page, comparison: Comparison) -> None:
    if comparison.verdict is not None:
        line = mark(comparison.verdict.outcome)
        line.append(f" (exit {comparison.verdict.exit_code})")
        reason = one_line(verdict_reason(comparison.verdict))
        line.append(f"  {reason}")
        page.line(line, hang=2)
    page.line(styled(one_line(sides_words(comparison)), "dim"), hang=2)
    if scripted_words(origins_of(comparison)):
        page.labelled("scripted", SCRIPTED_NOTE, indent=0, style="yellow")
    for note in comparison.notes:
        page.labelled("note", one_line(note), indent=0, style="yellow")
    for words, suites in (
        ("only before", comparison.only_before),
        ("only after", comparison.only_after),
    ):
        if suites:
            page.labelled(words, f"suites {one_line(', '.join(suites))}", indent=0, width=12)


def sides_words(comparison: Comparison) -> str:
    """'baseline → candidate', or 'candidate, without a baseline' where nothing is compared."""
    if alone(comparison):
        return f"{comparison.after}, without a baseline"
    return f"{comparison.before} → {comparison.after}"


def _put_changes(page: Page, suite: SuiteComparison, *, all_cases: bool) -> None:
    nothing = True
    for title, changes, limit in sections_of(suite, all_cases=all_cases):
        never = never_words(changes)
        nothing = nothing and title == "Failing as before"
        if not limit:
            page.line(f"{title}: {len(changes):,}{never} (--all shows them)", indent=2)
            continue
        words = never + ("" if limit >= len(changes) else f", the first {limit}")
        page.line(styled(f"{title}: {len(changes):,}{words}", "bold"), indent=2)
        page.line()
        for change in changes[:limit]:
            put_change(page, change)
        if limit < len(changes):
            _put_more(page, changes[limit:])
    same = suite.counts.get("same", 0)
    if suite.before is not None:
        words = "Nothing changed: " if nothing else "Unchanged: "
        page.line(f"{words}{same:,} of {suite.cases:,} cases pass on both sides.", indent=2)
    page.line()


def _put_more(page: Page, rest: Sequence[CaseChange]) -> None:
    """The names of the cases that are left out, as far as a few lines hold them."""
    names = [one_line(change.case) for change in rest[:40]]
    more = f" and {len(rest) - 40:,} more" if len(rest) > 40 else ""
    page.line(
        styled(f"{len(rest):,} more (--all shows them): {', '.join(names)}{more}", "dim"),
        indent=2,
        hang=2,
    )
    page.line()


def _put_only(page: Page, suite: SuiteComparison) -> None:
    for words, cases in (("only before", suite.only_before), ("only after", suite.only_after)):
        if cases:
            names = ", ".join(cases[:20]) + (f" and {len(cases) - 20:,} more" if cases[20:] else "")
            known = f"{count(len(cases), 'case')}, not counted: {one_line(names)}"
            page.labelled(words, known, width=12)
