"""Every wire format, over HTTP, against a server that replays exchanges written down for it.

What is expected stands here once; how a vendor says it stands in `formats/`.
"""

import json
import traceback
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import msgspec
import pytest

from evalkit.config.routes import HTTP_KINDS
from evalkit.control.providers.http_provider import HttpProvider
from evalkit.control.providers.protocols import protocol_of
from evalkit.control.providers.transport import build_transport
from evalkit.errors import ConfigError, ProviderError
from evalkit.records.asset import Tool
from evalkit.records.attempt import FailureMode
from evalkit.records.call import Message, Reply, Request, Usage
from tests.servers.replay_server import Exchange, ReplayServer, Sent
from tests.unit.control.providers.fakes import FixedClock, run
from tests.unit.control.providers.formats import (
    anthropic_messages,
    bedrock_converse,
    gemini_generate,
    openai_chat,
    openai_responses,
)
from tests.unit.control.providers.formats.wire_format import (
    CALL,
    FOUND,
    JSON_TEXT,
    OTHER_CALL,
    PARAMETERS,
    SCHEMA,
    TEXT,
    TIME,
    WireFormat,
)

FORMATS = (
    openai_chat.CHAT,
    openai_responses.FORMAT,
    openai_chat.AZURE_V1,
    openai_chat.AZURE_DEPLOYMENT,
    anthropic_messages.FORMAT,
    gemini_generate.GEMINI,
    gemini_generate.VERTEX,
    bedrock_converse.FORMAT,
)
SECRET = "key-0123456789-abcdefXYZ"
SHORT = Request(model="asked-model", messages=(Message(role="user", content="And?"),), key="k")
FULL = Request(
    model="asked-model",
    messages=(
        Message(role="system", content="Answer briefly.", part="system"),
        Message(role="user", content="Where is A-16?", part="examples"),
        Message(role="assistant", content="At the depot.", part="examples"),
        Message(role="user", content="And A-17?"),
    ),
    key="k",
    params={"max_tokens": 64, "temperature": 0.5, "stop": "END"},
    tools=(Tool(name="find_order", description="Finds an order.", parameters=PARAMETERS),),
    schema=SCHEMA,
)

CALLING = Message(role="assistant", content="I look.", tool_calls=(CALL, OTHER_CALL))
TURNS = Request(
    model="asked-model",
    messages=(
        Message(role="user", content="Where is A-17?"),
        CALLING,
        Message(role="tool", content=FOUND, tool_call_id="call_7", name="find_order"),
        Message(role="tool", content=TIME, tool_call_id="call_8", name="now"),
        Message(role="user", content="And?"),
    ),
    key="k",
    tools=FULL.tools,
)


def full(wire: WireFormat) -> Request:
    """The full request, without what the format has no place for."""
    params = {name: value for name, value in FULL.params.items() if name not in wire.unsent}
    return msgspec.structs.replace(FULL, params=params)


def formats_with(*exchanges: str) -> pytest.MarkDecorator:
    """The formats that have these exchanges; some vendors know refusals only, or filters only."""
    having = [wire for wire in FORMATS if all(getattr(wire, name) for name in exchanges)]
    return pytest.mark.parametrize("wire", having, ids=lambda wire: f"{wire.kind}{wire.base}")


each_format = formats_with()


@pytest.fixture(scope="module")
def server() -> Iterator[ReplayServer]:
    replaying = ReplayServer().start()
    yield replaying
    replaying.stop()


def ask(server: ReplayServer, wire: WireFormat, reply: Exchange, request: Request = SHORT) -> Reply:
    """One call with SECRET as its key, over HTTP."""
    server.reply = reply
    base_url = server.url + wire.base

    async def call() -> Reply:
        transport = build_transport()
        try:
            provider = HttpProvider(
                protocol_of(wire.kind, base_url),
                kind=wire.kind,
                name="hosted",
                base_url=base_url,
                api_key_env="HOSTED_KEY",
                environ={"HOSTED_KEY": SECRET},
                transport=transport,
                clock=FixedClock(),
            )
            return await provider.complete(request, timeout_s=5)
        finally:
            await transport.close()

    return run(call())


def provider_of(wire: WireFormat) -> HttpProvider:
    """One that is not asked."""
    base_url = f"https://llm.example{wire.base}"
    return HttpProvider(
        protocol_of(wire.kind, base_url),
        kind=wire.kind,
        name="hosted",
        base_url=base_url,
        api_key_env=None,
        environ={},
        transport=build_transport(),
        clock=FixedClock(),
    )


