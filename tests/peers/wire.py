"""Asks a server that is not ours through one of our adapters."""

import asyncio
from typing import Any

from evalkit.control.providers.http_provider import HttpProvider
from evalkit.control.providers.protocols import protocol_of
from evalkit.control.providers.transport import build_transport
from evalkit.control.providers.weights import EMBEDDED
from evalkit.records.call import Message, Reply, Request
from evalkit.workflows.wiring import SystemClock


def ask_server(kind: str, url: str, text: str, system: str = "", **params: Any) -> Reply:
    """One call in the wire format `kind`, at temperature 0 and eight tokens unless told."""
    messages = [Message(role="user", content=text)]
    if system:
        messages.insert(0, Message(role="system", content=system, part="system"))
    request = Request(
        model=EMBEDDED.model,
        messages=tuple(messages),
        key=text,
        params={"temperature": 0, "max_tokens": 8} | params,
    )

    async def call() -> Reply:
        transport = build_transport()
        provider = HttpProvider(
            protocol_of(kind, url),
            kind=kind,
            name="llama",
            base_url=url,
            api_key_env=None,
            environ={},
            transport=transport,
            clock=SystemClock(),
        )
        try:
            return await provider.complete(request, timeout_s=60)
        finally:
            await transport.close()

    return asyncio.run(call())
