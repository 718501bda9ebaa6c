"""The whole description: paths, what they answer, headers, and how a key is sent."""

from collections.abc import Mapping
from typing import Any

from evalkit._version import __version__
from evalkit.gateway.openapi.schemas import SCHEMAS, ref

_STATUSES: Mapping[str, str] = {
    "400": "The request cannot be read or translated, or the provider does not accept it.",
    "401": "No key, or one that is not valid.",
    "403": "A policy, or the key, says no.",
    "404": "There is no such route or thing for this key.",
    "408": "The body did not come in time.",
    "413": "The body is too long.",
    "429": "A budget is used up, or the provider has too many requests.",
    "431": "The headers are too many or too long.",
    "500": "evalkit has a bug.",
    "502": "The provider failed, or its answer is not of the form that was asked for.",
    "503": "Too much is under way, a circuit is open, the gateway stops, or its files are locked.",
    "504": "The provider, or the request as a whole, took too long.",
}
_HEADERS: dict[str, Any] = {
    "x-request-id": {
        "description": "The id of the request; in errors it is in the body, too.",
        "schema": {"type": "string", "pattern": "^[0-9a-f]{24}$"},
        "required": True,
    }
}
_TRACE: dict[str, Any] = {
    "description": "The trace that tells of the session, once one was opened.",
    "schema": {"type": "string", "pattern": "^[0-9a-f]{32}$"},
}
_REFUSAL_HEADERS: dict[str, Any] = _HEADERS | {
    "x-evalkit-trace": _TRACE,
    "x-should-retry": {
        "description": "`false` where asking again would be refused again.",
        "schema": {"enum": ["false"]},
    },
    "retry-after": {"description": "Seconds, where that is known.", "schema": {"type": "string"}},
}
_ANSWER_HEADERS: dict[str, Any] = _HEADERS | {
    "x-evalkit-trace": _TRACE,
    "x-evalkit-model": {
        "description": "The configured name of the model that answered.",
        "schema": {"type": "string"},
    },
    "x-evalkit-cost-usd": {
        "description": "What it cost at list prices.",
        "schema": {"type": "string"},
    },
    "x-evalkit-fallbacks": {
        "description": "How many models were asked in vain before.",
        "schema": {"type": "string"},
    },
}
_SESSION = {
    "name": "x-evalkit-session",
    "in": "header",
    "description": "Requests of one workflow; an id of the client's.",
    "schema": {"type": "string", "pattern": "^[A-Za-z0-9_.:-]{1,128}$"},
}
_STEP = {
    "name": "x-evalkit-step",
    "in": "header",
    "description": "The step of the route that begins.",
    "schema": {"type": "string"},
}
_ROUTE = {
    "name": "x-evalkit-route",
    "in": "header",
    "description": "The route, where it is not the model.",
    "schema": {"type": "string"},
}
_KEYS: list[dict[str, list[str]]] = [{"bearer": []}, {"x-api-key": []}]


