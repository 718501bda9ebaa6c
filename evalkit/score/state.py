"""How an attempt has to end: answered, or blocked where the case expects a policy to step in."""

from collections.abc import Sequence
from typing import Any

from evalkit.records.attempt import Attempt
from evalkit.records.case import Case
from evalkit.score.judge import JudgeScorer
from evalkit.score.policy import denials, policy_expectation
from evalkit.score.scorer import Judgement, Scorer, ScorerError
from evalkit.score.wording import one_line

# The label and kind of the score that every attempt gets, whatever the suite's scorers are.
STATE = "state"


def judge_state(scorers: Sequence[Scorer[Any]], attempt: Attempt, case: Case) -> Judgement:
    """Whether the attempt ended as it has to.

    Raises ScorerError for an attempt that has no result, and for a case that nothing decides:
    one that no gating scorer applies to and that does not say whether it is to be blocked.
    """
    if attempt.state == "error":
        raise ScorerError(failure_of(attempt))
    policy = policy_expectation(case)
    if policy.blocked is None and not _is_decided(scorers, case):
        raise ScorerError(
            "no gating scorer applies to this case and `expected.blocked` is not given, so nothing "
            "decides whether it passes"
        )
    wanted = "blocked" if policy.blocked else "answered"
    # an agent that was denied something may go on and answer: the policy stopped it all the same
    ended = "blocked" if policy.blocked and attempt.stopped else attempt.state
    rule = attempt.rule or attempt.failure_mode or attempt.state
    why = f" ({rule}: {one_line(attempt.error)})" if attempt.error else ""
    if ended == wanted == "blocked" and not policy.is_blocked_as_wanted(attempt):
        found = f"blocked{why or denials(attempt)}"
        return Judgement(
            passed=False,
            message=f"expected blocked by {policy.blocked_by}, found {found}",
            expected=policy.blocked_by,
            found=attempt.rule,
        )
    if ended == wanted:
        return Judgement(passed=True, message=f"{wanted} as expected{why}")
    return Judgement(
        passed=False,
        message=f"expected {wanted}, found {attempt.state}{why}",
        expected=wanted,
        found=attempt.state,
    )


def failure_of(attempt: Attempt) -> str:
    """What kept an attempt from having a result."""
    return f"no result: {attempt.failure_mode or 'error'}: {one_line(attempt.error)}"


def nothing_decides(scorers: Sequence[Scorer[Any]], case: Case) -> bool:
    """Whether an attempt at the case could pass only because nobody looks. Raises ScorerError."""
    return policy_expectation(case).blocked is None and not _is_decided(scorers, case)


def _is_decided(scorers: Sequence[Scorer[Any]], case: Case) -> bool:
    return any(_gates(scorer) and _decides(scorer, case) for scorer in scorers)


def _gates(scorer: Scorer[Any]) -> bool:
    """Whether somebody decides by it: about the case, or, by a judge, about the suite."""
    return scorer.part_gates if isinstance(scorer, JudgeScorer) else scorer.gate


def _decides(scorer: Scorer[Any], case: Case) -> bool:
    try:
        return scorer.expectation(case) is not None and scorer.decides(case)
    except ScorerError:
        return True  # its own score says what is wrong, and cannot pass
