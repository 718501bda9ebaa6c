"""Our Responses adapter against a server that is not ours: llama.cpp's, with a real model."""

import asyncio
from typing import Any

import pytest

from evalkit.control.providers.http_provider import HttpProvider
from evalkit.control.providers.protocols import protocol_of
from evalkit.control.providers.transport import build_transport
from evalkit.control.providers.weights import EMBEDDED
from evalkit.records.call import Message, Reply, Request
from evalkit.workflows.wiring import SystemClock

pytestmark = pytest.mark.local_model


def ask(url: str, text: str, **params: Any) -> Reply:
    request = Request(
        model=EMBEDDED.model,
        messages=(Message(role="user", content=text),),
        key=text,
        params={"temperature": 0, "max_tokens": 8} | params,
    )

    async def call() -> Reply:
        transport = build_transport()
        provider = HttpProvider(
            protocol_of("openai_responses", url),
            kind="openai_responses",
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


def test_a_response_is_read_with_its_model_and_usage(llama_url: str) -> None:
    reply = ask(llama_url, "The capital of France is")
    assert "Paris" in reply.content
    assert reply.model == EMBEDDED.model
    assert (reply.usage.input_tokens, reply.usage.output_tokens) == (5, 8)
    assert not reply.usage.estimated
