"""Streams of a server that is not ours: llama.cpp's, with a real model, in three formats."""

import pytest

from evalkit.control.providers.weights import EMBEDDED
from evalkit.errors import ProviderError
from evalkit.records.attempt import FailureMode
from tests.peers.wire import ask_server, stream_server

pytestmark = pytest.mark.local_model

each_kind = pytest.mark.parametrize("kind", ["openai", "anthropic", "openai_responses"])


@each_kind
def test_a_stream_says_the_same_as_the_whole_reply(llama_url: str, kind: str) -> None:
    text = "The capital of France is"
    ask_server(kind, llama_url, text)  # fills the server's cache for the two that are compared
    whole = ask_server(kind, llama_url, text)
    *pieces, last = stream_server(kind, llama_url, text)
    assert last.reply is not None
    assert len(pieces) > 3
    assert "".join(piece.text for piece in pieces) == last.reply.content == whole.content
    assert (last.reply.usage, last.reply.model) == (whole.usage, EMBEDDED.model)
    assert last.reply.finish_reason == whole.finish_reason


@each_kind
def test_what_the_server_cannot_take_is_a_bad_request_before_any_piece(
    llama_url: str, kind: str
) -> None:
    with pytest.raises(ProviderError) as caught:
        stream_server(kind, llama_url, "Hello", temperature="hot")
    assert (caught.value.code, caught.value.retryable) == (FailureMode.BAD_REQUEST, False)


@each_kind
def test_a_prompt_beyond_the_context_is_told_as_one(llama_url: str, kind: str) -> None:
    with pytest.raises(ProviderError) as caught:
        stream_server(kind, llama_url, "word " * 6000)
    assert caught.value.code == FailureMode.CONTEXT_LENGTH
