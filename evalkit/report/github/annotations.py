"""Annotations: what broke, on the lines of the golden cases and of the files with problems.

A job's log is read by GitHub's runner, which obeys lines that begin with `::` and words like
`##[…]`. So no text of a model is ever printed there: annotations say in evalkit's words which case
broke which scorer, and what names they hold is escaped.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, Literal

from evalkit.records.comparison import CaseChange, SuiteComparison
from evalkit.records.run import StoredRun
from evalkit.records.verdict import Outcome
from evalkit.report.case_block import finding_words, trial_words
from evalkit.report.github.case_blocks import broken, worst_first
from evalkit.report.github.subject import Subject
from evalkit.report.judges import worse_by_judges
from evalkit.report.untrusted import clip, one_line, visible

Level = Literal["failure", "warning", "notice"]
MOST_IN_LOG = 10
"""The errors and the warnings of one step that GitHub shows, each."""

MOST_BY_JUDGES = 10
_COMMANDS: dict[Level, str] = {"failure": "error", "warning": "warning", "notice": "notice"}
_LEVELS: tuple[Level, ...] = ("failure", "warning", "notice")
_PLACE = re.compile(r"(?P<file>[^:\n]+?):(?P<line>\d+)(?::\d+)?: (?P<words>.*)", re.DOTALL)
_MOST_TITLE, _MOST_MESSAGE, _MOST_DETAILS = 200, 1_000, 4_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Annotation:
    """One line of a file and what is to be said of it; a `path` of None is about the whole run.

    `path` is relative to the repository. `details` may quote a model: they go to the API, which
    shows them as plain text, and never to a log.
    """

    level: Level
    title: str
    message: str
    path: str | None = None
    line: int = 1
    details: str = ""


def annotations_of(subject: Subject) -> tuple[Annotation, ...]:
    """The verdict where it is not green, then cases and problems, worst first."""
    found = [] if subject.green else [_verdict(subject)]
    if subject.run is not None and subject.comparison is not None:
        for suite in worst_first(subject.comparison):
            found += _of_suite(subject, subject.run, suite)
    if subject.last is not None:
        found += [_problem(subject, text) for text in subject.last.problems]
    return tuple(sorted(found, key=lambda each: _LEVELS.index(each.level)))


def _verdict(subject: Subject) -> Annotation:
    mild = subject.kind == "not_measured" or subject.exit_code == 0
    alone = subject.last is not None and subject.kind != "run" and not subject.last.problems
    said = clip(one_line(subject.last.message), 300) if alone and subject.last else ""
    return Annotation(
        level="warning" if mild else "failure",
        title=f"evalkit: {subject.mark}",
        message=subject.reason if not said else f"{subject.reason}: {said}",
    )


def _of_suite(subject: Subject, run: StoredRun, suite: SuiteComparison) -> Iterator[Annotation]:
    """What broke in a suite: errors where the suite fails, warnings where it does not."""
    failed = suite.verdict is not None and suite.verdict.outcome is Outcome.FAIL
    for name, case in _breaches(suite):
        yield Annotation(
            level="failure" if failed else "warning",
            title=f"evalkit: {suite.suite}: {name}",
            message=f"case {case} breaks it",
            **_where(subject, _place(run, suite.suite, case)),
        )
    for change in broken(suite):
        yield Annotation(
            level="failure" if failed else "warning",
            title=f"evalkit: {suite.suite}: {change.case}",
            message=_change_words(change),
            details="\n".join(finding_words(finding) for finding in change.findings),
            **_where(subject, change.place),
        )
    for scorer, case, words in islice(worse_by_judges(suite), MOST_BY_JUDGES):
        yield Annotation(
            level="warning",  # a judge is held against a margin, not believed about one case
            title=f"evalkit: {suite.suite}: judge {scorer}: {case}",
            message=words,
            **_where(subject, _place(run, suite.suite, case)),
        )
    for change in suite.of_kind("error"):
        yield Annotation(
            level="warning",
            title=f"evalkit: {suite.suite}: {change.case}",
            message=_change_words(change),
            **_where(subject, change.place),
        )


def _breaches(suite: SuiteComparison) -> Iterator[tuple[str, str]]:
    """(requirement, case) of what single cases broke."""
    for part in () if suite.verdict is None else suite.verdict.parts:
        if part.outcome is Outcome.FAIL and part.required and part.waiver is None:
            for case in part.cases:
                yield part.name, case


def _change_words(change: CaseChange) -> str:
    scorers = dict.fromkeys(finding.scorer for finding in change.findings if finding.fresh)
    broke = f"; broke {', '.join(scorers)}" if scorers else ""
    mode = change.after.failure_mode
    return f"{trial_words(change)}{broke}" + (f" ({mode})" if mode else "")


def _problem(subject: Subject, text: str) -> Annotation:
    """A problem of a load, on its line where its text begins with one."""
    level: Level = "warning" if subject.kind == "not_measured" else "failure"
    found = _PLACE.fullmatch(text)
    if found is None:
        return Annotation(level=level, title=f"evalkit: {subject.mark}", message=text)
    return Annotation(
        level=level,
        title=f"evalkit: {subject.mark}",
        message=found["words"],
        **_where(subject, f"{found['file']}:{found['line']}"),
    )


def _place(run: StoredRun, suite: str, case: str) -> str | None:
    snapshot = run.snapshot(suite)
    if snapshot is None or not snapshot.golden_path:
        return None
    return f"{snapshot.golden_path}:{snapshot.cases.line_of(case) or 1}"


def _where(subject: Subject, place: str | None) -> dict[str, Any]:
    """`path` and `line` of a `file:line` of the project; nothing of none."""
    if not place:
        return {}
    file, _, line = place.rpartition(":")
    if not file or not line.isdigit():
        file, line = place, "1"
    path = f"{subject.project}/{file}" if subject.project else file
    return {"path": path, "line": max(1, int(line))}


def split_for_log(
    annotations: Sequence[Annotation],
) -> tuple[tuple[Annotation, ...], tuple[Annotation, ...]]:
    """Those that GitHub shows of a job's log, `MOST_IN_LOG` a level, and the rest."""
    room = dict.fromkeys(_LEVELS, MOST_IN_LOG)
    shown: list[Annotation] = []
    rest: list[Annotation] = []
    for each in annotations:
        (shown if room[each.level] > 0 else rest).append(each)
        room[each.level] -= 1
    return tuple(shown), tuple(rest)


