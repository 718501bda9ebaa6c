"""Every wire format, streamed: what comes in pieces says the same as what comes whole."""

import asyncio
import json
import random
import traceback
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import aclosing, asynccontextmanager
from dataclasses import replace
from typing import Any

import msgspec
import pytest

from evalkit.control.providers.event_streams import read_sse
from evalkit.control.providers.http_provider import HttpProvider
from evalkit.control.providers.protocols import protocol_of
from evalkit.control.providers.transport import build_transport
from evalkit.errors import ProviderError
from evalkit.ports import HttpReply, HttpStream
from evalkit.records.attempt import FailureMode
from evalkit.records.call import CallPiece, Piece, Reply, Request
from tests.servers.replay_server import Exchange, ReplayServer
from tests.unit.control.providers.fakes import FixedClock, run
from tests.unit.control.providers.formats import openai_chat
from tests.unit.control.providers.formats.wire_format import CALL, TEXT, WireFormat, sse
from tests.unit.control.providers.test_wire_formats import (
    FORMATS,
    SECRET,
    SHORT,
    each_format,
    named,
    server,
)

__all__ = ["server"]


def each_of(attribute: str) -> pytest.MarkDecorator:
    """Every format with every name of its `streams` or `broken_streams`."""
    return pytest.mark.parametrize(
        ("wire", "name"),
        [(wire, name) for wire in FORMATS for name in getattr(wire, attribute)],
        ids=lambda value: value if isinstance(value, str) else f"{value.kind}{value.base}",
    )


each_stream = each_of("streams")


class CutTransport:
    """Hands over an exchange in memory, whole or cut at `cuts`, and keeps what was sent."""

    def __init__(self, exchange: Exchange, cuts: tuple[int, ...] = ()) -> None:
        self.closed = False
        self.bodies: list[dict[str, Any]] = []
        self.headers: Mapping[str, str] = {}
        is_raw = isinstance(exchange.body, bytes)
        self._body = exchange.body if is_raw else json.dumps(exchange.body).encode()
        self._exchange = exchange
        self._names = {"content-type": "application/json", **exchange.headers}
        self._cuts = cuts

    async def post(
        self, url: str, *, headers: Mapping[str, str], body: bytes, timeout_s: float
    ) -> HttpReply:
        return HttpReply(status=self._exchange.status, headers=self._names, body=self._body)

    @asynccontextmanager
    async def stream(
        self, url: str, *, headers: Mapping[str, str], body: bytes, timeout_s: float
    ) -> AsyncGenerator[HttpStream, None]:
        self.bodies.append(json.loads(body))
        self.headers = headers
        status = self._exchange.status
        try:
            yield HttpStream(status=status, headers=self._names, chunks=self._chunks())
        finally:
            self.closed = True

    async def _chunks(self) -> AsyncIterator[bytes]:
        for start, end in zip((0, *self._cuts), (*self._cuts, len(self._body)), strict=True):
            yield self._body[start:end]


def provider(transport: Any, wire: WireFormat, base_url: str = "") -> HttpProvider:
    base_url = base_url or f"https://llm.example{wire.base}"
    return HttpProvider(
        protocol_of(wire.kind, base_url),
        kind=wire.kind,
        name="hosted",
        base_url=base_url,
        api_key_env="HOSTED_KEY",
        environ={"HOSTED_KEY": SECRET},
        transport=transport,
        clock=FixedClock(),
    )


async def read(hosted: HttpProvider, request: Request = SHORT, timeout_s: float = 5) -> list[Piece]:
    async with aclosing(hosted.stream(request, timeout_s=timeout_s)) as pieces:
        return [piece async for piece in pieces]


def in_memory(wire: WireFormat, exchange: Exchange, cuts: tuple[int, ...] = ()) -> list[Piece]:
    return run(read(provider(CutTransport(exchange, cuts), wire)))


def over_http(
    server: ReplayServer, wire: WireFormat, exchange: Exchange, *, timeout_s: float = 5
) -> list[Piece]:
    server.reply = exchange

    async def call() -> list[Piece]:
        transport = build_transport()
        try:
            hosted = provider(transport, wire, server.url + wire.base)
            return await read(hosted, timeout_s=timeout_s)
        finally:
            await transport.close()

    return run(call())


def whole(wire: WireFormat, exchange: Exchange) -> Reply:
    return run(provider(CutTransport(exchange), wire).complete(SHORT, timeout_s=5))


