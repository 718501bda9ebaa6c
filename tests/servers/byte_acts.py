"""What a server can do wrong, one function an act, over the bytes of `byte_server`."""

import asyncio
import codecs
import gzip
import json
import zlib
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

from tests.servers.byte_server import (
    NEVER_S,
    TEXT,
    Act,
    Asked,
    chunks,
    completion,
    good,
    http,
    sse,
)

STREAM = "text/event-stream"

ACTS: dict[str, Act] = {}


def act(work: Act) -> Act:
    """Register an act under its name."""
    ACTS[work.__name__] = work
    return work


def says(name: str, reply: Callable[[Asked], bytes]) -> None:
    """Register an act that writes one reply."""

    async def work(asked: Asked) -> None:
        asked.write(reply(asked))

    ACTS[name] = work


def body(asked: Asked, raw: bytes, *headers: str, kind: str | None = None) -> bytes:
    """A 200 with these bytes as its whole body, or as the data of a stream's only event."""
    if asked.streams:
        return http(200, sse(raw), *headers, kind=kind or STREAM)
    return http(200, raw, *headers, kind=kind or "application/json")


def changed(name: str, **changes: Any) -> None:
    """Register a good reply with something in it changed."""

    def reply(asked: Asked) -> bytes:
        if asked.streams:
            delta = {"content": TEXT, **changes.get("message", {})}
            rest = {key: value for key, value in changes.items() if key != "message"}
            return http(200, sse(*chunks(delta, **rest)), kind=STREAM)
        return http(200, json.dumps(completion(**changes)).encode())

    says(name, reply)


def replaced(name: str, old: bytes, new: bytes) -> None:
    """Register a good reply with some of its bytes replaced."""
    says(name, lambda asked: relength(good(asked).replace(old, new)))


def relength(reply: bytes) -> bytes:
    """A reply whose length is put right."""
    head, _, raw = reply.partition(b"\r\n\r\n")
    lines = [line for line in head.split(b"\r\n") if not line.startswith(b"content-length")]
    return b"\r\n".join([*lines, b"content-length: %d" % len(raw)]) + b"\r\n\r\n" + raw


def error(status: int, code: str | None = None, *headers: str) -> Callable[[Asked], bytes]:
    """An error in OpenAI's format."""
    told = {"error": {"message": f"This is a {status}.", "type": "error", "code": code}}
    return lambda asked: http(status, json.dumps(told).encode(), *headers)


says("answers", good)
says("landed", good)  # where redirects lead

# Connections


@act
async def reset_before_headers(asked: Asked) -> None:
    asked.reset()


@act
async def closed_without_reply(asked: Asked) -> None:
    asked.writer.close()


@act
async def reset_in_headers(asked: Asked) -> None:
    asked.write(good(asked)[:30])
    await asked.writer.drain()
    asked.reset()


@act
async def reset_in_body(asked: Asked) -> None:
    asked.write(good(asked)[:-20])
    await asked.writer.drain()
    asked.reset()


@act
async def half_body(asked: Asked) -> None:
    asked.write(good(asked)[:-20])
    asked.writer.close()


def chunked(asked: Asked, *rest: bytes, of: int = 2) -> bytes:
    """The first `of` of two chunks of the good reply, and what follows them."""
    head, _, raw = good(asked).partition(b"\r\n\r\n")
    kept = [line for line in head.split(b"\r\n") if not line.startswith(b"content-length")]
    half = len(raw) // 2
    parts = [b"%x\r\n%s\r\n" % (len(part), part) for part in (raw[:half], raw[half:])[:of]]
    start = b"\r\n".join([*kept, b"transfer-encoding: chunked"]) + b"\r\n\r\n"
    return start + b"".join([*parts, *rest])


says("chunked", lambda asked: chunked(asked, b"0\r\n\r\n"))


@act
async def half_chunked(asked: Asked) -> None:
    asked.write(chunked(asked, b"ff\r\nnot so much", of=1))
    asked.writer.close()


@act
async def chunked_without_end(asked: Asked) -> None:
    asked.write(chunked(asked))
    asked.writer.close()


says("chunk_of_no_size", lambda asked: chunked(asked, b"zz\r\nwhat\r\n0\r\n\r\n", of=0))


@act
async def no_http(asked: Asked) -> None:
    asked.write(b"\x00\x01SSH-2.0-OpenSSH_9.2\r\n\r\n")
    asked.writer.close()


# Time


@act
async def stall(asked: Asked) -> None:
    await asked.stall()


@act
async def stall_in_headers(asked: Asked) -> None:
    asked.write(good(asked)[:30])
    await asked.stall()


