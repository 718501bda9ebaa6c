"""Amazon Bedrock's Converse, as its service model describes it; the texts are ours."""

import json
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
