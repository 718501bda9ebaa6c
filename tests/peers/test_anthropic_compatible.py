"""Our Anthropic adapter against a server that is not ours: llama.cpp's, with a real model."""

from functools import partial

import pytest

from evalkit.control.providers.weights import EMBEDDED
from evalkit.errors import ProviderError
from evalkit.records.attempt import FailureMode
from tests.peers.wire import ask_server

pytestmark = pytest.mark.local_model


ask = partial(ask_server, "anthropic")


def test_a_message_is_read_with_its_model_usage_and_end(llama_url: str) -> None:
    reply = ask(llama_url, "The capital of France is")
    assert "Paris" in reply.content
    assert (reply.model, reply.finish_reason) == (EMBEDDED.model, "length")
    assert (reply.usage.input_tokens, reply.usage.output_tokens) == (5, 8)
    assert not reply.usage.estimated


def test_a_system_text_reaches_the_model(llama_url: str) -> None:
    alone = ask(llama_url, "The capital of France is")
    told = ask(llama_url, "The capital of France is", system="Geography, question one.\n")
    assert told.usage.input_tokens > alone.usage.input_tokens


def test_a_stop_text_ends_the_reply(llama_url: str) -> None:
    reply = ask(llama_url, "1, 2, 3, 4,", stop=",")
    assert (reply.content.strip(), reply.finish_reason) == ("5", "stop")


def test_tokens_of_the_cache_are_inside_the_input(llama_url: str) -> None:
    text = "Ten nine eight seven six five four three two one, and then"
    first, second = ask(llama_url, text).usage, ask(llama_url, text).usage
    assert 0 < second.cached_tokens < second.input_tokens
    assert first.input_tokens == second.input_tokens


def test_what_the_server_cannot_take_is_a_bad_request(llama_url: str) -> None:
    with pytest.raises(ProviderError) as caught:
        ask(llama_url, "Hello", temperature="hot")
    assert (caught.value.code, caught.value.retryable) == (FailureMode.BAD_REQUEST, False)
