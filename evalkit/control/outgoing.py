"""What a reply goes through before a session hands it on: redaction, cap, form, citations."""

from collections.abc import Callable, Collection, Mapping
from typing import Any

import msgspec

from evalkit.config.routes import Route
from evalkit.control.policy import rule_citations
from evalkit.control.redaction import Redactor
from evalkit.control.ruling import Ruling
from evalkit.control.trace import Trace
from evalkit.errors import InvalidReply, PolicyBlocked
from evalkit.records.asset import Output
from evalkit.records.call import Completion, DecisionOutcome, Reply, ToolCall
from evalkit.records.json_text import decode_json, may_be_container

_GUARDED: Mapping[str, DecisionOutcome] = {
    "blocked": "denied",
    "changed": "changed",
    "flagged": "warned",
}


def redact_reply(reply: Reply, redactor: Redactor) -> Reply:
    """The reply without personal data, in tool arguments too. A text that is JSON stays JSON."""
    content = redactor.redact_json(reply.content)
    if not (reply.tool_calls or reply.guardrails or reply.refusal is not None):
        return (
            reply if content == reply.content else msgspec.structs.replace(reply, content=content)
        )
    return msgspec.structs.replace(
        reply,
        content=content,
        refusal=None if reply.refusal is None else redactor.redact(reply.refusal),
        tool_calls=tuple(redact_call(call, redactor) for call in reply.tool_calls),
        guardrails=tuple(
            msgspec.structs.replace(each, message=redactor.redact(each.message))
            for each in reply.guardrails
        ),
    )


def redact_call(call: ToolCall, redactor: Redactor) -> ToolCall:
    """The call without personal data, in its arguments and in its raw text."""
    try:
        arguments = None if call.arguments is None else redactor.redact_value(call.arguments)
    except RecursionError:  # nested deeper than any tool's: as good as no JSON
        arguments = None
    return msgspec.structs.replace(
        call,
        name=redactor.redact(call.name),
        arguments=arguments,
        raw=None if call.raw is None else redactor.redact_json(call.raw),
    )


def trace_guardrails(reply: Reply, *, kind: str, trace: Trace) -> None:
    """One decision for each finding of the vendor's own guardrails; `kind` is the provider's.

    What a guardrail found and let through is a warning: nothing was kept back for it.
    """
    for found in reply.guardrails:
        message = f"{found.name} in the {found.where}"
        trace.add(
            "guardrail",
            _GUARDED[found.action],
            f"guardrail.{kind}",
            f"{message}: {found.message}" if found.message else message,
            name=found.name,
            where=found.where,
            action=found.action,
        )


def check_reply(
    completion: Completion,
    *,
    route: Route,
    output: Output,
    max_tokens: int,
    known: Collection[str],
    retrieved: Collection[str],
    trace: Trace,
    interim: bool = False,
    rule_answer: Callable[[str], Ruling | None] = lambda content: None,
) -> None:
    """Raise PolicyBlocked or InvalidReply, with the completion, for a reply that may not pass.

    A refusal passes as one: it is the model's answer, and has no form to keep. So does a turn that
    only calls tools: the answer is still to come. Where more turns may follow (`interim`), so does
    every turn that calls tools. `rule_answer` looks at an answer's form.
    """
    reply = completion.reply
    used = reply.usage
    if used.output_tokens > max_tokens and not used.estimated:
        message = f"the reply has {used.output_tokens} tokens, the call allowed {max_tokens}"
        trace.add("complete", "denied", "max_tokens", message)
        raise PolicyBlocked("max_tokens", message, completion=completion)
    if reply.refusal is not None:
        trace.add("complete", "answered", "refusal", f"{completion.model} refused to answer")
        return
    if interim and reply.tool_calls:
        return
    _check_arguments(completion, trace)
    if reply.tool_calls and not reply.content.strip():
        return
    parsed = _parse(completion, output, trace)
    formed = rule_answer(reply.content)
    if formed is not None:
        trace.add("complete", formed.outcome, formed.rule, formed.message)
        if formed.stops:
            message = trace.redact(formed.message)
            raise PolicyBlocked(formed.rule, message, completion=completion)
    required = route.citations
    if required is not None:
        shadow = required.mode == "warn"
        ruling = rule_citations(
            reply.content, parsed, known=known, retrieved=retrieved, shadow=shadow
        )
        trace.add("complete", ruling.outcome, ruling.rule, ruling.message)
        if ruling.stops:
            raise PolicyBlocked(ruling.rule, ruling.message, completion=completion)


def parsed_json(content: str) -> Any:
    """The reply's JSON; None for a text."""
    try:
        return decode_json(content)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return None


def _check_arguments(completion: Completion, trace: Trace) -> None:
    for call in completion.reply.tool_calls:
        if call.arguments is None:
            message = f"the arguments of tool call {call.name} are not a JSON object"
            trace.add("complete", "failed", "tools.arguments", message)
            raise InvalidReply(message, completion=completion)


def _parse(completion: Completion, output: Output, trace: Trace) -> Any:
    """The reply's JSON where it has to be JSON, or is; None for a text. Raises InvalidReply."""
    content = completion.reply.content
    if output.kind != "json" and not may_be_container(content):
        return None
    try:
        return decode_json(content)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        if output.kind != "json":
            return None
        message = f"the reply is not JSON, which was asked for: {error}"
        trace.add("complete", "failed", "output.kind", message)
        raise InvalidReply(message, completion=completion) from None
