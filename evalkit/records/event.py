"""What a run tells while it runs; progress displays subscribe to these."""

import msgspec

from evalkit.records.attempt import Attempt
from evalkit.records.judgment import Judgment


class RunStarted(msgspec.Struct, frozen=True, kw_only=True):
    """`done` attempts were already in the journal of a resumed run."""

    attempts: int
    done: int
    max_usd: float | None


class AttemptFinished(msgspec.Struct, frozen=True, kw_only=True):
    """An attempt was journalled. `passed` is a first look by the scorers, None when unknown."""

    attempt: Attempt
    passed: bool | None


class AttemptRetried(msgspec.Struct, frozen=True, kw_only=True):
    """An infrastructure error; the call is tried again after `wait_s`."""

    suite: str
    case: str
    code: str
    wait_s: float


class CallFailed(msgspec.Struct, frozen=True, kw_only=True):
    """A live call got no usable reply of this provider; it is tried again or given up there.

    `code` is one of FailureMode, `status` that of HTTP where there was one.
    """

    provider: str
    code: str
    status: int | None
    retried: bool


class RunStopping(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody asked the run to stop: calls in flight end, or are dropped when asked `again`."""

    again: bool


class JudgingStarted(msgspec.Struct, frozen=True, kw_only=True):
    """The attempts are made; judges are asked about so many different outputs."""

    questions: int


class JudgmentMade(msgspec.Struct, frozen=True, kw_only=True):
    """A judge was asked about one output, and its opinion was journalled."""

    judgment: Judgment


class RunEscalating(msgspec.Struct, frozen=True, kw_only=True):
    """These suites are open, so they go on to `trials` trials a case."""

    suites: tuple[str, ...]
    trials: int


class RunNoted(msgspec.Struct, frozen=True, kw_only=True):
    """Something to know that changes nothing about the run."""

    message: str


class RunEnded(msgspec.Struct, frozen=True, kw_only=True):
    """No further attempt is made; `reason` is None for a whole run."""

    reason: str | None


Event = (
    RunStarted
    | AttemptFinished
    | AttemptRetried
    | CallFailed
    | RunStopping
    | JudgingStarted
    | JudgmentMade
    | RunEscalating
    | RunNoted
    | RunEnded
)
