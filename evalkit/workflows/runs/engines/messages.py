"""What the control session and its workers tell each other: JSON, in batches.

JSON, because attempts and replies are stored as such: what came over the network is then what a
run in one process would have journalled. Answers carry the number of what they answer.
"""

from collections.abc import Sequence
from typing import Literal

import msgspec

from evalkit.errors import Problem, ProviderError
from evalkit.records.attempt import Attempt
from evalkit.records.call import Reply
from evalkit.records.call_log import ModelGivenUp
from evalkit.records.case import Case
from evalkit.records.event import AttemptRetried, CallFailed
from evalkit.records.ledger import Scopes


class ErrorOfProvider(msgspec.Struct, frozen=True, kw_only=True):
    """A ProviderError on its way."""

    code: str
    message: str
    retryable: bool
    retry_after_s: float | None
    may_be_billed: bool
    status: int | None

    @classmethod
    def of(cls, error: ProviderError) -> "ErrorOfProvider":
        """What is told of an error."""
        return cls(
            code=error.code,
            message=str(error),
            retryable=error.retryable,
            retry_after_s=error.retry_after_s,
            may_be_billed=error.may_be_billed,
            status=error.status,
        )

    def error(self) -> ProviderError:
        """The error again."""
        return ProviderError(
            self.code,
            self.message,
            retryable=self.retryable,
            retry_after_s=self.retry_after_s,
            may_be_billed=self.may_be_billed,
            status=self.status,
        )


class Answered(msgspec.Struct, frozen=True):
    """What a call for an attempt came to, on a worker or in a process that did not finish it."""

    key: str
    reply: Reply | None = None
    given_up: ModelGivenUp | None = None


class Make(msgspec.Struct, frozen=True, tag=True):
    """To a worker: make one attempt. `arm` is the place of its arm in the parcel.

    `earlier`, `usd` and `tries` are of calls that were made for it before, by who did not finish.
    """

    number: int
    arm: int
    case: Case
    trial: int
    earlier: tuple[Answered, ...] = ()
    usd: float = 0.0
    tries: int = 0


class Drop(msgspec.Struct, frozen=True, tag=True):
    """To a worker: an attempt is given up; it is told of as any other when it has ended."""

    number: int


class Let(msgspec.Struct, frozen=True, tag=True):
    """To a worker: a call may pass, or an amount is set aside."""

    number: int


class NotLet(msgspec.Struct, frozen=True, tag=True):
    """To a worker: a call may not pass: its model is `busy`, or cannot be asked."""

    number: int
    busy: str | None = None
    error: ErrorOfProvider | None = None


class NotSetAside(msgspec.Struct, frozen=True, tag=True):
    """To a worker: an amount did not fit under a budget, as BudgetExhausted tells it."""

    number: int
    rule: str
    message: str
    degrade: bool


class Recalled(msgspec.Struct, frozen=True, tag=True):
    """To a worker: the stored reply, if there is one."""

    number: int
    reply: Reply | None


class NotStored(msgspec.Struct, frozen=True, tag=True):
    """To a worker: the private state of the project cannot be read or written."""

    number: int
    message: str


Answer = Let | NotLet | NotSetAside | Recalled | NotStored
ToWorker = Make | Drop | Answer


class Pass(msgspec.Struct, frozen=True, tag=True):
    """To the owner: may a call to the model (as it is configured for that arm) leave?"""

    number: int
    arm: int
    name: str
    model: str
    tokens: int
    busy_after_s: float | None


class Passed(msgspec.Struct, frozen=True, tag=True):
    """To the owner: how a call that was let pass ended; `tokens` where it was answered."""

    number: int
    sent: bool
    tokens: int | None = None
    error: ErrorOfProvider | None = None


class Reserve(msgspec.Struct, frozen=True, tag=True):
    """To the owner: set the upper bound of a call aside."""

    number: int
    max_usd: float | None
    max_tokens: int
    scopes: Scopes
    degradable: bool


class Charged(msgspec.Struct, frozen=True, tag=True):
    """To the owner: the end of what was set aside; `usd` and `tokens` where it was settled."""

    number: int
    end: Literal["settled", "released", "kept"]
    usd: float = 0.0
    tokens: int = 0


class Recall(msgspec.Struct, frozen=True, tag=True):
    """To the owner: the stored reply of a key, for an arm."""

    number: int
    arm: int
    key: str


class Keep(msgspec.Struct, frozen=True, tag=True):
    """To the owner: store a reply."""

    arm: int
    key: str
    reply: Reply


class Forget(msgspec.Struct, frozen=True, tag=True):
    """To the owner: nobody waits for that answer any more."""

    number: int


class Asked(msgspec.Struct, frozen=True, tag=True):
    """To the owner: a call for an attempt leaves, with its upper bounds."""

    attempt: int
    number: int
    key: str
    usd: float
    tokens: int


class Ended(msgspec.Struct, frozen=True, tag=True):
    """To the owner: a call for an attempt has ended, and was charged so much."""

    attempt: int
    number: int
    usd: float
    tokens: int
    reply: Reply | None


class GaveUp(msgspec.Struct, frozen=True, tag=True):
    """To the owner: another model is asked for an attempt."""

    attempt: int
    key: str
    message: str
    code: str
    busy: bool


class Retried(msgspec.Struct, frozen=True, tag=True):
    """To the owner: a call is tried again."""

    event: AttemptRetried


class Failed(msgspec.Struct, frozen=True, tag=True):
    """To the owner: a call got no usable reply."""

    event: CallFailed


class Made(msgspec.Struct, frozen=True, tag=True):
    """To the owner: an attempt that was made."""

    number: int
    attempt: Attempt


class Broke(msgspec.Struct, frozen=True, tag=True):
    """To the owner: no attempt was made. `dropped` was asked for; `bug` has the traceback
    as its message."""

    number: int
    kind: Literal["config", "refused", "store", "dropped", "bug"]
    message: str
    problems: tuple[Problem, ...] = ()


Question = Pass | Reserve | Recall
OfCalls = Asked | Ended | GaveUp
ToOwner = Question | Passed | Charged | Keep | Forget | OfCalls | Retried | Failed | Made | Broke


class Introduction(msgspec.Struct, frozen=True, kw_only=True):
    """Who a worker is, so that only one with the same code is given work.

    `version` and `source` are of its evalkit (a digest over its files), `python` is X.Y.
    """

    version: str
    source: str
    python: str
    node: str
    process: int


class Readiness(msgspec.Struct, frozen=True, kw_only=True):
    """What came of a worker's parcel: its digest, or why there can be no work there."""

    digest: str = ""
    trouble: str | None = None


_encoder = msgspec.json.Encoder()
_to_worker = msgspec.json.Decoder(list[ToWorker])
_to_owner = msgspec.json.Decoder(list[ToOwner])


def encode(messages: Sequence[ToWorker] | Sequence[ToOwner]) -> bytes:
    """A batch for the network."""
    return _encoder.encode(messages)


def decode_for_worker(batch: bytes) -> list[ToWorker]:
    """A batch that came to a worker."""
    return _to_worker.decode(batch)


def decode_for_owner(batch: bytes) -> list[ToOwner]:
    """A batch that came to the owner."""
    return _to_owner.decode(batch)
