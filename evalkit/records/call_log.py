"""The calls of a run as they are written down: a line before each of them and one after.

`work` names what calls are made for, an attempt or a judgment, and `round` how often that had been
made before: what was made and counted is told from what a killed process left unfinished.
"""

from typing import TypeAlias

import msgspec

from evalkit.records.attempt import Place
from evalkit.records.call import Reply, Tokens, Usd


class CallAsked(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="asked"):
    """A call is about to leave. `usd` and `tokens` are its upper bounds, `key` its request's."""

    id: int
    work: str
    round: int
    key: str
    usd: Usd
    tokens: Tokens


class CallEnded(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    forbid_unknown_fields=True,
    omit_defaults=True,
    tag="ended",
):
    """A call came to its end and was charged so much. Without a reply it failed or was cut off.

    `reply` is redacted, as the cache has it.
    """

    id: int
    usd: Usd
    tokens: Tokens
    reply: Reply | None = None


class ModelGivenUp(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    forbid_unknown_fields=True,
    omit_defaults=True,
    tag="gave_up",
):
    """A model gave no answer, and the next one of the route was asked for it. `message` is
    redacted. With `busy` it was too busy to wait for; `code` is else that of its last error."""

    work: str
    round: int
    key: str
    message: str
    code: str = ""
    busy: bool = False


CallLine: TypeAlias = CallAsked | CallEnded | ModelGivenUp
# by the key of its request; None is a call of unfinished work that has no answer
EarlierAnswer: TypeAlias = tuple[str, Reply | ModelGivenUp | None]


class CallsLeft(msgspec.Struct, frozen=True, kw_only=True):
    """What an earlier process of a run left: calls in flight, and what they are charged at most."""

    lost: int = 0
    lost_usd: float = 0.0
    answered: int = 0


def attempt_work(place: Place) -> str:
    """What the calls of an attempt are made for."""
    return msgspec.json.encode(place).decode()


def judgment_work(suite: str, rubric: str, subject: str) -> str:
    """What the calls for one opinion are made for; `subject` is the subject's id."""
    return msgspec.json.encode((suite, "judge", rubric, subject)).decode()
