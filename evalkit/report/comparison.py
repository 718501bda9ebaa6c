"""Two sides of a run, or of two runs, held next to each other."""

from collections import Counter
from collections.abc import Sequence

from evalkit.records.attempt import Attempt
from evalkit.records.comparison import (
    CaseChange,
    ChangeKind,
    Comparison,
    SideSummary,
    SuiteComparison,
)
from evalkit.records.run import JudgingTotals, StoredRun, SuiteSnapshot
from evalkit.records.verdict import SuiteVerdict, Verdict
from evalkit.report.amounts import measure
from evalkit.report.arms import Arm, Modes, Passes, build_arm, count_origins
from evalkit.report.background import flaky_notes, lent_notes
from evalkit.report.figures import count
from evalkit.report.pairing import classify, describe_change
from evalkit.report.shadow import shadow_notes
from evalkit.report.tables import scorer_rows, slice_rows

KINDS: tuple[ChangeKind, ...] = ("regression", "error", "fix", "flip", "failing", "same")


def compare_run(run: StoredRun, passes: Passes, modes: Modes | None = None) -> Comparison:
    """Baseline and candidate of one run, under the verdict that the run holds.

    `passes` says of each place whether its attempt passed (None: no result), `modes` why it did
    not. A suite without a baseline has one side.
    """
    suites = []
    for snapshot in run.snapshots:
        after = build_arm(run, snapshot, "candidate", passes, modes)
        before = None
        if snapshot.has_baseline:
            before = build_arm(run, snapshot, "baseline", passes, modes)
        suites.append(
            _compare_suite(
                [case.id for case in snapshot.cases],
                before,
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
    for snapshot in b.snapshots:
        other = a.snapshot(snapshot.suite)
        if other is None:
            continue
        before = build_arm(a, other, "candidate", passes_a, modes_a)
        after = build_arm(b, snapshot, "candidate", passes_b, modes_b)
        suites.append(
            _compare_suite(
                [case.id for case in snapshot.cases if case.id in before.cases],
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
    cases: Sequence[str],
    before: Arm | None,
    after: Arm,
    *,
    labels: tuple[str, str],
    verdict: SuiteVerdict | None,
    notes: tuple[str, ...],
    judging: JudgingTotals | None = None,
) -> SuiteComparison:
    kinds = {
        case: classify(None if before is None else before.passed[case], after.passed[case])
        for case in cases
    }
    changes = [
        describe_change(kind, case, before, after) for case, kind in kinds.items() if kind != "same"
    ]
    overall, slices = slice_rows(cases, before, after)
    return SuiteComparison(
        suite=after.snapshot.suite,
        golden=after.snapshot.golden,
        cases=len(cases),
        before=None if before is None else _summary(labels[0], before, cases),
        after=_summary(labels[1], after, cases),
        overall=overall,
        slices=slices,
        scorers=scorer_rows(cases, before, after),
        changes=tuple(sorted(changes, key=_order)),
        counts=dict(Counter(kinds.values())),
        verdict=verdict,
        only_before=()
        if before is None
        else tuple(case for case in before.cases if case not in after.cases),
        only_after=()
        if before is None
        else tuple(case for case in after.cases if case not in before.cases),
        notes=notes,
        owner=after.snapshot.owner,
        judging=judging,
    )


def _order(change: CaseChange) -> tuple[int, float]:
    """By kind, then by how much was lost; the golden set's order among equals."""
    lost = 0.0
    if change.before is not None and change.kind in ("regression", "fix"):
        old = change.before.passes / max(1, len(change.before.passed))
        lost = -abs(old - change.after.passes / max(1, len(change.after.passed)))
    return KINDS.index(change.kind), lost


def _summary(label: str, arm: Arm, cases: Sequence[str]) -> SideSummary:
    attempts = arm.made(cases)
    record = arm.variant_record
    return SideSummary(
        label=label,
        source="" if record is None else record.source,
        prompt="" if record is None else record.prompt,
        models={} if record is None else record.models,
        amounts=measure(attempts, [result for case in cases for result in arm.passed[case]]),
        origins=count_origins(attempts),
        fallbacks=sum(bool(attempt.fallbacks) for attempt in attempts),
        failure_modes=_failure_modes(arm, attempts),
    )


def _failure_modes(arm: Arm, attempts: Sequence[Attempt]) -> dict[str, int]:
    """How many attempts failed for each reason, the most frequent first."""
    modes = Counter(str(mode) for each in attempts if (mode := arm.failure_mode(each)))
    return dict(sorted(modes.items(), key=lambda item: (-item[1], item[0])))


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
        case
        for case, content in after.cases.items()
        if case in before.cases and not _same_question(before, case, after)
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


def _same_question(before: Arm, case: str, after: Arm) -> bool:
    old, new = before.cases[case], after.cases[case]
    return (
        old.input == new.input and old.expected == new.expected and old.documents == new.documents
    )


def _scoring(snapshot: SuiteSnapshot) -> tuple[object, ...]:
    return snapshot.scorers, snapshot.schemas, snapshot.fallback
