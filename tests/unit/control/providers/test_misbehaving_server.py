"""The provider over real HTTP against a server that does everything wrong, act by act."""

import pytest

from evalkit.control.providers.openai import OpenAIProvider
from evalkit.control.providers.transport import build_transport
from evalkit.errors import ProviderError
from evalkit.records.attempt import FailureMode
from evalkit.records.call import Message, Reply
from tests.servers.openai_server import ACTS, OpenAIServer
from tests.unit.control.providers.fakes import SECRET, FixedClock, request, run


def ask(
    server: OpenAIServer, text: str = "Is it on?", key: str = SECRET, timeout_s: float = 5.0
) -> Reply:
    async def work() -> Reply:
        transport = build_transport()
        provider = OpenAIProvider(
            name="hosted",
            base_url=server.url,
            api_key_env="LLM_KEY",
            environ={"LLM_KEY": key},
            transport=transport,
            clock=FixedClock(),
        )
        try:
            messages = (Message(role="user", content=text),)
            return await provider.complete(request(messages=messages), timeout_s=timeout_s)
        finally:
            await transport.close()

    return run(work())


FAILURES = {
    "empty": FailureMode.EMPTY_REPLY,
    "no_choices": FailureMode.MALFORMED_REPLY,
    "not_json": FailureMode.MALFORMED_REPLY,
    "wrong_shape": FailureMode.MALFORMED_REPLY,
    "error_in_200": FailureMode.SERVER_ERROR,
    "rate_limit": FailureMode.RATE_LIMITED,
    "rate_limit_ms": FailureMode.RATE_LIMITED,
    "rate_limit_until": FailureMode.RATE_LIMITED,
    "rate_limit_bare": FailureMode.RATE_LIMITED,
    "insufficient_quota": FailureMode.QUOTA,
    "context_length": FailureMode.CONTEXT_LENGTH,
    "status:418": FailureMode.BAD_REQUEST,
    "status:500": FailureMode.SERVER_ERROR,
    "status:503": FailureMode.SERVER_ERROR,
    "html": FailureMode.SERVER_ERROR,
    "web_page": FailureMode.MALFORMED_REPLY,
    "redirect": FailureMode.BAD_REQUEST,
    "no_retry": FailureMode.SERVER_ERROR,
    "stall": FailureMode.TIMEOUT,
    "reset": FailureMode.CONNECTION,
    "truncated": FailureMode.CONNECTION,
    "not_http": FailureMode.CONNECTION,
    "broken_gzip": FailureMode.MALFORMED_REPLY,
    "huge": FailureMode.MALFORMED_REPLY,
}
ANSWERS = {"ok", "slow:0.01", "drip:0.01", "mislabelled", "tool_call:look_up {}", "no_usage"}
REFUSALS = {"refusal", "content_filter", "prompt_filter"}


def test_every_act_of_the_server_is_expected_somewhere() -> None:
    expected = {act.partition(":")[0] for act in [*FAILURES, *ANSWERS, *REFUSALS]}
    assert expected == set(ACTS)


@pytest.mark.parametrize("act", FAILURES)
def test_a_misbehaviour_becomes_its_failure_mode(openai_server: OpenAIServer, act: str) -> None:
    openai_server.script(act)
    with pytest.raises(ProviderError) as caught:
        ask(openai_server, timeout_s=0.3 if act == "stall" else 5)
    assert caught.value.code == FAILURES[act]
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize("act", sorted(ANSWERS))
def test_an_answer_is_an_answer(openai_server: OpenAIServer, act: str) -> None:
    openai_server.script(act)
    reply = ask(openai_server)
    assert reply.refusal is None
    assert reply.content == "ok" or reply.tool_calls[0].name == "look_up"


@pytest.mark.parametrize("act", sorted(REFUSALS))
def test_a_refusal_is_no_error(openai_server: OpenAIServer, act: str) -> None:
    openai_server.script(act)
    assert ask(openai_server).refusal


def test_the_waits_that_the_server_asks_for_are_read(openai_server: OpenAIServer) -> None:
    waits = []
    for act in ("rate_limit:7", "rate_limit_ms:250", "rate_limit_bare"):
        openai_server.script(act)
        with pytest.raises(ProviderError) as caught:
            ask(openai_server)
        waits.append(caught.value.retry_after_s)
    assert waits == [7.0, 0.25, None]


def test_a_refused_key_is_not_quoted(openai_server: OpenAIServer) -> None:
    openai_server.api_key = "another"
    with pytest.raises(ProviderError, match="does not accept the key") as caught:
        ask(openai_server)
    assert caught.value.code == FailureMode.AUTHENTICATION
    assert SECRET not in str(caught.value) and "0123" not in str(caught.value)


def test_the_usage_read_is_the_usage_in_the_servers_books(openai_server: OpenAIServer) -> None:
    usage = ask(openai_server, "x" * 400).usage
    books = openai_server.books
    assert (usage.input_tokens, usage.output_tokens) == (books.input_tokens, books.output_tokens)
    assert books.usd == pytest.approx((100 * 1.0 + 1 * 4.0) / 1e6)


def test_a_mark_in_the_prompt_commands_each_repeat_of_a_request(
    openai_server: OpenAIServer,
) -> None:
    text = "[[server: status:500, ok]] [[reply: done]]"
    with pytest.raises(ProviderError):
        ask(openai_server, text)
    assert [ask(openai_server, text).content for _ in range(2)] == ["done", "done"]
    assert openai_server.books.acts == {"status": 1, "ok": 2}
    assert openai_server.books.requests == 2  # the refused one is not billed


def test_a_reply_is_cut_at_the_cap(openai_server: OpenAIServer) -> None:
    openai_server.answer = lambda request: "word " * 100
    reply = ask(openai_server)
    assert (reply.finish_reason, reply.usage.output_tokens) == ("length", 16)
