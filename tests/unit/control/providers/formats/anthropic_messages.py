"""Anthropic's Messages format, as its documentation describes it; the texts are ours."""

from typing import Any

from evalkit.records.call import Guardrail
from tests.servers.replay_server import Exchange
from tests.unit.control.providers.formats.wire_format import (
    CALL,
    FOUND,
    JSON_TEXT,
    MODEL,
    PARAMETERS,
    SENT_SCHEMA,
    TEXT,
    TIME,
    WireFormat,
    sse,
)


def message(*content: dict[str, Any], stop: str = "end_turn", **changes: Any) -> Exchange:
    body = {
        "id": "msg_01",
        "type": "message",
        "role": "assistant",
        "model": MODEL,
        "content": list(content),
        "stop_reason": stop,
        "stop_sequence": None,
        "usage": {
            "input_tokens": 12,
            "cache_creation_input_tokens": 8,
            "cache_read_input_tokens": 100,
            "cache_creation": {"ephemeral_5m_input_tokens": 8, "ephemeral_1h_input_tokens": 0},
            "output_tokens": 30,
            "output_tokens_details": {"thinking_tokens": 20},
            "service_tier": "standard",
        },
    }
    return Exchange(body | changes, headers={"request-id": "req_01"})


def error(status: int, name: str, words: str) -> Exchange:
    problem = {"type": name, "message": words}
    return Exchange({"type": "error", "error": problem, "request_id": "req_01"}, status)


THOUGHT = {"type": "thinking", "thinking": "When did it leave?", "signature": "c2ln"}
SAID = {"type": "text", "text": TEXT}
USE = {"type": "tool_use", "id": CALL.id, "name": CALL.name, "input": CALL.arguments}


def block(index: int, start: dict[str, Any], *deltas: dict[str, Any]) -> list[dict[str, Any]]:
    at = {"index": index}
    return [
        {"type": "content_block_start", **at, "content_block": start},
        *({"type": "content_block_delta", **at, "delta": delta} for delta in deltas),
        {"type": "content_block_stop", **at},
    ]


def words(index: int, *texts: str) -> list[dict[str, Any]]:
    deltas = [{"type": "text_delta", "text": text} for text in texts]
    return block(index, {"type": "text", "text": ""}, *deltas)


THINKING = block(
    0,
    {"type": "thinking", "thinking": "", "signature": ""},
    {"type": "thinking_delta", "thinking": "When did it leave?"},
    {"type": "signature_delta", "signature": "c2ln"},
)
CALLED = block(
    1,
    {"type": "tool_use", "id": CALL.id, "name": CALL.name, "input": {}},
    {"type": "input_json_delta", "partial_json": ""},
    {"type": "input_json_delta", "partial_json": '{"order": "A-'},
    {"type": "input_json_delta", "partial_json": '17", "items": [1, 2.5]}'},
)


def streamed(*events: dict[str, Any], stop: str = "end_turn", **end: Any) -> Exchange:
    """The usage at the start has counted the input, the one at the end is of the whole reply."""
    whole = message()
    used = whole.body["usage"]
    begun = whole.body | {"stop_reason": None, "usage": used | {"output_tokens": 1}}
    usage = end.pop("usage", USED_IN_ALL)
    return sse(
        {"type": "message_start", "message": begun},
        {"type": "ping"},
        *events,
        {
            "type": "message_delta",
            "delta": {"stop_reason": stop, "stop_sequence": None, **end},
            "usage": usage,
        },
        {"type": "message_stop"},
        headers=whole.headers,
        named=True,
    )


