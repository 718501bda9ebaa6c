"""What a server can do wrong, and what becomes of it: for test_fault_table and docs/faults.md.

`python -m tests.faults.fault_table` prints the table as it stands in the docs.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal


@dataclass(frozen=True)
class Outcome:
    """What becomes of a call. `code` is a failure mode, or "answered".

    `again` tells whether it is tried again where tries are left; `charged` is what is counted of
    its hold on the budgets: nothing, all of it, or what the answer used. `began` tells that pieces
    of a stream had been handed on, so that nobody is asked again. `status` is that of HTTP.
    """

    code: str
    again: bool = False
    charged: Literal["nothing", "all", "used"] = "nothing"
    began: bool = False
    status: int | None = None


@dataclass(frozen=True)
class Fault:
    """`what` happens, in words; `said` is a part of the message. `streamed` is what becomes of a
    streamed reply where that is something else; `plain` is None where only streams can do this.

    It is found at the server's `door` under `host`, or `where` there is no server of ours at all.
    """

    what: str
    plain: Outcome | None
    streamed: Outcome | None = None
    said: str = ""
    door: str = "plain"
    host: str = "127.0.0.1"
    scheme: str = ""
    where: str = ""

    @property
    def in_streams(self) -> Outcome:
        """What becomes of a streamed reply."""
        outcome = self.streamed or self.plain
        assert outcome is not None
        return outcome

    @property
    def stalls(self) -> bool:
        """Whether it ends only when the time is over."""
        return self.in_streams.code == "timeout" and self.in_streams.status is None


ANSWERED = Outcome("answered", charged="used")
NOT_THERE = Outcome("connection", again=True)
NOT_TRUSTED = Outcome("connection")
LOST = Outcome("connection", again=True, charged="all")
LATE = Outcome("timeout", again=True, charged="all")
NO_WAY = Outcome("timeout", again=True)
MALFORMED = Outcome("malformed_reply", again=True, charged="all")
TOO_LARGE = Outcome("malformed_reply", charged="all")
LIMITED = Outcome("rate_limited", again=True, status=429)
UNTRUSTED = "SSL_CERT_FILE"


def begun(outcome: Outcome) -> Outcome:
    """The same after a piece of a stream was handed on."""
    return replace(outcome, began=True)


def status(number: int, code: str, *, again: bool = False, charged: bool = False) -> Outcome:
    """What a status that is no success becomes."""
    return Outcome(code, again=again, charged="all" if charged else "nothing", status=number)


def refused(number: int, code: str = "bad_request", said: str = "") -> Fault:
    """A status that would be the same again."""
    return Fault(f"status {number}", status(number, code), said=said)


def failed(number: int) -> Fault:
    """A status that may be another the next time, and for which nothing is charged."""
    return Fault(f"status {number}", status(number, "server_error", again=True))


GROUPS: dict[str, dict[str, Fault]] = {
    "No connection": {
        "refused": Fault(
            "nobody listens (IPv4)", NOT_THERE, said="Connection refused", door="closed"
        ),
        "refused_6": Fault("nobody listens (IPv6)", NOT_THERE, door="closed", host="[::1]"),
        "no_such_host": Fault(
            "the name has no address",
            NOT_THERE,
            said="llm.invalid: no address is known of that name",
            where="http://llm.invalid/v1",
        ),
        "dns_stalls": Fault(
            "the name is looked up for ever",
            NO_WAY,
            said="no connection within 10 s",
            where="http://slow.invalid/v1",
        ),
        "proxy_refused": Fault(
            "the proxy is not there", NOT_THERE, said="NO_PROXY", where="https://proxied.invalid/v1"
        ),
        "proxy_login": Fault(
            "the proxy wants a login",
            status(407, "authentication"),
            said="the proxy wants a login",
            where="http://login.invalid/v1",
        ),
        "proxy_login_tls": Fault(
            "the same on the way to an https address",
            NOT_THERE,
            said="the proxy could not be used",
            where="https://login.invalid/v1",
        ),
    },
    "TLS": {
        "self_signed": Fault(
            "a certificate of an unknown authority", NOT_TRUSTED, said=UNTRUSTED, door="unknown"
        ),
        "expired": Fault(
            "an expired certificate", NOT_TRUSTED, said="certificate has expired", door="expired"
        ),
        "wrong_name": Fault(
            "a certificate of another host", NOT_TRUSTED, said="not valid for", door="elsewhere"
        ),
        "tls_sound": Fault("a certificate that is trusted", ANSWERED, door="sound"),
        "http_at_https": Fault(
            "plain HTTP where https was asked for",
            NOT_THERE,
            said="does it mean http://",
            scheme="https",
        ),
        "https_at_http": Fault("TLS where http was asked for", LOST, door="sound", scheme="http"),
        "tls_reset": Fault(
            "a reset in the handshake",
            NOT_THERE,
            said="Connection reset",
            door="reset",
            scheme="https",
        ),
        "tls_stalls": Fault(
            "a handshake that never ends",
            NO_WAY,
            said="no connection within 10 s",
            door="mute",
            scheme="https",
        ),
    },
    "Connections that break": {
        "reset_at_once": Fault("a reset at the request's first byte", LOST, door="reset"),
        "reset_before_headers": Fault("a reset in the place of a reply", LOST),
        "closed_without_reply": Fault("an end in the place of a reply", LOST),
        "reset_in_headers": Fault("a reset within the headers", LOST),
        "reset_in_body": Fault("a reset within the body", LOST, begun(LOST)),
        "half_body": Fault("half a body of a known length", LOST, begun(LOST)),
        "half_chunked": Fault("half a body in chunks", LOST, begun(LOST)),
        "chunked_without_end": Fault("a body in chunks without the last one", LOST, ANSWERED),
        "chunk_of_no_size": Fault("a chunk whose size is no number", LOST),
        "no_http": Fault("what is no HTTP", LOST, said="no HTTP that can be read"),
    },
    "Time": {
        "mute": Fault("a connection on which nothing comes", LATE, door="mute"),
        "stall": Fault("no reply to a request", LATE, said="no whole reply within"),
        "stall_in_headers": Fault("half the headers, then nothing", LATE),
        "stall_in_body": Fault("half the body, then nothing", LATE, begun(LATE)),
        "drip_for_ever": Fault("a body byte by byte, longer than `timeout_s`", LATE),
        "drip": Fault("a body in drops, within `timeout_s`", ANSWERED),
        "stream_stalls": Fault("a stream that stops", None, begun(LATE)),
    },
    "Bodies of a 200": {
        "nothing": Fault("an empty body", MALFORMED),
        "no_content": Fault("204 and no body", MALFORMED),
        "web_page": Fault("a web page", MALFORMED, said="text/html: look at base_url"),
        "plain_text": Fault("plain text", MALFORMED, said="text/plain"),
        "not_json": Fault("no JSON", MALFORMED),
        "cut_json": Fault("JSON that is cut off", MALFORMED),
        "a_list": Fault("a list", MALFORMED),
        "a_null": Fault("null", MALFORMED),
        "a_number": Fault("a number", MALFORMED),
        "an_empty_object": Fault("an empty object", MALFORMED, LOST),
        "deep": Fault("100,000 lists in each other", MALFORMED),
        "wrong_types": Fault("JSON of another shape", MALFORMED),
        "no_choices": Fault("no choice", MALFORMED, ANSWERED),
        "nan": Fault("NaN where a number stands", MALFORMED, begun(MALFORMED)),
        "huge_int": Fault("a count of 400 digits", MALFORMED, begun(MALFORMED)),
        "many_tokens": Fault("a count beyond all measure", MALFORMED, begun(MALFORMED)),
        "negative_tokens": Fault("a negative count", MALFORMED, begun(MALFORMED)),
        "fractional_tokens": Fault("half a token", MALFORMED, begun(MALFORMED)),
        "duplicate_keys": Fault("a key twice: the last one counts", ANSWERED),
        "empty_text": Fault(
            "an empty text for which no token was generated",
            Outcome("empty_reply", again=True, charged="all"),
        ),
        "huge": Fault("more bytes than are read (32 MiB)", TOO_LARGE, said="sent more than"),
        "error_in_200": Fault(
            "an error in a success",
            Outcome("server_error", again=True, charged="all", status=200),
        ),
        "limit_in_200": Fault(
            "a rate limit in a success", Outcome("rate_limited", again=True, status=200)
        ),
    },
    "Characters": {
        "latin_1": Fault("Latin-1 in the place of UTF-8", MALFORMED),
        "utf_16": Fault("UTF-16", MALFORMED),
        "byte_order_mark": Fault("a byte order mark: it is taken off", ANSWERED),
        "lone_surrogate": Fault("half a surrogate pair", MALFORMED),
        "raw_control_character": Fault("a control character within a string", MALFORMED),
        "nul_character": Fault("an escaped NUL: a letter like any other", ANSWERED),
    },
    "Headers and compression": {
        "no_content_type": Fault("no content type", ANSWERED),
        "wrong_content_type": Fault("the content type of an image", ANSWERED),
        "huge_header": Fault("a header of 200 kB", LOST, said="headers beyond all measure"),
        "many_headers": Fault("30,000 headers", LOST, said="headers beyond all measure"),
        "two_lengths": Fault("two lengths that differ", LOST),
        "continue_first": Fault("100 Continue, then the reply", ANSWERED),
        "hints_first": Fault("103 Early Hints, then the reply", ANSWERED),
        "switching": Fault("101 Switching Protocols", status(101, "server_error", again=True)),
        "chunked": Fault("a body in chunks", ANSWERED),
        "gzip": Fault("gzip", ANSWERED),
        "deflate": Fault("deflate", ANSWERED),
        "broken_gzip": Fault("what is no gzip and says so", MALFORMED, said="not compressed"),
        "cut_gzip": Fault("half a gzip", MALFORMED),
        "gzip_bomb": Fault("the same in a little gzip", TOO_LARGE),
        "unknown_coding": Fault("a coding that nobody asked for", MALFORMED),
    },
    "Statuses": {
        "status_400": refused(400),
        "status_401": refused(401, "authentication", "does not accept the key"),
        "status_403": refused(403, "authentication"),
        "status_404": refused(404, said="look at base_url and the model's id"),
        "status_413": refused(413),
        "status_418": refused(418),
        "status_422": refused(422),
        "status_408": Fault("status 408", status(408, "timeout", again=True, charged=True)),
        "status_409": failed(409),
        "status_425": failed(425),
        "limited": Fault("429", LIMITED),
        "limited_seconds": Fault("429, Retry-After: 7", LIMITED),
        "limited_until": Fault("429, Retry-After: a date", LIMITED),
        "limited_garbage": Fault("429, Retry-After: soon", LIMITED),
        "limited_huge": Fault("429, Retry-After of 30 digits: 60 s are waited", LIMITED),
        "limited_negative": Fault("429, Retry-After: -5", LIMITED),
        "quota": Fault("429, the quota is used up", status(429, "quota")),
        "status_500": failed(500),
        "status_501": Fault("status 501", status(501, "server_error")),
        "status_502": failed(502),
        "html_502": Fault(
            "502 with a web page", status(502, "server_error", again=True), said="502 Bad Gateway"
        ),
        "status_503": failed(503),
        "no_retry": Fault("503, x-should-retry: false", status(503, "server_error")),
        "status_504": Fault("status 504", status(504, "timeout", again=True, charged=True)),
        "status_529": failed(529),
        "moved_here": refused(301, said="correct base_url"),
        "moved_away": refused(307, said="correct base_url"),
        "moved_in_a_loop": refused(308, said="correct base_url"),
        "not_modified": refused(304),
        "echoes_the_key": Fault(
            "500 that repeats the key", status(500, "server_error", again=True), said="[key]"
        ),
    },
    "What a reply says": {
        "another_model": Fault("another model's name: the attempt's `model_id`", ANSWERED),
        "same_reply_id": Fault("the same id for every reply", ANSWERED),
        "same_call_id": Fault(
            "two tool calls of one id: each is judged, and sent back with an id of its own",
            ANSWERED,
        ),
    },
    "Streams alone": {
        "stream_without_done": Fault("no `[DONE]`", None, ANSWERED),
        "stream_without_finish": Fault("an end before the reply's", None, begun(LOST)),
        "stream_of_nothing": Fault("no event", None, MALFORMED),
        "stream_of_comments": Fault("comments alone", None, MALFORMED),
        "stream_turns_to_garbage": Fault("an event that is no JSON", None, begun(MALFORMED)),
        "stream_of_latin_1": Fault("an event in Latin-1", None, MALFORMED),
        "stream_ends_in_error": Fault(
            "an error in the place of the rest",
            None,
            Outcome("server_error", again=True, charged="all", began=True, status=200),
        ),
    },
}
FAULTS: dict[str, Fault] = {
    name: fault for group in GROUPS.values() for name, fault in group.items()
}

# Said again and not imported: what a code means for circuits and fallbacks is the promise.
OPENS = {"timeout", "connection", "server_error", "malformed_reply", "empty_reply"}
GOES_ON = OPENS | {"rate_limited"}


def table() -> Iterator[str]:
    """The table as Markdown, a line at a time."""
    for title, faults in GROUPS.items():
        yield f"### {title}"
        yield ""
        yield "| the server does | it becomes | tried again | charged | circuit | fallback |"
        yield "|---|---|---|---|---|---|"
        for fault in faults.values():
            first = fault.plain or fault.in_streams
            yield _line(fault.what, first)
            if fault.streamed not in (None, first):
                yield _line(f"{fault.what}, streamed", fault.in_streams)
        yield ""


def _line(what: str, outcome: Outcome) -> str:
    if outcome.code == "answered":
        return f"| {what} | an answer | | what it used | | |"
    goes_on = outcome.code in GOES_ON and not outcome.began
    cells = (
        what,
        f"`{outcome.code}`",
        "yes" if outcome.again and not outcome.began else "no",
        "nothing" if outcome.charged == "nothing" else "the whole hold",
        "counts" if outcome.code in OPENS else "",
        "asked" if goes_on else "not asked",
    )
    return "| " + " | ".join(cells) + " |"


if __name__ == "__main__":
    print("\n".join(table()))
