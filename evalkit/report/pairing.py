"""One case on two sides: what kind of change it is, and the attempts that show it."""

from collections.abc import Sequence

from evalkit.records.comparison import CaseChange, ChangeKind, Finding, Side
from evalkit.records.score import Score
from evalkit.report.arms import Arm

Results = tuple[bool | None, ...]


def classify(before: Results | None, after: Results) -> ChangeKind:
    """The kind of change; `before` is None without a baseline. Counts are compared exactly.

    A trial without a result could have been either: a change is one only when no such result could
    have undone it.
    """
    low, high = _bounds(after)
    if before is None:
        if low != high:
            return "error"
        return "same" if low == len(after) else "flip" if low else "failing"
    low_before, high_before = _bounds(before)
    if high * len(before) < low_before * len(after):
        return "regression"
    if low * len(before) > high_before * len(after):
        return "fix"
    if low != high or low_before != high_before:
        return "error"
    if 0 < low < len(after):
        return "flip"
    return "same" if low else "failing"


def _bounds(results: Results) -> tuple[int, int]:
    """The fewest and the most trials that may have passed."""
    passes = sum(result is True for result in results)
    return passes, passes + sum(result is None for result in results)


def describe_change(kind: ChangeKind, case: str, before: Arm | None, after: Arm) -> CaseChange:
    """The case with both sides' telling trials. It has to be in the snapshot of `after`."""
    content = after.cases[case]
    trial = _telling(after, case, _wanted_after(kind))
    side_before: Side | None = None
    trial_before = trial
    if before is not None:
        trial_before = _telling(before, case, _wanted_before(kind), near=trial)
        side_before = _side(before, case, trial_before)
    return CaseChange(
        suite=after.snapshot.suite,
        case=case,
        kind=kind,
        input=content.input,
        expected=content.expected,
        before=side_before,
        after=_side(after, case, trial),
        findings=_findings(kind, case, before, trial_before, after, trial),
        tags=content.tags,
        place=after.place(case),
    )


def _wanted_after(kind: ChangeKind) -> tuple[bool | None, ...]:
    if kind == "error":
        return (None, False, True)
    return (True, False, None) if kind in ("fix", "same") else (False, True, None)


def _wanted_before(kind: ChangeKind) -> tuple[bool | None, ...]:
    if kind == "error":
        return (None, True, False)
    return (False, True, None) if kind in ("fix", "failing") else (True, False, None)


def _telling(arm: Arm, case: str, wanted: Sequence[bool | None], near: int = 0) -> int:
    """The first trial with the most wanted result, `near` before others if it has that result."""
    results = list(zip(arm.numbers[case], arm.passed[case], strict=True))
    for result in wanted:
        found = [trial for trial, each in results if each is result]
        if found:
            return near if near in found else found[0]
    return 1


def _side(arm: Arm, case: str, trial: int) -> Side:
    attempt = arm.attempt(case, trial)
    if attempt is None:
        return Side(passed=arm.passed[case], trial=trial)
    return Side(
        passed=arm.passed[case],
        trial=trial,
        state=attempt.state,
        output=attempt.output,
        parsed=attempt.parsed,
        tool_calls=attempt.tool_calls,
        error=attempt.error,
        failure_mode=arm.failure_mode(attempt),
        rule=attempt.rule,
        model=attempt.model,
        origin=attempt.origin,
        tokens=attempt.usage.total,
        cost_usd=attempt.cost_usd,
        latency_s=attempt.latency_s,
    )


def _findings(
    kind: ChangeKind,
    case: str,
    before: Arm | None,
    trial_before: int,
    after: Arm,
    trial_after: int,
) -> tuple[Finding, ...]:
    """What did not pass on the failing side, what is new there first, gating ones first."""
    failing: Sequence[Score] = after.scores.get((case, trial_after), ())
    other: Sequence[Score] = ()
    if before is not None:
        other = before.scores.get((case, trial_before), ())
    if kind == "fix":
        failing, other = other, failing
    passed_there = {score.scorer for score in other if score.passed}
    findings = [
        Finding(
            scorer=score.scorer,
            kind=score.kind,
            gate=score.gate,
            state=score.state,
            fresh=before is None or score.scorer in passed_there,
            message=score.message,
            expected=score.expected,
            found=score.found,
            apart=after.decides_apart(score.scorer),
        )
        for score in failing
        if score.state == "error" or score.passed is False
    ]
    return tuple(sorted(findings, key=lambda each: (not each.fresh, not each.gate, not each.apart)))
