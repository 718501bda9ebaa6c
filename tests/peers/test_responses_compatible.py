"""Our Responses adapter against a server that is not ours: llama.cpp's, with a real model."""

from functools import partial

import pytest

from evalkit.control.providers.weights import EMBEDDED
from tests.peers.wire import ask_server

pytestmark = pytest.mark.local_model


ask = partial(ask_server, "openai_responses")


def test_a_response_is_read_with_its_model_and_usage(llama_url: str) -> None:
    reply = ask(llama_url, "The capital of France is")
    assert "Paris" in reply.content
    assert reply.model == EMBEDDED.model
    assert (reply.usage.input_tokens, reply.usage.output_tokens) == (5, 8)
    assert not reply.usage.estimated
