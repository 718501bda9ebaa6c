"""One case on two sides: what kind of change it is, and the attempts that show it."""

from array import array
from collections.abc import Callable, Sequence

from evalkit.records.comparison import CaseChange, ChangeKind, Finding, Side
from evalkit.records.score import Score
from evalkit.report.arms import Arm, Results

__all__ = ["Results", "Rows", "classify", "describe_change"]


class Rows:
    """The compared cases, a row each: where they stand on both sides."""

    def __init__(self, before: Arm | None, after: Arm) -> None:
        """Every case of `after` that `before` has as well, or all of them without one."""
        self.before = before
        self.after = after
        self.after_at: Sequence[int] = range(len(after.cases))
        self.before_at: Sequence[int] = self.after_at
        if before is not None and before.cases is not after.cases:
            old, new = array("i"), array("i")
            for position, case in enumerate(after.cases.ids()):
                known = before.cases.position(case)
                if known is not None:
                    old.append(known)
                    new.append(position)
            self.before_at, self.after_at = old, new

    def __len__(self) -> int:
        """How many there are."""
        return len(self.after_at)

    def results_before(self, row: int) -> Results:
        """Whether each trial passed before; of no baseline nothing."""
        return () if self.before is None else self.before.results(self.before_at[row])

    def results_after(self, row: int) -> Results:
        """Whether each trial passes now."""
        return self.after.results(self.after_at[row])

    def was_attempted(self, row: int) -> bool:
        """Whether a side was asked about the case."""
        before = self.before is not None and self.before.was_attempted(self.before_at[row])
        return before or self.after.was_attempted(self.after_at[row])

    def has(self, arm: Arm) -> Callable[[int], bool]:
        """Whether a case of an arm, by its position there, is among those that are compared."""
        at = self.after_at if arm is self.after else self.before_at
        if len(at) == len(arm.cases):
            return lambda position: True
        among = bytearray(len(arm.cases))
        for position in at:
            among[position] = True
        return lambda position: bool(among[position])


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
    passes = results.count(True)
    return passes, passes + results.count(None)


def describe_change(rows: Rows, row: int, kind: ChangeKind) -> CaseChange:
    """The case with both sides' telling trials."""
    before, after = rows.before, rows.after
    position = rows.after_at[row]
    content = after.case(position)
    trial = _telling(after, position, _wanted_after(kind))
    side_before: Side | None = None
    trial_before = trial
    if before is not None:
        known = rows.before_at[row]
        trial_before = _telling(before, known, _wanted_before(kind), near=trial)
        side_before = _side(before, content.id, known, trial_before)
    return CaseChange(
        suite=after.suite,
        case=content.id,
        kind=kind,
        input=content.input,
        expected=content.expected,
        before=side_before,
        after=_side(after, content.id, position, trial),
        findings=_findings(kind, content.id, before, trial_before, after, trial),
        tags=content.tags,
        place=after.place(content.id),
    )


def _wanted_after(kind: ChangeKind) -> tuple[bool | None, ...]:
    if kind == "error":
        return (None, False, True)
    return (True, False, None) if kind in ("fix", "same") else (False, True, None)


def _wanted_before(kind: ChangeKind) -> tuple[bool | None, ...]:
    if kind == "error":
        return (None, True, False)
    return (False, True, None) if kind in ("fix", "failing") else (True, False, None)


def _telling(arm: Arm, position: int, wanted: Sequence[bool | None], near: int = 0) -> int:
    """The first trial with the most wanted result, `near` before others if it has that result."""
    results = list(zip(arm.numbers(position), arm.results(position), strict=True))
    for result in wanted:
        found = [trial for trial, each in results if each is result]
        if found:
            return near if near in found else found[0]
    return 1


def _side(arm: Arm, case: str, position: int, trial: int) -> Side:
    attempt = arm.attempt(case, trial)
    if attempt is None:
        return Side(passed=arm.results(position), trial=trial)
    return Side(
        passed=arm.results(position),
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
    failing: Sequence[Score] = after.scores(case, trial_after)
    other: Sequence[Score] = ()
    if before is not None:
        other = before.scores(case, trial_before)
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
