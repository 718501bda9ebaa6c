"""The pieces of an answer in an order that every format can write.

A format of blocks or items writes one after the other, and says what a call is where it begins.
Some models write several calls by turns, name a call behind its first arguments, or again with
every piece. What comes too early is held back: what is no part of the call that is being written
until its arguments are whole, and a call until it has a name.
"""

from collections.abc import Iterator

from evalkit.errors import InvalidReply
from evalkit.gateway.doors.reading import parsed_or_none
from evalkit.records.call import CallPiece, Piece


class CallOrder:
    """Orders the pieces of one answer. The first piece of a call tells its name, and no other."""

    def __init__(self) -> None:
        """Nothing has come yet."""
        self._waiting: list[Piece] = []
        self._open: int | None = None
        self._arguments = ""
        self._whole: set[int] = set()

    def take(self, piece: Piece) -> Iterator[Piece]:
        """What may be written now that this piece has come.

        Raises InvalidReply for a call that goes on although its arguments were whole.
        """
        call = piece.call
        if call is None and self._open is None and not self._waiting:
            yield piece
            return
        if call is not None and call.index in self._whole:
            if call.arguments.strip():
                raise InvalidReply("the arguments of a tool call go on after their end")
            return
        self._waiting.append(piece)
        yield from self._released()

    def rest(self) -> Iterator[Piece]:
        """What is left: the answer has ended, so that calls are as whole as they will be."""
        while self._waiting:
            if self._open is not None:
                self._close()
            if (call := self._waiting[0].call) is not None:
                yield self._begin(call.index)
            yield from self._released()

    def _released(self) -> Iterator[Piece]:
        while True:
            if self._open is not None:
                if more := self._taken(self._open):
                    yield self._grown(self._open, more)
                if not self._waiting or not isinstance(parsed_or_none(self._arguments), dict):
                    return
                self._close()
            if not self._waiting:
                return
            call = self._waiting[0].call
            if call is None:
                yield self._waiting.pop(0)
            elif any(each.name for each in self._parts(call.index)):
                yield self._begin(call.index)
            else:
                return

    def _begin(self, index: int) -> Piece:
        self._open = index
        parts = self._taken(index)
        name = next((each.name for each in parts if each.name), "")
        id_ = next((each.id for each in parts if each.id), "")
        return self._grown(index, parts, id_=id_, name=name)

    def _close(self) -> None:
        assert self._open is not None
        self._whole.add(self._open)
        self._open, self._arguments = None, ""

    def _parts(self, index: int) -> list[CallPiece]:
        """What waits of a call."""
        calls = [each.call for each in self._waiting if each.call is not None]
        return [each for each in calls if each.index == index]

    def _taken(self, index: int) -> list[CallPiece]:
        """The same, which waits no longer."""
        parts = self._parts(index)
        if parts:
            self._waiting = [
                each for each in self._waiting if each.call is None or each.call.index != index
            ]
        return parts

    def _grown(self, index: int, parts: list[CallPiece], *, id_: str = "", name: str = "") -> Piece:
        """Several pieces of a call as one."""
        arguments = "".join(each.arguments for each in parts)
        self._arguments += arguments
        return Piece(call=CallPiece(index=index, id=id_, name=name, arguments=arguments))
