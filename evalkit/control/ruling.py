"""A ruling: what one policy says of one act."""

from collections.abc import Mapping
from typing import Any

import msgspec

from evalkit.records.call import DecisionOutcome

# the rule of whatever could not be decided: a check that failed, a store that cannot be read
POLICY_ERROR = "policy.error"


class Ruling(msgspec.Struct, frozen=True):
    """A decision, the configuration key it rests on, and why. `data` is for the trace.

    One that is `shadow` stops nothing: where it says no, a trace has it as `warned`. One that
    `changes` something says yes to what is left of it.
    """

    allowed: bool
    rule: str
    message: str
    shadow: bool = False
    data: Mapping[str, Any] = msgspec.field(default_factory=dict)
    changes: bool = False

    @property
    def stops(self) -> bool:
        """Whether the act ends here."""
        return not self.allowed and not self.shadow

    @property
    def outcome(self) -> DecisionOutcome:
        """What a trace calls it."""
        if self.allowed:
            return "changed" if self.changes else "allowed"
        return "warned" if self.shadow else "denied"
