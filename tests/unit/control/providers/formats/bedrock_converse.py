"""Amazon Bedrock's Converse, as its service model describes it; the texts are ours."""

import json
import struct
import zlib
from typing import Any

from msgspec import structs

from evalkit.records.call import Guardrail
from tests.servers.replay_server import Exchange
from tests.unit.control.providers.formats import wire_format
from tests.unit.control.providers.formats.wire_format import (
    CALL,
    FOUND,
    JSON_TEXT,
    PARAMETERS,
    SENT_SCHEMA,
    TEXT,
    TIME,
    WireFormat,
)

ID = {"x-amzn-requestid": "req-01"}
NAMES = {
    "rate_limit": (429, "ThrottlingException"),
    "server": (503, "ServiceUnavailableException"),
    "bad_request": (400, "ValidationException"),
    "key": (403, "UnrecognizedClientException"),
}


def converse(*content: dict[str, Any], stop: str = "end_turn", **changes: Any) -> Exchange:
    body = {
        "output": {"message": {"role": "assistant", "content": list(content)}},
        "stopReason": stop,
        "usage": {
            "inputTokens": 12,
            "outputTokens": 30,
            "totalTokens": 150,
            "cacheReadInputTokens": 100,
            "cacheWriteInputTokens": 8,
        },
        "metrics": {"latencyMs": 420},
    }
    return Exchange(body | changes, headers=ID)


def error(status: int, name: str, words: str) -> Exchange:
    header = {"x-amzn-errortype": f"{name}:http://internal.amazon.com/coral/bedrock/"}
    body = {"__type": f"com.amazon.bedrock#{name}", "message": words}
    return Exchange(body, status, ID | header)


THOUGHT = {"reasoningContent": {"reasoningText": {"text": "When?", "signature": "c2ln"}}}
SAID = {"text": TEXT}
USE = {"toolUse": {"toolUseId": CALL.id, "name": CALL.name, "input": CALL.arguments}}
SCHEMA_TEXT = json.dumps(
    {key: SENT_SCHEMA[key] for key in ("type", "required", "properties", "additionalProperties")},
    separators=(",", ":"),
)

EMAIL = {"match": "eve@example.com", "type": "EMAIL", "action": "ANONYMIZED", "detected": True}
MASKED = {
    "guardrail": {
        "outputAssessments": {
            "gr-1": [{"sensitiveInformationPolicy": {"piiEntities": [EMAIL], "regexes": []}}]
        }
    }
}
TRACE = {
    "guardrail": {
        "inputAssessment": {
            "gr-1": {
                "topicPolicy": {
                    "topics": [
                        {"name": "Medical", "type": "DENY", "action": "BLOCKED", "detected": True},
                        {"name": "Legal", "type": "DENY", "action": "NONE", "detected": False},
                    ]
                },
                "contentPolicy": {
                    "filters": [
                        {
                            "type": "INSULTS",
                            "confidence": "LOW",
                            "filterStrength": "NONE",
                            "action": "NONE",
                            "detected": True,
                        }
                    ]
                },
                "invocationMetrics": {"guardrailProcessingLatency": 200},
            }
        },
        "outputAssessments": {
            "gr-1": [
                {"sensitiveInformationPolicy": {"piiEntities": [EMAIL], "regexes": []}},
                {
                    "wordPolicy": {
                        "customWords": [{"match": "damn", "action": "BLOCKED", "detected": True}],
                        "managedWordLists": [],
                    }
                },
            ]
        },
    }
}


def header(name: str, value: str) -> bytes:
    """A header of Amazon's event stream: name, the type of a text, value."""
    return (
        struct.pack(">B", len(name))
        + name.encode()
        + struct.pack(">BH", 7, len(value))
        + value.encode()
    )


def frame(payload: dict[str, Any], **headers: str) -> bytes:
    """A message of Amazon's event stream, as its specification lays it out: two lengths and their
    checksum, headers, payload, the checksum of all."""
    given = {f":{name.replace('_', '-')}": text for name, text in headers.items()}
    names = b"".join(header(name, text) for name, text in given.items())
    body = json.dumps(payload).encode()
    lengths = struct.pack(">II", len(names) + len(body) + 16, len(names))
    message = lengths + struct.pack(">I", zlib.crc32(lengths)) + names + body
    return message + struct.pack(">I", zlib.crc32(message))


def event(name: str, payload: dict[str, Any]) -> bytes:
    return frame(payload, event_type=name, content_type="application/json", message_type="event")


def frames(*messages: bytes) -> Exchange:
    kind = {"content-type": "application/vnd.amazon.eventstream"}
    return Exchange(b"".join(messages), headers=ID | kind)


def streamed(*deltas: bytes, stop: str = "end_turn", **metadata: Any) -> Exchange:
    """The usage comes last, with the trace of a guardrail."""
    known = {"usage": converse().body["usage"], "metrics": {"latencyMs": 420}} | metadata
    return frames(
        event("messageStart", {"role": "assistant"}),
        *deltas,
        event("messageStop", {"stopReason": stop}),
        event("metadata", {name: value for name, value in known.items() if value is not None}),
    )


def delta(index: int, said: dict[str, Any]) -> bytes:
    return event("contentBlockDelta", {"contentBlockIndex": index, "delta": said})


def stop(index: int) -> bytes:
    return event("contentBlockStop", {"contentBlockIndex": index})


