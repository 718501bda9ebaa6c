"""Fuzz targets of what arrives over the network: replies of every wire format, whole and cut."""

import asyncio
import random
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import msgspec

from evalkit.config.indexes import HttpIndex
from evalkit.control.providers.http_provider import HttpProvider
from evalkit.control.providers.protocols import protocol_of
from evalkit.control.rego.decision import Undecided, read_decision
from evalkit.control.retrieval.http import HttpRetriever
from evalkit.errors import EvalkitError
from evalkit.execute.programs.answer import TargetFailed, pick_answer, read_answer
from evalkit.ports import HttpReply, HttpStream
from evalkit.records.call import Message, Request
from evalkit.records.json_text import decode_json
from tests.faults.fuzzing.target import Finding, Target
from tests.servers.replay_server import Exchange
from tests.unit.control.providers.fakes import SECRET, FixedClock
from tests.unit.control.providers.formats import (
    anthropic_messages,
    bedrock_converse,
    gemini_generate,
    openai_chat,
    openai_responses,
)
from tests.unit.control.providers.formats.wire_format import WireFormat

FORMATS: Mapping[str, WireFormat] = {
    "openai": openai_chat.CHAT,
    "openai_responses": openai_responses.FORMAT,
    "azure": openai_chat.AZURE_V1,
    "anthropic": anthropic_messages.FORMAT,
    "gemini": gemini_generate.GEMINI,
    "bedrock": bedrock_converse.FORMAT,
}
_ASKED = Request(model="m", messages=(Message(role="user", content="And?"),), key="k")
_STATUSES = (200, 400, 429, 500)
_FIELDS = {"output": "a.b.0", "tool_calls": "tool_calls", "usage": "usage"}


class Wire:
    """Implements ports.StreamingTransport: one body, in pieces of the given lengths."""

    def __init__(self, status: int, headers: Mapping[str, str], pieces: Sequence[bytes]) -> None:
        """`pieces` are the body."""
        self._status = status
        self._headers = dict(headers)
        self._pieces = pieces

    async def post(
        self, url: str, *, headers: Mapping[str, str], body: bytes, timeout_s: float
    ) -> HttpReply:
        """The body in one."""
        return HttpReply(status=self._status, headers=self._headers, body=b"".join(self._pieces))

    @asynccontextmanager
    async def stream(
        self, url: str, *, headers: Mapping[str, str], body: bytes, timeout_s: float
    ) -> AsyncGenerator[HttpStream, None]:
        """The body piece by piece."""
        yield HttpStream(status=self._status, headers=self._headers, chunks=self._arriving())

    async def _arriving(self) -> AsyncIterator[bytes]:
        for piece in self._pieces:
            yield piece

    async def close(self) -> None:
        """Nothing is open."""


def _provider(wire: WireFormat, transport: Wire) -> HttpProvider:
    url = f"https://llm.example{wire.base}"
    return HttpProvider(
        protocol_of(wire.kind, url),
        kind=wire.kind,
        name="hosted",
        base_url=url,
        api_key_env="HOSTED_KEY",
        environ={"HOSTED_KEY": SECRET},
        transport=transport,
        clock=FixedClock(),
    )


def _read_whole(wire: WireFormat, raw: bytes) -> None:
    """Under each status: an error's body is read by other code than an answer's."""
    kept: EvalkitError | None = None
    for status in _STATUSES:
        transport = Wire(status, {"content-type": "application/json"}, [raw])
        try:
            reply = asyncio.run(_provider(wire, transport).complete(_ASKED, timeout_s=1))
        except EvalkitError as error:
            kept = kept or error
        else:
            msgspec.json.encode(reply)
    if kept is not None:
        raise kept


def _read_stream(wire: WireFormat, content_type: str, raw: bytes) -> None:
    """Where the bytes are cut makes no difference to what is said."""
    said = [_streamed(wire, content_type, pieces) for pieces in ([raw], _cut(raw))]
    if said[0] != said[1]:
        raise Finding(f"cut: {said[1]!r}; whole: {said[0]!r}")


def _streamed(wire: WireFormat, content_type: str, pieces: Sequence[bytes]) -> object:
    async def read() -> object:
        transport = Wire(200, {"content-type": content_type}, pieces)
        try:
            arrived = [
                each async for each in _provider(wire, transport).stream(_ASKED, timeout_s=1)
            ]
        except EvalkitError as error:
            return type(error), getattr(error, "code", "")  # the words may name a byte of a piece
        msgspec.json.encode(arrived)
        texts = "".join(each.text for each in arrived)
        whole = arrived[-1].reply
        assert whole is not None
        return texts, msgspec.structs.replace(whole, measurement_id="")  # one of its own each time

    return asyncio.run(read())


def _cut(raw: bytes) -> list[bytes]:
    """The bytes in pieces whose lengths follow from them."""
    chance = random.Random(raw)
    pieces, at = [], 0
    while at < len(raw):
        size = chance.choice((1, 1, 2, 3, 7, 30, 200))
        pieces.append(raw[at : at + size])
        at += size
    return pieces


def _found(raw: bytes) -> None:
    retriever = HttpRetriever(
        "kb",
        HttpIndex(url="https://kb.example/find"),
        transport=Wire(200, {}, [raw]),
        clock=FixedClock(),
        environ={},
        retries=0,
        jitter=random.Random(0),
    )
    msgspec.json.encode(asyncio.run(retriever.find("a", k=3, identity="u")))


def _decided(raw: bytes) -> None:
    try:
        value = msgspec.json.decode(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return
    try:
        read_decision(value, package="evalkit.policy", shadow=False)
    except Undecided:
        return


def _answered(raw: bytes) -> None:
    try:
        value = decode_json(raw.decode())
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return
    for read in (read_answer, partial(pick_answer, paths=_FIELDS)):
        try:
            read(value)
        except TargetFailed:
            continue


def _bodies(*exchanges: Exchange | None) -> Callable[[], Sequence[bytes]]:
    return lambda: [
        each.body if isinstance(each.body, bytes) else msgspec.json.encode(each.body)
        for each in exchanges
        if each is not None
    ]


def _whole(name: str, wire: WireFormat) -> Target:
    seeds = _bodies(
        wire.text,
        wire.tool_call,
        wire.cut,
        wire.filtered,
        wire.refusal,
        wire.prompt_filtered,
        wire.error(400, *next(iter(wire.names.values()))[1:], "Too many."),
        *(exchange for exchange, _ in wire.guarded),
    )
    return Target(f"reply_{name}", seeds, partial(_read_whole, wire))


def _stream(name: str, wire: WireFormat) -> Target:
    exchanges = (*wire.streams.values(), *wire.broken_streams.values())
    kind: Any = next(iter(exchanges)).headers.get("content-type", "")
    return Target(f"stream_{name}", _bodies(*exchanges), partial(_read_stream, wire, kind))


TARGETS = (
    *(_whole(name, wire) for name, wire in FORMATS.items()),
    *(_stream(name, wire) for name, wire in FORMATS.items()),
    Target("retrieved", lambda: [b'{"documents": [{"id": "a", "text": "b", "score": 1}]}'], _found),
    Target(
        "decision", lambda: [b'{"deny": ["x", {"id": "a", "msg": "b"}], "allow": true}'], _decided
    ),
    Target(
        "program_answer",
        lambda: [b'{"output": "x", "tool_calls": [{"name": "a", "arguments": {}}], "usage": {}}'],
        _answered,
    ),
)
