"""The tool calls that came back against those expected: names and arguments, all of them."""

from collections.abc import Sequence
from typing import Any

import msgspec

from evalkit.config.scorers import ToolCallsScorer
from evalkit.records.attempt import Attempt
from evalkit.records.call import ToolCall
from evalkit.records.case import Case
from evalkit.score.equality import equal
from evalkit.score.scorer import Judgement, Scorer, ScorerError
from evalkit.score.wording import listed, show


class ExpectedCall(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One entry of `expected.tool_calls`. Without arguments the call has to have none."""

    name: str
    arguments: dict[str, Any] = {}


class ToolCalls(Scorer[tuple[ExpectedCall, ...]]):
    """Every expected call was made and no other was; two equal calls count as two.

    Arguments are equal as JSON. A call whose arguments were no JSON object equals nothing.
    """

    kind = "tool_calls"

    def __init__(self, config: ToolCallsScorer, *, label: str, gate: bool) -> None:
        """`config.order` tells whether the order counts."""
        super().__init__(label=label, gate=gate)
        self._in_order = config.order == "exact"

    def expectation(self, case: Case) -> tuple[ExpectedCall, ...] | None:
        """`expected.tool_calls`; an empty list expects that no tool is called."""
        calls = case.expected.get("tool_calls")
        if calls is None:
            return None
        try:
            return msgspec.convert(calls, tuple[ExpectedCall, ...])
        except msgspec.ValidationError as error:
            raise ScorerError(
                f"expected.tool_calls is a list of {{name, arguments}}: {error}"
            ) from None

    def is_asked_by(self, case: Case) -> bool:
        """Always: only `expected` says which calls."""
        return True

    def judge(self, attempt: Attempt, expectation: tuple[ExpectedCall, ...]) -> Judgement:
        """Compare the calls, denied ones included: this is about what the model asked for."""
        missing, unexpected = unmatched(expectation, attempt.tool_calls)
        faults = [f"expected {_shown(call)}, not called" for call in missing]
        faults += [f"unexpected {_shown(call)}" for call in unexpected]
        if not faults and self._in_order:
            faults = _out_of_order(expectation, attempt.tool_calls)
        if faults:
            return Judgement(
                passed=False,
                message=listed(faults),
                expected=[msgspec.to_builtins(call) for call in expectation],
                found=[_plain(call) for call in attempt.tool_calls],
            )
        names = ", ".join(call.name for call in expectation) or "no call"
        return Judgement(passed=True, message=f"{names} as expected")


def unmatched(
    expected: Sequence[ExpectedCall], found: Sequence[ToolCall]
) -> tuple[list[ExpectedCall], list[ToolCall]]:
    """Expected calls that were not made and calls that were not expected, as multisets.

    Equality of calls is transitive, so taking the first equal call for each is a best matching.
    """
    left = list(found)
    missing = []
    for wanted in expected:
        index = next((i for i, call in enumerate(left) if _same(wanted, call)), None)
        if index is None:
            missing.append(wanted)
        else:
            del left[index]
    return missing, left


def _same(wanted: ExpectedCall, call: ToolCall) -> bool:
    return wanted.name == call.name and equal(wanted.arguments, call.arguments)


def _out_of_order(expected: Sequence[ExpectedCall], found: Sequence[ToolCall]) -> list[str]:
    """The first place at which equal multisets differ in order."""
    for number, (wanted, call) in enumerate(zip(expected, found, strict=True), 1):
        if not _same(wanted, call):
            return [f"call {number}: expected {_shown(wanted)}, found {_shown(call)} (order)"]
    return []


def _shown(call: ExpectedCall | ToolCall) -> str:
    if call.arguments is None:
        raw = getattr(call, "raw", None)
        return f"{call.name} with arguments that are no JSON object: {show(raw)}"
    return f"{call.name}({show(call.arguments)})"


def _plain(call: ToolCall) -> dict[str, Any]:
    if call.arguments is None:
        return {"name": call.name, "arguments": None, "raw": call.raw}
    return {"name": call.name, "arguments": call.arguments}
