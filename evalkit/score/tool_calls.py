"""The tool calls that came back against those expected: names and arguments."""

from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from evalkit.config.scorers import ToolCallsScorer
from evalkit.records.attempt import Attempt
from evalkit.records.call import ToolCall
from evalkit.records.case import Case
from evalkit.score.acts import executed_calls
from evalkit.score.matchers import check_matchers, matches
from evalkit.score.pairing import Pairs, pair_in_any_order, pair_in_order, precision_recall_f1
from evalkit.score.scorer import Judgement, Scorer, ScorerError
from evalkit.score.wording import listed, show


class ExpectedCall(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One entry of `expected.tool_calls`. Without arguments the call has to have none; they may be
    or hold matchers."""

    name: str
    arguments: dict[str, Any] = {}


class ToolCalls(Scorer[tuple[ExpectedCall, ...]]):
    """The expected calls were made, and no other, unless `match` or a threshold asks for less.

    Two equal calls count as two. Arguments are equal as JSON, or fit the matchers that stand for
    them. A call whose arguments were no JSON object fits nothing.
    """

    kind = "tool_calls"

    def __init__(self, config: ToolCallsScorer, *, label: str, gate: bool) -> None:
        """`config` says which calls count, whether their order does, and what is enough."""
        super().__init__(label=label, gate=gate)
        self._config = config
        self._pair = pair_in_order if config.order == "exact" else pair_in_any_order
        self._floors = {
            name: floor
            for name, floor in (
                ("precision", config.min_precision),
                ("recall", config.min_recall),
                ("f1", config.min_f1),
            )
            if floor is not None
        }

    def expectation(self, case: Case) -> tuple[ExpectedCall, ...] | None:
        """`expected.tool_calls`; an empty list expects that no tool is called."""
        return expected_calls(case)

    def is_asked_by(self, case: Case) -> bool:
        """Always: only `expected` says which calls."""
        return True

    def judge(self, attempt: Attempt, expectation: tuple[ExpectedCall, ...]) -> Judgement:
        """Compare the calls: those asked for, denied ones included, or those that were made."""
        calls = attempt.tool_calls
        if self._config.calls == "executed":
            calls = executed_calls(attempt)
        pairs = self._pair(expectation, calls, self._fits)
        measures = precision_recall_f1(len(pairs), len(expectation), len(calls))
        faults = self._below(measures) if self._floors else self._faults(expectation, calls, pairs)
        if faults:
            return Judgement(
                passed=False,
                message=listed(faults),
                expected=[msgspec.to_builtins(call) for call in expectation],
                found=[_plain(call) for call in calls],
                measures=measures,
            )
        names = ", ".join(call.name for call in expectation) or "no call"
        return Judgement(passed=True, message=f"{names} as expected", measures=measures)

    def _fits(self, wanted: ExpectedCall, call: ToolCall) -> bool:
        if wanted.name != call.name:
            return False
        if self._config.arguments == "ignore":
            return True
        return call.arguments is not None and matches(wanted.arguments, call.arguments)

    def _below(self, measures: dict[str, float]) -> list[str]:
        return [
            f"{name} is {measures[name]:.2f}, expected {floor:.2f} or more"
            for name, floor in self._floors.items()
            if measures[name] < floor
        ]

    def _faults(
        self, expected: Sequence[ExpectedCall], found: Sequence[ToolCall], pairs: Pairs
    ) -> list[str]:
        """What is wrong; calls that only stand in the wrong place are told as such."""
        anywhere = pairs
        if self._config.order == "exact":
            anywhere = pair_in_any_order(expected, found, self._fits)
        faults = []
        if self._config.match != "subset":
            missing = [call for i, call in enumerate(expected) if i not in anywhere]
            faults += [f"expected {_shown(call)}, not called" for call in missing]
        if self._config.match != "superset":
            paired = set(anywhere.values())
            unexpected = [call for j, call in enumerate(found) if j not in paired]
            faults += [f"unexpected {_shown(call)}" for call in unexpected]
        if faults or len(pairs) == len(anywhere):
            return faults
        if self._config.match == "exact":
            return [_first_crossed(expected, found, self._fits)]
        crossed = next(i for i in anywhere if i not in pairs)
        return [f"{_shown(expected[crossed])} was call {anywhere[crossed] + 1} (order)"]


def _first_crossed(
    expected: Sequence[ExpectedCall],
    found: Sequence[ToolCall],
    fits: Callable[[ExpectedCall, ToolCall], bool],
) -> str:
    """The first place at which as many calls, which all pair up, differ in order."""
    for number, (wanted, call) in enumerate(zip(expected, found, strict=True), 1):
        if not fits(wanted, call):
            return f"call {number}: expected {_shown(wanted)}, found {_shown(call)} (order)"
    raise AssertionError("unreachable: calls that all stand in their places are paired in order")


def expected_calls(case: Case) -> tuple[ExpectedCall, ...] | None:
    """`expected.tool_calls`, None without it. Raises ScorerError."""
    calls = case.expected.get("tool_calls")
    if calls is None:
        return None
    try:
        wanted = msgspec.convert(calls, tuple[ExpectedCall, ...])
    except msgspec.ValidationError as error:
        raise ScorerError(
            f"expected.tool_calls is a list of {{name, arguments}}: {error}"
        ) from None
    for call in wanted:
        check_matchers(call.arguments)
    return wanted


def _shown(call: ExpectedCall | ToolCall) -> str:
    if call.arguments is None:
        raw = getattr(call, "raw", None)
        return f"{call.name} with arguments that are no JSON object: {show(raw)}"
    return f"{call.name}({show(call.arguments)})"


def _plain(call: ToolCall) -> dict[str, Any]:
    if call.arguments is None:
        return {"name": call.name, "arguments": None, "raw": call.raw}
    return {"name": call.name, "arguments": call.arguments}
