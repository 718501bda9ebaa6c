"""What a workflow did, as scorers look at it: its calls of tools and its retrievals, in order."""

from typing import Any, Literal

import msgspec

from evalkit.records.attempt import Attempt, Step
from evalkit.records.call import ToolCall

Outcome = Literal["done", "denied", "failed"]


class Act(msgspec.Struct, frozen=True, kw_only=True):
    """A tool that was called or an index that was read. `rule` is what denied or approved it."""

    kind: Literal["tool", "retrieval"]
    name: str
    arguments: dict[str, Any] | None
    outcome: Outcome
    rule: str | None = None
    approved_by: str | None = None


def acts_of(attempt: Attempt) -> tuple[Act, ...]:
    """The acts of an attempt.

    An attempt that tells no steps made one call: its acts are the tools that the model asked for,
    in that order. They are done where the session allowed them; what denied another is told by the
    decision about it.
    """
    if attempt.steps:
        return tuple(_act(step) for step in attempt.steps if step.kind in ("tool", "retrieval"))
    allowed = list(attempt.allowed_tools)
    denied = [
        (decision.data["tool"], decision.rule)
        for decision in attempt.decisions
        if (decision.act, decision.outcome) == ("authorize", "denied") and "tool" in decision.data
    ]
    return tuple(_asked(call, allowed, denied) for call in attempt.tool_calls)


def executed_calls(attempt: Attempt) -> tuple[ToolCall, ...]:
    """The tool calls that were allowed and made, failed ones included."""
    return tuple(
        ToolCall(name=act.name, arguments=act.arguments)
        for act in acts_of(attempt)
        if act.kind == "tool" and act.outcome != "denied"
    )


def model_turns(attempt: Attempt) -> int:
    """How often a model answered."""
    if attempt.steps:
        return sum(step.kind == "model" for step in attempt.steps)
    return 0 if attempt.output is None else 1


def repeated_after_failure(attempt: Attempt) -> int:
    """Retries: calls of a tool with the arguments of a call that had failed before."""
    failed: list[tuple[str, Any]] = []
    retries = 0
    for act in acts_of(attempt):
        if act.kind != "tool":
            continue
        call = (act.name, act.arguments)
        retries += call in failed
        if act.outcome == "failed":
            failed.append(call)
    return retries


def _act(step: Step) -> Act:
    return Act(
        kind="tool" if step.kind == "tool" else "retrieval",
        name=step.name,
        arguments=step.arguments,
        outcome=step.outcome,
        rule=step.rule,
        approved_by=step.approved_by,
    )


def _asked(call: ToolCall, allowed: list[str], denied: list[tuple[str, str]]) -> Act:
    """The call as an act; a name that was allowed, and a denial, are used up."""
    if call.name in allowed:
        allowed.remove(call.name)
        return Act(kind="tool", name=call.name, arguments=call.arguments, outcome="done")
    found = next((each for each in denied if each[0] == call.name), None)
    if found is not None:
        denied.remove(found)
    rule = None if found is None else found[1]
    return Act(kind="tool", name=call.name, arguments=call.arguments, outcome="denied", rule=rule)
