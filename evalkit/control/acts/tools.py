"""Tools: whether a call that a model asks for may be executed, and what came of it."""

from collections.abc import Iterator
from typing import Any

import msgspec

from evalkit.control.acts.state import SessionState
from evalkit.control.approving import RULE as APPROVAL_RULE
from evalkit.control.approving import rule_given_approval, rule_stored_approval
from evalkit.control.arguments import RULE as ARGUMENTS_RULE
from evalkit.control.arguments import digest_arguments, rule_arguments
from evalkit.control.checks import consult_now
from evalkit.control.policy_input import tool_input
from evalkit.control.ruling import Ruling
from evalkit.control.tool_rules import rule_allow_list, rule_declared, rule_forbidden
from evalkit.errors import PolicyBlocked
from evalkit.records.approval import ApprovalAsked
from evalkit.records.attempt import Step
from evalkit.records.call import Message, ToolCall
from evalkit.records.digest import digest_of
from evalkit.records.permission import StepToken
from evalkit.records.stored import stored_value


class ToolAct:
    """Authorizes the tool calls of one session."""

    def __init__(self, state: SessionState) -> None:
        """`state` is the session's."""
        self._state = state
        self._approved: dict[str, str] = {}
        self._denied: set[tuple[str, str]] = set()

    def authorize(self, call: ToolCall, token: StepToken | None) -> None:
        """Return if the call may be executed, and count it. Raises PolicyBlocked.

        The first no ends it, in the order of `_rulings`; an approval comes last, so that none is
        used or asked for where the call may not run anyway.
        """
        state = self._state
        known = self._known(call)
        allowed: Ruling | None = None
        try:
            for ruling in self._rulings(call, token, known):
                if ruling.allowed:
                    allowed = ruling
                else:
                    state.enforce("authorize", ruling, tool=state.redacted(call.name))
        except PolicyBlocked as blocked:
            state.story.add(_denied_step(call, blocked))
            self._denied.add((call.id, known))
            raise
        self._denied.discard((call.id, known))
        assert allowed is not None, "a tool that was declared says so"
        about = {
            **allowed.data,
            "count": state.calls.authorized + 1,
            "tool": state.redacted(call.name),
        }
        state.trace.add("authorize", allowed.outcome, allowed.rule, allowed.message, **about)
        state.calls.count(known)
        team = state.route.approvals.execute
        if team is not None and allowed.rule == APPROVAL_RULE:
            self._approved[known] = team.team

    def _known(self, call: ToolCall) -> str:
        """What tells the call from others: its tool and its arguments."""
        arguments = digest_arguments(call.arguments or {}, self._state.placeholders)
        return digest_of([call.name, arguments])

    def _rulings(self, call: ToolCall, token: StepToken | None, known: str) -> Iterator[Ruling]:
        """Everything that is said of a call: each no, and every yes that a trace should name.

        A ruling that stops the call is the last one that is asked for.
        """
        state, name = self._state, call.name
        if forbidden := rule_forbidden(state.route, name):
            yield forbidden
        if not_listed := rule_allow_list(state.route, name):
            yield not_listed
        yield rule_declared(name, state.declared)
        if step := state.permits.rule_tool(name, token):
            yield step
        yield from self._of_arguments(call)
        if capped := state.calls.rule(state.route, name, known):
            yield capped
        if state.checks:
            yield from consult_now(
                state.checks, tool_input(state.facts, call, state.declared[name])
            )
        yield from self._of_approval(call)

    def _of_arguments(self, call: ToolCall) -> Iterator[Ruling]:
        state, name = self._state, call.name
        if call.arguments is None:
            message = f"{name}: the arguments are not a JSON object: cannot run"
            yield Ruling(False, ARGUMENTS_RULE, message)
            return
        ruling = rule_arguments(
            state.declared[name],
            call.arguments,
            state.placeholders,
            shadow=state.route.policies.tool_arguments.mode == "warn",
        )
        if not ruling.allowed:
            yield ruling

    def _of_approval(self, call: ToolCall) -> Iterator[Ruling]:
        state, needed = self._state, self._state.route.approvals.execute
        if needed is None or state.declared[call.name].effect != "execute":
            return
        now = state.clock.now()
        given = rule_given_approval(needed.team, call.name, state.approvals.get(call.name), now)
        if given.allowed or state.approval_store is None:
            yield given
            return
        asked = ApprovalAsked(
            route=state.route.name,
            tool=call.name,
            team=needed.team,
            identity=state.identity,
            digest=digest_arguments(call.arguments or {}, state.placeholders),
            expires_s=needed.expires_s,
            arguments=stored_value(call.arguments or {}, state.redacted),
        )
        yield rule_stored_approval(state.approval_store, asked)

    def result(
        self, call: ToolCall, result: Any, *, error: str | None, latency_s: float | None
    ) -> Message:
        """As `ControlSession.tool_result`."""
        state = self._state
        known = self._known(call)
        # that a denied call has an error is what the model is told: it was never made
        made = error is None or (call.id, known) not in self._denied
        if error is not None and made:
            state.calls.note_failure(known)
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
        if not made:
            return Message(role="tool", content=content, tool_call_id=call.id, name=call.name)
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
                # the team and not the person: who it was is for the audit log
                approved_by=self._approved.get(known),
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
