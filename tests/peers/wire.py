"""Asks a server that is not ours through one of our adapters."""

import asyncio
from typing import Any

import pytest

from evalkit.control.providers.http_provider import HttpProvider
from evalkit.control.providers.protocols import protocol_of
from evalkit.control.providers.transport import build_transport
from evalkit.control.providers.weights import EMBEDDED
from evalkit.records.asset import Tool
from evalkit.records.call import Message, Piece, Reply, Request
from evalkit.workflows.wiring import SystemClock


def ask_server(kind: str, url: str, text: str, system: str = "", **params: Any) -> Reply:
    """One call in the wire format `kind`, at temperature 0 and eight tokens unless told."""
    messages = [Message(role="user", content=text)]
    if system:
        messages.insert(0, Message(role="system", content=system, part="system"))
    return ask_for(kind, url, tuple(messages), **params)[-1].reply or pytest.fail("no reply")


def stream_server(kind: str, url: str, text: str, **params: Any) -> list[Piece]:
    """The same, streamed."""
    return ask_for(kind, url, (Message(role="user", content=text),), stream=True, **params)


def ask_for(
    kind: str,
    url: str,
    messages: tuple[Message, ...],
    *,
    stream: bool = False,
    tools: tuple[Tool, ...] = (),
    model: str = EMBEDDED.model,
    key: str | None = None,
    **params: Any,
) -> list[Piece]:
    """One call; the last piece holds the reply. `key` is the API key that is sent."""
    request = Request(
        model=model,
        messages=messages,
        key=messages[-1].content,
        params={"temperature": 0, "max_tokens": 8} | params,
        tools=tools,
    )

    async def call() -> list[Piece]:
        transport = build_transport()
        provider = HttpProvider(
            protocol_of(kind, url),
            kind=kind,
            name="llama",
            base_url=url,
            api_key_env=None if key is None else "PEER_KEY",
            environ={} if key is None else {"PEER_KEY": key},
            transport=transport,
            clock=SystemClock(),
        )
        try:
            if stream:
                return [piece async for piece in provider.stream(request, timeout_s=60)]
            return [Piece(reply=await provider.complete(request, timeout_s=60))]
        finally:
            await transport.close()

    return asyncio.run(call())