def failure(
    server: ReplayServer, wire: WireFormat, reply: Exchange, request: Request = SHORT
) -> ProviderError:
    """The error of a call; whatever was said, it does not hold the key."""
    with pytest.raises(ProviderError) as caught:
        ask(server, wire, reply, request)
    shown = "".join(traceback.format_exception(caught.value))
    assert SECRET not in shown and SECRET[:8] not in shown
    return caught.value


def named(wire: WireFormat, name: str, words: str = "Words.") -> Exchange:
    status, code = wire.names[name]
    return wire.error(status, code, words)


def sent(server: ReplayServer) -> Sent:
    return server.sent[-1]


def test_every_kind_over_http_is_in_the_suite() -> None:
    assert {wire.kind for wire in FORMATS} == set(HTTP_KINDS)


@each_format
def test_a_request_is_sent_whole_and_nothing_else(server: ReplayServer, wire: WireFormat) -> None:
    ask(server, wire, wire.text, full(wire))
    assert sent(server).path == wire.path
    assert sent(server).body == wire.payload


@each_format
def test_calls_and_their_results_are_turns_of_the_conversation(
    server: ReplayServer, wire: WireFormat
) -> None:
    ask(server, wire, wire.text, TURNS)
    name, turns = wire.turns
    assert sent(server).body[name] == turns


@each_format
def test_results_find_their_calls_without_an_id(server: ReplayServer, wire: WireFormat) -> None:
    """Gemini may leave ids out, and an answer of another vendor may be followed by a fallback."""
    bare = tuple(msgspec.structs.replace(call, id="") for call in CALLING.tool_calls)
    question, _, found, time, _ = TURNS.messages
    results = [msgspec.structs.replace(each, tool_call_id="") for each in (found, time)]
    calling = msgspec.structs.replace(CALLING, tool_calls=bare)
    messages = (question, calling, results[1], results[0])
    ask(server, wire, wire.text, msgspec.structs.replace(TURNS, messages=messages))
    name, expected = wire.turns
    text = json.dumps(expected).replace("call_7", "call_1").replace("call_8", "call_2")
    calls = next(each for each in json.loads(text) if "call_" in json.dumps(each))
    assert calls in sent(server).body[name]
    assert json.dumps(sent(server).body).count("call_1") == 2


@each_format
def test_a_turn_that_only_calls_has_no_empty_text(server: ReplayServer, wire: WireFormat) -> None:
    question, _, found, _, _ = TURNS.messages
    calling = Message(role="assistant", content="", tool_calls=(CALL,))
    nothing = msgspec.structs.replace(found, content="")
    messages = (question, calling, nothing)
    ask(server, wire, wire.text, msgspec.structs.replace(TURNS, messages=messages))
    body = json.dumps(sent(server).body)
    assert '"text": ""' not in body


@each_format
def test_the_key_travels_in_the_vendors_header_alone(
    server: ReplayServer, wire: WireFormat
) -> None:
    ask(server, wire, wire.text, full(wire))
    name, value = wire.key_header
    assert {header for header, text in sent(server).headers.items() if SECRET in text} == {name}
    assert sent(server).headers[name] == value.format(key=SECRET)
    assert sent(server).headers.items() >= wire.headers.items()
    assert SECRET not in sent(server).path + json.dumps(sent(server).body)


@each_format
def test_a_text_is_read_with_model_end_and_id(server: ReplayServer, wire: WireFormat) -> None:
    reply = ask(server, wire, wire.text)
    assert (reply.content, reply.model, reply.finish_reason) == (TEXT, wire.model, "stop")
    assert (reply.tool_calls, reply.refusal, reply.origin) == ((), None, "live")
    assert reply.measurement_id.startswith(f"{wire.request_id}/")


@each_format
def test_cached_tokens_are_in_the_input_and_reasoning_in_the_output(
    server: ReplayServer, wire: WireFormat
) -> None:
    assert ask(server, wire, wire.text).usage == wire.usage


@each_format
def test_what_the_vendors_guardrails_found_is_read(server: ReplayServer, wire: WireFormat) -> None:
    assert ask(server, wire, wire.text).guardrails == ()
    for exchange, found in wire.guarded:
        reply = ask(server, wire, exchange)
        assert reply.guardrails == found
        assert "eve@example.com" not in str(reply.guardrails)
        # masked texts are let through, and so is what is only flagged
        is_blocked = any(each.action == "blocked" for each in found)
        assert (reply.refusal is not None) == is_blocked


