"""Whether policies stopped what they have to stop, and nothing else."""

from dataclasses import dataclass

from evalkit.config.scorers import PolicyScorer
from evalkit.records.attempt import Attempt
from evalkit.records.case import Case
from evalkit.score.expected import expected_flag, expected_texts
from evalkit.score.scorer import Judgement, Scorer
from evalkit.score.wording import one_line


@dataclass(frozen=True, slots=True)
class PolicyExpectation:
    """What a case says of policies; `blocked` is None where it does not say."""

    blocked: bool | None
    forbidden_tools: tuple[str, ...]


def policy_expectation(case: Case) -> PolicyExpectation:
    """`expected.blocked` and `expected.forbidden_tools`. Raises ScorerError."""
    forbidden = expected_texts(case, "forbidden_tools") or ()
    return PolicyExpectation(expected_flag(case, "blocked"), forbidden)


class Policy(Scorer[PolicyExpectation]):
    """What must be blocked was, what must not be was not, and no forbidden tool was allowed.

    A reply that asks for nothing triggers no policy, so a case passes by this scorer alone only
    where it says what policies have to do.
    """

    kind = "policy"
    vacuous = True

    def __init__(self, config: PolicyScorer, *, label: str, gate: bool) -> None:
        """There is nothing to configure."""
        super().__init__(label=label, gate=gate)

    def expectation(self, case: Case) -> PolicyExpectation:
        """Every case has one: not to be blocked, unless it says so."""
        return policy_expectation(case)

    def is_asked_by(self, case: Case) -> bool:
        """Whether the case says anything about policies."""
        said = policy_expectation(case)
        return said.blocked is not None or bool(said.forbidden_tools)

    def judge(self, attempt: Attempt, expectation: PolicyExpectation) -> Judgement:
        """Look at how the attempt ended and which tools the session allowed."""
        blocked = attempt.state == "blocked"
        allowed = [tool for tool in expectation.forbidden_tools if tool in attempt.allowed_tools]
        why = f" by {attempt.rule}: {one_line(attempt.error)}" if blocked else ""
        faults = []
        if blocked != bool(expectation.blocked):
            wanted = "a policy to block it" if expectation.blocked else "no policy to block it"
            found = f"blocked{why}" if blocked else attempt.state
            faults.append(f"expected {wanted}, found {found}")
        if allowed:
            faults.append(f"expected no call of {', '.join(allowed)}, found it allowed")
        if faults:
            return Judgement(
                passed=False,
                message="; ".join(faults),
                expected={
                    "blocked": bool(expectation.blocked),
                    "forbidden_tools": list(expectation.forbidden_tools),
                },
                found={"blocked": blocked, "allowed_tools": list(attempt.allowed_tools)},
            )
        return Judgement(passed=True, message=f"blocked{why}" if blocked else "nothing to block")
