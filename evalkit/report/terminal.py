"""What `evalkit run` prints when it is done: the first screen somebody reads."""

import os
import shlex
import sys
from itertools import chain

from evalkit.records.comparison import CaseChange, Comparison, SuiteComparison
from evalkit.records.run import RunRecord, StoredRun
from evalkit.report.call_failures import failure_lines
from evalkit.report.case_block import finding_words, trial_words
from evalkit.report.evidence import SCRIPTED_NOTE, alone, origins_of, scripted_words
from evalkit.report.figures import count, duration, usd
from evalkit.report.headline import run_mark, run_reason
from evalkit.report.judging import judges_share
from evalkit.report.marks import KIND_STYLES, run_style
from evalkit.report.screen import Page, Screen, screen_of, styled
from evalkit.report.sections import attempted_first, never_attempted, never_words
from evalkit.report.sharding import merge_command
from evalkit.report.suite_block import put_parts, put_suite_head
from evalkit.report.untrusted import clip, one_line

_FIRST = 3
_MOST_INPUT = 110
_HANG = 2


def run_text(
    run: StoredRun, comparison: Comparison, *, quiet: bool = False, screen: Screen | None = None
) -> str:
    """The verdict in one line with its exit code and why, then each suite, then what to do next.

    `quiet` gives the one line. `screen` is stdout's unless given.
    """
    screen = screen or screen_of(sys.stdout)
    if quiet:
        line = "".join(_verdict_line(run.record, comparison))
        if _is_plain(line, screen):
            return f"{line.rstrip()}\n"
    page = Page(screen)
    put_verdict(page, run.record, comparison)
    if quiet:
        return page.text()
    for warning in run.record.warnings:
        page.labelled("warning", one_line(warning), indent=0, style="yellow")
    for suite in comparison.suites:
        page.line()
        put_suite_head(page, suite)
        put_parts(page, suite)
        _put_first_changes(page, suite)
    failures = failure_lines(run.record)
    if failures:
        page.line()
        for number, line in enumerate(failures):
            page.labelled("" if number else "errors", one_line(line), indent=0, style="yellow")
    if scripted_words(origins_of(comparison)):
        page.line()
        page.labelled("scripted", SCRIPTED_NOTE, indent=0, style="yellow")
    page.line()
    put_next(page, run, comparison)
    return page.text()


def put_verdict(page: Page, record: RunRecord, comparison: Comparison) -> None:
    """The one line that says how the run came out."""
    word, rest = _verdict_line(record, comparison)
    line = styled(word, run_style(word))
    line.append(rest)
    page.line(line, hang=_HANG)


def _verdict_line(record: RunRecord, comparison: Comparison) -> tuple[str, str]:
    """The mark of the run, and the rest of the one line."""
    # what has not ended has no exit code
    code = "" if record.state == "running" else f" (exit {record.exit_code})"
    scripted = scripted_words(origins_of(comparison))
    reason = one_line(run_reason(record)) + (f" ({scripted})" if scripted else "")
    return run_mark(record), f"{code}  {reason}"


def _is_plain(line: str, screen: Screen) -> bool:
    """Whether a line needs neither colour nor wrapping, for which rich takes a while to load."""
    fits = line.isascii() and line.isprintable() and len(line) <= screen.width - _HANG
    return fits and not screen.color


def _put_first_changes(page: Page, suite: SuiteComparison) -> None:
    broken = ("regression", "", suite.of_kind("regression"))
    if suite.before is None:
        broken = ("failing case", "", suite.of_kind("failing", "flip"))
    for noun, words, changes in (broken, ("case", " without a result", suite.of_kind("error"))):
        if not changes:
            continue
        page.line()
        first = min(_FIRST, len(changes) - never_attempted(changes))
        shown = ":" if first else ""
        if first and len(changes) > _FIRST:
            shown = f", the first {first}:"
        title = f"{count(len(changes), noun)}{words}{never_words(changes)}{shown}"
        page.line(styled(title, "bold"), indent=2)
        for change in attempted_first(changes)[:first]:
            _put_brief(page, change)


def _put_brief(page: Page, change: CaseChange) -> None:
    """A case in two or three lines: what was asked, and what broke."""
    title = styled(one_line(change.case), KIND_STYLES[change.kind])
    title.append(f"  {trial_words(change)}")
    if change.place:
        title.append(f"  {one_line(change.place)}", style="dim")
    page.line(title, indent=4, hang=2)
    asked = " · ".join(
        value for value in change.input.values() if isinstance(value, str) and value.strip()
    )
    if asked:
        page.line(styled(clip(one_line(asked), _MOST_INPUT), "dim"), indent=6)
    for finding in change.findings[:2]:
        page.line(finding_words(finding), indent=6, hang=2)
    if change.after.error and not change.findings:
        page.line(clip(one_line(change.after.error), _MOST_INPUT), indent=6)


def put_next(page: Page, run: StoredRun, comparison: Comparison) -> None:
    """Where everything is, what it took, and the commands that come next."""
    record = run.record
    spent = f"{usd(record.billed_usd)} spent"
    if record.budget_usd is not None:
        spent += f" of {usd(record.budget_usd)} allowed"
    spent += judges_share(record)
    page.labelled(
        "took", f"{count(run.made, 'attempt')} in {duration(record.duration_s)}, {spent}", indent=0
    )
    where = report_path(run.path)
    if os.path.exists(where):
        page.literal(styled("report    ", "dim").append(where))
    for number, (command, purpose) in enumerate(next_commands(record, comparison)):
        line = styled("          " if number else "next      ", "dim").append(
            command, style="bold cyan"
        )
        if len(line) + len(purpose) + 2 <= page.screen.width:
            line.append(f"  {purpose}", style="dim")
        page.literal(line)


def report_path(path: str) -> str:
    """The bundle's report.html, else its report.md, relative to where the user stands when it is
    below. A run that was killed has neither."""
    page = os.path.join(path, "report.html")
    full = page if os.path.exists(page) else os.path.join(path, "report.md")
    relative = os.path.relpath(full) if os.path.isabs(full) else full
    return one_line(full if relative.startswith("..") else relative)


def next_commands(record: RunRecord, comparison: Comparison) -> list[tuple[str, str]]:
    """(command, what for): what somebody would type after this run."""
    if record.state != "complete" and record.merged:
        purpose = "asks again what has no result; so for every shard, then merge"
        return [(f"evalkit run --resume {record.merged[0].run}", purpose)]
    if record.state != "complete":
        return [(f"evalkit run --resume {record.id}", "goes on where it stopped")]
    if record.shard is not None:
        return [(merge_command(record), f"once all {record.shard.of} shards are there")]
    purpose = "every case that failed" if alone(comparison) else "every case that changed"
    commands = [(f"evalkit diff {record.id}", purpose)]
    changed = (change.case for suite in comparison.suites for change in suite.changes)
    by_judges = (
        case for suite in comparison.suites for row in suite.scorers for case in row.newly_failing
    )
    case = next(chain(changed, by_judges), None)
    if case is not None:
        shown = shlex.quote(one_line(case))
        commands.append((f"evalkit show {record.id} {shown}", "what it did, cost, and why"))
    return commands
