"""Ids of tool calls: clients find the call that a result belongs to by them, and some models give
none, or one id to two calls."""

import msgspec

from evalkit.records.call import CallPiece, Completion, Piece


class CallIds:
    """Makes the ids of one answer good, the same in its pieces and in the whole of it."""

    def __init__(self, request_id: str) -> None:
        """`request_id` keeps the ids apart that are made here."""
        self._request_id = request_id
        self._by_index: dict[int, str] = {}

    def piece(self, piece: Piece) -> Piece:
        """The piece with an id where a call begins."""
        call = piece.call
        if call is None or not call.name:
            return piece
        made: CallPiece = msgspec.structs.replace(call, id=self._id(call.index, call.id))
        return msgspec.structs.replace(piece, call=made)

    def whole(self, completion: Completion) -> Completion:
        """The completion with an id for every call."""
        reply = completion.reply
        if not reply.tool_calls:
            return completion
        calls = tuple(
            msgspec.structs.replace(call, id=self._id(index, call.id))
            for index, call in enumerate(reply.tool_calls)
        )
        return msgspec.structs.replace(
            completion, reply=msgspec.structs.replace(reply, tool_calls=calls)
        )

    def _id(self, index: int, given: str) -> str:
        known = self._by_index.get(index)
        if known is None:
            taken = self._by_index.values()
            known = given if given and given not in taken else f"call_{self._request_id}_{index}"
            self._by_index[index] = known
        return known
