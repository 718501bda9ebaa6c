"""What of an answer may be handed on while the model still writes it.

Where nothing on the route looks at answers, everything. Where personal data, secrets or literal
phrases are looked for, what lies before the last place that no finding can lie across. Where a
policy looks at the answer as a whole (its schema, its citations, a policy in Rego, a phrase that is
a pattern), nothing before that policy has seen it. Tool calls and answers in JSON are whole before
they can be looked at, so they come whole wherever anything is looked for.
"""

from collections.abc import Callable, Sequence

from evalkit.control.acts.state import SessionState
from evalkit.control.phrase_windows import PhraseWindow
from evalkit.control.phrases import CompiledPhrase
from evalkit.control.providers.pieces import pieces_of
from evalkit.control.redaction import StreamRedactor
from evalkit.control.ruling import POLICY_ERROR
from evalkit.errors import PolicyBlocked
from evalkit.records.call import Completion, Piece

HandOn = Callable[[Piece], None]


class Outflow:
    """Hands the pieces of one answer on, as soon as its route's policies allow.

    Nothing is decided here: the whole answer goes through the same checks as one that is not
    streamed, and `finish` hands on what is left of what they made of it.
    """

    def __init__(self, state: SessionState, hand_on: HandOn) -> None:
        """`hand_on` takes the pieces; `state` is the session's."""
        phrases = [each for each in state.phrases.on("reply") if each.phrase.mode != "warn"]
        rules = [each for each in state.rules.screen if each.mode != "warn"]
        self._hand_on = hand_on
        self._free = not (phrases or rules or _looks_at_whole(state))
        self._whole = _looks_at_whole(state) or any(not each.literal for each in phrases)
        self._blocking = {kind for rule in rules if rule.mode == "block" for kind in rule.kinds}
        self._window = PhraseWindow(_literal(phrases))
        self._screen = state.redactor.limited_to(
            [kind for rule in rules if rule.mode == "redact" for kind in rule.kinds]
        )
        self._redacted = StreamRedactor(self._screen) if rules else None
        self._led = ""
        self._text = ""
        self._refusal = ""
        self._calls = 0

    def take(self, piece: Piece) -> None:
        """A piece as the provider sent it."""
        if self._free:
            self._count(piece)
            self._hand_on(piece)
        elif piece.text and not self._whole:
            self._take_text(piece.text)

    def finish(self, completion: Completion) -> None:
        """Hand on what is left of the answer that passed.

        Raises PolicyBlocked where what was handed on is no part of it: a window let through what
        the whole answer was not to say.
        """
        reply = completion.reply
        refusal = reply.refusal or ""
        if not (reply.content.startswith(self._text) and refusal.startswith(self._refusal)):
            message = "what was streamed is not what the policies made of the whole answer"
            raise PolicyBlocked(POLICY_ERROR, message, completion=completion)
        if rest := reply.content[len(self._text) :]:
            self._hand_on(Piece(text=rest))
        if rest := refusal[len(self._refusal) :]:
            self._hand_on(Piece(refusal=rest))
        for piece in pieces_of(reply):
            if piece.call is not None and piece.call.index >= self._calls:
                self._hand_on(piece)

    def _count(self, piece: Piece) -> None:
        self._text += piece.text
        self._refusal += piece.refusal
        if piece.call is not None:
            self._calls = max(self._calls, piece.call.index + 1)

    def _take_text(self, text: str) -> None:
        """Text of an answer that is looked at in windows, unless it turns out to be JSON."""
        if not self._led.strip():
            self._led += text
            opening = self._led.lstrip()[:1]
            if not opening:
                return
            if opening in "{[":
                self._whole = True
                return
            text = self._led
        text = self._window.feed(text)
        if self._redacted is not None:
            text = self._redacted.feed(text)
        if self._window.blocked or any(kind in self._blocking for kind, _ in self._screen.kept):
            self._whole = True  # the check of the whole answer says so, and nothing more leaves
        elif text:
            self._text += text
            self._hand_on(Piece(text=text))


def _looks_at_whole(state: SessionState) -> bool:
    """Whether a policy that can stop an answer has to see all of it."""
    schema, citations = state.answer_schema, state.route.citations
    return bool(
        state.checks
        or (schema is not None and schema.mode != "warn")
        or (citations is not None and citations.mode != "warn")
    )


def _literal(phrases: Sequence[CompiledPhrase]) -> list[CompiledPhrase]:
    return [each for each in phrases if each.literal]
