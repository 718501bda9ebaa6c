"""The simulated world of a case: what its tools answer, call after call, always the same way."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from evalkit.records.call import ToolCall
from evalkit.records.case import Case
from evalkit.records.stored import stored_value

Redact = Callable[[str], str]
NO_ANSWER = "the case has no answer of the tool"
"""How the error of a call begins that no fixture answers."""


class ToolAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What a tool gives back: a result, or an `error`, and what it took by the case."""

    result: Any = None
    error: str | None = None
    latency_s: float | None = None


class World:
    """Answers the tool calls of one attempt from the case's fixtures.

    An entry answers a call whose arguments hold all that its `when` names. Of several kinds of
    `when` the first one in the file that fits answers; entries with one `when`, and the results of
    a `returns_each`, follow each other, and the last one repeats. Arguments are compared as they
    are and as they would be stored: a model that was told `[EMAIL_1]` asks for `[EMAIL_1]`.
    """

    def __init__(self, case: Case, redact: Redact) -> None:
        """`redact` is the session's."""
        self._redact = redact
        self._scripts = {tool: _scripts(entries) for tool, entries in case.tools.items()}
        self._taken: Counter[tuple[str, int]] = Counter()

    def answer(self, call: ToolCall) -> ToolAnswer:
        """The next answer to the call; what no fixture answers is an error that says so."""
        arguments = call.arguments or {}
        stored: Any = None
        for number, script in enumerate(self._scripts.get(call.name, ())):
            if not holds(script.when, arguments):
                if stored is None:
                    stored = stored_value(arguments, self._redact)
                if not holds(stored_value(script.when, self._redact), stored):
                    continue
            at = self._taken[call.name, number]
            self._taken[call.name, number] += 1
            return script.answers[min(at, len(script.answers) - 1)]
        return ToolAnswer(error=_unknown(call, self._scripts))


class _Script(msgspec.Struct):
    """What one `when` of a tool answers, in order."""

    when: Mapping[str, Any]
    answers: list[ToolAnswer] = msgspec.field(default_factory=list)


def _scripts(entries: Sequence[Mapping[str, Any]]) -> list[_Script]:
    scripts: dict[bytes, _Script] = {}
    for entry in entries:
        when = entry.get("when") or {}
        key = msgspec.json.encode(when, order="sorted")
        script = scripts.setdefault(key, _Script(when))
        latency_s = entry.get("latency_s")
        if entry.get("raises") is not None:
            script.answers.append(ToolAnswer(error=entry["raises"], latency_s=latency_s))
            continue
        results = entry.get("returns_each")
        for result in [entry.get("returns")] if results is None else results:
            script.answers.append(ToolAnswer(result=result, latency_s=latency_s))
    return list(scripts.values())


def holds(wanted: Any, found: Any) -> bool:
    """Whether `found` has all that is `wanted`: keys of objects may be more, all else is equal.

    true is no 1, and 1.0 is one.
    """
    if isinstance(wanted, Mapping):
        return isinstance(found, Mapping) and all(
            key in found and holds(value, found[key]) for key, value in wanted.items()
        )
    if isinstance(wanted, list | tuple):
        return (
            isinstance(found, list | tuple)
            and len(wanted) == len(found)
            and all(map(holds, wanted, found))
        )
    if isinstance(wanted, bool) or isinstance(found, bool):
        return wanted is found
    return bool(wanted == found)


def _unknown(call: ToolCall, scripts: Mapping[str, Sequence[_Script]]) -> str:
    why = "for these arguments" if scripts.get(call.name) else "at all"
    return f"{NO_ANSWER} {call.name} {why}"
