"""Google's generateContent, of the Gemini API and of Vertex AI; the texts are ours."""

from dataclasses import replace
from typing import Any

from msgspec import structs

from evalkit.records.call import Guardrail
from tests.servers.replay_server import Exchange
from tests.unit.control.providers.formats import wire_format
from tests.unit.control.providers.formats.wire_format import (
    CALL,
    JSON_TEXT,
    MODEL,
    PARAMETERS,
    SENT_SCHEMA,
    TEXT,
    TIME,
    WireFormat,
    sse,
)

USAGE = {
    "promptTokenCount": 120,
    "candidatesTokenCount": 10,
    "thoughtsTokenCount": 20,
    "cachedContentTokenCount": 100,
    "totalTokenCount": 150,
    "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 120}],
}


def generated(*parts: dict[str, Any], end: str = "STOP", **changes: Any) -> Exchange:
    content = {"role": "model", "parts": list(parts)}
    body = {
        "candidates": [{"content": content, "finishReason": end, "index": 0}],
        "usageMetadata": USAGE,
        "modelVersion": MODEL,
        "responseId": "resp-01",
    }
    return Exchange(body | changes)


def error(status: int, name: str, words: str) -> Exchange:
    return Exchange({"error": {"code": status, "message": words, "status": name}}, status)


THOUGHT = {"text": "When did it leave?", "thought": True}
SAID = {"text": TEXT, "thoughtSignature": "c2ln"}
USE = {"functionCall": {"id": CALL.id, "name": CALL.name, "args": CALL.arguments}}
BLOCKED = {
    "promptFeedback": {"blockReason": "PROHIBITED_CONTENT"},
    "usageMetadata": {"promptTokenCount": 120, "totalTokenCount": 120},
    "modelVersion": MODEL,
}

RATED = {
    "finishReason": "SAFETY",
    "index": 0,
    "safetyRatings": [
        {"category": "HARM_CATEGORY_HARASSMENT", "probability": "HIGH", "blocked": True},
        {"category": "HARM_CATEGORY_HATE_SPEECH", "probability": "MEDIUM"},
        {"category": "HARM_CATEGORY_DANGEROUS_CONTENT", "probability": "NEGLIGIBLE"},
    ],
}


def streamed(*parts: dict[str, Any], end: str = "STOP", usage: Any = USAGE) -> Exchange:
    """Chunks that are replies of their own; usage is counted anew in each."""
    so_far = usage and {"promptTokenCount": 120, "totalTokenCount": 120}
    known = {"usageMetadata": so_far, "modelVersion": MODEL, "responseId": "resp-01"}
    chunks = [
        {"candidates": [{"content": {"role": "model", "parts": [part]}, "index": 0}], **known}
        for part in parts
    ]
    last = {"content": {"role": "model", "parts": [{"text": ""}]}, "finishReason": end, "index": 0}
    return sse(*chunks, {"candidates": [last], **known, "usageMetadata": usage})


MONDAY = ({"text": "It left"}, {"text": " on Mon"}, {"text": "day.", "thoughtSignature": "c2ln"})
STREAMS = {
    "text": streamed(THOUGHT, *MONDAY),
    "tool_call": streamed(USE),
    "filtered": streamed({"text": "It"}, end="SAFETY"),
    "prompt_filtered": sse(BLOCKED),
    "cut": streamed(*MONDAY, end="MAX_TOKENS"),
    "no_usage": streamed(*MONDAY, usage=None),
}
BEGUN = {"candidates": [{"content": {"parts": [{"text": "It"}]}, "index": 0}]}
BROKEN = {"server": sse(BEGUN, error(503, "UNAVAILABLE", "Words.").body)}

