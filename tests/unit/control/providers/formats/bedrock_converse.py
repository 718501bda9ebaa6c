"""Amazon Bedrock's Converse, as its service model describes it; the texts are ours."""

import json
from typing import Any

from tests.servers.replay_server import Exchange
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
    malformed=(
        {"output": {}},
        {"output": {"message": {"role": "assistant"}}},
        {"output": {"message": {"content": [{"toolUse": {"input": {}}}]}}},
        {"Output": {}, "Version": "1.0"},
    ),
    refused_parameters=("seed", "top_k", "system", "toolConfig", "inferenceConfig", "messages"),
)
