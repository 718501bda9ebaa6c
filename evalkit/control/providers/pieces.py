"""A reply in pieces, for providers that have it whole."""

from collections.abc import Iterator

from evalkit.control.providers.turns import arguments_text
from evalkit.records.call import CallPiece, Piece, Reply


def pieces_of(reply: Reply) -> Iterator[Piece]:
    """Its text, its tool calls, and the reply itself."""
    if reply.content:
        yield Piece(text=reply.content)
    for index, call in enumerate(reply.tool_calls):
        arguments = arguments_text(call)
        yield Piece(call=CallPiece(index=index, id=call.id, name=call.name, arguments=arguments))
    yield Piece(reply=reply)
