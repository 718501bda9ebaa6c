"""Tools: whether a call that a model asks for may be executed, and what came of it."""

from typing import Any

import msgspec

from evalkit.control.acts.state import SessionState
from evalkit.control.policy import rule_tool_call
from evalkit.errors import PolicyBlocked
from evalkit.records.attempt import Step
from evalkit.records.call import Message, ToolCall


class ToolAct:
    """Authorizes the tool calls of one session."""

    def __init__(self, state: SessionState) -> None:
        """`state` is the session's."""
        self._state = state

    def authorize(self, call: ToolCall) -> None:
        """Return if the call may be executed, and count it. Raises PolicyBlocked."""
        state = self._state
        ruling = rule_tool_call(
            state.route,
            call,
            declared=state.declared,
            authorized=state.authorized,
            approvals=state.approvals,
        )
        try:
            state.enforce("authorize", ruling)
        except PolicyBlocked as blocked:
            state.story.add(_denied_step(call, blocked))
            raise
        state.authorized += 1

    def result(
        self, call: ToolCall, result: Any, *, error: str | None, latency_s: float | None
    ) -> Message:
        """As `ControlSession.tool_result`."""
        state = self._state
        given: Any = result if error is None else {"error": error}
        try:
            told = state.screen.value(given, "tool result")
        except PolicyBlocked as blocked:
            state.story.add(_denied_step(call, blocked))
            raise
        content = told if isinstance(told, str) else msgspec.json.encode(told).decode()
        state.trace.add(
            "tool",
            "allowed" if error is None else "failed",
            "tools.result",
            f"{call.name} gave a result" if error is None else f"{call.name} failed: {error}",
            tool=call.name,
            call=call.id,
        )
        state.story.add(
            Step(
                kind="tool",
                name=call.name,
                outcome="done" if error is None else "failed",
                message=error,
                arguments=call.arguments,
                output=content,
                call=call.id,
                latency_s=latency_s,
            )
        )
        return Message(role="tool", content=content, tool_call_id=call.id, name=call.name)


def _denied_step(call: ToolCall, blocked: PolicyBlocked) -> Step:
    return Step(
        kind="tool",
        name=call.name,
        outcome="denied",
        rule=blocked.rule,
        message=str(blocked),
        arguments=call.arguments,
        call=call.id,
    )
