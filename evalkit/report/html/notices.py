"""What a reader has to know before believing the verdict: guards, waivers, quarantine, warnings."""

from collections.abc import Iterable, Sequence

from evalkit.records.comparison import Comparison
from evalkit.records.run import StoredRun
from evalkit.records.verdict import SESSIONS_PLAYED, Outcome, PartVerdict, Quarantined, Waiver
from evalkit.report.call_failures import failure_lines
from evalkit.report.figures import count
from evalkit.report.html.element import Markup, element, join
from evalkit.report.html.icons import icon
from evalkit.report.suite_rows import suite_notes

_MOST = 50


def notices(run: StoredRun, comparison: Comparison) -> Markup | None:
    """The notices that this run needs, those about the gate itself first; None without any."""
    found = [
        *_guards(comparison),
        *_waivers(run, comparison),
        *_left_out(run, comparison),
        *_warnings(run, comparison),
        *_failures(run),
        *_notes(comparison),
    ]
    if not found:
        return None
    heading = element("h2", "Before you rely on it", id="notices")
    return element("section", heading, found, class_="notices")


def _notice(symbol: str, tone: str, title: str, *children: Markup) -> Markup:
    head = element("h3", icon(symbol), title)
    return element("div", head, children, class_=f"notice tone-{tone}")


def _list(items: Iterable[str]) -> Markup:
    lines = list(items)
    more = [f"{len(lines) - _MOST:,} more are in run.json"] if lines[_MOST:] else []
    return element("ul", (element("li", line) for line in (*lines[:_MOST], *more)))


def _parts(comparison: Comparison) -> list[tuple[str, PartVerdict]]:
    return [
        (suite.suite, part)
        for suite in comparison.suites
        if suite.verdict is not None
        for part in suite.verdict.parts
    ]


def _named(comparison: Comparison, suite: str, words: str) -> str:
    return f"{suite}: {words}" if len(comparison.suites) > 1 else words


def _guards(comparison: Comparison) -> list[Markup]:
    """What is weaker than before: it stays listed when somebody accepted it."""
    guards = [(suite, part) for suite, part in _parts(comparison) if part.kind == "guard"]
    if not guards:
        return []
    open_ = [part for _, part in guards if part.outcome is not Outcome.PASS and not part.waiver]
    title = "The gate itself changed" + ("" if open_ else ", and that was accepted")
    if all(part.name == SESSIONS_PLAYED for _, part in guards):
        title = "Not every session was played"
    lines = [_named(comparison, suite, part.message) for suite, part in guards]
    settle = dict.fromkeys(
        f"To settle it: {part.what_would_settle}" for part in open_ if part.what_would_settle
    )
    return [_notice("shield", "unsure", title, _list([*lines, *settle]))]


def _waivers(run: StoredRun, comparison: Comparison) -> list[Markup]:
    known = [(snapshot.today, waiver) for snapshot in run.snapshots for waiver in snapshot.waivers]
    applied = {part.waiver.id: part.waiver for _, part in _parts(comparison) if part.waiver}
    listed = {waiver.id for _, waiver in known}
    known += [("", waiver) for waiver in applied.values() if waiver.id not in listed]
    held = [part.message for _, part in _parts(comparison) if part.kind == "waiver"]
    if not known and not held:
        return []
    lines = [_waiver_line(waiver, today, applied=waiver.id in applied) for today, waiver in known]
    title = f"{count(len(applied), 'requirement')} waived" if applied else "Waivers"
    return [_notice("pen", "unsure", title, _list([*held, *lines]))]


def _waiver_line(waiver: Waiver, today: str, *, applied: bool) -> Markup:
    # days are ISO 8601, so they sort as they are
    expired = bool(today) and waiver.until < today
    state = "expired" if expired else "applied" if applied else "not needed, or not covering"
    accepted = (
        f" of {waiver.suite}, accepted by {waiver.accepted_by} on {waiver.on} until "
        f"{waiver.until}: {waiver.reason}"
    )
    return join(
        element("b", waiver.part),
        accepted,
        element("small", f" {waiver.id}, {state}"),
    )


def _left_out(run: StoredRun, comparison: Comparison) -> list[Markup]:
    """Quarantined cases, which do not count, and flaky ones, which do."""
    found = []
    quarantined: list[tuple[str, Quarantined]] = [
        (suite.suite, case)
        for suite in comparison.suites
        if suite.verdict is not None
        for case in suite.verdict.quarantined
    ]
    if quarantined:
        lines = [
            _named(comparison, suite, f"{each.case} until {each.until}: {each.reason}")
            for suite, each in quarantined
        ]
        title = f"{count(len(lines), 'case')} in quarantine, counted in invariants only"
        found.append(_notice("pause", "plain", title, _list(lines)))
    flaky = [(snapshot.suite, each) for snapshot in run.snapshots for each in snapshot.flaky]
    if flaky:
        lines = [
            _named(
                comparison,
                suite,
                f"{each.case} passed {each.passes} of {each.runs} runs of an unchanged baseline",
            )
            for suite, each in flaky
        ]
        title = f"{count(len(lines), 'flaky case')}, counted like any other"
        found.append(_notice("flip", "plain", title, _list(lines)))
    return found


def _warnings(run: StoredRun, comparison: Comparison) -> list[Markup]:
    warnings = list(run.record.warnings)
    for suite in comparison.suites:
        if suite.verdict is not None:
            warnings += [
                _named(comparison, suite.suite, each)
                for each in suite.verdict.warnings
                if each not in run.record.warnings
            ]
    lines = list(dict.fromkeys(warnings))
    if not lines:
        return []
    return [_notice("bell", "unsure", count(len(lines), "warning"), _list(lines))]


def _failures(run: StoredRun) -> list[Markup]:
    lines = failure_lines(run.record)
    return [_notice("bell", "plain", "Errors of calls", _list(lines))] if lines else []


def _notes(comparison: Comparison) -> list[Markup]:
    lines: Sequence[str] = [
        *comparison.notes,
        *(
            _named(comparison, suite.suite, note)
            for suite in comparison.suites
            for note in suite_notes(suite)
        ),
    ]
    return [_notice("note", "plain", "Notes", _list(dict.fromkeys(lines)))] if lines else []