def openapi_document() -> dict[str, Any]:
    """The description, in OpenAPI 3.1."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "evalkit gateway",
            "version": __version__,
            "description": "Routes of a project, asked in the formats of OpenAI and Anthropic.",
        },
        "paths": _PATHS,
        "components": {
            "schemas": SCHEMAS,
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer"},
                "x-api-key": {"type": "apiKey", "in": "header", "name": "x-api-key"},
            },
        },
    }


def _door(summary: str, asked: str, answer: str, error: str) -> dict[str, Any]:
    """A door that may stream."""
    return {
        "post": {
            "summary": summary,
            "parameters": [_ROUTE, _SESSION, _STEP],
            "requestBody": _body(asked),
            "responses": _responses(answer, error, headers=_ANSWER_HEADERS, stream=True),
            "security": _KEYS,
        }
    }


def _operation(
    summary: str,
    answer: str,
    *,
    asked: str | None = None,
    parameters: list[dict[str, Any]] | None = None,
    required: bool = True,
) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "summary": summary,
        "responses": _responses(answer, "OpenAIError", headers=_HEADERS),
        "security": _KEYS,
    }
    if asked is not None:
        operation["requestBody"] = _body(asked, required=required)
    if parameters:
        operation["parameters"] = parameters
    return operation


def _body(schema: str, *, required: bool = True) -> dict[str, Any]:
    return {"required": required, "content": {"application/json": {"schema": ref(schema)}}}


def _responses(
    answer: str, error: str, *, headers: dict[str, Any], stream: bool = False
) -> dict[str, Any]:
    content: dict[str, Any] = {"application/json": {"schema": ref(answer)}}
    if stream:
        content["text/event-stream"] = {}  # events of the format
    refused = {
        status: {
            "description": words,
            "headers": _REFUSAL_HEADERS,
            "content": {"application/json": {"schema": ref(error)}},
        }
        for status, words in _STATUSES.items()
    }
    return {"200": {"description": "The answer.", "headers": headers, "content": content}} | refused


def _at(name: str) -> dict[str, Any]:
    return {
        "name": name,
        "in": "path",
        "required": True,
        "schema": {"type": "string", "minLength": 1},
    }


def _watched(
    summary: str, schema: dict[str, Any], kind: str = "application/json"
) -> dict[str, Any]:
    answer = {"headers": _HEADERS, "content": {kind: {"schema": schema}}}
    return {"get": {"summary": summary, "responses": {"200": answer | {"description": "Yes."}}}}


_READY = _watched("May it be sent requests?", ref("Readiness"))
_READY["get"]["responses"]["503"] = _READY["get"]["responses"]["200"] | {"description": "Not now."}
_METRICS = {
    "get": _operation("Figures, for a key for metrics.", "Health")
    | {
        "responses": _responses("Health", "OpenAIError", headers=_HEADERS)
        | {
            "200": {
                "description": "Prometheus' text format.",
                "headers": _HEADERS,
                "content": {"text/plain": {"schema": {"type": "string"}}},
            }
        }
    }
}
_PATHS: dict[str, Any] = {
    "/v1/chat/completions": _door(
        "OpenAI chat completions.", "ChatRequest", "ChatCompletion", "OpenAIError"
    ),
    "/v1/responses": _door("OpenAI Responses.", "ResponsesRequest", "Response", "OpenAIError"),
    "/v1/messages": _door("Anthropic Messages.", "MessagesRequest", "Message", "AnthropicError"),
    "/v1/models": {"get": _operation("The routes that the key opens.", "Models")},
    "/v1/models/{id}": {"get": _operation("One of them.", "Model", parameters=[_at("id")])},
    "/v1/evalkit/tools/authorize": {
        "post": _operation(
            "May a tool be called?",
            "Authorized",
            asked="AuthorizeRequest",
            parameters=[_SESSION, _STEP],
        )
    },
    "/v1/evalkit/tools/result": {
        "post": _operation(
            "What a tool gave, as the model may get it.",
            "ToolMessage",
            asked="ToolResultRequest",
            parameters=[_SESSION, _STEP],
        )
    },
    "/v1/evalkit/retrieve": {
        "post": _operation(
            "Documents of an index.",
            "Documents",
            asked="RetrieveRequest",
            parameters=[_SESSION, _STEP],
        )
    },
    "/v1/evalkit/retrieve/check": {
        "post": _operation(
            "Which documents may be used?",
            "CheckedDocuments",
            asked="CheckRequest",
            parameters=[_SESSION, _STEP],
        )
    },
    "/v1/evalkit/session": {
        "delete": _operation(
            "End a session.", "SessionEnded", parameters=[_SESSION | {"required": True}]
        )
    },
    "/v1/evalkit/approvals": {"get": _operation("What waits for the key's team.", "Approvals")},
    "/v1/evalkit/approvals/{id}/grant": {
        "post": _operation(
            "Let a call run.", "Approval", asked="Decision", parameters=[_at("id")], required=False
        )
    },
    "/v1/evalkit/approvals/{id}/deny": {
        "post": _operation(
            "Keep a call from running.",
            "Approval",
            asked="Decision",
            parameters=[_at("id")],
            required=False,
        )
    },
    "/healthz": _watched("Does the process live?", ref("Health")),
    "/readyz": _READY,
    "/metrics": _METRICS,
    "/openapi.json": _watched("This description.", {"type": "object"}),
}
