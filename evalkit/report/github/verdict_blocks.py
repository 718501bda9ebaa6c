"""The gate's side of a report: what was set aside, the figures of each suite, what decided."""

from collections.abc import Sequence

from evalkit.records.comparison import Amounts, Comparison, SuiteComparison
from evalkit.records.run import RunRecord
from evalkit.records.verdict import Outcome, PartVerdict, SuiteVerdict
from evalkit.report.asset_changes import changed_assets
from evalkit.report.figures import count, percent, points, quantity, seconds, tokens, usd
from evalkit.report.github.wording import spoken
from evalkit.report.headline import part_detail
from evalkit.report.judges import suite_judge_rows
from evalkit.report.marks import MARKS
from evalkit.report.markup import cells, code_span, prose
from evalkit.report.suite_block import is_brief
from evalkit.report.suite_rows import drop_rows, rate_cells, suite_notes
from evalkit.report.untrusted import clip

_MOST_WORDS = 1_000
_MOST_LINES = 20
_HEADER = (
    ("suite", ":--"),
    ("verdict", ":--"),
    ("pass rate", "--:"),
    ("drop", "--:"),
    ("margin", "--:"),
    ("b / c", "--:"),
    ("cases", "--:"),
    ("USD/case", "--:"),
    ("latency", "--:"),
    ("tokens/case", "--:"),
)


def aside_block(comparison: Comparison) -> str:
    """What was accepted, weakened or left out, which a reader has to know first; empty if nothing.

    Weaker gates and waivers come before quarantined cases.
    """
    lines = []
    for suite in comparison.suites:
        if suite.verdict is not None:
            lines += _guard_lines(suite.verdict)
    for suite in comparison.suites:
        if suite.verdict is not None:
            lines += _quarantine_lines(suite.verdict)
    if not lines:
        return ""
    return "\n".join(["### Set aside or weakened", "", *_capped(lines)])


def _guard_lines(verdict: SuiteVerdict) -> list[str]:
    suite = code_span(verdict.suite)
    lines = []
    for part in verdict.parts:
        waiver = part.waiver
        if waiver is not None:
            lines.append(
                f"- **{MARKS[part.outcome]}** (accepted) {suite} {code_span(part.name)} by "
                f"{code_span(waiver.accepted_by)} until {prose(waiver.until)} "
                f"({code_span(waiver.id)}): {_words(waiver.reason)}"
            )
        elif part.kind in ("guard", "waiver") and part.outcome is not Outcome.PASS:
            lines.append(
                f"- **{MARKS[part.outcome]}** {suite} {code_span(part.name)}: "
                f"{_words(part.message)}{_settle(part)}"
            )
    return lines


def _quarantine_lines(verdict: SuiteVerdict) -> list[str]:
    return [
        f"- **quarantined** {code_span(verdict.suite)} {code_span(each.case)} until "
        f"{prose(each.until)}: {_words(each.reason)}"
        for each in verdict.quarantined
    ]


def suite_table(comparison: Comparison) -> str:
    """One row a suite: pass rate, drop with its interval, b and c, what a case took."""
    rows = [cells(*(title for title, _ in _HEADER)), f"|{'|'.join(rule for _, rule in _HEADER)}|"]
    rows += [_suite_row(suite) for suite in comparison.suites[:100]]
    if len(comparison.suites) > 100:
        rows += ["", f"{len(comparison.suites) - 100:,} more suites are in the run."]
    return "\n".join(rows)


def _suite_row(suite: SuiteComparison) -> str:
    before, after, _ = rate_cells(suite.overall)
    drop, margin = _drop_cells(suite)
    old = None if suite.before is None else suite.before.amounts
    new = suite.after.amounts
    outcome = "not gated" if suite.verdict is None else f"**{MARKS[suite.verdict.outcome]}**"
    return cells(
        code_span(clip(suite.suite, 80)),
        outcome,
        _moved("" if suite.before is None else before, after),
        drop,
        margin,
        f"{quantity(suite.overall.b)} / {quantity(suite.overall.c)}" if suite.before else "",
        f"{suite.cases:,}",
        _moved(_usd(old), _usd(new)),
        _moved("" if old is None else seconds(old.latency_p50_s), seconds(new.latency_p50_s)),
        _moved(
            "" if old is None else tokens(old.tokens_per_attempt), tokens(new.tokens_per_attempt)
        ),
    )


def _moved(before: str, after: str) -> str:
    shown = prose(after) if not before or before == after else f"{prose(before)} → {prose(after)}"
    return shown if shown != "–" else ""


def _usd(amounts: Amounts | None) -> str:
    if amounts is None:
        return ""
    return usd(amounts.cost_usd_per_attempt) if amounts.measured else percent(None)


