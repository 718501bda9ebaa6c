"""What the spans of a session say: attributes by OpenTelemetry's names, every text redacted."""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any
from urllib.parse import urlsplit

import msgspec

from evalkit.control.asking import Offer
from evalkit.control.telemetry import attributes as names
from evalkit.control.telemetry.spans import OpenSpan, SpanBook
from evalkit.records.asset import Tool
from evalkit.records.call import Attribution, Message, Reply, ToolCall
from evalkit.records.case import Document
from evalkit.records.span import Operation, Span, Use
from evalkit.records.stored import stored_text, stored_value

Redact = Callable[[str], str]
# Of one message, one tool's arguments or one result: a trace is to be read, not to be replayed.
MOST_CONTENT = 20_000


class SessionFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What all spans of a session have in common. `content` lets their texts in, redacted."""

    route: str
    identity: str
    attribution: Attribution
    use: Use
    conversation: str
    tools: Mapping[str, Tool]
    calls: int
    billed_usd: float
    denied: int
    content: bool
    redact: Redact
    is_plain: Callable[[Iterable[str]], bool]
    redact_reply: Callable[[Reply], Reply]


def describe_spans(book: SpanBook, facts: SessionFacts) -> tuple[Span, ...]:
    """The spans as they may be stored; those that are still open end now."""
    now_ns = book.now_ns()
    if not facts.content and facts.is_plain(_texts(book, facts)):
        facts = msgspec.structs.replace(facts, redact=_as_it_is)
    costs: list[float | None] = []
    spans = []
    for span in book.spans[1:]:
        attributes = _ATTRIBUTES[span.operation](span, facts)
        if span.operation == "chat" and "reply" in span.about:
            costs.append(attributes.get(names.COST_USD))
        spans.append(_stored(span, attributes, span.end_ns, facts.redact))
    ends = [span.end_ns for span in spans]
    book.root.end_ns = max([now_ns, *ends])
    root = _stored(book.root, _session_attributes(facts, costs), book.root.end_ns, facts.redact)
    return (root, *spans)


def _as_it_is(text: str) -> str:
    return text


def _texts(book: SpanBook, facts: SessionFacts) -> Iterable[str]:
    """Every text of its spans that somebody else may have written, where content is left out."""
    yield facts.conversation
    for span in book.spans:
        yield span.name
        if span.message is not None:
            yield span.message
        for name, about in span.about.items():
            if name == "reply":
                yield about.model
                yield about.finish_reason
                yield about.request_id
                for found in about.guardrails:
                    yield found.name
                    yield f"{found.name}: {found.action} in the {found.where}"
            elif name == "call":
                yield about.name
                yield about.id
            elif name in ("documents", "refused"):
                yield from about


def _stored(span: OpenSpan, attributes: dict[str, Any], end_ns: int, redact: Redact) -> Span:
    if span.error is not None:
        attributes[names.ERROR_TYPE] = span.error
    return Span(
        operation=span.operation,
        name=stored_text(span.name, redact),
        start_ns=span.start_ns,
        end_ns=max(end_ns, span.start_ns),
        parent=span.parent,
        attributes=attributes,
        decisions=tuple(span.decisions),
        error=span.error,
        message=None if span.message is None else stored_text(span.message, redact),
    )


def _session_attributes(facts: SessionFacts, costs: Sequence[float | None]) -> dict[str, Any]:
    about = facts.attribution
    said = dict(_of_session(facts.route, about.prompt, about.suite, about.variant, facts.use))
    if facts.identity:
        said[names.PSEUDONYM] = facts.identity
    if facts.conversation:
        said[names.CONVERSATION] = stored_text(facts.conversation, facts.redact)
    if about.case:
        said[names.CASE] = about.case
    said[names.CALLS] = facts.calls
    said[names.DENIED] = facts.denied
    priced = [cost for cost in costs if cost is not None]
    if len(priced) == len(costs):
        said[names.COST_USD] = sum(priced)
    said[names.BILLED_USD] = facts.billed_usd
    return said


@lru_cache(maxsize=256)
def _of_session(route: str, asset: str, suite: str, variant: str, use: Use) -> Mapping[str, Any]:
    """What is the same for all sessions of an arm, which are described one after the other."""
    prompt, _, version = asset.partition("@")
    return _given(
        {
            names.OPERATION: "invoke_workflow",
            names.WORKFLOW: route,
            names.ROUTE: route,
            names.PROMPT_NAME: prompt,
            names.PROMPT_VERSION: version,
            names.SUITE: suite,
            names.VARIANT: variant,
            names.USE: use,
        }
    )


def _chat_attributes(span: OpenSpan, facts: SessionFacts) -> dict[str, Any]:
    offer: Offer = span.about["offer"]
    request, model = offer.request, offer.model
    said = dict(
        _of_call(
            model.provider.identity,
            request.model,
            model.name,
            request.attribution.prompt,
            request.schema is not None,
        )
    )
    if tries := span.about.get("tries"):
        said[names.TRY] = tries
    if facts.conversation:
        said[names.CONVERSATION] = stored_text(facts.conversation, facts.redact)
    for key, value in request.params.items():
        name = names.REQUEST_PARAMS.get(key)
        if name and _is_given(value):
            said[name] = [value] if key == "stop" and isinstance(value, str) else value
    if facts.content:
        more = {
            names.INPUT_MESSAGES: [_message(each, facts.redact) for each in request.messages],
            names.TOOL_DEFINITIONS: [_definition(each, facts.redact) for each in request.tools],
        }
        if request.schema is not None:
            more[names.OUTPUT_SCHEMA] = _value(request.schema, facts.redact)
        said |= _given(more)
    reply: Reply | None = span.about.get("reply")
    if reply is not None:
        _add_reply(said, reply, offer, facts)
    return said


@lru_cache(maxsize=256)
def _of_call(
    identity: str, model_id: str, model: str, asset: str, structured: bool
) -> Mapping[str, Any]:
    """What is the same for all calls of a prompt to a model, of which there are many."""
    provider, address, port = provider_of(identity)
    prompt, _, version = asset.partition("@")
    return _given(
        {
            names.OPERATION: "chat",
            names.PROVIDER: provider,
            names.SERVER_ADDRESS: address,
            names.SERVER_PORT: port,
            names.REQUEST_MODEL: model_id,
            names.MODEL: model,
            names.OUTPUT_TYPE: "json" if structured else None,
            names.PROMPT_NAME: prompt,
            names.PROMPT_VERSION: version,
        }
    )


def _add_reply(said: dict[str, Any], reply: Reply, offer: Offer, facts: SessionFacts) -> None:
    usage = reply.usage
    if reply.model:
        said[names.RESPONSE_MODEL] = stored_text(reply.model, facts.redact)
    said[names.RESPONSE_FINISH_REASONS] = [stored_text(reply.finish_reason, facts.redact)]
    said[names.INPUT_TOKENS] = usage.input_tokens
    said[names.OUTPUT_TOKENS] = usage.output_tokens
    if usage.cached_tokens:
        said[names.CACHE_READ_TOKENS] = usage.cached_tokens
    if usage.cache_write_tokens:
        said[names.CACHE_CREATION_TOKENS] = usage.cache_write_tokens
    if usage.reasoning_tokens:
        said[names.REASONING_TOKENS] = usage.reasoning_tokens
    if usage.estimated:
        said[names.USAGE_ESTIMATED] = True
    cost_usd = offer.model.cost_usd(usage)
    if cost_usd is not None:
        said[names.COST_USD] = cost_usd
    said[names.ORIGIN] = reply.origin
    if reply.request_id:
        said[names.REQUEST_ID] = stored_text(reply.request_id, facts.redact)
    if reply.guardrails:
        said[names.GUARDRAILS] = [
            stored_text(f"{each.name}: {each.action} in the {each.where}", facts.redact)
            for each in reply.guardrails
        ]
    if facts.content:
        said[names.OUTPUT_MESSAGES] = [_answer(facts.redact_reply(reply), facts.redact)]


def _tool_attributes(span: OpenSpan, facts: SessionFacts) -> dict[str, Any]:
    call: ToolCall = span.about["call"]
    tool = facts.tools.get(call.name)
    said: dict[str, Any] = {
        names.OPERATION: "execute_tool",
        names.TOOL_NAME: stored_text(call.name, facts.redact),
        names.TOOL_TYPE: "function",
        names.TOOL_CALL_ID: stored_text(call.id, facts.redact),
        names.TOOL_EFFECT: None if tool is None else tool.effect,
    }
    if facts.content:
        said[names.TOOL_ARGUMENTS] = _value(call.arguments, facts.redact)
        if "result" in span.about:
            said[names.TOOL_RESULT] = _value(span.about["result"], facts.redact)
    return _given(said)


def _retrieval_attributes(span: OpenSpan, facts: SessionFacts) -> dict[str, Any]:
    found: Sequence[str] = span.about.get("documents", ())
    said: dict[str, Any] = {
        names.OPERATION: "retrieval",
        names.DATA_SOURCE: stored_text(span.name, facts.redact),
        names.RETRIEVED: [{"id": stored_text(each, facts.redact)} for each in found],
        names.REFUSED_DOCUMENTS: [
            stored_text(each, facts.redact) for each in span.about.get("refused", ())
        ],
    }
    if facts.content:
        said[names.RETRIEVAL_QUERY] = _text(span.about.get("query", ""), facts.redact)
        said[names.RETRIEVED_TEXTS] = [
            _document(each, facts.redact) for each in span.about.get("read", ())
        ]
    return _given(said)


_ATTRIBUTES: Mapping[Operation, Callable[[OpenSpan, SessionFacts], dict[str, Any]]] = {
    "chat": _chat_attributes,
    "execute_tool": _tool_attributes,
    "retrieval": _retrieval_attributes,
}


def _document(document: Document, redact: Redact) -> dict[str, Any]:
    said: dict[str, Any] = {
        "id": stored_text(document.id, redact),
        "index": stored_text(document.index, redact),
        "text": _text(document.text, redact),
    }
    if document.scopes:
        said["scopes"] = [stored_text(each, redact) for each in document.scopes]
    return said


def _definition(tool: Tool, redact: Redact) -> dict[str, Any]:
    return {
        "type": "function",
        "name": stored_text(tool.name, redact),
        "description": _text(tool.description, redact),
        "parameters": _value(tool.parameters, redact),
        "effect": tool.effect,
    }


def _message(message: Message, redact: Redact) -> dict[str, Any]:
    parts: list[dict[str, Any]] = []
    if message.role == "tool":
        answer = {"type": "tool_call_response", "id": message.tool_call_id}
        parts.append({**answer, "result": _text(message.content, redact)})
    elif message.content:
        parts.append({"type": "text", "content": _text(message.content, redact)})
    return {"role": message.role, "parts": parts + _calls(message.tool_calls, redact)}


def _answer(reply: Reply, redact: Redact) -> dict[str, Any]:
    text = reply.refusal if reply.refusal is not None else reply.content
    parts = [{"type": "text", "content": _text(text, redact)}] if text else []
    return {
        "role": "assistant",
        "parts": parts + _calls(reply.tool_calls, redact),
        "finish_reason": reply.finish_reason,
    }


def _calls(calls: Sequence[ToolCall], redact: Redact) -> list[dict[str, Any]]:
    return [
        {
            "type": "tool_call",
            "id": stored_text(call.id, redact),
            "name": stored_text(call.name, redact),
            "arguments": _value(call.arguments, redact),
        }
        for call in calls
    ]


def _text(text: str, redact: Redact) -> str:
    """A text as a span holds it: redacted whole, then cut, as half a secret is not recognised."""
    stored = stored_text(text, redact)
    more = len(stored) - MOST_CONTENT
    return stored if more <= 0 else f"{stored[:MOST_CONTENT]} … ({more:,} more characters)"


def _value(value: Any, redact: Redact) -> Any:
    """A value as a span holds it; one that is too long as the beginning of its JSON."""
    if isinstance(value, str):
        return _text(value, redact)
    stored = stored_value(value, redact)
    encoded = json.dumps(stored, ensure_ascii=False, default=str)
    return stored if len(encoded) <= MOST_CONTENT else _text(encoded, str)


@lru_cache(maxsize=256)
def provider_of(identity: str) -> tuple[str, str | None, int | None]:
    """The conventions' name of a provider, and the address and port it is reached at.

    `identity` is the provider's: its kind and its address, as `providers/identity.py` writes it.
    """
    kind, _, url = identity.partition(" ")
    name = names.PROVIDER_NAMES.get(kind, kind)
    if not url.startswith(("http://", "https://")):
        return name, None, None
    try:
        parts = urlsplit(url)
        port = parts.port or (443 if parts.scheme == "https" else 80)
    except ValueError:
        return name, None, None
    if kind == "gemini" and "aiplatform" in (parts.hostname or ""):
        name = names.VERTEX
    return name, parts.hostname, port


def _given(said: Mapping[str, Any]) -> dict[str, Any]:
    """Without what is not known: an attribute that is empty says less than none."""
    return {key: value for key, value in said.items() if _is_given(value)}


def _is_given(value: Any) -> bool:
    # most have a value, and those are told by one look
    return bool(value) or value not in (None, "", [])
