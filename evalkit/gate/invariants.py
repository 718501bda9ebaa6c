"""Invariants: what the candidate may not do even once."""

from collections.abc import Sequence

from evalkit.gate.cases import CaseResult, attempts_of
from evalkit.gate.wording import count, named
from evalkit.records.verdict import Outcome, PartVerdict


def decide_invariant(
    invariant: str, cases: Sequence[CaseResult], *, owner: str | None = None
) -> PartVerdict:
    """FAIL on one violation by the candidate in any trial, an errored one included.

    An attempt without a result may hide a violation, so with any of them the invariant is not
    shown to hold: INCONCLUSIVE. Without cases: NOT_MEASURED. `cases` of the part are those that
    broke it.
    """
    attempts = unknown = 0
    broken: list[str] = []
    for case in cases:
        tried = attempts_of(case.candidate)
        attempts += len(tried)
        for trial in tried:
            unknown += trial.passed is None
            if invariant in trial.violations:
                broken.append(case.case)
    settle = None
    if broken:
        best = worst = outcome = Outcome.FAIL
        message = f"{invariant} was broken in {count(len(broken), 'attempt')}: {named(broken)}."
    elif not cases:
        best = worst = outcome = Outcome.NOT_MEASURED
        message = f"{invariant} was not checked: there are no cases."
        settle = "Cases to measure."
    elif unknown:
        best, worst, outcome = Outcome.PASS, Outcome.FAIL, Outcome.INCONCLUSIVE
        message = (
            f"{invariant} held in the {count(attempts - unknown, 'attempt')} with a result; "
            f"{count(unknown, 'attempt')} could not be checked."
        )
        settle = f"A result for the {count(unknown, 'attempt')} without one: resume the run."
    else:
        best = worst = outcome = Outcome.PASS
        message = f"{invariant} held in all {count(attempts, 'attempt')}."
    return PartVerdict(
        name=f"invariant:{invariant}",
        kind="invariant",
        outcome=outcome,
        best=best,
        worst=worst,
        required=True,
        message=message,
        what_would_settle=settle,
        cases=tuple(dict.fromkeys(broken)),
        unknown=unknown,
        owner=owner,
    )