def log_commands(annotations: Sequence[Annotation], *, rest_in: str) -> list[str]:
    """Workflow commands for a job's log: as many as GitHub shows, and a notice that counts the
    rest and says where they are (`rest_in`)."""
    shown, rest = split_for_log(annotations)
    commands = [log_command(each) for each in shown]
    if rest:
        words = f"{len(rest):,} more {'is' if len(rest) == 1 else 'are'} in {rest_in}"
        commands.append(log_command(Annotation(level="notice", title="evalkit", message=words)))
    return commands


def log_command(annotation: Annotation) -> str:
    """One workflow command, such as `::error file=a.jsonl,line=3,title=…::…`."""
    properties = {"title": clip(one_line(annotation.title), _MOST_TITLE)}
    if annotation.path is not None:
        place = {"file": one_line(annotation.path), "line": str(annotation.line)}
        properties = place | properties
    written = ",".join(f"{name}={_property(text)}" for name, text in properties.items())
    message = _data(clip(one_line(annotation.message), _MOST_MESSAGE))
    return f"::{_COMMANDS[annotation.level]} {written}::{message}"


def log_line(text: str) -> str:
    """A line of ours for a job's log in which nothing is a command to GitHub's runner."""
    line = one_line(text).replace("##[", "# #[")
    return f"\u00b7{line}" if line.startswith("::") else line


def check_annotation(annotation: Annotation) -> dict[str, Any]:
    """The annotation as the checks API takes it; it has a path."""
    assert annotation.path is not None  # those of the whole run are the check's own output
    found = {
        "path": annotation.path,
        "start_line": annotation.line,
        "end_line": annotation.line,
        "annotation_level": annotation.level,
        "message": clip(one_line(annotation.message), _MOST_MESSAGE),
        "title": clip(one_line(annotation.title), _MOST_TITLE),
    }
    if annotation.details:
        found["raw_details"] = clip(visible(annotation.details), _MOST_DETAILS)
    return found


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
