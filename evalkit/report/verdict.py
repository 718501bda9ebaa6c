"""A verdict as text and as JSON."""

import msgspec

from evalkit.records.verdict import Outcome, PartVerdict, SuiteVerdict, Verdict
from evalkit.report.untrusted import one_line

MARKS = {
    Outcome.PASS: "PASS",
    Outcome.FAIL: "FAIL",
    Outcome.INCONCLUSIVE: "INCONCLUSIVE",
    Outcome.INCOMPLETE: "INCOMPLETE",
    Outcome.NOT_MEASURED: "NOT MEASURED",
}


def verdict_json(verdict: Verdict) -> str:
    """The whole verdict as indented JSON."""
    return msgspec.json.format(msgspec.json.encode(verdict), indent=2).decode()


def verdict_text(verdict: Verdict) -> str:
    """The verdict, its parts and what would settle what is open; plain text."""
    lines = [f"{MARKS[verdict.outcome]} (exit {verdict.exit_code})"]
    for suite in verdict.suites:
        lines += suite_lines(suite)
    # names of cases and tags come from files, and may hold what a terminal would obey
    return "\n".join(_shown(line) for line in lines)


def _shown(line: str) -> str:
    indent = len(line) - len(line.lstrip(" "))
    return " " * indent + one_line(line)


def suite_lines(suite: SuiteVerdict) -> list[str]:
    """A suite's outcome, its parts, warnings and notes, one line each."""
    owner = f", owner {suite.owner}" if suite.owner else ""
    lines = [f"{suite.suite}: {MARKS[suite.outcome]}, {suite.planned} cases{owner}"]
    for part in suite.parts:
        lines += part_lines(part)
    lines += [f"  warning: {warning}" for warning in suite.warnings]
    lines += [f"  note: {note}" for note in suite.notes]
    return lines


def part_lines(part: PartVerdict) -> list[str]:
    """What one requirement came out as, and what would settle it."""
    advisory = "" if part.required else " (advisory)"
    lines = [f"  {MARKS[part.outcome]} {part.name}{advisory}: {part.message}"]
    if part.what_would_settle and part.outcome is not Outcome.PASS:
        lines.append(f"    to settle it: {part.what_would_settle}")
    return lines
