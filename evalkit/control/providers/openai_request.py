"""A Request as the body of a chat completion."""

from collections.abc import Mapping
from typing import Any, Literal
from urllib.parse import urlsplit

from evalkit.control.providers.turns import arguments_text, is_result, link_results
from evalkit.records.asset import Tool
from evalkit.records.call import Message, Request, ToolCall

TokenCap = Literal["max_tokens", "max_completion_tokens"]


def token_cap_of(base_url: str) -> TokenCap:
    """What the endpoint calls the output cap: OpenAI has renamed it, most others have not."""
    host = urlsplit(base_url).hostname or ""
    renamed = host == "api.openai.com" or host.endswith(".api.openai.com")
    return "max_completion_tokens" if renamed else "max_tokens"


def payload_of(request: Request, *, token_cap: TokenCap = "max_tokens") -> dict[str, Any]:
    """The body of a chat completion. No parameter can replace what the request itself says."""
    payload = {name: value for name, value in request.params.items() if name != "max_tokens"}
    if "max_tokens" in request.params:
        payload[token_cap] = request.params["max_tokens"]
    payload["model"] = request.model
    payload["messages"] = [_message(message) for message in link_results(request.messages)]
    if request.tools:
        payload["tools"] = [tool_payload(tool) for tool in request.tools]
    if request.schema is not None:
        payload["response_format"] = {
            "type": "json_schema",
            "json_schema": strict_schema(request.schema),
        }
    return payload


def _message(message: Message) -> dict[str, Any]:
    """A message as chat completions want it; a turn that only calls tools has no text."""
    if message.tool_calls:
        calls = [_call(call) for call in message.tool_calls]
        return {"role": message.role, "content": message.content or None, "tool_calls": calls}
    sent = {"role": message.role, "content": message.content}
    return sent | {"tool_call_id": message.tool_call_id} if is_result(message) else sent


def _call(call: ToolCall) -> dict[str, Any]:
    function = {"name": call.name, "arguments": arguments_text(call)}
    return {"id": call.id, "type": "function", "function": function}


def tool_payload(tool: Tool) -> dict[str, Any]:
    """A tool as a function declaration; its effect is ours alone."""
    function: dict[str, Any] = {"name": tool.name}
    if tool.description:
        function["description"] = tool.description
    if tool.parameters:
        function["parameters"] = tool.parameters
    return {"type": "function", "function": function}


def strict_schema(schema: Mapping[str, Any]) -> dict[str, Any]:
    """The schema as an endpoint takes it. OpenAI enforces it only when strict, and strict it takes
    only objects that list every property as required and allow no other."""
    sent = {key: value for key, value in schema.items() if key not in ("$schema", "$id")}
    return {"name": "reply", "schema": sent, "strict": is_closed(sent)}


def is_closed(node: Any) -> bool:
    """Whether every object in a schema requires all of its properties and allows no other."""
    if isinstance(node, list):
        return all(is_closed(each) for each in node)
    if not isinstance(node, dict):
        return True
    properties = node.get("properties")
    kinds = node.get("type")
    of_objects = kinds == "object" or (isinstance(kinds, list) and "object" in kinds)
    if isinstance(properties, dict) or of_objects:
        # an application's schema may be anything: what is no list of names requires none
        required = node.get("required")
        names = required if isinstance(required, list) else ()
        wanted = {each for each in names if isinstance(each, str)}
        if node.get("additionalProperties") is not False:
            return False
        if wanted != set(properties if isinstance(properties, dict) else ()):
            return False
    return all(is_closed(value) for value in node.values())