@act
async def stall_in_body(asked: Asked) -> None:
    asked.write(good(asked)[:-20])
    await asked.stall()


@act
async def drip_for_ever(asked: Asked) -> None:
    reply = good(asked)
    head, _, raw = reply.partition(b"\r\n\r\n")
    asked.write(head + b"\r\n\r\n")
    for number, byte in enumerate(raw[:-1]):
        asked.write(bytes([byte]))
        await asked.writer.drain()
        await asyncio.sleep(0.001)
        if number == 10:
            asked.server.on_stall()
    await asyncio.sleep(NEVER_S)


@act
async def drip(asked: Asked) -> None:
    reply = good(asked)
    for start in range(0, len(reply), 16):
        asked.write(reply[start : start + 16])
        await asked.writer.drain()
        await asyncio.sleep(0.001)


# Bodies

says("not_json", lambda asked: body(asked, b'"choices": [{'))
says("cut_json", lambda asked: body(asked, json.dumps(completion()).encode()[:-30]))
says("a_list", lambda asked: body(asked, b"[1, 2]"))
says("a_null", lambda asked: body(asked, b"null"))
says("a_number", lambda asked: body(asked, b"17"))
says("an_empty_object", lambda asked: body(asked, b"{}"))
says("deep", lambda asked: body(asked, b'{"choices":' + b"[" * 100_000 + b"]" * 100_000 + b"}"))
changed("no_choices", choices=[])
replaced("wrong_types", b'"choices": [', b'"choices": {"0": 1}, "x": [')
replaced("nan", b'"prompt_tokens": 10', b'"prompt_tokens": NaN')
replaced("huge_int", b'"prompt_tokens": 10', b'"prompt_tokens": ' + b"9" * 400)
replaced("fractional_tokens", b'"prompt_tokens": 10', b'"prompt_tokens": 10.5')
replaced("negative_tokens", b'"prompt_tokens": 10', b'"prompt_tokens": -10')
replaced("many_tokens", b'"prompt_tokens": 10', b'"prompt_tokens": 9000000000000000000')
replaced("duplicate_keys", b'"usage":', b'"model": "fake-1", "usage":')
says("plain_text", lambda asked: body(asked, b"yes", kind="text/plain"))
says("nothing", lambda asked: http(200, b"", kind=STREAM if asked.streams else "application/json"))
says("no_content", lambda asked: b"HTTP/1.1 204 No Content\r\n\r\n")
changed("empty_text", message={"content": ""}, usage={"prompt_tokens": 10, "completion_tokens": 0})
says(
    "web_page",
    lambda asked: http(200, b"<html><title>Sign in</title></html>", kind="text/html"),
)
says("huge", lambda asked: body(asked, b" " * 2_000_000))

# Characters

replaced("latin_1", b'"yes"', '"é"'.encode("latin-1"))
replaced("lone_surrogate", b'"yes"', b'"\\ud800"')
replaced("nul_character", b'"yes"', b'"a\\u0000b"')
replaced("raw_control_character", b'"yes"', b'"a\x00b"')
says("utf_16", lambda asked: body(asked, json.dumps(completion()).encode("utf-16")))
replaced("byte_order_mark", b"\r\n\r\n", b"\r\n\r\n\xef\xbb\xbf")

# Headers

replaced("no_content_type", b"content-type: application/json\r\n", b"")
replaced("wrong_content_type", b"content-type: application/json", b"content-type: image/png")
says("huge_header", lambda asked: body(asked, b"{}", "x-much: " + "a" * 200_000))
says("many_headers", lambda asked: body(asked, b"{}", *(f"x-{n}: a" for n in range(30_000))))
says("two_lengths", lambda asked: body(asked, b"{}", "content-length: 2", "content-length: 3"))
says("continue_first", lambda asked: b"HTTP/1.1 100 Continue\r\n\r\n" + good(asked))
says("hints_first", lambda asked: b"HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n" + good(asked))
says(
    "switching",
    lambda asked: b"HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\n\r\n" + good(asked),
)

# Compression


def compressed(raw: bytes, asked: Asked, coding: str = "gzip") -> bytes:
    kind = STREAM if asked.streams else "application/json"
    return http(200, raw, f"content-encoding: {coding}", kind=kind)


def raw_of(asked: Asked) -> bytes:
    return good(asked).partition(b"\r\n\r\n")[2]