GEMINI = WireFormat(
    kind="gemini",
    base="/v1beta",
    path="/v1beta/models/asked-model:generateContent",
    key_header=("x-goog-api-key", "{key}"),
    payload={
        "systemInstruction": {"parts": [{"text": "Answer briefly."}]},
        "contents": [
            {"role": "user", "parts": [{"text": "Where is A-16?"}]},
            {"role": "model", "parts": [{"text": "At the depot."}]},
            {"role": "user", "parts": [{"text": "And A-17?"}]},
        ],
        "tools": [
            {
                "functionDeclarations": [
                    {
                        "name": "find_order",
                        "description": "Finds an order.",
                        "parametersJsonSchema": PARAMETERS,
                    }
                ]
            }
        ],
        "generationConfig": {
            "maxOutputTokens": 64,
            "temperature": 0.5,
            "stopSequences": ["END"],
            "responseMimeType": "application/json",
            "responseJsonSchema": SENT_SCHEMA,
        },
    },
    turns=(
        "contents",
        [
            {"role": "user", "parts": [{"text": "Where is A-17?"}]},
            {
                "role": "model",
                "parts": [
                    {"text": "I look."},
                    {"functionCall": {"id": "call_7", "name": CALL.name, "args": CALL.arguments}},
                    {"functionCall": {"id": "call_8", "name": "now", "args": {}}},
                ],
            },
            {
                "role": "user",
                "parts": [
                    {
                        "functionResponse": {
                            "id": "call_7",
                            "name": "find_order",
                            "response": {"status": "sent"},
                        }
                    },
                    {
                        "functionResponse": {
                            "id": "call_8",
                            "name": "now",
                            "response": {"output": TIME},
                        }
                    },
                    {"text": "And?"},
                ],
            },
        ],
    ),
    text=generated(THOUGHT, SAID),
    json_text=generated({"text": JSON_TEXT}),
    tool_call=generated(USE),
    filtered=generated({"text": "It"}, end="SAFETY"),
    prompt_filtered=Exchange(BLOCKED),
    cut=generated(SAID, end="MAX_TOKENS"),
    no_usage=generated(SAID, usageMetadata=None),
    empty=generated(usageMetadata={"promptTokenCount": 120}),
    error=error,
    names={
        "rate_limit": (429, "RESOURCE_EXHAUSTED"),
        "server": (503, "UNAVAILABLE"),
        "bad_request": (400, "INVALID_ARGUMENT"),
        "key": (401, "UNAUTHENTICATED"),
    },
    request_id="resp-01",
    reply_id="resp-01",
    too_long=(
        (
            400,
            "INVALID_ARGUMENT",
            "The input token count (1200293) exceeds the maximum number of tokens allowed "
            "(1048576).",
        ),
    ),
    streams=STREAMS,
    broken_streams=BROKEN,
    stream_path="/v1beta/models/asked-model:streamGenerateContent?alt=sse",
    usage=structs.replace(wire_format.USAGE, cache_write_tokens=0),
    guarded=(
        (
            generated({"text": "It"}, end="RECITATION"),
            (Guardrail(name="RECITATION", action="blocked"),),
        ),
        (
            Exchange(BLOCKED),
            (Guardrail(name="PROHIBITED_CONTENT", action="blocked", where="request"),),
        ),
        (
            Exchange({"candidates": [RATED]}),
            (
                Guardrail(
                    name="HARM_CATEGORY_HARASSMENT", action="blocked", message="probability HIGH"
                ),
                Guardrail(
                    name="HARM_CATEGORY_HATE_SPEECH",
                    action="flagged",
                    message="probability MEDIUM",
                ),
            ),
        ),
    ),
    malformed=(
        {"candidates": []},
        {"candidates": [{"index": 0}]},
        {"candidates": "none"},
        {"candidates": [{"content": {"parts": [{"functionCall": {"args": {}}}]}}]},
    ),
    refused_parameters=("min_p", "logit_bias", "contents", "systemInstruction", "cachedContent"),
)
PROJECT = "/v1/projects/p/locations/europe-west1/publishers/google"
VERTEX = replace(
    GEMINI,
    base=PROJECT,
    path=f"{PROJECT}/models/asked-model:generateContent",
    stream_path=f"{PROJECT}/models/asked-model:streamGenerateContent?alt=sse",
    key_header=("authorization", "Bearer {key}"),
)
