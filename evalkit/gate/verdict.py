"""All suites together: the outcome of the run and its exit code."""

from collections.abc import Sequence

from evalkit.gate.multiplicity import holm
from evalkit.gate.suite import combine_outcomes, combine_parts
from evalkit.records.verdict import (
    OnInconclusive,
    Outcome,
    PartVerdict,
    SuiteVerdict,
    Verdict,
)

EXIT_PASS, EXIT_FAIL, EXIT_INCONCLUSIVE, EXIT_INCOMPLETE = 0, 1, 3, 4
# the first that any suite has is the run's
_PRECEDENCE = (EXIT_FAIL, EXIT_INCOMPLETE, EXIT_INCONCLUSIVE, EXIT_PASS)
_MAPPED: dict[OnInconclusive, int] = {
    "escalate": EXIT_INCONCLUSIVE,
    "warn": EXIT_PASS,
    "fail": EXIT_FAIL,
}


def decide_verdict(suites: Sequence[SuiteVerdict]) -> Verdict:
    """The verdict over `suites`; of no suites, NOT_MEASURED with code 3.

    FAILs that rest on a test go through Holm over the suites, so that gating many of them does not
    fail more often by chance. Floors and invariants are measured facts and stand.
    """
    corrected = _correct(suites)
    codes = {suite_exit_code(suite) for suite in corrected} or {EXIT_INCONCLUSIVE}
    code = next(code for code in _PRECEDENCE if code in codes)
    return Verdict(
        outcome=combine_outcomes([suite.outcome for suite in corrected]),
        exit_code=code,
        suites=corrected,
        reasons=_reasons(corrected),
    )


def suite_exit_code(suite: SuiteVerdict) -> int:
    """The code of one suite: 0, 1, 3 or 4.

    `on_inconclusive` maps what the statistics left open. It does not map what was not measured, a
    held part, or anything while attempts lack a result: those stay 3, because no infrastructure
    condition may turn into a failure, nor into a pass.
    """
    required = [part for part in suite.parts if part.required]
    mapped = EXIT_INCONCLUSIVE if suite.unknown else _MAPPED[suite.on_inconclusive]
    best = _code([part.best for part in required], required, mapped)
    worst = _code([part.worst for part in required], required, mapped)
    return best if best == worst else EXIT_INCONCLUSIVE


def _code(outcomes: Sequence[Outcome], parts: Sequence[PartVerdict], inconclusive: int) -> int:
    if Outcome.FAIL in outcomes:
        return EXIT_FAIL
    if Outcome.INCOMPLETE in outcomes:
        return EXIT_INCOMPLETE
    held = any(
        part.held and outcome is Outcome.INCONCLUSIVE
        for part, outcome in zip(parts, outcomes, strict=True)
    )
    if held or Outcome.NOT_MEASURED in outcomes or not outcomes:
        return EXIT_INCONCLUSIVE
    return inconclusive if Outcome.INCONCLUSIVE in outcomes else EXIT_PASS


def _correct(suites: Sequence[SuiteVerdict]) -> tuple[SuiteVerdict, ...]:
    p_values = [_suite_p(suite) for suite in suites]
    adjusted = holm(p_values)
    return tuple(
        _demote(suite, p, len(suites)) if suite.outcome is Outcome.FAIL else suite
        for suite, p in zip(suites, adjusted, strict=True)
    )


def _rests_on_a_test(part: PartVerdict) -> bool:
    return part.p_value is not None and part.rule != "simple"


def _suite_p(suite: SuiteVerdict) -> float:
    """The strongest evidence among the suite's failing tests; 1 for a suite without any."""
    return min(
        (
            part.p_value if part.adjusted_p is None else part.adjusted_p
            for part in suite.parts
            if part.required and part.outcome is Outcome.FAIL and part.p_value is not None
            if _rests_on_a_test(part)
        ),
        default=1.0,
    )


def _demote(suite: SuiteVerdict, adjusted: float, suites: int) -> SuiteVerdict:
    """The suite with its tested FAILs made inconclusive where the correction says so."""
    parts = tuple(
        _demoted(part, adjusted, suites, unknown=suite.unknown > 0)
        if part.required
        and part.outcome is Outcome.FAIL
        and _rests_on_a_test(part)
        and part.alpha is not None
        and adjusted >= part.alpha
        else part
        for part in suite.parts
    )
    return suite.revised(parts=parts, outcome=combine_parts(parts))


def _demoted(part: PartVerdict, adjusted: float, suites: int, *, unknown: bool) -> PartVerdict:
    return part.revised(
        outcome=Outcome.INCONCLUSIVE,
        best=Outcome.INCONCLUSIVE,
        # against the candidate the evidence may be stronger than the p-value that was corrected
        worst=Outcome.FAIL if unknown else Outcome.INCONCLUSIVE,
        adjusted_p=adjusted,
        message=(
            f"{part.message} With {suites} suites gated together, Holm's correction makes that "
            f"p = {adjusted:.2g}, which may be chance."
        ),
        what_would_settle="More cases or trials in this suite.",
    )


def _reasons(suites: Sequence[SuiteVerdict]) -> tuple[str, ...]:
    if not suites:
        return ("No suite was decided, and nothing measured is nothing passed.",)
    reasons = [
        f"{suite.suite}: {part.name}: {part.message}"
        for suite in suites
        for part in suite.parts
        if part.required and part.outcome is not Outcome.PASS
    ]
    for suite in suites:
        if suite.outcome is not Outcome.INCONCLUSIVE:
            continue
        code = suite_exit_code(suite)
        if code != EXIT_INCONCLUSIVE:
            reasons.append(
                f"{suite.suite}: inconclusive, which on_inconclusive: {suite.on_inconclusive} "
                f"maps to exit code {code}."
            )
    if reasons:
        return tuple(reasons)
    return tuple(
        f"{suite.suite}: {part.name}: {part.message}"
        for suite in suites
        for part in suite.parts
        if part.required
    )
