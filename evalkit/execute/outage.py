"""Notices that a model cannot be reached at all, so that a run stops asking it."""

from collections import Counter

from evalkit.records.attempt import WITHOUT_RESULT, Attempt, FailureMode
from evalkit.records.judgment import JudgeCall

# What the next call meets as well: a wrong key, an empty account, a server that is not there or
# that failed so often that it is left alone.
_OUTAGES = frozenset(
    {
        FailureMode.AUTHENTICATION,
        FailureMode.CONNECTION,
        FailureMode.QUOTA,
        FailureMode.CIRCUIT_OPEN,
    }
)


class OutageWatch:
    """Counts, for each planned model, attempts in a row that ended in an outage.

    Only one with a result ends the row: another infrastructure error between them, such as that of
    the call that probes an open circuit, shows no sign of life.

    A short hiccup fails everything that is in flight at that moment and nothing that starts after
    it, so the limit is at least twice the concurrency. Replays say nothing about a provider.
    """

    def __init__(self, *, concurrency: int, least: int = 20) -> None:
        """`least` is the limit at low concurrency."""
        self.limit = max(least, 2 * concurrency)
        self._rows: Counter[str] = Counter()

    def note(self, model: str, attempt: Attempt) -> str | None:
        """Count an attempt that was planned for `model`; the reason to stop once it is reached."""
        return self._count(model, "attempts", attempt)

    def note_call(self, call: JudgeCall) -> str | None:
        """The same of a question to a judge, by its route."""
        return self._count(f"of judge route {call.route}", "questions", call)

    def _count(self, model: str, what: str, ended: Attempt | JudgeCall) -> str | None:
        if ended.failure_mode not in _OUTAGES:
            if ended.origin in (None, "live") and ended.failure_mode not in WITHOUT_RESULT:
                self._rows[model] = 0
            return None
        self._rows[model] += 1
        if self._rows[model] < self.limit:
            return None
        return (
            f"{self._rows[model]} {what} in a row got no answer from model {model} "
            f"({ended.failure_mode}: {ended.error})"
        )