def half(raw: bytes) -> bytes:
    return raw[: len(raw) // 2]


BOMB = gzip.compress(b" " * 2_000_000)
says("gzip", lambda asked: compressed(gzip.compress(raw_of(asked)), asked))
says("broken_gzip", lambda asked: compressed(b"\x1f\x8b no gzip", asked))
says("cut_gzip", lambda asked: compressed(half(gzip.compress(raw_of(asked))), asked))
says("gzip_bomb", lambda asked: compressed(BOMB, asked))
says(
    "unknown_coding",
    lambda asked: compressed(
        codecs.encode(raw_of(asked).decode(), "rot13").encode(), asked, "rot13"
    ),
)
says("deflate", lambda asked: compressed(zlib.compress(raw_of(asked)), asked, "deflate"))

# Statuses

for _status in (400, 401, 403, 404, 408, 409, 413, 418, 422, 425, 500, 501, 502, 503, 504, 529):
    says(f"status_{_status}", error(_status))
says("html_502", lambda asked: http(502, b"<title>502 Bad Gateway</title>", kind="text/html"))
says("limited", error(429, "rate_limit_exceeded"))
for _name, _wait in {"seconds": "7", "garbage": "soon", "huge": "9" * 30, "negative": "-5"}.items():
    says(f"limited_{_name}", error(429, "rate_limit_exceeded", f"retry-after: {_wait}"))
says("quota", error(429, "insufficient_quota"))
says("no_retry", error(503, None, "x-should-retry: false"))
says("proxied", error(407, None, "proxy-authenticate: Basic"))


@act
async def limited_until(asked: Asked) -> None:
    at = format_datetime(datetime.now(UTC) + timedelta(seconds=9), usegmt=True)
    asked.write(error(429, "rate_limit_exceeded", f"retry-after: {at}")(asked))


@act
async def burst(asked: Asked) -> None:
    """Two 503, then an answer."""
    asked.write(good(asked) if asked.number % 3 == 0 else error(503)(asked))


def moved(name: str, status: int, to: str) -> None:
    """Register a redirect; `{host}` is where the request came to."""

    def reply(asked: Asked) -> bytes:
        return http(status, b"", "location: " + to.format(host=asked.headers["host"]), kind=None)

    says(name, reply)


moved("moved_here", 301, "/landed/v1/chat/completions")
moved("moved_away", 307, "http://{host}/landed/v1/chat/completions")
moved("moved_in_a_loop", 308, "/moved_in_a_loop/v1/chat/completions")
says("not_modified", lambda asked: b"HTTP/1.1 304 Not Modified\r\n\r\n")

# What a reply says

changed("another_model", model="someone-else-9")
changed("same_reply_id", id="chatcmpl-the-same")
CALL = {"id": "call_1", "type": "function", "function": {"name": "look", "arguments": "{}"}}
OTHER = {**CALL, "function": {"name": "see", "arguments": '{"a": 1}'}}


@act
async def same_call_id(asked: Asked) -> None:
    if asked.streams:
        calls = [{**CALL, "index": 0}, {**OTHER, "index": 1}]
        events = chunks({"tool_calls": calls}, finish="tool_calls")
        asked.write(http(200, sse(*events), kind=STREAM))
        return
    message = {"content": None, "tool_calls": [CALL, OTHER]}
    asked.write(http(200, json.dumps(completion(message=message)).encode()))


def in_200(code: str | None) -> Callable[[Asked], bytes]:
    told = json.dumps({"error": {"message": "Something broke.", "code": code}}).encode()
    return lambda asked: body(asked, told)


says("error_in_200", in_200(None))
says("limit_in_200", in_200("rate_limit_exceeded"))


@act
async def echoes_the_key(asked: Asked) -> None:
    sent = asked.headers.get("authorization", "")
    told = {"error": {"message": f"No such key: {sent}", "code": "x", "type": sent}}
    asked.write(http(500, json.dumps(told).encode(), f"x-request-id: {sent}"))


# Streams only


def streamed(name: str, *events: str | bytes, end: bytes = b"") -> None:
    says(name, lambda asked: http(200, sse(*events) + end, kind=STREAM))


_WORDS = chunks({"content": TEXT})
streamed("stream_without_done", *_WORDS[:-1])
streamed("stream_without_finish", _WORDS[0])
streamed("stream_of_nothing")
streamed("stream_of_comments", end=b": ping\n\n" * 50)
streamed("stream_turns_to_garbage", _WORDS[0], b"{{{", *_WORDS[1:])
streamed(
    "stream_ends_in_error",
    _WORDS[0],
    json.dumps({"error": {"message": "Overloaded", "code": "overloaded_error"}}),
)
streamed("stream_of_latin_1", _WORDS[0].encode().replace(b"yes", b"\xe9"), *_WORDS[1:])


@act
async def stream_stalls(asked: Asked) -> None:
    asked.write(http(200, sse(_WORDS[0]), "content-length: 5000", kind=STREAM))
    await asked.stall()
