"""The listed cases as data for the page's script: an index of all, and their details in chunks.

The index is read when the page opens, a chunk when one of its cases is looked at, so that thousands
of cases cost a page little. Everything in here is text to be shown and nothing else: the script
sets it as text, and `script_text` keeps it from ending the element that holds it.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

import msgspec

from evalkit.records.attempt import Attempt, Place, lent_to
from evalkit.records.call import Decision
from evalkit.records.comparison import CaseChange, ChangeKind, Comparison
from evalkit.records.judgment import Judgment
from evalkit.records.lookup import find_attempts, find_scores
from evalkit.records.run import StoredRun, SuiteSnapshot
from evalkit.report.arms import judges_apart
from evalkit.report.html.attempt_data import FACTS, attempt_data
from evalkit.report.html.kinds import KIND_ORDER, kind_label
from evalkit.report.html.listed_case import ListedCase, list_cases
from evalkit.report.html.shown_text import Room, mapping_texts
from evalkit.report.untrusted import one_line, visible

FindTraces = Callable[[Collection[tuple[str, str]]], Mapping[Place, Sequence[Decision]]]
"""Gives the decisions of the attempts at some cases, each a suite and an id."""

CHUNK = 50
"""Cases in one chunk."""


class Names(msgspec.Struct):
    """Strings that many cases share, each stored once and referred to by its number."""

    known: dict[str, int] = msgspec.field(default_factory=dict)

    def number(self, name: str) -> int:
        """The number of a name, which it gets when it is first asked for."""
        return self.known.setdefault(name, len(self.known))

    @property
    def listed(self) -> list[str]:
        """The names, made safe to show, by number."""
        return [one_line(name) for name in self.known]


class CaseData:
    """The cases of a run in the order of the list: what broke first."""

    def __init__(
        self,
        run: StoredRun,
        comparison: Comparison,
        traces: FindTraces,
    ) -> None:
        """Sorts and groups; nothing is encoded yet."""
        self._run = run
        self._comparison = comparison
        self._attempts = find_attempts(run.attempts)
        self._scores = find_scores(run.scores)
        self._judgments = _by_place(run.judgments)
        self._listing = list_cases(run, comparison)
        self._cases = self._listing.cases
        self._traces = traces({(each.suite.suite, each.case.id) for each in self._cases})
        self._room = Room()

    @property
    def left_out(self) -> Mapping[ChangeKind, int]:
        """How many cases of each outcome are not on the page."""
        return self._listing.left_out

    def index(self) -> str:
        """What the list shows and the filters ask, as the text of a script element."""
        tags, scorers, modes = Names(), Names(), Names()
        rows = [self._row(each, tags, scorers, modes) for each in self._cases]
        alone = all(suite.before is None for suite in self._comparison.suites)
        return script_text(
            {
                "run": one_line(self._run.record.id),
                "chunk": CHUNK,
                "left": sum(self.left_out.values()),
                "facts": FACTS,
                "suites": [
                    {"name": one_line(suite.suite), "alone": suite.before is None}
                    for suite in self._comparison.suites
                ],
                "kinds": [[kind, kind_label(kind, alone=alone)] for kind in KIND_ORDER],
                "tags": tags.listed,
                "scorers": scorers.listed,
                "modes": modes.listed,
                "cases": rows,
            }
        )

    def _row(
        self, listed: ListedCase, tags: Names, scorers: Names, modes: Names
    ) -> tuple[Any, ...]:
        case, change = listed.case, listed.change
        made = self._attempts.of_case(listed.suite.suite, "candidate", case.id)
        attempts = tuple(made.values())
        found = () if change is None else change.findings
        failed = [each.scorer for each in found if each.kind != "judge"]
        failed += self._failed_judges(attempts)
        mode = _failure_mode(change, attempts)
        return (
            listed.number,
            one_line(case.id),
            KIND_ORDER.index(listed.kind),
            listed.words,
            listed.excerpt,
            [tags.number(tag) for tag in case.tags],
            [scorers.number(scorer) for scorer in dict.fromkeys(failed)],
            -1 if mode is None else modes.number(mode),
            listed.order,
            _mean(attempt.cost_usd for attempt in attempts),
            _mean(attempt.latency_s for attempt in attempts if attempt.origin == "live"),
            listed.flags,
        )

    def _failed_judges(self, attempts: Iterable[Attempt]) -> list[str]:
        """The judges that fail a trial: they decide no case, so it may pass all the same."""
        return [
            f"{score.scorer} (judge)"
            for attempt in attempts
            for score in self._scores.of(attempt.place)
            if score.kind == "judge" and score.passed is False
        ]

    def chunks(self) -> Iterator[str]:
        """The details of the cases, `CHUNK` at a time, each the text of a script element."""
        for start in range(0, len(self._cases), CHUNK):
            yield script_text([self._detail(each) for each in self._cases[start : start + CHUNK]])

    def _detail(self, listed: ListedCase) -> dict[str, Any]:
        case, change = listed.case, listed.change
        variants = ["candidate"] if listed.suite.before is None else ["baseline", "candidate"]
        fresh = () if change is None else (each for each in change.findings if each.fresh)
        return {
            "input": mapping_texts(case.input, self._room),
            "expected": mapping_texts(case.expected, self._room),
            "place": visible(listed.place),
            "group": one_line(case.group or ""),
            "documents": [one_line(f"{each.id} ({each.index})") for each in case.documents],
            "fresh": [one_line(finding.scorer) for finding in fresh],
            "sides": [self._side(variant, listed) for variant in variants],
        }

    def _side(self, variant: str, listed: ListedCase) -> dict[str, Any]:
        change = listed.change
        side = None if change is None else change.before if variant == "baseline" else change.after
        made = self._attempts.of_case(listed.suite.suite, variant, listed.case.id)
        attempts = tuple(made.values())
        results = _results(
            listed.snapshot, variant, attempts, None if side is None else side.passed
        )
        return {
            "name": variant,
            "shown": 1 if side is None else side.trial,
            "attempts": [
                attempt_data(
                    attempt,
                    passed=results.get(attempt.trial, ""),
                    scores=self._scores.of(attempt.place),
                    judgments=self._judgments.get(attempt.place, ()),
                    apart=judges_apart(listed.snapshot),
                    decisions=self._traces.get(attempt.place, attempt.decisions),
                    traced=attempt.place in self._traces,
                    room=self._room,
                )
                for attempt in sorted(attempts, key=lambda attempt: attempt.trial)
            ],
        }


def script_text(value: Any) -> str:
    """The value as JSON that stands in a script element and cannot end it."""
    return msgspec.json.encode(value).decode().replace("<", "\\u003c")


def _results(
    snapshot: SuiteSnapshot,
    variant: str,
    attempts: Sequence[Attempt],
    passed: Sequence[bool | None] | None,
) -> dict[int, bool | None]:
    """Whether each trial that counts passed: the planned ones, then those that other runs lent.

    `passed` has them in that order; without it the case is the same on both sides, and all passed.
    """
    planned = snapshot.trials
    if variant == "baseline" and snapshot.baseline_trials is not None:
        planned = snapshot.baseline_trials
    lent = [attempt.trial for attempt in lent_to(attempts, planned)]
    trials = [*range(1, planned + 1), *lent]
    if passed is None:
        return dict.fromkeys(trials, True)
    return dict(zip(trials, passed, strict=False))


def _by_place(said: Iterable[Judgment]) -> dict[Place, list[Judgment]]:
    grouped: defaultdict[Place, list[Judgment]] = defaultdict(list)
    for each in said:
        grouped[each.place].append(each)
    return dict(grouped)


def _failure_mode(change: CaseChange | None, attempts: Sequence[Attempt]) -> str | None:
    """Why the candidate failed: in the trial that shows the change, else in the first that did."""
    modes = [] if change is None else [change.after.failure_mode]
    modes += [attempt.failure_mode for attempt in attempts]
    return next((str(mode) for mode in modes if mode), None)


def _mean(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None
