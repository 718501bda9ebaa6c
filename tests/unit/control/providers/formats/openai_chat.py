"""OpenAI's chat completions, and the same from Azure; the texts are ours."""

import json
from dataclasses import replace
from typing import Any

from msgspec import structs

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

# The gateway of Azure has an id of its own beside that of the service behind it.
IDS = {"x-request-id": "req_01", "apim-request-id": "req_02"}


def completion(*, finish_reason: str = "stop", body: Any = None, **message: Any) -> Exchange:
    said = {"role": "assistant", "content": None, "refusal": None, **message}
    answer = {
        "id": "chatcmpl-01",
        "object": "chat.completion",
        "created": 1790000000,
        "model": MODEL,
        "choices": [{"index": 0, "message": said, "finish_reason": finish_reason}],
        "usage": {
            "prompt_tokens": 120,
            "completion_tokens": 30,
            "total_tokens": 150,
            "prompt_tokens_details": {
                "cached_tokens": 100,
                "cache_write_tokens": 8,
                "audio_tokens": 0,
            },
            "completion_tokens_details": {"reasoning_tokens": 20},
        },
        "system_fingerprint": None,
    }
    return Exchange(answer | (body or {}), headers=IDS)


def error(status: int, name: str, words: str) -> Exchange:
    problem: dict[str, Any] = {"message": words, "type": name, "param": None, "code": name}
    if name == "invalid_request_error":
        problem["code"] = None
    return Exchange({"error": problem}, status)


def azure_error(status: int, name: str, words: str) -> Exchange:
    """The gateway in front says its status; the model behind it writes as OpenAI does."""
    if name.isdigit():
        return Exchange({"error": {"code": name, "message": words}}, status)
    return error(status, name, words)


def chunk(delta: dict[str, Any], **choice: Any) -> dict[str, Any]:
    said = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": None, **choice}
    return CHUNK | {"choices": [said]}


def streamed(*deltas: dict[str, Any], end: str = "stop", usage: bool = True) -> Exchange:
    """The chunks of one reply, with the usage in a chunk of its own."""
    used = completion().body["usage"]
    chunks: list[Any] = [chunk(each) for each in ({"role": "assistant", "content": ""}, *deltas)]
    chunks += [chunk({}, finish_reason=end)]
    chunks += [CHUNK | {"choices": [], "usage": used}] if usage else []
    return sse(*chunks, "[DONE]", headers=IDS)


CHUNK: dict[str, Any] = {
    "id": "chatcmpl-01",
    "object": "chat.completion.chunk",
    "created": 1790000000,
    "model": MODEL,
    "system_fingerprint": None,
    "usage": None,
}
SAID = ({"content": "It left"}, {"content": " on Mon"}, {"content": "day."})
CALLED = (
    {
        "tool_calls": [
            {
                "index": 0,
                "id": CALL.id,
                "type": "function",
                "function": {"name": CALL.name, "arguments": ""},
            }
        ]
    },
    {"tool_calls": [{"index": 0, "function": {"arguments": '{"order":"A-'}}]},
    {"tool_calls": [{"index": 0, "function": {"arguments": '17","items":[1,2.5]}'}}]},
)
STREAMS = {
    "text": streamed(*SAID),
    "tool_call": streamed(*CALLED, end="tool_calls"),
    "refusal": streamed({"refusal": "Not "}, {"refusal": "this."}),
    "filtered": streamed({"content": "It"}, end="content_filter"),
    "cut": streamed(*SAID, end="length"),
    "no_usage": streamed(*SAID, usage=False),
}
OVERLOADED = {"error": {"message": "Words.", "type": "server_error", "param": None, "code": None}}
BROKEN = {"server": sse(chunk({"content": "It"}), OVERLOADED)}
FUNCTION = {"name": CALL.name, "arguments": json.dumps(CALL.arguments)}
EMPTY_USAGE = {"prompt_tokens": 120, "completion_tokens": 0, "total_tokens": 120}

