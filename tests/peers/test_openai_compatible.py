"""Our OpenAI provider against a server that is not ours: llama.cpp's, with a real model."""

import asyncio
import json
import socket
from collections.abc import Coroutine
from typing import Any, TypeVar
from urllib.parse import urlsplit

import pytest

from evalkit.control.providers.engine import serve_local
from evalkit.control.providers.local import LocalProvider
from evalkit.control.providers.openai import OpenAIProvider
from evalkit.control.providers.transport import build_transport
from evalkit.control.providers.weights import EMBEDDED
from evalkit.errors import ProviderError, UsageError
from evalkit.records.attempt import FailureMode
from evalkit.records.call import Message, Reply, Request
from evalkit.workflows.wiring import SystemClock

pytestmark = pytest.mark.local_model
T = TypeVar("T")
GREEDY = {"temperature": 0, "max_tokens": 8}


def request(text: str, **changes: Any) -> Request:
    given: dict[str, Any] = {
        "model": EMBEDDED.model,
        "messages": (Message(role="user", content=text),),
        "key": text,
        "params": GREEDY,
    }
    return Request(**(given | changes))


async def ask_all(url: str, requests: list[Request], timeout_s: float = 60) -> list[Reply]:
    transport = build_transport()
    provider = OpenAIProvider(
        name="llama",
        base_url=url,
        api_key_env=None,
        environ={},
        transport=transport,
        clock=SystemClock(),
    )
    try:
        return await asyncio.gather(
            *(provider.complete(each, timeout_s=timeout_s) for each in requests)
        )
    finally:
        await transport.close()


def run(work: Coroutine[Any, Any, T]) -> T:
    return asyncio.run(work)


def ask(url: str, each: Request, timeout_s: float = 60) -> Reply:
    return run(ask_all(url, [each], timeout_s))[0]


def test_a_completion_is_read_with_its_model_usage_and_end(llama_url: str) -> None:
    reply = ask(llama_url, request("The capital of France is"))
    assert "Paris" in reply.content
    assert (reply.model, reply.finish_reason) == (EMBEDDED.model, "length")
    assert (reply.usage.input_tokens, reply.usage.output_tokens) == (5, 8)
    assert not reply.usage.estimated
    assert 0 < reply.latency_s < 60


def test_cached_tokens_are_reported_inside_the_input(llama_url: str) -> None:
    text = "One two three four five six seven eight nine ten, and then"
    ask(llama_url, request(text))
    usage = ask(llama_url, request(text)).usage
    assert 0 < usage.cached_tokens < usage.input_tokens


def test_a_stop_text_ends_the_reply(llama_url: str) -> None:
    reply = ask(llama_url, request("1, 2, 3, 4,", params=GREEDY | {"stop": [","]}))
    assert (reply.content.strip(), reply.finish_reason) == ("5", "stop")


def test_a_schema_is_kept_by_the_model(llama_url: str) -> None:
    schema = {
        "type": "object",
        "additionalProperties": False,
        "required": ["colour", "sure"],
        "properties": {"colour": {"enum": ["red", "blue"]}, "sure": {"type": "boolean"}},
    }
    asked = request(
        "The colour of the sky, as JSON:",
        schema=schema,
        params={"temperature": 0, "max_tokens": 60},
    )
    answer = json.loads(ask(llama_url, asked).content)
    assert answer["colour"] in ("red", "blue")
    assert isinstance(answer["sure"], bool)
    assert set(answer) == {"colour", "sure"}


def test_more_than_the_context_holds_is_a_context_length_error(llama_url: str) -> None:
    with pytest.raises(ProviderError, match="exceeds the available context size") as caught:
        ask(llama_url, request("word " * 6000))
    assert (caught.value.code, caught.value.retryable) == (FailureMode.CONTEXT_LENGTH, False)
    assert not caught.value.may_be_billed


@pytest.mark.parametrize(
    "changes",
    [
        {"params": GREEDY | {"temperature": "hot"}},
        {"schema": {"type": "nonsense"}},
    ],
)
def test_what_the_server_cannot_take_is_a_bad_request(
    llama_url: str, changes: dict[str, Any]
) -> None:
    with pytest.raises(ProviderError) as caught:
        ask(llama_url, request("Hello", **changes))
    assert (caught.value.code, caught.value.retryable) == (FailureMode.BAD_REQUEST, False)


def test_a_path_that_is_not_served_is_a_bad_request(llama_url: str) -> None:
    with pytest.raises(ProviderError, match="404") as caught:
        ask(llama_url + "/nowhere", request("Hello"))
    assert caught.value.code == FailureMode.BAD_REQUEST


def test_a_reply_that_takes_too_long_is_a_timeout_that_may_be_billed(llama_url: str) -> None:
    slow = request("Once upon a time", params={"max_tokens": 3000, "ignore_eos": True})
    with pytest.raises(ProviderError) as caught:
        ask(llama_url, slow, timeout_s=0.3)
    assert (caught.value.code, caught.value.may_be_billed) == (FailureMode.TIMEOUT, True)


def test_calls_at_once_are_all_answered(llama_url: str) -> None:
    replies = run(ask_all(llama_url, [request(f"Number {number} is") for number in range(6)]))
    assert len({reply.measurement_id for reply in replies}) == 6
    assert all(reply.content for reply in replies)


def test_the_server_answers_as_the_model_in_this_process_does(llama_url: str) -> None:
    asked = request(
        "A parcel is late. The queue is", params=GREEDY | {"cache_prompt": False, "max_tokens": 24}
    )

    async def in_process() -> Reply:
        provider = LocalProvider(name="embedded", clock=SystemClock())
        try:
            return await provider.complete(asked, timeout_s=60)
        finally:
            await provider.close()

    assert run(in_process()).content == ask(llama_url, asked).content


def test_a_port_that_is_taken_is_said_to_be(llama_url: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(UsageError, match=f"cannot listen on 127.0.0.1:{port}: Address"):
            serve_local("127.0.0.1", port)


def test_what_others_asked_is_not_shown(llama_url: str) -> None:
    """llama.cpp's /slots would hand out the prompts of everyone who asks."""
    parts = urlsplit(llama_url)
    with socket.create_connection((parts.hostname or "", parts.port or 0)) as wire:
        wire.sendall(b"GET /slots HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        answer = b"".join(iter(lambda: wire.recv(4096), b""))
    assert answer.split(b" ", 2)[1] != b"200"