MONDAY = (
    delta(0, {"reasoningContent": {"text": "When?"}}),
    delta(0, {"reasoningContent": {"signature": "c2ln"}}),
    stop(0),
    delta(1, {"text": "It left"}),
    delta(1, {"text": " on Mon"}),
    delta(1, {"text": "day."}),
    stop(1),
)
BEGUN_USE = {"toolUse": {"toolUseId": CALL.id, "name": CALL.name}}
CALLED = (
    event("contentBlockStart", {"contentBlockIndex": 0, "start": BEGUN_USE}),
    delta(0, {"toolUse": {"input": '{"order": "A-'}}),
    delta(0, {"toolUse": {"input": '17", "items": [1, 2.5]}'}}),
    stop(0),
)
STREAMS = {
    "text": streamed(*MONDAY),
    "tool_call": streamed(*CALLED, stop="tool_use"),
    "filtered": streamed(delta(0, {"text": "Blocked."}), stop="guardrail_intervened"),
    "cut": streamed(*MONDAY, stop="max_tokens"),
    "no_usage": streamed(*MONDAY, usage=None),
}
BROKEN = {
    "server": frames(
        *MONDAY,
        frame(
            {"message": "Words."},
            exception_type="serviceUnavailableException",
            content_type="application/json",
            message_type="exception",
        ),
    ),
    "server, told as an error": frames(
        *MONDAY,
        frame(
            {},
            error_code="InternalServerException",
            error_message="Words.",
            message_type="error",
        ),
    ),
}

FORMAT = WireFormat(
    kind="bedrock",
    base="",
    path="/model/asked-model/converse",
    key_header=("authorization", "Bearer {key}"),
    payload={
        "system": [{"text": "Answer briefly."}],
        "messages": [
            {"role": "user", "content": [{"text": "Where is A-16?"}]},
            {"role": "assistant", "content": [{"text": "At the depot."}]},
            {"role": "user", "content": [{"text": "And A-17?"}]},
        ],
        "inferenceConfig": {"maxTokens": 64, "temperature": 0.5, "stopSequences": ["END"]},
        "toolConfig": {
            "tools": [
                {
                    "toolSpec": {
                        "name": "find_order",
                        "description": "Finds an order.",
                        "inputSchema": {"json": PARAMETERS},
                    }
                }
            ]
        },
        "outputConfig": {
            "textFormat": {
                "type": "json_schema",
                "structure": {"jsonSchema": {"name": "reply", "schema": SCHEMA_TEXT}},
            }
        },
    },
    turns=(
        "messages",
        [
            {"role": "user", "content": [{"text": "Where is A-17?"}]},
            {
                "role": "assistant",
                "content": [
                    {"text": "I look."},
                    {
                        "toolUse": {
                            "toolUseId": "call_7",
                            "name": CALL.name,
                            "input": CALL.arguments,
                        }
                    },
                    {"toolUse": {"toolUseId": "call_8", "name": "now", "input": {}}},
                ],
            },
            {
                "role": "user",
                "content": [
                    {"toolResult": {"toolUseId": "call_7", "content": [{"text": FOUND}]}},
                    {"toolResult": {"toolUseId": "call_8", "content": [{"text": TIME}]}},
                    {"text": "And?"},
                ],
            },
        ],
    ),
    model="asked-model",
    text=converse(THOUGHT, SAID),
    json_text=converse({"text": JSON_TEXT}),
    tool_call=converse(USE, stop="tool_use"),
    filtered=converse({"text": "Blocked."}, stop="guardrail_intervened"),
    cut=converse(SAID, stop="max_tokens"),
    no_usage=converse(SAID, usage=None),
    empty=converse(usage={"inputTokens": 12, "outputTokens": 0, "totalTokens": 12}),
    error=error,
    names=NAMES,
    request_id="req-01",
    reply_id="req-01",
    too_long=(
        (400, "ValidationException", "Input is too long for requested model."),
        (
            400,
            "ValidationException",
            "The model returned the following errors: prompt is too long: 227255 tokens > 200000",
        ),
    ),
    streams=STREAMS,
    broken_streams=BROKEN,
    stream_path="/model/asked-model/converse-stream",
    usage=structs.replace(wire_format.USAGE, reasoning_tokens=0),
    guarded=(
        (
            converse({"text": "Blocked."}, stop="guardrail_intervened"),
            (Guardrail(name="guardrail_intervened", action="blocked"),),
        ),
        (
            converse({"text": "Blocked."}, stop="guardrail_intervened", trace=TRACE),
            (
                Guardrail(name="topicPolicy.Medical", action="blocked", where="request"),
                Guardrail(name="contentPolicy.INSULTS", action="flagged", where="request"),
                Guardrail(name="sensitiveInformationPolicy.EMAIL", action="changed"),
                Guardrail(name="wordPolicy", action="blocked"),
            ),
        ),
        (
            converse({"text": "Write to {EMAIL}."}, trace=MASKED),
            (Guardrail(name="sensitiveInformationPolicy.EMAIL", action="changed"),),
        ),
    ),
    malformed=(
        {"output": {}},
        {"output": {"message": {"role": "assistant"}}},
        {"output": {"message": {"content": [{"toolUse": {"input": {}}}]}}},
        {"Output": {}, "Version": "1.0"},
    ),
    refused_parameters=("seed", "top_k", "system", "toolConfig", "inferenceConfig", "messages"),
)