@each_format
def test_the_vendors_id_of_the_exchange_is_kept(server: ReplayServer, wire: WireFormat) -> None:
    assert ask(server, wire, wire.text).request_id == wire.reply_id


@each_format
def test_no_token_is_counted_twice(server: ReplayServer, wire: WireFormat) -> None:
    used = ask(server, wire, wire.text).usage
    assert used.cached_tokens + used.cache_write_tokens <= used.input_tokens
    assert used.reasoning_tokens <= used.output_tokens
    assert used.total == 150


@each_format
def test_a_json_reply_is_its_text(server: ReplayServer, wire: WireFormat) -> None:
    assert ask(server, wire, wire.json_text, full(wire)).content == JSON_TEXT


@each_format
def test_a_tool_call_is_read_with_its_arguments(server: ReplayServer, wire: WireFormat) -> None:
    reply = ask(server, wire, wire.tool_call, full(wire))
    assert (reply.tool_calls, reply.finish_reason) == ((CALL,), "tool_calls")


@formats_with("refusal")
def test_a_refusal_is_an_answer_and_not_filtered(server: ReplayServer, wire: WireFormat) -> None:
    assert wire.refusal is not None
    reply = ask(server, wire, wire.refusal)
    assert (reply.refusal, reply.finish_reason) == ("Not this.", "stop")


@formats_with("filtered")
def test_a_filtered_reply_is_refused_by_the_provider(
    server: ReplayServer, wire: WireFormat
) -> None:
    assert wire.filtered is not None
    reply = ask(server, wire, wire.filtered)
    assert reply.finish_reason == "content_filter"
    assert reply.refusal
    assert reply.usage == wire.usage


@formats_with("prompt_filtered")
def test_a_filtered_prompt_is_refused_by_the_provider(
    server: ReplayServer, wire: WireFormat
) -> None:
    assert wire.prompt_filtered is not None
    reply = ask(server, wire, wire.prompt_filtered)
    assert (reply.content, reply.finish_reason) == ("", "content_filter")
    assert reply.refusal
    assert reply.usage.output_tokens == 0


@each_format
def test_a_reply_cut_at_the_cap_says_so(server: ReplayServer, wire: WireFormat) -> None:
    reply = ask(server, wire, wire.cut)
    assert (reply.content, reply.finish_reason, reply.refusal) == (TEXT, "length", None)


@each_format
def test_what_nobody_counted_is_estimated(server: ReplayServer, wire: WireFormat) -> None:
    usage = ask(server, wire, wire.no_usage).usage
    assert usage == Usage(input_tokens=1, output_tokens=5, estimated=True)


@each_format
def test_an_empty_reply_is_an_error_that_may_be_billed(
    server: ReplayServer, wire: WireFormat
) -> None:
    error = failure(server, wire, wire.empty)
    assert (error.code, error.retryable, error.may_be_billed) == (
        FailureMode.EMPTY_REPLY,
        True,
        True,
    )


@each_format
def test_a_rate_limit_waits_as_long_as_it_is_asked_to(
    server: ReplayServer, wire: WireFormat
) -> None:
    reply = named(wire, "rate_limit")
    asked = Exchange(reply.body, reply.status, {**reply.headers, "retry-after": "7"})
    error = failure(server, wire, asked)
    assert (error.code, error.retryable, error.retry_after_s) == (
        FailureMode.RATE_LIMITED,
        True,
        7.0,
    )
    assert not error.may_be_billed


@each_format
@pytest.mark.parametrize(
    ("name", "mode", "retryable"),
    [
        ("server", FailureMode.SERVER_ERROR, True),
        ("bad_request", FailureMode.BAD_REQUEST, False),
        ("key", FailureMode.AUTHENTICATION, False),
    ],
)
def test_the_vendors_errors_have_their_meaning(
    server: ReplayServer, wire: WireFormat, name: str, mode: FailureMode, retryable: bool
) -> None:
    error = failure(server, wire, named(wire, name, f"The key {SECRET} was used."))
    assert (error.code, error.retryable) == (mode, retryable)


