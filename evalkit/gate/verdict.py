"""All suites together: the outcome of the run and its exit code."""

import math
from collections.abc import Sequence

import msgspec

from evalkit.gate.exit_codes import (
    EXIT_FAIL,
    EXIT_INCOMPLETE,
    EXIT_INCONCLUSIVE,
    EXIT_PASS,
)
from evalkit.gate.multiplicity import holm
from evalkit.gate.settings import Rule
from evalkit.gate.suite import combine_outcomes, combine_parts, counted
from evalkit.records.verdict import (
    OnInconclusive,
    Outcome,
    PartVerdict,
    SuiteVerdict,
    Verdict,
)
from evalkit.statistics.distributions import normal_quantile

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
    condition may turn into a failure, nor into a pass. A part that somebody accepted has passed.
    """
    required = [part for part in suite.parts if part.required]
    mapped = EXIT_INCONCLUSIVE if suite.unknown else _MAPPED[suite.on_inconclusive]
    best = _code([counted(part, part.best) for part in required], required, mapped)
    worst = _code([counted(part, part.worst) for part in required], required, mapped)
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
    """The suites with the FAILs that Holm does not bear out made inconclusive.

    Suites may test at different alphas (each look of an escalating gate has its own), so what is
    corrected is each p-value as a share of its alpha. Over the looks of a suite the least share is
    a valid one (Bonferroni), and over the suites Holm bounds the chance of any false FAIL.
    """
    shares = [_share_of_alpha(suite) for suite in suites]
    unit = min((share.alpha for share in shares), default=1.0)
    adjusted = holm([share.value * unit for share in shares])
    return tuple(
        _demote(suite, p / unit, len(suites)) if suite.outcome is Outcome.FAIL else suite
        for suite, p in zip(suites, adjusted, strict=True)
    )


def _tested(part: PartVerdict) -> bool:
    """Whether a required part fails by a test, and nobody accepted that."""
    return (
        part.required
        and part.waiver is None
        and part.outcome is Outcome.FAIL
        and part.rule != Rule.SIMPLE
        and part.p_value is not None
        and part.alpha is not None
    )


class _ShareOfAlpha(msgspec.Struct, frozen=True):
    """The strongest evidence of a suite: a p-value divided by the alpha it was held against."""

    value: float
    alpha: float


def _share_of_alpha(suite: SuiteVerdict) -> _ShareOfAlpha:
    """The least of the failing tests; of a suite without any, that of p = 1."""
    shares = [
        _ShareOfAlpha(_p(part) / part.alpha, part.alpha)
        for part in suite.parts
        if _tested(part) and part.alpha is not None
    ]
    return min(shares, key=lambda share: share.value, default=_ShareOfAlpha(1 / 0.5, 0.5))


def _p(part: PartVerdict) -> float:
    """The p-value of a tested part, already adjusted where it is one of several slices."""
    p = part.p_value if part.adjusted_p is None else part.adjusted_p
    return 1.0 if p is None else p


def _demote(suite: SuiteVerdict, share: float, suites: int) -> SuiteVerdict:
    """The suite with its tested FAILs made inconclusive where the correction says so.

    `share` is the suite's adjusted p-value divided by its alpha: from 1 on it may be chance.
    """
    if share < 1:
        return suite
    parts = tuple(
        _demoted(part, min(1.0, share * part.alpha), suites, suite)
        if _tested(part) and part.alpha is not None
        else part
        for part in suite.parts
    )
    return suite.revised(parts=parts, outcome=combine_parts(parts))


def _demoted(part: PartVerdict, adjusted: float, suites: int, suite: SuiteVerdict) -> PartVerdict:
    return part.revised(
        outcome=Outcome.INCONCLUSIVE,
        best=Outcome.INCONCLUSIVE,
        # against the candidate the evidence may be stronger than the p-value that was corrected
        worst=Outcome.FAIL if suite.unknown else Outcome.INCONCLUSIVE,
        adjusted_p=adjusted,
        message=(
            f"{part.message} With {suites} suites gated together, Holm's correction makes that "
            f"p = {adjusted:.2g}, which may be chance."
        ),
        what_would_settle=_more_evidence(part, adjusted, suite.planned),
    )


def _more_evidence(part: PartVerdict, adjusted: float, cases: int) -> str:
    """How many cases would bear the failure out after the correction, in 80 % of runs.

    A test's z grows with the root of the cases: n ((z_alpha + z_beta) / z)^2.
    """
    raw, alpha = part.p_value or 0.0, part.alpha or 0.0
    if not 0 < raw < 0.5 or not adjusted:
        return "More cases or trials in this suite."
    needed = normal_quantile(alpha * raw / adjusted) + normal_quantile(0.2)
    times = (needed / normal_quantile(raw)) ** 2
    now = cases if part.counts is None else part.counts.cases
    return (
        f"About {math.ceil(times * now):,} cases (now {now:,}; or more trials) show it among these "
        "suites in 80 % of runs, if it is what was measured."
    )


def _reasons(suites: Sequence[SuiteVerdict]) -> tuple[str, ...]:
    if not suites:
        return ("No suite was decided, and nothing measured is nothing passed.",)
    reasons = [
        f"{suite.suite}: {part.name}: {part.message}"
        for suite in suites
        for part in suite.parts
        if part.required and counted(part, part.outcome) is not Outcome.PASS
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
