"""The input document of policies that are written elsewhere: one act, as plain JSON.

Every engine gets the same document (docs/policies.md shows one of each act):

    version   1; a key may be added without a new version, and none is taken away
    act       retrieve, authorize or complete
    stage     before the act, or after it: of `complete` the reply, of `retrieve` the documents
    route     the route's name
    identity  id (the pseudonym), org, team; the user's own name is not in it
    step      the step of the workflow that was entered last, or null
    usage     turns, tool_calls, total_tokens: of the session so far
    retrieval index, query; after: documents (ids)
    tool      name, effect, arguments (null for what is no JSON object)
    request   messages: role, content, tool_calls (name, arguments); tools: names that are offered
    reply     model, content, refusal, tool_calls, citations

`effect` is null for a tool that was not offered. Texts are as they pass between the route and its
models: redacted where the route redacts.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from evalkit.records.asset import Tool
from evalkit.records.call import Completion, Message, ToolCall

VERSION = 1


class SessionFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What every document says of its session. `identity` is a pseudonym, `whose` the identity."""

    route: str
    identity: str
    whose: Mapping[str, str]
    step: str | None
    turns: int
    tool_calls: int
    total_tokens: int


def retrieval_input(
    facts: SessionFacts, index: str, query: str, documents: Sequence[str] | None = None
) -> dict[str, Any]:
    """A retrieval before it is made, or after it with the ids of its documents."""
    about: dict[str, Any] = {"index": index, "query": query}
    if documents is not None:
        about["documents"] = list(documents)
    stage = "before" if documents is None else "after"
    return {**_common(facts, "retrieve", stage), "retrieval": about}


def tool_input(facts: SessionFacts, call: ToolCall, tool: Tool | None) -> dict[str, Any]:
    """A call of a tool before it is executed; None for one that was not offered."""
    about = {
        "name": call.name,
        "effect": None if tool is None else tool.effect,
        "arguments": call.arguments,
    }
    return {**_common(facts, "authorize", "before"), "tool": about}


def request_input(
    facts: SessionFacts, messages: Sequence[Message], tools: Sequence[Tool]
) -> dict[str, Any]:
    """A question before a model is asked."""
    about = {
        "messages": [
            {
                "role": message.role,
                "content": message.content,
                "tool_calls": _calls(message.tool_calls),
            }
            for message in messages
        ],
        "tools": [tool.name for tool in tools],
    }
    return {**_common(facts, "complete", "before"), "request": about}


def reply_input(
    facts: SessionFacts, completion: Completion, citations: Sequence[str]
) -> dict[str, Any]:
    """A reply before it is handed on."""
    reply = completion.reply
    about = {
        "model": completion.model,
        "content": reply.content,
        "refusal": reply.refusal,
        "tool_calls": _calls(reply.tool_calls),
        "citations": list(citations),
    }
    return {**_common(facts, "complete", "after"), "reply": about}


def _common(facts: SessionFacts, act: str, stage: str) -> dict[str, Any]:
    return {
        "version": VERSION,
        "act": act,
        "stage": stage,
        "route": facts.route,
        "identity": {
            "id": facts.identity,
            "org": facts.whose.get("org", ""),
            "team": facts.whose.get("team", ""),
        },
        "step": facts.step,
        "usage": {
            "turns": facts.turns,
            "tool_calls": facts.tool_calls,
            "total_tokens": facts.total_tokens,
        },
    }


def _calls(calls: Sequence[ToolCall]) -> list[dict[str, Any]]:
    return [{"name": call.name, "arguments": call.arguments} for call in calls]
