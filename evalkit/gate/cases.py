"""What the gate is given: per case, what each arm did in each trial."""

import math
from collections.abc import Sequence

import msgspec

_AMOUNTS = ("cost_usd", "tokens", "latency_s")


class TrialResult(msgspec.Struct, frozen=True, kw_only=True):
    """One attempt at a case.

    `passed` is None when there is no result to judge: an infrastructure error, a missing attempt,
    a scorer that failed, an answer from another model than planned. Such an attempt stays in the
    denominator. `cost_usd`, `tokens` and `latency_s` are None when they were not measured.
    `guardrail` tells whether one triggered, `tools_correct` whether the tool calls were those that
    were expected (None where the case expects none), `complied` whether it stayed within every
    policy, and `judges_disagree` whether judges of the same output gave different verdicts.
    `violations` names the invariants broken.
    """

    passed: bool | None
    cost_usd: float | None = None
    tokens: float | None = None
    latency_s: float | None = None
    guardrail: bool | None = None
    tools_correct: bool | None = None
    complied: bool | None = None
    judges_disagree: bool | None = None
    violations: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Raise ValueError for an amount that is negative, infinite or NaN."""
        for amount in (self.cost_usd, self.tokens, self.latency_s):
            if amount is not None and not 0 <= amount < math.inf:
                name = next(each for each in _AMOUNTS if getattr(self, each) is amount)
                raise ValueError(f"{name} is a finite amount of at least 0, not {amount}")


UNKNOWN = TrialResult(passed=None)


class CaseResult(msgspec.Struct, frozen=True, kw_only=True):
    """A case in both arms, one entry a trial; an empty arm counts as one unknown attempt.

    Cases with the same `group` are clustered in the statistics. A suite without a baseline leaves
    `baseline` empty, one without a fixed point `anchor`.
    """

    case: str
    candidate: tuple[TrialResult, ...]
    baseline: tuple[TrialResult, ...] = ()
    anchor: tuple[TrialResult, ...] = ()
    group: str | None = None
    tags: tuple[str, ...] = ()


class DistinctCases(Sequence[CaseResult]):
    """Cases of which whoever made them knows that no id occurs twice.

    They may be made as they are read, so a reader goes over them as seldom as it can.
    """


def attempts_of(arm: Sequence[TrialResult]) -> Sequence[TrialResult]:
    """The attempts of one arm; a case that was never tried has one, and it is unknown."""
    return arm or (UNKNOWN,)
