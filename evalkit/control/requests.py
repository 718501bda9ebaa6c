"""From messages to the request as it leaves, with the key that stands for all that matters."""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from evalkit.errors import ConfigError, Problem
from evalkit.records.asset import Output, Tool
from evalkit.records.call import Attribution, Message, Request

DEFAULT_MAX_TOKENS = 4096
# What endpoints call the output cap; the session sends one of them, the smallest, as max_tokens.
_CAP_NAMES = ("max_tokens", "max_completion_tokens", "max_output_tokens")
# What the session decides: set by a prompt, these would go round its caps, policies or parsing.
_RESERVED = frozenset(
    {
        "model",
        "messages",
        "tools",
        "functions",
        "function_call",
        "response_format",
        "stream",
        "n",
        "best_of",
    }
)


def cap_output(params: Mapping[str, Any], route_max_tokens: int | None) -> int:
    """The output cap of a call in tokens: the smallest of the route's and the prompt's.

    Raises ConfigError for a cap that is no positive whole number.
    """
    caps = [] if route_max_tokens is None else [route_max_tokens]
    for name in _CAP_NAMES:
        value = params.get(name)
        if value is None:
            continue
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise ConfigError(
                [
                    Problem(
                        message="an output cap is a whole number of tokens, 1 or more",
                        key=f"params.{name}",
                        value=repr(value),
                    )
                ]
            )
        caps.append(value)
    return min(caps, default=DEFAULT_MAX_TOKENS)


def check_params(params: Mapping[str, Any]) -> None:
    """Raise ConfigError for parameters that are not a prompt's to set."""
    if _RESERVED.isdisjoint(params):
        return
    raise ConfigError(
        [
            Problem(
                message="is decided by the session and cannot be a parameter of a prompt",
                key=f"params.{name}",
                suggestion="remove it",
            )
            for name in sorted(_RESERVED.intersection(params))
        ]
    )


def build_request(
    *,
    identity: str,
    model_id: str,
    messages: Sequence[Message],
    tools: Sequence[Tool],
    params: Mapping[str, Any],
    max_tokens: int,
    output: Output,
    trial: int,
    attribution: Attribution,
) -> Request:
    """The request to one model. `identity` is its provider's, `max_tokens` the output cap."""
    sent = {name: value for name, value in params.items() if name not in _CAP_NAMES}
    sent["max_tokens"] = max_tokens
    return Request(
        model=model_id,
        messages=tuple(messages),
        key=request_key(
            identity=identity,
            model_id=model_id,
            messages=messages,
            tools=tools,
            params=sent,
            output=output,
            trial=trial,
        ),
        params=sent,
        tools=tuple(tools),
        schema=output.schema if output.kind == "json" else None,
        trial=trial,
        attribution=attribution,
    )


def request_key(
    *,
    identity: str,
    model_id: str,
    messages: Sequence[Message],
    tools: Sequence[Tool],
    params: Mapping[str, Any],
    output: Output,
    trial: int,
) -> str:
    """SHA-256, in hexadecimal, of everything that can change the reply, and of nothing else.

    Recordings and cached replies are found by it: to change what goes in is to lose them all.
    """
    canonical = {
        "provider": identity,
        "model": model_id,
        "messages": [_canonical(message) for message in messages],
        "params": params,
        "tools": [[tool.name, tool.description, tool.parameters] for tool in tools],
        "output": [output.kind, output.schema],
        "trial": trial,
    }
    return hashlib.sha256(msgspec.json.encode(canonical, order="sorted")).hexdigest()


def _canonical(message: Message) -> list[Any]:
    """A message as the key sees it; what only a turn with tools has is left out of all others."""
    plain: list[Any] = [message.role, message.content]
    if not message.tool_calls and not message.tool_call_id:
        return plain
    calls = [[call.id, call.name, call.arguments, call.raw] for call in message.tool_calls]
    return [*plain, calls, message.tool_call_id, message.name]
