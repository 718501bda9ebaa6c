"""OpenAI's Responses format, as its specification describes it; the texts are ours."""

import json
from typing import Any

from evalkit.records.call import Guardrail
from tests.servers.replay_server import Exchange
from tests.unit.control.providers.formats.openai_chat import error
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

THOUGHT = {"type": "reasoning", "id": "rs_01", "summary": []}
USE = {
    "type": "function_call",
    "id": "fc_01",
    "call_id": CALL.id,
    "name": CALL.name,
    "arguments": json.dumps(CALL.arguments),
    "status": "completed",
}


def response(*items: dict[str, Any], **changes: Any) -> Exchange:
    body = {
        "id": "resp_01",
        "object": "response",
        "created_at": 1790000000,
        "status": "completed",
        "error": None,
        "incomplete_details": None,
        "model": MODEL,
        "output": [THOUGHT, *items],
        "usage": {
            "input_tokens": 120,
            "input_tokens_details": {"cached_tokens": 100, "cache_write_tokens": 8},
            "output_tokens": 30,
            "output_tokens_details": {"reasoning_tokens": 20},
            "total_tokens": 150,
        },
    }
    return Exchange(body | changes, headers={"x-request-id": "req_01"})


def said(text: str, **part: Any) -> dict[str, Any]:
    part = part or {"type": "output_text", "text": text, "annotations": []}
    return {
        "type": "message",
        "id": "msg_01",
        "role": "assistant",
        "status": "completed",
        "content": [part],
    }


def unfinished(reason: str) -> dict[str, Any]:
    return {"status": "incomplete", "incomplete_details": {"reason": reason}}


def streamed(kind: str, whole: Exchange, *events: dict[str, Any]) -> Exchange:
    """A response's events: it begins empty, and comes whole at the end."""
    begun = whole.body | {"status": "in_progress", "output": [], "usage": None}
    numbered = [
        {"type": "response.created", "response": begun},
        {"type": "response.in_progress", "response": begun},
        {"type": "response.output_item.added", "output_index": 0, "item": THOUGHT},
        {"type": "response.reasoning_summary_text.delta", "output_index": 0, "delta": "When?"},
        {"type": "response.output_item.done", "output_index": 0, "item": THOUGHT},
        *events,
        {"type": f"response.{kind}", "response": whole.body},
    ]
    events = tuple(each | {"sequence_number": n} for n, each in enumerate(numbered))
    return sse(*events, headers=whole.headers, named=True)


def words(*deltas: str, kind: str = "output_text") -> list[dict[str, Any]]:
    at = {"item_id": "msg_01", "output_index": 1, "content_index": 0}
    item = {"type": "message", "id": "msg_01", "content": [], "role": "assistant"}
    part = {"type": "output_text", "text": "", "annotations": []}
    return [
        {"type": "response.output_item.added", "output_index": 1, "item": item},
        {"type": "response.content_part.added", **at, "part": part},
        *({"type": f"response.{kind}.delta", **at, "delta": delta} for delta in deltas),
        {"type": f"response.{kind}.done", **at, "text": "".join(deltas)},
    ]


def called(*deltas: str) -> list[dict[str, Any]]:
    at = {"item_id": "fc_01", "output_index": 1}
    kind = "response.function_call_arguments"
    return [
        {"type": "response.output_item.added", **at, "item": USE | {"arguments": ""}},
        *({"type": f"{kind}.delta", **at, "delta": delta} for delta in deltas),
        {"type": f"{kind}.done", **at, "arguments": "".join(deltas)},
        {"type": "response.output_item.done", **at, "item": USE},
    ]


SAID = words("It left", " on Mon", "day.")
STREAMS = {
    "text": streamed("completed", response(said(TEXT)), *SAID),
    "tool_call": streamed(
        "completed", response(USE), *called('{"order": "A-', '17", "items": [1, 2.5]}')
    ),
    "refusal": streamed(
        "completed",
        response(said("", type="refusal", refusal="Not this.")),
        *words("Not ", "this.", kind="refusal"),
    ),
    "filtered": streamed(
        "incomplete", response(said("It"), **unfinished("content_filter")), *words("It")
    ),
    "cut": streamed("incomplete", response(said(TEXT), **unfinished("max_output_tokens")), *SAID),
    "no_usage": streamed("completed", response(said(TEXT), usage=None), *SAID),
}
FAILED = {"code": "server_error", "message": "Words."}
BROKEN = {
    "server": sse(*SAID, {"type": "error", **FAILED, "param": None, "sequence_number": 9}),
    "server, told as the response's": streamed(
        "failed", response(status="failed", error=FAILED), *SAID
    ),
}

FORMAT = WireFormat(
    kind="openai_responses",
    base="/v1",
    path="/v1/responses",
    key_header=("authorization", "Bearer {key}"),
    payload={
        "model": "asked-model",
        "store": False,
        "input": [
            {"role": "system", "content": "Answer briefly."},
            {"role": "user", "content": "Where is A-16?"},
            {"role": "assistant", "content": "At the depot."},
            {"role": "user", "content": "And A-17?"},
        ],
        "max_output_tokens": 64,
        "temperature": 0.5,
        "tools": [
            {
                "type": "function",
                "name": "find_order",
                "description": "Finds an order.",
                "parameters": PARAMETERS,
                "strict": False,
            }
        ],
        "text": {
            "format": {
                "type": "json_schema",
                "name": "reply",
                "schema": SENT_SCHEMA,
                "strict": True,
            }
        },
    },
    turns=(
        "input",
        [
            {"role": "user", "content": "Where is A-17?"},
            {"role": "assistant", "content": "I look."},
            {
                "type": "function_call",
                "call_id": "call_7",
                "name": "find_order",
                "arguments": '{"order":"A-17","items":[1,2.5]}',
            },
            {"type": "function_call", "call_id": "call_8", "name": "now", "arguments": "{}"},
            {"type": "function_call_output", "call_id": "call_7", "output": FOUND},
            {"type": "function_call_output", "call_id": "call_8", "output": TIME},
            {"role": "user", "content": "And?"},
        ],
    ),
    text=response(said(TEXT)),
    json_text=response(said(JSON_TEXT)),
    tool_call=response(USE),
    refusal=response(said("", type="refusal", refusal="Not this.")),
    filtered=response(said("It"), **unfinished("content_filter")),
    prompt_filtered=error(400, "content_policy_violation", "The prompt was filtered."),
    cut=response(said(TEXT), **unfinished("max_output_tokens")),
    no_usage=response(said(TEXT), usage=None),
    empty=response(usage={"input_tokens": 120, "output_tokens": 0, "total_tokens": 120}),
    error=error,
    names={
        "rate_limit": (429, "rate_limit_exceeded"),
        "server": (500, "server_error"),
        "bad_request": (400, "invalid_request_error"),
        "key": (401, "invalid_api_key"),
    },
    request_id="resp_01",
    reply_id="req_01",
    too_long=((400, "context_length_exceeded", "Your input exceeds the context window."),),
    streams=STREAMS,
    broken_streams=BROKEN,
    guarded=(
        (
            response(said("It"), **unfinished("content_filter")),
            (Guardrail(name="content_filter", action="blocked"),),
        ),
    ),
    malformed=(
        {"id": "resp_01", "status": "completed"},
        {"output": "text"},
        {"status": "in_progress", "output": []},
        {"output": [{"type": "function_call", "arguments": "{}"}]},
        {"output": [{"type": "message", "content": [{"type": "output_text"}]}]},
    ),
    unsent=("stop",),
    refused_parameters=("seed", "stop", "input", "instructions", "previous_response_id", "tools"),
)
