"""What a door is: one wire format, as pure functions over bytes and records."""

from typing import Any, Protocol

from evalkit.gateway.asked import Asked
from evalkit.gateway.refusals import Refusal
from evalkit.records.call import Completion, Piece


class AnswerStream(Protocol):
    """Writes one answer as server-sent events, in the order begin, piece…, end or error."""

    def begin(self) -> bytes:
        """What stands before the first piece; often nothing."""

    def piece(self, piece: Piece) -> bytes:
        """One piece of the answer."""

    def end(self, completion: Completion) -> bytes:
        """What ends an answer that is whole."""

    def error(self, refusal: Refusal, request_id: str) -> bytes:
        """What ends one that is not: an error inside a 200."""


class Door(Protocol):
    """One wire format."""

    @property
    def path(self) -> str:
        """Where it is asked."""

    def read(self, body: bytes) -> Asked:
        """The request. Raises Declined, naming the field that cannot be read or translated."""

    def answer(self, asked: Asked, completion: Completion, *, request_id: str, at: int) -> Any:
        """The body of a whole answer; `at` is now, in seconds since 1970."""

    def stream(self, asked: Asked, *, request_id: str, at: int) -> AnswerStream:
        """A writer of the answer in pieces."""

    def error(self, refusal: Refusal, request_id: str) -> Any:
        """The body of a refusal."""