def same(reply: Reply | None) -> Reply:
    """Without what is of one exchange alone."""
    assert reply is not None
    return msgspec.structs.replace(reply, measurement_id=reply.measurement_id.rpartition("/")[0])


def failure(wire: WireFormat, exchange: Exchange) -> tuple[list[Piece], ProviderError]:
    """The pieces that came, and the error that ended them; the key is not in it."""
    came: list[Piece] = []

    async def call() -> None:
        hosted = provider(CutTransport(exchange), wire)
        async with aclosing(hosted.stream(SHORT, timeout_s=5)) as pieces:
            async for piece in pieces:
                came.append(piece)

    with pytest.raises(ProviderError) as caught:
        run(call())
    shown = "".join(traceback.format_exception(caught.value))
    assert SECRET not in shown and SECRET[:8] not in shown
    return came, caught.value


def random_cuts(size: int, seed: int) -> tuple[int, ...]:
    draw = random.Random(seed)
    return tuple(sorted(draw.sample(range(1, size), k=draw.randint(1, 12))))


def test_every_format_streams_texts_calls_and_errors() -> None:
    for wire in FORMATS:
        assert {"text", "tool_call", "cut", "no_usage"} <= set(wire.streams)
        assert wire.broken_streams


@each_stream
def test_a_stream_says_the_same_as_the_whole_body(wire: WireFormat, name: str) -> None:
    expected = same(whole(wire, getattr(wire, name)))
    exchange = wire.streams[name]
    cuttings = [random_cuts(len(exchange.body), seed) for seed in range(12)]
    for cuts in [(), tuple(range(1, len(exchange.body))), *cuttings]:
        assert same(in_memory(wire, exchange, cuts)[-1].reply) == expected, cuts


@each_stream
def test_it_does_so_over_http_however_the_bytes_are_cut(
    server: ReplayServer, wire: WireFormat, name: str
) -> None:
    exchange = wire.streams[name]
    cuts = random_cuts(len(exchange.body), len(name))
    pieces = over_http(server, wire, replace(exchange, cuts=cuts))
    assert same(pieces[-1].reply) == same(whole(wire, getattr(wire, name)))
    assert server.sent[-1].path == (wire.stream_path or wire.path)


@each_stream
def test_the_pieces_add_up_to_the_reply(wire: WireFormat, name: str) -> None:
    *pieces, last = in_memory(wire, wire.streams[name])
    assert last.reply is not None and last == Piece(reply=last.reply)
    assert all(piece.reply is None for piece in pieces)
    assert "".join(piece.text for piece in pieces) == last.reply.content
    calls: dict[int, CallPiece] = {}
    for call in (piece.call for piece in pieces if piece.call is not None):
        so_far = calls.get(call.index, CallPiece(index=call.index))
        calls[call.index] = CallPiece(
            index=call.index,
            id=so_far.id + call.id,
            name=so_far.name + call.name,
            arguments=so_far.arguments + call.arguments,
        )
    assert [(each.id, each.name, json.loads(each.arguments)) for each in calls.values()] == [
        (call.id, call.name, call.arguments) for call in last.reply.tool_calls
    ]


@each_format
def test_a_text_comes_word_by_word(wire: WireFormat) -> None:
    *pieces, _ = in_memory(wire, wire.streams["text"])
    assert [piece.text for piece in pieces] == ["It left", " on Mon", "day."]


@each_format
def test_a_stream_is_asked_for_in_the_formats_own_way(wire: WireFormat) -> None:
    transport = CutTransport(wire.streams["text"])
    run(read(provider(transport, wire)))
    assert transport.headers["accept"] == wire.streams["text"].headers["content-type"].split(";")[0]
    if not wire.stream_path:
        assert transport.bodies[0]["stream"] is True


@each_format
def test_a_stream_without_usage_is_estimated(wire: WireFormat) -> None:
    reply = in_memory(wire, wire.streams["no_usage"])[-1].reply
    assert reply is not None
    assert reply.usage.estimated and reply.usage.output_tokens == 5


@each_format
def test_a_server_that_does_not_stream_is_read_whole(wire: WireFormat) -> None:
    pieces = in_memory(wire, wire.tool_call)
    assert same(pieces[-1].reply) == same(whole(wire, wire.tool_call))
    [call] = [piece.call for piece in pieces if piece.call is not None]
    assert (call.id, call.name, json.loads(call.arguments)) == (CALL.id, CALL.name, CALL.arguments)


