"""Bodies of requests and answers as JSON Schemas, in OpenAPI 3.1."""

from typing import Any

Schema = dict[str, Any]

TEXT: Schema = {"type": "string"}
NULLABLE_TEXT: Schema = {"type": ["string", "null"]}
COUNT: Schema = {"type": "integer", "minimum": 0}
FLAG: Schema = {"type": "boolean"}
ANY_OBJECT: Schema = {"type": "object"}


def record(required: dict[str, Any], optional: dict[str, Any] | None = None) -> Schema:
    """An object with these fields and no other. null stands for an optional one that is absent."""
    absent = {"type": "null"}
    return {
        "type": "object",
        "properties": required
        | {name: {"anyOf": [schema, absent]} for name, schema in (optional or {}).items()},
        "required": sorted(required),
        "additionalProperties": False,
    }


def more(required: dict[str, Any], optional: dict[str, Any] | None = None) -> Schema:
    """An object with at least these fields: of an answer, to which formats add some."""
    return {
        "type": "object",
        "properties": required | (optional or {}),
        "required": sorted(required),
    }


def many(items: Schema, *, at_least: int = 0) -> Schema:
    """A list."""
    return {"type": "array", "items": items} | ({"minItems": at_least} if at_least else {})


def one_of(*values: Any) -> Schema:
    """One of some values."""
    return {"enum": list(values)}


def ref(name: str) -> Schema:
    """A schema by its name."""
    return {"$ref": f"#/components/schemas/{name}"}


_PARTS = many(record({"type": one_of("text"), "text": TEXT}))
_CONTENT: Schema = {"anyOf": [TEXT, _PARTS]}
_FUNCTION = record(
    {"name": {"type": "string", "pattern": "^[A-Za-z0-9_-]{1,64}$"}},
    {"description": TEXT, "parameters": ANY_OBJECT, "strict": FLAG},
)
_CALL = record(
    {"id": TEXT, "type": one_of("function"), "function": record({"name": TEXT, "arguments": TEXT})}
)
_NUMBER: Schema = {"type": "number"}
_CAP: Schema = {"type": "integer", "minimum": 1}

_CHAT = record(
    {
        "model": {"type": "string", "description": "A route that the key opens."},
        "messages": many(
            {
                "anyOf": [
                    record({"role": one_of("system", "developer", "user"), "content": _CONTENT}),
                    record(
                        {"role": one_of("assistant")},
                        {"content": _CONTENT, "tool_calls": many(_CALL, at_least=1)},
                    ),
                    record({"role": one_of("tool"), "content": _CONTENT, "tool_call_id": TEXT}),
                ]
            },
            at_least=1,
        ),
    },
    {
        "tools": many(record({"type": one_of("function"), "function": _FUNCTION})),
        "tool_choice": {
            "anyOf": [
                one_of("auto", "none", "required"),
                record({"type": one_of("function"), "function": record({"name": TEXT})}),
            ]
        },
        "parallel_tool_calls": FLAG,
        "response_format": {
            "anyOf": [
                record({"type": one_of("text", "json_object")}),
                record(
                    {
                        "type": one_of("json_schema"),
                        "json_schema": record(
                            {"name": TEXT, "schema": ANY_OBJECT},
                            {"strict": FLAG, "description": TEXT},
                        ),
                    }
                ),
            ]
        },
        "max_tokens": _CAP,
        "max_completion_tokens": _CAP,
        "temperature": _NUMBER,
        "top_p": _NUMBER,
        "stop": {"anyOf": [TEXT, many(TEXT)]},
        "seed": {"type": "integer"},
        "stream": FLAG,
        "stream_options": record({}, {"include_usage": FLAG}),
        "user": {"type": "string", "description": "Whom the application asks for."},
    },
)
_RESPONSES = record(
    {
        "model": {"type": "string", "description": "A route that the key opens."},
        "input": {
            "anyOf": [
                TEXT,
                many(
                    record(
                        {"role": one_of("system", "developer", "user"), "content": TEXT},
                        {"type": one_of("message")},
                    ),
                    at_least=1,
                ),
            ]
        },
    },
    {
        "instructions": TEXT,
        "max_output_tokens": _CAP,
        "temperature": _NUMBER,
        "top_p": _NUMBER,
        "parallel_tool_calls": FLAG,
        "store": one_of(False),
        "stream": FLAG,
        "tools": many(
            record(
                {"type": one_of("function"), "name": _FUNCTION["properties"]["name"]},
                {"description": TEXT, "parameters": ANY_OBJECT, "strict": FLAG},
            )
        ),
        "user": TEXT,
    },
)
_MESSAGES = record(
    {
        "model": {"type": "string", "description": "A route that the key opens."},
        "max_tokens": _CAP,
        "messages": many(
            record({"role": one_of("user", "assistant"), "content": _CONTENT}), at_least=1
        ),
    },
    {
        "system": _CONTENT,
        "temperature": _NUMBER,
        "top_p": _NUMBER,
        "top_k": {"type": "integer"},
        "stop_sequences": many(TEXT),
        "stream": FLAG,
        "tools": many(
            record(
                {"name": _FUNCTION["properties"]["name"], "input_schema": ANY_OBJECT},
                {"description": TEXT},
            )
        ),
        "metadata": record({}, {"user_id": TEXT}),
    },
)
_AGENT_CALL = record({"name": TEXT, "arguments": {"anyOf": [ANY_OBJECT, TEXT]}}, {"id": TEXT})
_DOCUMENT = record({"id": TEXT, "text": TEXT}, {"scopes": many(TEXT)})
_ERROR = {
    "message": TEXT,
    "type": TEXT,
    "code": {"type": "string", "description": "What it is; see docs/gateway.md."},
}
_DECIDED = {
    "rule": {"type": "string", "description": "The key of the configuration that decided."},
    "approval": {"type": "string", "description": "The approval that it waits for."},
}