def _drop_cells(suite: SuiteComparison) -> tuple[str, str]:
    """(drop with interval, margin); none where the gate looks at no drop or could not."""
    verdict = suite.verdict
    if verdict is None:
        return "", ""
    part = next((part for part in verdict.parts if part.kind == "drop"), None)
    if part is None or part.margin is None:
        return "", ""
    if part.estimate is None or part.outcome is Outcome.INCOMPLETE:
        return "", points(part.margin)
    estimate = part.estimate
    worst = " at worst" if verdict.unknown else ""
    interval = f"{points(estimate.lower, beside=0)} to {points(estimate.upper, beside=part.margin)}"
    return f"{points(estimate.drop, beside=part.margin)}{worst} ({interval})", points(part.margin)


def decided_block(suite: SuiteComparison, *, named: bool) -> str:
    """What decided a suite: each requirement that does not pass in full, the others by name."""
    verdict = suite.verdict
    judges = [f"- {what}: {_words(words)}" for what, words, _ in suite_judge_rows(suite)]
    if verdict is None:
        notes = [f"- note: {_words(note)}" for note in suite_notes(suite)]
        return "\n".join(_capped([*judges, *notes]))
    open_parts = [part for part in verdict.parts if _is_open(part)]
    passed = [part for part in verdict.parts if part.outcome is Outcome.PASS]
    lines = []
    for part in open_parts:
        lines += _part_lines(part, verdict)
    for part in passed if not open_parts else ():
        lines += _part_lines(part, verdict)
    if open_parts and passed:
        names = ", ".join(code_span(part.name) for part in passed[:_MOST_LINES])
        more = f" and {len(passed) - _MOST_LINES:,} more" if len(passed) > _MOST_LINES else ""
        lines.append(f"- passed: {names}{more}")
    lines += judges
    lines += _look_lines(verdict)
    lines += [f"- **warning** {_words(warning)}" for warning in verdict.warnings]
    lines += [f"- note: {_words(note)}" for note in suite_notes(suite)]
    owner = f", owner {code_span(suite.owner)}" if suite.owner else ""
    title = f"{code_span(suite.suite)}: {MARKS[verdict.outcome]}{owner}"
    return "\n".join([*([title, ""] if named or owner else []), *_capped(lines, 2 * _MOST_LINES)])


def changed_lines(record: RunRecord, *, named: bool) -> str:
    """Which assets differ between the arms, a line a suite; empty where none does."""
    lines = []
    for suite in record.suites:
        changed = changed_assets(suite)
        if not changed:
            continue
        names = ", ".join(code_span(clip(each.title, 160)) for each in changed[:_MOST_LINES])
        more = f" and {len(changed) - _MOST_LINES:,} more" if len(changed) > _MOST_LINES else ""
        where = f" in {code_span(suite.suite)}" if named else ""
        lines.append(f"- changed{where}: {names}{more}")
    return "\n".join(lines[:_MOST_LINES])


def _is_open(part: PartVerdict) -> bool:
    """Whether it is told here: it does not pass, and `aside_block` does not tell it already."""
    return part.outcome is not Outcome.PASS and part.kind not in ("guard", "waiver")


def _part_lines(part: PartVerdict, verdict: SuiteVerdict) -> list[str]:
    advisory = "" if part.required else " (advisory)"
    accepted = " (accepted)" if part.waiver is not None else ""
    words = part_detail(part) if is_brief(part) else part.message
    lines = [
        f"- **{MARKS[part.outcome]}**{accepted} {code_span(part.name)}{advisory}: {_words(words)}"
    ]
    if part.kind == "drop":
        rows = drop_rows(part, unknown=verdict.unknown)
        lines += [f"  - {what}: {_words(text)}" for what, text in rows]
    if part.cases:
        named = ", ".join(code_span(clip(case, 80)) for case in part.cases[:_MOST_LINES])
        more = f" and {len(part.cases) - _MOST_LINES:,} more" if part.cases[_MOST_LINES:] else ""
        lines.append(f"  - cases: {named}{more}")
    if part.outcome is not Outcome.PASS and part.waiver is None:
        settle = _settle(part).strip()
        lines += [f"  - {settle[0].lower()}{settle[1:]}"] if settle else []
    return lines


def _look_lines(verdict: SuiteVerdict) -> list[str]:
    """How often an escalating gate looked, where it looked more than once."""
    taken = [look for look in verdict.looks if look.outcome is not None]
    if len(taken) < 2:
        return []
    words = ", ".join(
        f"{MARKS[look.outcome]} at {count(look.trials, 'trial')} a case"
        for look in taken
        if look.outcome is not None
    )
    return [f"- looked {len(taken)} times: {words}"]


def _settle(part: PartVerdict) -> str:
    if not part.what_would_settle:
        return ""
    return f" To settle it: {_words(part.what_would_settle)}"


def _words(text: str) -> str:
    return spoken(text, _MOST_WORDS)


def _capped(lines: Sequence[str], most: int = _MOST_LINES) -> list[str]:
    if len(lines) <= most:
        return list(lines)
    return [*lines[:most], f"- {len(lines) - most:,} more lines are in the run"]
