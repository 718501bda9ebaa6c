"""A run as one Markdown document: a pull request's comment, a job's summary, a check's text.

Whatever is in it, the document has at most `limit` characters, and nothing that came from a model,
a case or a file can become markup, a mention, a link or a command.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from evalkit.records.comparison import Comparison
from evalkit.records.run import StoredRun
from evalkit.report.evidence import SCRIPTED_NOTE, origin_words, origins_of, scripted_words
from evalkit.report.figures import count, duration, usd
from evalkit.report.github.budget import Budget, utf16_units
from evalkit.report.github.case_blocks import (
    add_broken,
    failure_table,
    other_lines,
    worst_first,
)
from evalkit.report.github.subject import Subject
from evalkit.report.github.verdict_blocks import (
    aside_block,
    changed_lines,
    decided_block,
    suite_table,
)
from evalkit.report.github.wording import spoken
from evalkit.report.judging import judges_share
from evalkit.report.markdown_blocks import slice_table
from evalkit.report.markup import code_span, prose
from evalkit.report.untrusted import clip

COMMENT_LIMIT = 65_536
_RESERVED = 3_000
_MOST_REASON = 600
_MOST_NOTES = 20
_MOST_WORDS = 1_000
_MOST_LINES = 30
LIVE_RUN = (
    "A maintainer who has read the change can start the live run, which has the project's keys; "
    "evalkit's docs/ci.md says how a workflow offers that."
)


def live_run_words(how: str | None, default: str = LIVE_RUN) -> str:
    """What a maintainer does to start the live run, as the project says it, else `default`."""
    return f"How a maintainer starts the live run: {how}" if how else default


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """What the foot of a document points to. `url` is the job's page, `fetch` the command that
    brings the run to another machine, `live_run` how a maintainer starts a live run."""

    url: str | None = None
    fetch: str | None = None
    live_run: str = LIVE_RUN


def document(
    subject: Subject,
    *,
    limit: int,
    title: str = "evalkit",
    first: str = "",
    cases: int = 20,
    ending: Ending | None = None,
    measure: Callable[[str], int] = utf16_units,
) -> str:
    """The document, of at most `limit` (at least 8,000) in the units of `measure`.

    `title` heads it, `first` is put before everything as it is, `cases` bounds the entries of cases
    that newly fail.
    """
    ending = ending or Ending()
    budget = Budget(limit=limit, reserve=_RESERVED, measure=measure)
    heading = f"## {prose(clip(title, 100))}: {subject.mark}"
    budget.add(f"{first}\n{heading}" if first else heading, lost="the heading")
    budget.add(_sentence(subject), lost="the reason")
    _add_evidence_notes(budget, subject, ending)
    if subject.kind != "run" or subject.run is None:
        _add_refusal(budget, subject, ending)
    if subject.run is not None and subject.comparison is not None:
        _add_run(budget, subject.run, subject.comparison, cases)
    whole = "`evalkit show` and `evalkit diff --all` show everything."
    return budget.text(_foot(subject, ending), whole=whole)


def _sentence(subject: Subject) -> str:
    reason = prose(clip(subject.reason, _MOST_REASON))
    end = "" if reason.endswith((".", "…")) else "."
    return f"**{reason}{end}** Exit code {subject.exit_code}."


def _add_evidence_notes(budget: Budget, subject: Subject, ending: Ending) -> None:
    """What a reader must know of the evidence before reading a figure."""
    notes = []
    if subject.newer_head is not None:
        notes.append(
            f"The pull request is at {subject.newer_head[:12]} by now, and this is about "
            f"{'an older commit' if subject.sha is None else subject.sha[:12]} alone."
        )
    if subject.fork:
        notes.append(_fork_words(subject))
        if subject.kind != "not_measured":  # its own section says how it is measured
            notes.append(ending.live_run)
    if subject.comparison is not None:
        words = scripted_words(origins_of(subject.comparison))
        if words:
            notes.append(f"This rests {words}. {SCRIPTED_NOTE}")
        notes += subject.comparison.notes
    if subject.record is not None:
        notes += subject.record.warnings
    lines = [f"- {spoken(note, _MOST_WORDS)}" for note in notes[:_MOST_NOTES]]
    if len(notes) > _MOST_NOTES:
        lines.append(f"- {len(notes) - _MOST_NOTES:,} more notes are in run.json")
    if lines:
        budget.add("\n".join(lines), lost="notes")


def _fork_words(subject: Subject) -> str:
    origins = _origins(subject)
    if origins.get("live"):
        return "The change comes from a fork."
    replayed = "; it was measured on stored replies, and no model was asked" if origins else ""
    return f"The change comes from a fork, whose jobs get no keys{replayed}."


def _add_refusal(budget: Budget, subject: Subject, ending: Ending) -> None:
    """Of a command that left no bundle: what it said, and what to do."""
    last = subject.last
    if last is None:
        return
    if last.problems:
        budget.add(f"### Problems: {len(last.problems):,}", lost="headings")
        _add_lines(budget, last.problems, "problems")
    elif last.message:
        first, *others = last.message.splitlines()
        budget.add(f"> {spoken(first, _MOST_WORDS)}", lost="the message")
        _add_lines(budget, [line for line in others if line.strip()], "lines of the message")
    if last.kind == "not_measured":
        lines = ["Nothing was measured, so this is no pass."]
        lines += [f"To measure it: {spoken(last.settle, _MOST_WORDS)}"] if last.settle else []
        lines.append(spoken(ending.live_run, _MOST_WORDS))
        budget.add("\n\n".join(lines), lost="how it can be measured")


def _add_lines(budget: Budget, lines: Sequence[str], what: str) -> None:
    """The first lines of many as a list."""
    shown = [f"- {spoken(line, _MOST_WORDS)}" for line in lines[:_MOST_LINES]]
    if len(lines) > len(shown):
        shown.append(f"- {len(lines) - len(shown):,} more")
    if shown:
        budget.add("\n".join(shown), lost=what)


def _add_run(budget: Budget, run: StoredRun, comparison: Comparison, cases: int) -> None:
    aside = aside_block(comparison)
    if aside:
        budget.add(aside, lost="what was set aside")
    if comparison.suites:
        budget.add(suite_table(comparison), lost="the table of suites")
    named = len(comparison.suites) > 1
    changed = changed_lines(run.record, named=named)
    if changed:
        budget.add(changed, lost="what changed in the assets")
    budget.add("### What decided", lost="headings")
    for suite in worst_first(comparison):
        block = decided_block(suite, named=named)
        if block:
            budget.add(block, lost="what decided in suites")
    add_broken(budget, comparison, most=cases)
    for block, lost in (
        (other_lines(comparison), "what else moved"),
        (failure_table(run.record), "failure modes"),
    ):
        if block:
            budget.add(block, lost=lost)
    for suite in worst_first(comparison):
        table = slice_table(suite)
        if table:
            budget.add(f"{code_span(suite.suite)}\n\n{table}" if named else table, lost="tables")


def _foot(subject: Subject, ending: Ending) -> str:
    """Where the evidence came from, which run it was, how to look closer. Bounded in size."""
    lines = []
    if origins := _origins(subject):
        lines.append(f"Evidence: {prose(clip(origin_words(origins), 300))}.")
    lines.append(_run_line(subject))
    steps = [f"[the job](<{ending.url}>)"] if ending.url else []
    if subject.record is not None:
        steps += [code_span(ending.fetch)] if ending.fetch else []
        steps.append(code_span(f"evalkit diff {clip(subject.record.id, 80)}"))
    if steps:
        lines.append(f"Next: {', '.join(steps)}")
    return "\n\n".join(lines)


def _origins(subject: Subject) -> dict[str, int]:
    """How many attempts each origin answered, over all sides."""
    counts: Counter[str] = Counter()
    if subject.comparison is not None:
        for origins in origins_of(subject.comparison):
            counts.update(origins)
    return dict(counts)


def _run_line(subject: Subject) -> str:
    record = subject.record
    sha = f", commit {code_span(subject.sha[:12])}" if subject.sha else ""
    if subject.run is None or record is None:
        return f"Ended {code_span(clip(subject.at, 40))}{sha}."
    dirty = " with uncommitted changes" if record.git.dirty else ""
    where = f" in {code_span(clip(subject.project, 100))}" if subject.project else ""
    return (
        f"Run {code_span(clip(record.id, 80))}{where}{sha}{dirty}, "
        f"{count(subject.run.made, 'attempt')} in {duration(record.duration_s)}, "
        f"{prose(usd(record.billed_usd))} spent{prose(judges_share(record))}."
    )