@each_of("broken_streams")
def test_an_error_after_words_may_be_billed(wire: WireFormat, name: str) -> None:
    came, error = failure(wire, wire.broken_streams[name])
    assert any(piece.text for piece in came)
    assert (error.code, error.retryable) == (FailureMode.SERVER_ERROR, True)
    assert error.may_be_billed
    assert "Words." in str(error)


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
def test_an_error_before_any_event_is_what_it_is_without_streaming(
    wire: WireFormat, name: str, mode: FailureMode
) -> None:
    came, error = failure(wire, named(wire, name, f"The key {SECRET} was used."))
    assert came == []
    assert (error.code, error.may_be_billed) == (mode, False)


@each_format
def test_a_filtered_prompt_is_a_reply_of_its_own(wire: WireFormat) -> None:
    if wire.prompt_filtered is not None:
        [piece] = in_memory(wire, wire.prompt_filtered)
        assert same(piece.reply) == same(whole(wire, wire.prompt_filtered))


@each_format
def test_a_stream_that_ends_before_the_reply_does_is_no_reply(wire: WireFormat) -> None:
    """There is no length at which half of a reply is taken for all of it."""
    exchange = wire.streams["text"]
    full = same(in_memory(wire, exchange)[-1].reply)
    for length in range(0, len(exchange.body), 7):
        try:
            pieces = in_memory(wire, replace(exchange, body=exchange.body[:length]))
        except ProviderError as error:
            assert error.code in (FailureMode.CONNECTION, FailureMode.MALFORMED_REPLY)
            assert error.retryable and error.may_be_billed
            continue
        # the end of the reply was told, and only the usage may be missing
        reply = same(pieces[-1].reply)
        assert reply.content == full.content
        assert reply.usage == full.usage or reply.usage.estimated


