"""The trace of a session: one entry for each decision, in the order they were made."""

from collections.abc import Callable
from datetime import UTC
from typing import Any

from evalkit.ports import Clock
from evalkit.records.call import Act, Decision, DecisionOutcome


class Trace:
    """Collects decisions. Messages may quote a model or a server, so each is redacted first."""

    def __init__(self, clock: Clock, redact: Callable[[str], str]) -> None:
        """`clock` dates the entries."""
        self._clock = clock
        self.redact = redact
        self.decisions: list[Decision] = []

    def add(self, act: Act, outcome: DecisionOutcome, rule: str, message: str, **data: Any) -> None:
        """Append an entry; `data` is plain data without personal data in it."""
        self.decisions.append(
            Decision(
                act=act,
                outcome=outcome,
                rule=rule,
                message=self.redact(message),
                at=self._clock.now().astimezone(UTC).isoformat(timespec="milliseconds"),
                data=data,
            )
        )
