"""Two sides of a run, or of two runs, held next to each other."""

from array import array
from collections import Counter
from functools import partial

from evalkit.records.case import Case
from evalkit.records.change_list import ChangeList
from evalkit.records.comparison import KINDS, Comparison, SideSummary, SuiteComparison
from evalkit.records.lookup import find_attempts, find_scores
from evalkit.records.run import JudgingTotals, StoredRun, SuiteSnapshot
from evalkit.records.verdict import SuiteVerdict, Verdict
from evalkit.report.amounts import Sums
from evalkit.report.arms import Arm, Arms, Modes, Passes, in_order_of_origins
from evalkit.report.background import flaky_notes, lent_notes
from evalkit.report.figures import count
from evalkit.report.pairing import Rows, classify, describe_change
from evalkit.report.shadow import shadow_notes
from evalkit.report.tables import scorer_rows, slice_rows


def compare_run(run: StoredRun, passes: Passes, modes: Modes | None = None) -> Comparison:
    """Baseline and candidate of one run, under the verdict that the run holds.

    `passes` says of each place whether its attempt passed (None: no result), `modes` why it did
    not. A suite without a baseline has one side.
    """
    return compare_arms(run, Arms(run, passes, modes))


def compare_arms(run: StoredRun, arms: Arms) -> Comparison:
    """The same of the arms of that run."""
    suites = []
    for snapshot in run.snapshots:
        after = arms.candidate(snapshot)
        suites.append(
            _compare_suite(
                arms.baseline(snapshot),
                after,
                labels=("baseline", "candidate"),
                verdict=_suite_verdict(run.record.verdict, snapshot.suite),
                notes=(
                    *(() if after.record is None else after.record.notes),
                    *lent_notes(after.record),
                    *shadow_notes(after.record),
                    *flaky_notes(snapshot, after),
                ),
                judging=None if after.record is None else after.record.judging,
            )
        )
    return Comparison(
        before="baseline",
        after="candidate",
        suites=tuple(suites),
        verdict=run.record.verdict,
        notes=tuple(_state_notes(run)),
    )


def compare_runs(
    a: StoredRun,
    passes_a: Passes,
    b: StoredRun,
    passes_b: Passes,
    *,
    verdict: Verdict | None = None,
    modes_a: Modes | None = None,
    modes_b: Modes | None = None,
) -> Comparison:
    """The candidate of `b` held against the candidate of `a`, matched by suite and case.

    `verdict` is the gate's on the two, where one was asked for. Suites and cases that only one run
    has are named and not counted; golden sets and scorers that differ are noted.
    """
    suites = []
    shared_a = find_attempts(a.attempts), find_scores(a.scores)
    shared_b = find_attempts(b.attempts), find_scores(b.scores)
    for snapshot in b.snapshots:
        other = a.snapshot(snapshot.suite)
        if other is None:
            continue
        before = Arm(a, other, "candidate", passes_a, modes_a, shared=shared_a)
        after = Arm(b, snapshot, "candidate", passes_b, modes_b, shared=shared_b)
        suites.append(
            _compare_suite(
                before,
                after,
                labels=(a.record.id, b.record.id),
                verdict=_suite_verdict(verdict, snapshot.suite),
                notes=tuple(_difference_notes(before, after)),
            )
        )
    in_a = [snapshot.suite for snapshot in a.snapshots]
    in_b = [snapshot.suite for snapshot in b.snapshots]
    return Comparison(
        before=a.record.id,
        after=b.record.id,
        suites=tuple(suites),
        verdict=verdict,
        only_before=tuple(name for name in in_a if name not in in_b),
        only_after=tuple(name for name in in_b if name not in in_a),
        notes=(*_state_notes(a), *_state_notes(b)),
    )


def _compare_suite(
    before: Arm | None,
    after: Arm,
    *,
    labels: tuple[str, str],
    verdict: SuiteVerdict | None,
    notes: tuple[str, ...],
    judging: JudgingTotals | None = None,
) -> SuiteComparison:
    rows = Rows(before, after)
    kinds = bytearray(
        KINDS.index(
            classify(None if before is None else rows.results_before(row), rows.results_after(row))
        )
        for row in range(len(rows))
    )
    overall, slices = slice_rows(rows)
    return SuiteComparison(
        suite=after.snapshot.suite,
        golden=after.snapshot.golden,
        cases=len(rows),
        before=None if before is None else _summary(labels[0], before, rows),
        after=_summary(labels[1], after, rows),
        overall=overall,
        slices=slices,
        scorers=scorer_rows(rows),
        changes=_changes(rows, kinds),
        counts={KINDS[kind]: number for kind, number in Counter(kinds).items()},
        verdict=verdict,
        only_before=() if before is None else _only_in(before, after),
        only_after=() if before is None else _only_in(after, before),
        notes=notes,
        owner=after.snapshot.owner,
        judging=judging,
    )


