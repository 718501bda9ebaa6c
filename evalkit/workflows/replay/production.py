"""What production answered in a session, as an attempt of a run."""

from collections.abc import Iterator
from typing import Any

import msgspec

from evalkit.control.policy import cited_documents
from evalkit.control.telemetry import attributes as names
from evalkit.records.asset import Prompt
from evalkit.records.attempt import Attempt, FailureMode, Step
from evalkit.records.call import Message, ToolCall
from evalkit.records.case import Case
from evalkit.records.json_text import decode_json
from evalkit.workflows.replay.sessions import Session


def produced_attempt(
    session: Session,
    case: Case,
    *,
    suite: str,
    prompt: Prompt,
    first: int | None,
    search: str | None = None,
) -> Attempt:
    """The session as the attempt that production made at `case`.

    `first` is how many messages of its conversation were there before anybody answered, for a
    target that goes on until it has an answer; None for one that asks once, whose attempts tell no
    steps. `search` is the tool that a retrieval was asked with. What it spent is None and 0 where
    requests of the conversation are not stored.
    """
    trace, seen, last = session.trace, session.seen, session.chats[-1].attributes
    parsed, is_json = _parsed(seen.answer)
    whole = first is None or session.is_whole(first)
    attempt = Attempt(
        at=trace.at,
        variant="candidate",
        suite=suite,
        case=case.id,
        trial=1,
        key="",
        state="answered",
        origin="live",
        identity=trace.identity,
        output=seen.answer,
        parsed=parsed if prompt.output.kind == "json" else None,
        tool_calls=seen.asks_for if first is None else seen.all_calls,
        allowed_tools=tuple(
            str(each.data["tool"])
            for each in trace.decisions
            if each.act == "authorize" and each.outcome == "allowed" and "tool" in each.data
        ),
        documents=tuple(each.id for each in seen.documents),
        citations=cited_documents(seen.answer, parsed, known={each.id for each in seen.documents}),
        prompt=prompt.reference,
        route=trace.route,
        model=seen.model,
        planned_model=seen.model,
        model_id=str(last.get(names.RESPONSE_MODEL, "")),
        decisions=trace.decisions,
        latency_s=session.latency_s,
        tries=session.tries,
        finish_reason=next(iter(last.get(names.RESPONSE_FINISH_REASONS, ())), None),
        measurement_id=f"trace/{trace.trace_id}",
        measured_at=trace.at,
        steps=() if first is None else tuple(_steps(session, first, search)),
    )
    if whole:
        spent: dict[str, Any] = {"usage": session.usage, "cost_usd": session.cost_usd}
        attempt = msgspec.structs.replace(attempt, **spent)
    if seen.blocked_by is not None:
        failed: dict[str, Any] = {"state": "blocked", "failure_mode": FailureMode.POLICY}
        return msgspec.structs.replace(attempt, **failed, rule=seen.blocked_by)
    if prompt.output.kind == "json" and not is_json and not seen.asks_for:
        return msgspec.structs.replace(
            attempt, state="invalid", failure_mode=FailureMode.INVALID_OUTPUT
        )
    return attempt


def _steps(session: Session, first: int, search: str | None) -> Iterator[Step]:
    """The acts of a conversation in their order, as its messages tell them, and what was retrieved
    before them all: a trace does not say between which of its messages that was."""
    seen = session.seen
    denied: dict[str, str] = {}
    failed: set[str] = set()
    for span in session.trace.spans:
        if span.operation == "retrieval":
            yield Step(kind="retrieval", name=span.name)
        elif span.operation == "execute_tool" and span.error is not None:
            call_id = str(span.attributes.get(names.TOOL_CALL_ID, ""))
            if span.error == "tool_error":
                failed.add(call_id)
            else:
                denied[call_id] = span.error
    asked: dict[str, ToolCall] = {}
    answer = Message(role="assistant", content=seen.answer, tool_calls=seen.asks_for)
    for message in (*seen.heard[first:], answer):
        match message.role:
            case "assistant":
                asked.update((call.id, call) for call in message.tool_calls)
                yield Step(kind="model", name=seen.model, output=message.content)
            case "user":
                yield Step(kind="user", name="user", output=message.content)
            case "tool" if (call := asked.get(message.tool_call_id)) is not None:
                if call.name == search:
                    continue  # its retrieval stands for it
                step = Step(
                    kind="tool",
                    name=call.name,
                    arguments=call.arguments,
                    output=message.content,
                    call=call.id,
                )
                if (rule := denied.get(call.id)) is not None:
                    step = msgspec.structs.replace(step, outcome="denied", rule=rule)
                elif call.id in failed:
                    step = msgspec.structs.replace(step, outcome="failed")
                yield step
            case _:
                pass


def _parsed(text: str) -> tuple[Any, bool]:
    try:
        return decode_json(text), True
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return None, False