CHAT = WireFormat(
    kind="openai",
    base="/v1",
    path="/v1/chat/completions",
    key_header=("authorization", "Bearer {key}"),
    payload={
        "model": "asked-model",
        "messages": [
            {"role": "system", "content": "Answer briefly."},
            {"role": "user", "content": "Where is A-16?"},
            {"role": "assistant", "content": "At the depot."},
            {"role": "user", "content": "And A-17?"},
        ],
        "max_tokens": 64,
        "temperature": 0.5,
        "stop": "END",
        "tools": [
            {
                "type": "function",
                "function": {
                    "name": "find_order",
                    "description": "Finds an order.",
                    "parameters": PARAMETERS,
                },
            }
        ],
        "response_format": {
            "type": "json_schema",
            "json_schema": {"name": "reply", "schema": SENT_SCHEMA, "strict": True},
        },
    },
    turns=(
        "messages",
        [
            {"role": "user", "content": "Where is A-17?"},
            {
                "role": "assistant",
                "content": "I look.",
                "tool_calls": [
                    {
                        "id": "call_7",
                        "type": "function",
                        "function": {
                            "name": "find_order",
                            "arguments": '{"order":"A-17","items":[1,2.5]}',
                        },
                    },
                    {
                        "id": "call_8",
                        "type": "function",
                        "function": {"name": "now", "arguments": "{}"},
                    },
                ],
            },
            {"role": "tool", "tool_call_id": "call_7", "content": FOUND},
            {"role": "tool", "tool_call_id": "call_8", "content": TIME},
            {"role": "user", "content": "And?"},
        ],
    ),
    text=completion(content=TEXT),
    json_text=completion(content=JSON_TEXT),
    tool_call=completion(
        tool_calls=[{"id": CALL.id, "type": "function", "function": FUNCTION}],
        finish_reason="tool_calls",
    ),
    refusal=completion(refusal="Not this."),
    filtered=completion(content="It", finish_reason="content_filter"),
    prompt_filtered=error(400, "content_filter", "The prompt was filtered."),
    cut=completion(content=TEXT, finish_reason="length"),
    no_usage=completion(content=TEXT, body={"usage": None}),
    empty=completion(content="", body={"usage": EMPTY_USAGE}),
    error=error,
    names={
        "rate_limit": (429, "rate_limit_exceeded"),
        "server": (500, "server_error"),
        "bad_request": (400, "invalid_request_error"),
        "key": (401, "invalid_api_key"),
    },
    request_id="chatcmpl-01",
    reply_id="req_01",
    too_long=(
        (400, "context_length_exceeded", "Too many tokens."),
        (400, "BadRequestError", "This model's maximum context length is 4096 tokens."),
    ),
    streams=STREAMS,
    broken_streams=BROKEN,
    guarded=(
        (
            completion(content="It", finish_reason="content_filter"),
            (Guardrail(name="content_filter", action="blocked"),),
        ),
        (
            error(400, "content_filter", "No."),
            (Guardrail(name="content_filter", action="blocked", where="request"),),
        ),
    ),
    malformed=({"choices": []}, {"choices": "none"}, {"choices": [{"index": 0}]}),
)

HATE = {"hate": {"filtered": True, "severity": "high"}, "self_harm": {"filtered": False}}
SAFE = {"filtered": False, "severity": "safe"}
LOW = {"filtered": False, "severity": "low"}
SEEN = {"filtered": False, "detected": True}
# Looked at, found, and let through: a hint of violence in the prompt, known code in the reply.
LET_THROUGH = {
    "prompt_filter_results": [
        {"prompt_index": 0, "content_filter_results": {"hate": SAFE, "violence": LOW}}
    ],
    "choices": [
        {
            "index": 0,
            "finish_reason": "stop",
            "message": {"role": "assistant", "content": TEXT},
            "content_filter_results": {
                "hate": SAFE,
                "protected_material_code": SEEN,
                "protected_material_text": {"filtered": False, "detected": False},
                "error": {"code": "content_filter_error", "message": "Not looked at."},
            },
        }
    ],
}
HATE_FOUND = Guardrail(name="hate", action="blocked", message="severity high")
WITHHELD = {"index": 0, "finish_reason": "content_filter", "content_filter_results": HATE}
STOPPED = {
    "error": {
        "message": "The prompt was filtered.",
        "type": None,
        "param": "prompt",
        "code": "content_filter",
        "status": 400,
        "innererror": {"code": "ResponsibleAIPolicyViolation", "content_filter_result": HATE},
    }
}
# The prompt's results come before all else, the reply's with the piece that they are about.
AZURE_FILTERED = (
    CHUNK | {"choices": [], "prompt_filter_results": [{"prompt_index": 0}]},
    chunk({"role": "assistant", "content": ""}),
    chunk({}, finish_reason="content_filter", content_filter_results=HATE),
    chunk({}, content_filter_results={"hate": SAFE}),
    CHUNK | {"choices": [], "usage": completion().body["usage"]},
    "[DONE]",
)
SENT = {key: value for key, value in CHAT.payload.items() if key != "max_tokens"}

AZURE_V1 = replace(
    CHAT,
    kind="azure_openai",
    base="/openai/v1",
    path="/openai/v1/chat/completions",
    key_header=("api-key", "{key}"),
    payload=SENT | {"max_completion_tokens": 64},
    filtered=completion(body={"choices": [WITHHELD]}),
    prompt_filtered=Exchange(STOPPED, 400),
    error=azure_error,
    reply_id="req_02",
    streams=STREAMS | {"filtered": sse(*AZURE_FILTERED, headers=IDS)},
    guarded=(
        (completion(body={"choices": [WITHHELD]}), (HATE_FOUND,)),
        (Exchange(STOPPED, 400), (structs.replace(HATE_FOUND, where="request"),)),
        (
            completion(body=LET_THROUGH),
            (
                Guardrail(
                    name="violence", action="flagged", where="request", message="severity low"
                ),
                Guardrail(name="protected_material_code", action="flagged"),
            ),
        ),
    ),
    names={
        "rate_limit": (429, "429"),
        "server": (500, "500"),
        "bad_request": (400, "invalid_request_error"),
        "key": (401, "401"),
    },
)
AZURE_DEPLOYMENT = replace(
    AZURE_V1,
    base="",
    path="/openai/deployments/asked-model/chat/completions?api-version=2024-10-21",
)
