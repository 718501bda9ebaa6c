"""Pieces of Markdown that the report and the diff are made of; each is whole on its own."""

from collections.abc import Sequence

from evalkit.records.comparison import CaseChange, SuiteComparison
from evalkit.records.verdict import Outcome, PartVerdict
from evalkit.report.case_block import cost_words, mapping_lines, role_words, trial_words
from evalkit.report.figures import count
from evalkit.report.headline import part_detail
from evalkit.report.judges import suite_judge_rows
from evalkit.report.marks import MARKS
from evalkit.report.markup import cells, code_span, fenced, html_code, prose
from evalkit.report.output_diff import Line, diff_sides
from evalkit.report.side_rows import side_rows
from evalkit.report.structures import encode
from evalkit.report.suite_block import is_brief, legend
from evalkit.report.suite_rows import (
    SCORER_HEADER,
    SLICE_HEADER,
    drop_rows,
    failure_rows,
    scorer_cells,
    slice_cells,
    suite_notes,
)
from evalkit.report.untrusted import clip, visible

_MOST_INPUT = 600
_MOST_OUTPUT = 1_200
_MOST_MESSAGE = 300
_NAMES = frozenset({"prompt", "target", "models", "from"})


def suite_head(suite: SuiteComparison) -> str:
    """Heading, both sides' figures, what the gate asked and how it came out."""
    outcome = "" if suite.verdict is None else f": {MARKS[suite.verdict.outcome]}"
    owner = f", owner {code_span(suite.owner)}" if suite.owner else ""
    lines = [
        f"### {code_span(suite.suite)}{outcome}",
        "",
        f"{count(suite.cases, 'case')} of {code_span(suite.golden)}{owner}",
        "",
        *_side_table(suite),
        "",
        *_failure_lines(suite),
        *_part_lines(suite),
    ]
    return "\n".join(lines)


def _side_table(suite: SuiteComparison) -> list[str]:
    lines = [cells("", code_span(suite.after.label)), "|:--|--:|"]
    if suite.before is not None:
        header = ("", code_span(suite.before.label), code_span(suite.after.label), "change")
        lines = [cells(*header), "|:--|--:|--:|--:|"]
    for what, old, new, moved in side_rows(suite):
        if what in _NAMES:
            old, new = (code_span(each) if each else "" for each in (old, new))
        else:
            old, new = prose(old), prose(new)
        lines.append(
            cells(what, new) if suite.before is None else cells(what, old, new, prose(moved))
        )
    return lines


def _failure_lines(suite: SuiteComparison) -> list[str]:
    """One line of attempts by failure mode, before and after; none where every attempt passed."""
    rows = [f"{code_span(mode)} {numbers}" for mode, numbers in failure_rows(suite)]
    return [f"Failures by mode: {', '.join(rows)}", ""] if rows else []


def _part_lines(suite: SuiteComparison) -> list[str]:
    judges = [f"- {what}: {prose(words)}" for what, words, _ in suite_judge_rows(suite)]
    if suite.verdict is None:
        return judges + [f"- note: {prose(note)}" for note in suite_notes(suite)]
    lines = []
    for part in suite.verdict.parts:
        accepted = "" if part.waiver is None else " (accepted)"
        lines.append(f"- **{MARKS[part.outcome]}**{accepted} {_part_words(part)}")
        if part.kind == "drop":
            rows = drop_rows(part, unknown=suite.verdict.unknown)
            lines += [f"  - {what}: {prose(words)}" for what, words in rows]
        if part.what_would_settle and part.outcome is not Outcome.PASS and part.waiver is None:
            lines.append(f"  - to settle it: {prose(part.what_would_settle)}")
    lines += judges
    lines += [f"- **warning** {prose(warning)}" for warning in suite.verdict.warnings]
    return lines + [f"- note: {prose(note)}" for note in suite_notes(suite)]


def _part_words(part: PartVerdict) -> str:
    advisory = "" if part.required else " (advisory)"
    words = part_detail(part) if is_brief(part) else part.message
    return f"{code_span(part.name)}{advisory}: {prose(words)}"


