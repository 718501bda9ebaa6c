"""The trace of a session: one entry for each decision, in the order they were made."""

from collections.abc import Callable
from typing import Any

from evalkit.control.telemetry.spans import SpanBook
from evalkit.ports import Clock
from evalkit.records.call import Act, Decision, DecisionOutcome
from evalkit.records.moment import moment_text


class Trace:
    """Collects decisions. Messages may quote a model or a server, so each is redacted first."""

    def __init__(
        self,
        clock: Clock,
        redact: Callable[[str], str],
        *,
        name: str = "",
        heard: Callable[[Decision], None] | None = None,
    ) -> None:
        """`clock` dates the entries, `name` is the route, `heard` is told of every decision."""
        self._clock = clock
        self._heard = heard
        self.redact = redact
        self.decisions: list[Decision] = []
        self.spans = SpanBook(clock, name)

    def add(self, act: Act, outcome: DecisionOutcome, rule: str, message: str, **data: Any) -> None:
        """Append an entry; `data` is plain data without personal data in it."""
        self.note(act, outcome, rule, self.redact(message), **data)

    def note(
        self, act: Act, outcome: DecisionOutcome, rule: str, message: str, **data: Any
    ) -> None:
        """As `add`, for a message of words and amounts of our own, which quotes nobody."""
        decision = Decision(
            act=act,
            outcome=outcome,
            rule=rule,
            message=message,
            at=moment_text(self._clock.now()),
            data=data,
        )
        self.spans.current().decisions.append(len(self.decisions))
        self.decisions.append(decision)
        if self._heard is not None:
            self._heard(decision)
