"""The user of a scripted conversation: what they say next, by what was answered."""

from collections.abc import Mapping
from typing import Any

from evalkit.config.patterns import compile_pattern
from evalkit.records.case import Case


class ScriptedUser:
    """Says the entries of a case's `conversation` one after the other.

    An entry whose condition the last answer does not meet is passed over for good.
    """

    def __init__(self, case: Case) -> None:
        """Nothing was said beyond the case's input."""
        self._left = list(case.conversation)

    def replies_to(self, answer: str) -> str | None:
        """What the user says to an answer; None when nothing is left to say."""
        while self._left:
            turn = self._left.pop(0)
            if _applies(turn.get("when"), answer):
                return str(turn["says"])
        return None


def _applies(when: Mapping[str, Any] | None, answer: str) -> bool:
    if when is None:
        return True
    if (text := when.get("contains")) is not None:
        return str(text).casefold() in answer.casefold()
    return compile_pattern(when["matches"]).search(answer) is not None
