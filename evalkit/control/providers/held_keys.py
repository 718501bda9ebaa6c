"""Keys that a server repeats in a stream, cut out however the stream cuts them up."""

from collections.abc import Collection, Iterator

import msgspec

from evalkit.control.providers.provider_errors import HIDDEN, MIN_SECRET
from evalkit.records.call import CallPiece, Piece

_Place = tuple[str, int]


class HeldKeys:
    """Holds back what may be the beginning of a key until it is known whether it is one.

    A key does not go on in another place: the text, a refusal, and each call have their own.
    """

    def __init__(self, secrets: Collection[str]) -> None:
        """`secrets` are the keys of the request."""
        self._secrets = tuple(secret for secret in secrets if len(secret) >= MIN_SECRET)
        self._place: _Place = ("text", 0)
        self._held = ""

    def pass_on(self, piece: Piece) -> Iterator[Piece]:
        """What may be handed on now that this piece has come."""
        if not self._secrets:
            yield piece
            return
        place, said = _said(piece)
        if place != self._place:
            yield from self.rest()
            self._place = place
        text = self._held + said
        for secret in self._secrets:
            text = text.replace(secret, HIDDEN)
        begun = max(_begun(text, secret) for secret in self._secrets)
        self._held = text[len(text) - begun :]
        text = text[: len(text) - begun]
        if text or (piece.call is not None and (piece.call.id or piece.call.name)):
            yield _with(piece, text)

    def rest(self) -> Iterator[Piece]:
        """What was held back and turned out to be no key."""
        held, self._held = self._held, ""
        kind, index = self._place
        if held and kind == "call":
            yield Piece(call=CallPiece(index=index, arguments=held))
        elif held:
            yield Piece(refusal=held) if kind == "refusal" else Piece(text=held)


def _said(piece: Piece) -> tuple[_Place, str]:
    if piece.call is not None:
        return ("call", piece.call.index), piece.call.arguments
    return (("refusal", 0), piece.refusal) if piece.refusal else (("text", 0), piece.text)


def _with(piece: Piece, text: str) -> Piece:
    if piece.call is not None:
        call = msgspec.structs.replace(piece.call, arguments=text)
        return msgspec.structs.replace(piece, call=call)
    field = "refusal" if piece.refusal else "text"
    return msgspec.structs.replace(piece, **{field: text})


def _begun(text: str, secret: str) -> int:
    """How many of the text's last characters are the beginning of a key, and not all of it."""
    at = text.find(secret[0], max(0, len(text) - len(secret) + 1))
    while at >= 0:
        if secret.startswith(text[at:]):
            return len(text) - at
        at = text.find(secret[0], at + 1)
    return 0