@each_format
@pytest.mark.parametrize(
    ("name", "mode"),
    [
        ("rate_limit", FailureMode.RATE_LIMITED),
        ("server", FailureMode.SERVER_ERROR),
        ("bad_request", FailureMode.BAD_REQUEST),
        ("key", FailureMode.AUTHENTICATION),
    ],
)
def test_an_error_in_a_success_is_the_same_error(
    server: ReplayServer, wire: WireFormat, name: str, mode: FailureMode
) -> None:
    _, code = wire.names[name]
    status, body = 200, wire.error(wire.names[name][0], code, f"Not with {SECRET}.")
    error = failure(server, wire, Exchange(body.body, status, body.headers))
    assert error.code == mode


@each_format
def test_a_prompt_that_is_too_long_is_told_as_one(server: ReplayServer, wire: WireFormat) -> None:
    for status, name, words in wire.too_long:
        error = failure(server, wire, wire.error(status, name, words))
        assert (error.code, error.retryable) == (FailureMode.CONTEXT_LENGTH, False), words
    # a rate limit that speaks of too many tokens is none
    status, name = wire.names["rate_limit"]
    busy = wire.error(status, name, "Too many input tokens a minute, please wait.")
    assert failure(server, wire, busy).code == FailureMode.RATE_LIMITED


@each_format
def test_a_server_that_repeats_the_key_in_its_reply_is_not_believed(
    server: ReplayServer, wire: WireFormat
) -> None:
    text = json.dumps(wire.text.body).replace(TEXT, f"You sent {SECRET}.")
    reply = ask(server, wire, replace(wire.text, body=json.loads(text)))
    assert reply.content == "You sent [key]."
    assert SECRET not in repr(reply)


@each_format
@pytest.mark.parametrize("status", [500, 502, 503])
def test_a_proxys_page_is_a_server_error(
    server: ReplayServer, wire: WireFormat, status: int
) -> None:
    page = b"<html><title>Bad gateway</title></html>"
    error = failure(server, wire, Exchange(page, status, {"content-type": "text/html"}))
    assert (error.code, error.retryable) == (FailureMode.SERVER_ERROR, True)
    assert "Bad gateway" in str(error)


@each_format
def test_a_body_that_is_no_reply_is_malformed(server: ReplayServer, wire: WireFormat) -> None:
    whole: list[Any] = [b"", b"nothing", b'{"a": ', b"[]", b"null", b"\xff\xfe", {}]
    for body in [*whole, *wire.malformed]:
        error = failure(server, wire, Exchange(body))
        assert (error.code, error.retryable, error.may_be_billed) == (
            FailureMode.MALFORMED_REPLY,
            True,
            True,
        ), body


@each_format
def test_a_body_that_breaks_off_is_a_lost_connection(
    server: ReplayServer, wire: WireFormat
) -> None:
    error = failure(server, wire, Exchange(wire.text.body, missing=40))
    assert (error.code, error.may_be_billed) == (FailureMode.CONNECTION, True)


@formats_with("refused_parameters")
def test_what_the_session_decides_cannot_be_a_parameter(
    server: ReplayServer, wire: WireFormat
) -> None:
    asked = len(server.sent)
    for name in wire.refused_parameters:
        request = Request(model="m", messages=SHORT.messages, key="k", params={name: 1})
        with pytest.raises(ConfigError, match=f"provider hosted: .*`{name}`"):
            provider_of(wire).missing(request)
        error = failure(server, wire, wire.text, request)
        assert (error.code, error.retryable) == (FailureMode.BAD_REQUEST, False)
        assert f"`{name}`" in str(error)
    assert len(server.sent) == asked


@each_format
def test_a_prompt_of_system_texts_alone_is_asked_by_the_user(
    server: ReplayServer, wire: WireFormat
) -> None:
    only = Request(model="m", messages=(Message(role="system", content="Say yes."),), key="k")
    ask(server, wire, wire.text, only)
    assert "Say yes." in json.dumps(sent(server).body)


@each_format
def test_an_address_with_a_password_is_refused_without_being_shown(wire: WireFormat) -> None:
    base_url = "https://me:hunter2@llm.example/v1"
    with pytest.raises(ConfigError, match=r"providers\.hosted\.base_url") as caught:
        HttpProvider(
            protocol_of(wire.kind, base_url),
            kind=wire.kind,
            name="hosted",
            base_url=base_url,
            api_key_env=None,
            environ={},
            transport=build_transport(),
            clock=FixedClock(),
        )
    assert "hunter2" not in str(caught.value)
