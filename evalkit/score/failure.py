"""Why an attempt did not pass, as one code of the published list (docs/failure-modes.md)."""

from collections.abc import Mapping, Sequence
from typing import Literal

from evalkit.records.attempt import Attempt, FailureMode
from evalkit.records.score import Score
from evalkit.score.policy import allowed_of
from evalkit.score.scoring import attempt_passed
from evalkit.score.state import STATE

# What it means that a scorer of this kind is the first to fail an attempt that ended as it had to.
BY_KIND: Mapping[str, FailureMode] = {
    "exact": FailureMode.WRONG_OUTPUT,
    "contains": FailureMode.WRONG_OUTPUT,
    "regex": FailureMode.WRONG_OUTPUT,
    "numeric": FailureMode.WRONG_OUTPUT,
    "json_schema": FailureMode.SCHEMA_VIOLATION,
    "tool_calls": FailureMode.WRONG_TOOL_CALLS,
    "trajectory": FailureMode.WRONG_TRAJECTORY,
    "retrieval": FailureMode.WRONG_RETRIEVAL,
    "approvals": FailureMode.WRONG_APPROVALS,
    "caps": FailureMode.OVER_CAPS,
    "citations": FailureMode.WRONG_CITATIONS,
    "policy": FailureMode.POLICY,
    "similarity": FailureMode.WRONG_OUTPUT,
    "token_f1": FailureMode.WRONG_OUTPUT,
    "embedding": FailureMode.WRONG_OUTPUT,
    "judge": FailureMode.JUDGED_BAD,
}
# For attempts of other makers, which may not say it themselves.
_BY_STATE: Mapping[str, FailureMode] = {
    "blocked": FailureMode.POLICY,
    "refused": FailureMode.REFUSAL,
    "invalid": FailureMode.INVALID_OUTPUT,
}


def failure_mode_of(
    attempt: Attempt, scores: Sequence[Score], *, fallback: Literal["error", "accept"]
) -> FailureMode | None:
    """The one code of an attempt that failed or has no result; None for one that passed.

    Of an attempt without a result it says why there is none: infrastructure, another model, a
    scorer. Of one that failed: how it ended, else a forbidden tool, else what the first gating
    scorer that failed it looks at. `scores` are all of the attempt's, of kinds in `BY_KIND`.
    """
    passed = attempt_passed(scores, attempt, fallback=fallback)
    if passed:
        return None
    if attempt.state == "error":
        return attempt.failure_mode or FailureMode.SERVER_ERROR
    if passed is None:
        expected = fallback == "accept" or attempt.model in ("", attempt.planned_model)
        return FailureMode.SCORER_ERROR if expected else FailureMode.OTHER_MODEL
    failed = [score for score in scores if score.gate and score.passed is False]
    ended = _ended(attempt, failed)
    if ended is not None:
        return ended
    if any(_found_forbidden(score, attempt) for score in failed):
        return FailureMode.FORBIDDEN_TOOL
    return BY_KIND[failed[0].kind]


def _ended(attempt: Attempt, failed: Sequence[Score]) -> FailureMode | None:
    """The code of how the attempt ended, None where it ended as it had to."""
    if not any(score.kind == STATE for score in failed):
        return None
    if attempt.state == "answered":
        return FailureMode.NOT_BLOCKED
    return attempt.failure_mode or _BY_STATE[attempt.state]


def _found_forbidden(score: Score, attempt: Attempt) -> bool:
    """Whether a policy scorer failed the attempt for a tool that the session allowed."""
    if score.kind != "policy" or not isinstance(score.expected, Mapping):
        return False
    forbidden = score.expected.get("forbidden_tools") or ()
    return bool(allowed_of(attempt, forbidden))
