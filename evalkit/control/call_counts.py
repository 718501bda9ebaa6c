"""Tool calls of one session, counted: altogether, again after they failed, and in a loop."""

import msgspec

from evalkit.config.routes import Route
from evalkit.control.ruling import Ruling


class CallCounts(msgspec.Struct):
    """Counts the calls that were authorized. A call is known by its tool and its arguments.

    `retries` counts calls that were made again after they failed, `repeats` those that were made
    again after they succeeded, or before anybody told how they ended.
    """

    authorized: int = 0
    retries: dict[str, int] = {}
    repeats: dict[str, int] = {}
    _made: set[str] = set()
    _failed: set[str] = set()

    def rule(self, route: Route, name: str, call: str) -> Ruling | None:
        """The cap that one more call would break; None for none. `call` is its digest."""
        cap = route.max_tool_calls
        if cap is not None and self.authorized >= cap:
            nth = self.authorized + 1
            return _over("max_tool_calls", f"{name} would be call {nth} of at most {cap}", nth, cap)
        if call not in self._made:
            return None
        if call in self._failed:
            cap, nth = route.max_tool_retries, self.retries.get(call, 0) + 1
            if cap is not None and nth > cap:
                message = f"{name} failed with these arguments; to try again is retry {nth} of"
                return _over("max_tool_retries", f"{message} at most {cap}", nth, cap)
            return None
        cap, nth = route.max_repeats, self.repeats.get(call, 0) + 1
        if cap is not None and nth > cap:
            message = f"{name} was called with the same arguments before; this is repeat {nth} of"
            return _over("max_repeats", f"{message} at most {cap}", nth, cap)
        return None

    def count(self, call: str) -> None:
        """One more call was authorized."""
        self.authorized += 1
        if call in self._failed:
            self.retries[call] = self.retries.get(call, 0) + 1
        elif call in self._made:
            self.repeats[call] = self.repeats.get(call, 0) + 1
        self._made.add(call)
        # until somebody tells otherwise
        self._failed.discard(call)

    def note_failure(self, call: str) -> None:
        """The call was made and failed: the same call again is a retry."""
        if call in self._made:
            self._failed.add(call)


def _over(rule: str, message: str, count: int, cap: int) -> Ruling:
    return Ruling(False, rule, message, data={"count": count, "cap": cap})