def _only_in(arm: Arm, other: Arm) -> tuple[str, ...]:
    if arm.cases is other.cases:
        return ()
    return tuple(case for case in arm.cases.ids() if not other.cases.has(case))


def _changes(rows: Rows, kinds: bytearray) -> ChangeList:
    """By kind, then by how much was lost; the golden set's order among equals."""
    same = KINDS.index("same")
    moved = {KINDS.index("regression"), KINDS.index("fix")}

    def order(row: int) -> tuple[int, float]:
        kind = kinds[row]
        if kind not in moved or rows.before is None:
            return kind, 0.0
        before, after = rows.results_before(row), rows.results_after(row)
        return kind, -abs(before.count(True) / len(before) - after.count(True) / len(after))

    changed = sorted((row for row, kind in enumerate(kinds) if kind != same), key=order)
    return ChangeList(
        array("i", changed),
        bytes(kinds[row] for row in changed),
        describe=partial(describe_change, rows),
        attempted=rows.was_attempted,
    )


def _summary(label: str, arm: Arm, rows: Rows) -> SideSummary:
    sums = Sums()
    origins: Counter[str] = Counter()
    modes: Counter[str] = Counter()
    fallbacks = 0
    for attempt in arm.made(rows.has(arm)):
        sums.add(attempt)
        if attempt.origin is not None:
            origins[attempt.origin] += 1
        fallbacks += bool(attempt.fallbacks)
        mode = arm.failure_mode(attempt)
        if mode:
            modes[str(mode)] += 1
    results = rows.results_after if arm is rows.after else rows.results_before
    for row in range(len(rows)):
        for result in results(row):
            sums.count(result)
    record = arm.variant_record
    return SideSummary(
        label=label,
        source="" if record is None else record.source,
        prompt="" if record is None else record.prompt,
        models={} if record is None else record.models,
        amounts=sums.amounts(),
        origins=in_order_of_origins(origins),
        fallbacks=fallbacks,
        # the most frequent first
        failure_modes=dict(sorted(modes.items(), key=lambda item: (-item[1], item[0]))),
    )


def _suite_verdict(verdict: Verdict | None, suite: str) -> SuiteVerdict | None:
    if verdict is None:
        return None
    return next((each for each in verdict.suites if each.suite == suite), None)


def _state_notes(run: StoredRun) -> list[str]:
    notes = []
    if run.record.state != "complete":
        notes.append(f"Run {run.record.id} is {run.record.state}: not every attempt was made.")
    if not run.record.gates:
        notes.append(f"Run {run.record.id} {run.record.why_ungated} and gates nothing.")
    return notes


def _difference_notes(before: Arm, after: Arm) -> list[str]:
    """What keeps two runs of a suite from being measured alike, a sentence each."""
    old, new = before.snapshot, after.snapshot
    notes = []
    changed = [
        case.id
        for case in new.cases
        if (known := before.cases.position(case.id)) is not None
        and not _same_question(before.case(known), case)
    ]
    if old.golden != new.golden:
        notes.append(f"The golden sets differ: {old.golden} and {new.golden}.")
    if changed:
        named = ", ".join(changed[:5]) + (f" and {len(changed) - 5} more" if changed[5:] else "")
        notes.append(
            f"{count(len(changed), 'case')} changed in what is asked or expected, so the results "
            f"are not measured alike: {named}."
        )
    if _scoring(old) != _scoring(new):
        notes.append("The scorers differ, so the pass rates are not measured alike.")
    if before.trials != after.trials:
        notes.append(
            f"The first run made {count(before.trials, 'trial')} a case, the second {after.trials}."
        )
    return notes


def _same_question(old: Case, new: Case) -> bool:
    return (
        old.input == new.input and old.expected == new.expected and old.documents == new.documents
    )


def _scoring(snapshot: SuiteSnapshot) -> tuple[object, ...]:
    return snapshot.scorers, snapshot.schemas, snapshot.fallback