SCHEMAS: dict[str, Schema] = {
    "ChatRequest": _CHAT,
    "ChatCompletion": more(
        {
            "id": TEXT,
            "object": one_of("chat.completion"),
            "created": COUNT,
            "model": TEXT,
            "choices": many(
                more(
                    {
                        "index": COUNT,
                        "message": more({"role": one_of("assistant"), "content": NULLABLE_TEXT}),
                        "finish_reason": TEXT,
                    }
                ),
                at_least=1,
            ),
            "usage": more(
                {"prompt_tokens": COUNT, "completion_tokens": COUNT, "total_tokens": COUNT}
            ),
        }
    ),
    "ResponsesRequest": _RESPONSES,
    "Response": more(
        {
            "id": TEXT,
            "object": one_of("response"),
            "status": one_of("completed", "incomplete"),
            "output": many(ANY_OBJECT),
            "usage": more({"input_tokens": COUNT, "output_tokens": COUNT, "total_tokens": COUNT}),
        }
    ),
    "MessagesRequest": _MESSAGES,
    "Message": more(
        {
            "id": TEXT,
            "type": one_of("message"),
            "role": one_of("assistant"),
            "content": many(more({"type": one_of("text", "tool_use")})),
            "stop_reason": TEXT,
            "usage": more({"input_tokens": COUNT, "output_tokens": COUNT}),
        }
    ),
    "Model": record(
        {"id": TEXT, "object": one_of("model"), "created": COUNT, "owned_by": one_of("evalkit")}
    ),
    "Models": record({"object": one_of("list"), "data": many(ref("Model"))}),
    "AuthorizeRequest": record(
        {"route": TEXT, "call": _AGENT_CALL},
        {"tools": many(_FUNCTION), "user": TEXT},
    ),
    "Authorized": record({"allowed": one_of(True)}),
    "ToolResultRequest": record(
        {"route": TEXT, "call": _AGENT_CALL}, {"result": {}, "error": TEXT, "user": TEXT}
    ),
    "ToolMessage": record(
        {"message": record({"role": one_of("tool"), "tool_call_id": TEXT, "content": TEXT})}
    ),
    "RetrieveRequest": record({"route": TEXT, "index": TEXT, "query": TEXT}, {"user": TEXT}),
    "Documents": more({"documents": many(ANY_OBJECT)}),
    "CheckRequest": record(
        {"route": TEXT, "index": TEXT}, {"query": TEXT, "documents": many(_DOCUMENT), "user": TEXT}
    ),
    "CheckedDocuments": more({"documents": many(ANY_OBJECT), "left_out": many(TEXT)}),
    "SessionEnded": record({"ended": FLAG}),
    "Approvals": record({"approvals": many(ANY_OBJECT)}),
    "Decision": record(
        {},
        {
            "reason": TEXT,
            "expires_s": {"type": "number", "exclusiveMinimum": 0, "maximum": 31_536_000},
            "any_arguments": FLAG,
        },
    ),
    "Approval": ANY_OBJECT,
    "Health": record({"status": one_of("alive")}),
    "Readiness": record({"status": one_of("ready", "draining", "keys", "ledger")}),
    "OpenAIError": record(
        {"error": record(_ERROR | {"param": NULLABLE_TEXT, "request_id": TEXT}, _DECIDED)}
    ),
    "AnthropicError": record(
        {
            "type": one_of("error"),
            "error": record(_ERROR, _DECIDED | {"param": TEXT}),
            "request_id": TEXT,
        }
    ),
}
