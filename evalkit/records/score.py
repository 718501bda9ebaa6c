"""What a scorer said about an attempt."""

from typing import Any, Literal

import msgspec

from evalkit.records.attempt import Place

ScoreState = Literal["scored", "not_applicable", "error", "abstained", "unparseable", "refused"]


class Score(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One scorer on one attempt.

    `passed` is None unless `state` is scored: an error is no pass and no fail, and what does not
    apply to a case says nothing about it. A judge may also have abstained, refused, or said nothing
    that can be read. `gate` tells whether it decides. `message` says what was
    expected and found; `found` and `expected` are for reports. `measures` are figures behind it, by
    name, such as precision, recall and f1 of tool calls.
    """

    suite: str
    variant: str
    case: str
    trial: int
    scorer: str
    kind: str
    state: ScoreState
    passed: bool | None
    gate: bool
    message: str = ""
    expected: Any = None
    found: Any = None
    measures: dict[str, float] = {}

    @property
    def place(self) -> Place:
        """The place of its attempt."""
        return self.suite, self.variant, self.case, self.trial
