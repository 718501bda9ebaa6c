"""Tools: whether a call that a model asks for may be executed."""

from evalkit.control.acts.state import SessionState
from evalkit.control.policy import rule_tool_call
from evalkit.records.call import ToolCall


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
        state.enforce("authorize", ruling)
        state.authorized += 1
