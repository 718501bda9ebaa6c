"""What the conformance suite needs to know of a wire format; the expectations are the suite's own.

Every format says the same things in its own way: a text of `TEXT`, tokens of `USAGE`, one call of
`CALL`, and so on.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from evalkit.control.providers.identity import ProviderKind
from evalkit.records.call import Guardrail, ToolCall, Usage
from tests.servers.replay_server import Exchange

TEXT = "It left on Monday."
JSON_TEXT = '{"queue":"billing"}'
# 120 tokens in, of which 100 came from a cache and 8 went into it; 30 out, of which 20 were
# thought, not said.
USAGE = Usage(
    input_tokens=120,
    output_tokens=30,
    cached_tokens=100,
    cache_write_tokens=8,
    reasoning_tokens=20,
)
# Two calls in one turn, the second without arguments, and what the tools said.
OTHER_CALL = ToolCall(name="now", arguments={}, id="call_8")
FOUND, TIME = '{"status":"sent"}', "Tuesday"
CALL = ToolCall(name="find_order", arguments={"order": "A-17", "items": [1, 2.5]}, id="call_7")
MODEL = "model-2026-10-01"
PARAMETERS = {
    "type": "object",
    "properties": {"order": {"type": "string"}},
    "required": ["order"],
}
SCHEMA = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "properties": {"queue": {"enum": ["billing", "other"]}},
    "required": ["queue"],
    "additionalProperties": False,
}
SENT_SCHEMA = {key: value for key, value in SCHEMA.items() if key != "$schema"}


def sse(*events: Any, headers: dict[str, str] | None = None, named: bool = False) -> Exchange:
    """Server-sent events of JSON, or of a text as it is; `named` after their own type."""
    lines = [": what a server sends to keep the connection open\n\n"]
    for event in events:
        lines.append(f"event: {event['type']}\n" if named else "")
        text = event if isinstance(event, str) else json.dumps(event)
        lines.append(f"data: {text}\n\n")
    kind = {"content-type": "text/event-stream; charset=utf-8"}
    return Exchange("".join(lines).encode(), headers=kind | (headers or {}))


@dataclass(frozen=True, kw_only=True)
class WireFormat:
    """One wire format: where it is asked, what it is sent, and what it answers.

    `payload` is the body for the suite's full request (system, turns, tool, schema, parameters).
    `turns` are those of a conversation with tools, under the name that they have in a body.
    `error(status, name, words)` is an error as the vendor writes it, `names` its names for a rate
    limit, a server that fails, a bad request and a key that is not accepted. `unsent` are
    parameters of the full request that the format has no place for; `model` is what a reply
    says of its model. `usage` is USAGE without what the vendor does not count; `guarded` are
    replies with what its guardrails found; `reply_id` is its own id of an exchange. `streams` are
    the exchanges of those names as they are streamed, from `stream_path` where that is another;
    `broken_streams` begin with words and go on with an error. `too_long` are errors (status, name,
    words) for a prompt that does not fit.
    """

    kind: ProviderKind
    base: str
    path: str
    key_header: tuple[str, str]
    payload: dict[str, Any]
    turns: tuple[str, list[dict[str, Any]]]
    text: Exchange
    json_text: Exchange
    tool_call: Exchange
    filtered: Exchange | None = None
    cut: Exchange
    no_usage: Exchange
    empty: Exchange
    error: Callable[[int, str, str], Exchange]
    names: dict[str, tuple[int, str]]
    request_id: str
    model: str = MODEL
    refusal: Exchange | None = None
    prompt_filtered: Exchange | None = None
    malformed: tuple[Any, ...] = ()
    headers: dict[str, str] = field(default_factory=dict)
    refused_parameters: tuple[str, ...] = ()
    unsent: tuple[str, ...] = ()
    usage: Usage = USAGE
    streams: dict[str, Exchange] = field(default_factory=dict)
    broken_streams: dict[str, Exchange] = field(default_factory=dict)
    stream_path: str = ""
    too_long: tuple[tuple[int, str, str], ...] = ()
    guarded: tuple[tuple[Exchange, tuple[Guardrail, ...]], ...] = ()
    reply_id: str = ""