def change_entry(change: CaseChange) -> str:
    """One case, folded: what was asked and expected, before and after, what broke, what it cost."""
    broke = ", ".join(html_code(each.scorer) for each in change.findings if each.fresh)
    summary = f"{html_code(change.case)} {trial_words(change)}" + (f": {broke}" if broke else "")
    asked = [f"{label:<9} {clip(text, _MOST_INPUT)}" for label, text in _asked(change)]
    lines = [
        "<details>",
        f"<summary>{summary}</summary>",
        "",
        fenced("\n".join(asked), "text"),
        "",
        fenced("\n".join(_said(change)), "diff"),
        "",
        *(f"- {_finding(change, number)}" for number in range(len(change.findings))),
        f"- cost: {code_span(cost_words(change))}",
    ]
    if change.tags:
        lines.append(f"- tags: {', '.join(code_span(tag) for tag in change.tags)}")
    if change.place:
        lines.append(f"- in {code_span(change.place)}")
    return "\n".join([*lines, "", "</details>"])


def _asked(change: CaseChange) -> list[tuple[str, str]]:
    return [*mapping_lines("input", change.input), *mapping_lines("expected", change.expected)]


def _said(change: CaseChange) -> list[str]:
    shown = diff_sides(change.before, change.after)
    if shown.equal or change.before is None:
        return _prefixed(" ", shown.after, marks=("", ""))
    before = _prefixed("-", shown.before, marks=("[-", "-]"))
    return before + _prefixed("+", shown.after, marks=("{+", "+}"))


def _prefixed(sign: str, lines: Sequence[Line], *, marks: tuple[str, str]) -> list[str]:
    prefixed = []
    for line in lines:
        text = "".join(
            f"{marks[0]}{part}{marks[1]}" if changed and line.partly else part
            for part, changed in line.segments
        )
        path = f"{line.path}: " if line.path else ""
        shown = visible(path + clip(text, _MOST_OUTPUT))
        prefixed += [f"{sign} {each}" for each in shown.split("\n")]
    return prefixed


def _finding(change: CaseChange, number: int) -> str:
    finding = change.findings[number]
    what = "was wrong" if change.kind == "fix" else "broke" if finding.fresh else "also wrong"
    failed = " (the scorer failed)" if finding.state == "error" else ""
    role = role_words(gate=finding.gate, apart=finding.apart)
    message = finding.message
    if not message:
        message = f"expected {encode(finding.expected)}, found {encode(finding.found)}"
    shown = code_span(clip(message, _MOST_MESSAGE))
    return f"{what}: {code_span(finding.scorer)}{role}{failed} {shown}"


def slice_table(suite: SuiteComparison) -> str:
    """Pass rates by tag, folded; empty without tags."""
    if not suite.slices:
        return ""
    rows = [slice_cells(row) for row in (suite.overall, *suite.slices)]
    return _folded("Slices", SLICE_HEADER, rows, foot=legend(suite))


def scorer_table(suite: SuiteComparison) -> str:
    """Pass rates by scorer, folded; empty without scores."""
    return _folded("Scorers", SCORER_HEADER, scorer_cells(suite)) if suite.scorers else ""


def _folded(
    title: str, header: Sequence[str], rows: Sequence[Sequence[str]], *, foot: str = ""
) -> str:
    lines = [
        "<details>",
        f"<summary>{title}</summary>",
        "",
        cells(*header),
        "|:--|" + "--:|" * (len(header) - 1),
        *(cells(code_span(row[0]), *(prose(cell) for cell in row[1:])) for row in rows),
        "",
        *((prose(foot), "") if foot else ()),
        "</details>",
    ]
    return "\n".join(lines)


def only_lines(suite: SuiteComparison) -> str:
    """The cases that only one side has, which nothing counts; empty when there are none."""
    lines = []
    for words, cases in (("before", suite.only_before), ("after", suite.only_after)):
        if cases:
            named = ", ".join(code_span(case) for case in cases[:20])
            more = f" and {len(cases) - 20:,} more" if cases[20:] else ""
            lines.append(f"- {count(len(cases), 'case')} only {words}, not counted: {named}{more}")
    return "\n".join(lines)