@each_format
def test_a_connection_that_is_lost_between_pieces_may_be_billed(
    server: ReplayServer, wire: WireFormat
) -> None:
    exchange = wire.streams["text"]
    half = exchange.body[: len(exchange.body) // 2]
    with pytest.raises(ProviderError) as caught:
        over_http(server, wire, replace(exchange, body=half, missing=500))
    assert (caught.value.code, caught.value.may_be_billed) == (FailureMode.CONNECTION, True)


def test_a_stream_that_stalls_is_a_timeout(server: ReplayServer) -> None:
    exchange = openai_chat.STREAMS["text"]
    stalling = replace(exchange, body=exchange.body[:300], missing=500, stalls=True)
    with pytest.raises(ProviderError) as caught:
        over_http(server, openai_chat.CHAT, stalling, timeout_s=0.2)
    assert (caught.value.code, caught.value.may_be_billed) == (FailureMode.TIMEOUT, True)


def test_a_slow_reader_is_no_slow_server(server: ReplayServer) -> None:
    server.reply = openai_chat.STREAMS["text"]

    async def call() -> Piece:
        transport = build_transport()
        hosted = provider(transport, openai_chat.CHAT, server.url + "/v1")
        try:
            async for piece in hosted.stream(SHORT, timeout_s=0.25):
                if piece.text:
                    await asyncio.sleep(0.1)  # three times: longer than the server may take
            return piece
        finally:
            await transport.close()

    assert run(call()).reply is not None


@each_format
def test_a_reader_that_stops_early_ends_the_exchange(wire: WireFormat) -> None:
    transport = CutTransport(wire.streams["text"])

    async def call() -> None:
        async with aclosing(provider(transport, wire).stream(SHORT, timeout_s=5)) as pieces:
            async for _ in pieces:
                break

    run(call())
    assert transport.closed


@each_format
def test_what_is_no_stream_of_the_format_is_malformed(wire: WireFormat) -> None:
    texts = (b"nothing", b"[]", b"{", b"7", b"null", b"\xff\xfe")
    events = [b"data: " + text + b"\n\n" for text in texts]
    for body in (b"", b"<html></html>", b"\x00" * 40, *texts, *events):
        _, error = failure(wire, replace(wire.streams["text"], body=body))
        assert error.code in (FailureMode.MALFORMED_REPLY, FailureMode.CONNECTION), body
        assert error.retryable and error.may_be_billed


def test_a_reply_is_whole_without_the_last_line_of_all() -> None:
    """Some compatible servers do not send [DONE]."""
    exchange = openai_chat.STREAMS["text"]
    without = exchange.body.removesuffix(b"data: [DONE]\n\n")
    reply = in_memory(openai_chat.CHAT, replace(exchange, body=without))[-1].reply
    assert same(reply) == same(in_memory(openai_chat.CHAT, exchange)[-1].reply)


def called(*calls: dict[str, Any]) -> list[tuple[str, Any]]:
    deltas = [{"tool_calls": [call]} for call in calls]
    pieces = in_memory(openai_chat.CHAT, openai_chat.streamed(*deltas, end="tool_calls"))
    return [(call.name, call.arguments) for call in same(pieces[-1].reply).tool_calls]


def test_calls_are_told_apart_where_a_server_numbers_none_or_all_alike() -> None:
    def call(name: str, arguments: str, **more: Any) -> dict[str, Any]:
        return {"function": {"name": name, "arguments": arguments}, **more}

    rest = {"function": {"arguments": "1}"}}
    both = (call("f", '{"a":', id="x"), rest, call("g", '{"b":', id="y"), rest)
    expected = [("f", {"a": 1}), ("g", {"b": 1})]
    assert called(*both) == expected
    assert called(*({"index": 0, **each} for each in both)) == expected
    assert called(call("f", '{"a":1}'), call("g", '{"b":1}')) == expected


def test_arguments_that_were_cut_are_kept_as_they_came() -> None:
    exchange = openai_chat.streamed(*openai_chat.CALLED[:2], end="length")
    [call] = same(in_memory(openai_chat.CHAT, exchange)[-1].reply).tool_calls
    assert (call.arguments, call.raw) == (None, '{"order":"A-')


def test_a_letter_of_many_bytes_may_be_cut_anywhere() -> None:
    text = "Straße 5 €, 😀"
    body = f"data: {json.dumps(text, ensure_ascii=False)}\r\n\r\n".encode()

    async def texts(cut: int) -> list[str]:
        async def chunks() -> AsyncIterator[bytes]:
            yield body[:cut]
            yield body[cut:]

        return [str(event.data) async for event in read_sse(chunks())]

    for cut in range(len(body) + 1):
        assert [json.loads(each) for each in run(texts(cut))] == [text]


@pytest.mark.parametrize("cut", range(1, len(SECRET)))
def test_a_key_that_is_repeated_in_pieces_is_cut_out_of_them(cut: int) -> None:
    said = [f"You sent {SECRET[:cut]}", SECRET[cut:], f", and {SECRET}. Not {SECRET[:cut]}"]
    for deltas in (
        [{"content": text} for text in said],
        [{"refusal": text} for text in said],
        [{"tool_calls": [{"index": 0, "function": {"arguments": text}}]} for text in said],
    ):
        *pieces, last = in_memory(openai_chat.CHAT, openai_chat.streamed(*deltas))
        calls = [piece.call.arguments for piece in pieces if piece.call is not None]
        text = "".join([piece.text + piece.refusal for piece in pieces] + calls)
        assert text == f"You sent [key], and [key]. Not {SECRET[:cut]}"
        reply = same(last.reply)
        assert text in (reply.content, reply.refusal, *(call.raw for call in reply.tool_calls))


def test_what_only_begins_as_a_key_is_handed_on() -> None:
    name = openai_chat.CALLED[0]
    deltas = [{"content": SECRET[:5]}, {"content": "!"}, {"content": SECRET[:5]}, name]
    pieces = in_memory(openai_chat.CHAT, openai_chat.streamed(*deltas))
    assert [piece.text for piece in pieces[:3]] == [f"{SECRET[:5]}!", SECRET[:5], ""]
    assert pieces[2].call is not None and pieces[2].call.name == CALL.name


def test_a_model_that_is_not_named_is_the_one_that_was_asked() -> None:
    bare = {"choices": [{"index": 0, "delta": {"content": TEXT}, "finish_reason": "stop"}]}
    reply = same(in_memory(openai_chat.CHAT, sse(bare))[-1].reply)
    assert (reply.content, reply.model) == (TEXT, SHORT.model)


def test_a_parameter_without_a_place_is_told_before_anything_is_sent() -> None:
    wire = next(wire for wire in FORMATS if wire.kind == "anthropic")
    transport = CutTransport(wire.streams["text"])
    request = msgspec.structs.replace(SHORT, params={"seed": 1})
    with pytest.raises(ProviderError, match="`seed`"):
        run(read(provider(transport, wire), request))
    assert transport.bodies == []