USED_IN_ALL = {"output_tokens": 30, "output_tokens_details": {"thinking_tokens": 20}}
MONDAY = words(1, "It left", " on Mon", "day.")
STREAMS = {
    "text": streamed(*THINKING, *MONDAY),
    "tool_call": streamed(*words(0, "I ", "look."), *CALLED, stop="tool_use"),
    "refusal": streamed(
        stop="refusal",
        stop_details={"type": "refusal", "category": "cyber", "explanation": "Not this."},
    ),
    "cut": streamed(*MONDAY, stop="max_tokens"),
    "no_usage": streamed(*MONDAY, usage=None),
}
BEGUN = {"type": "message_start", "message": {"id": "msg_01", "content": []}}
BROKEN = {
    "server": sse(
        BEGUN,
        *MONDAY,
        {"type": "error", "error": {"type": "overloaded_error", "message": "Words."}},
    )
}

FORMAT = WireFormat(
    kind="anthropic",
    base="/v1",
    path="/v1/messages",
    key_header=("x-api-key", "{key}"),
    headers={"anthropic-version": "2023-06-01"},
    payload={
        "model": "asked-model",
        "system": "Answer briefly.",
        "messages": [
            {"role": "user", "content": "Where is A-16?"},
            {"role": "assistant", "content": "At the depot."},
            {"role": "user", "content": "And A-17?"},
        ],
        "max_tokens": 64,
        "temperature": 0.5,
        "stop_sequences": ["END"],
        "tools": [
            {"name": "find_order", "description": "Finds an order.", "input_schema": PARAMETERS}
        ],
        "output_config": {"format": {"type": "json_schema", "schema": SENT_SCHEMA}},
    },
    turns=(
        "messages",
        [
            {"role": "user", "content": "Where is A-17?"},
            {
                "role": "assistant",
                "content": [
                    {"type": "text", "text": "I look."},
                    {
                        "type": "tool_use",
                        "id": "call_7",
                        "name": CALL.name,
                        "input": CALL.arguments,
                    },
                    {"type": "tool_use", "id": "call_8", "name": "now", "input": {}},
                ],
            },
            {
                "role": "user",
                "content": [
                    {"type": "tool_result", "tool_use_id": "call_7", "content": FOUND},
                    {"type": "tool_result", "tool_use_id": "call_8", "content": TIME},
                    {"type": "text", "text": "And?"},
                ],
            },
        ],
    ),
    text=message(THOUGHT, SAID),
    json_text=message({"type": "text", "text": JSON_TEXT}),
    tool_call=message({"type": "text", "text": "I look."}, USE, stop="tool_use"),
    refusal=message(
        stop="refusal",
        stop_details={"type": "refusal", "category": "cyber", "explanation": "Not this."},
    ),
    cut=message(SAID, stop="max_tokens"),
    no_usage=message(SAID, usage=None),
    empty=message(usage={"input_tokens": 12, "output_tokens": 0}),
    error=error,
    names={
        "rate_limit": (429, "rate_limit_error"),
        "server": (529, "overloaded_error"),
        "bad_request": (400, "invalid_request_error"),
        "key": (401, "authentication_error"),
    },
    request_id="msg_01",
    reply_id="req_01",
    too_long=(
        (400, "invalid_request_error", "prompt is too long: 207791 tokens > 200000 maximum"),
        (
            400,
            "invalid_request_error",
            "input length and `max_tokens` exceed context limit: 198214 + 8192 > 200000",
        ),
        (413, "request_too_large", "Request exceeds the maximum size"),
    ),
    streams=STREAMS,
    broken_streams=BROKEN,
    guarded=(
        (
            message(
                stop="refusal",
                stop_details={"type": "refusal", "category": "cyber", "explanation": "Not this."},
            ),
            (Guardrail(name="cyber", action="blocked", message="Not this."),),
        ),
        (message(stop="refusal"), (Guardrail(name="refusal", action="blocked"),)),
    ),
    malformed=(
        {"type": "message", "id": "msg_01"},
        {"content": "text"},
        {"content": [{"type": "text"}]},
        {"content": [{"type": "tool_use", "input": {}}]},
        {"content": [SAID], "usage": {"input_tokens": -1, "output_tokens": 2}},
    ),
    refused_parameters=("seed", "logit_bias", "system", "messages", "tools", "mcp_servers"),
)
