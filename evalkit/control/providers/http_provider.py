"""One provider for every wire format over HTTP."""

import importlib.util
from codecs import BOM_UTF8
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from secrets import token_hex
from typing import Any, Literal

import msgspec

from evalkit.control.providers.answers import (
    PROMPT_FILTERED,
    Answer,
    MalformedAnswer,
    malformed,
    reply_from,
)
from evalkit.control.providers.error_bodies import ErrorBody
from evalkit.control.providers.guardrails import with_block
from evalkit.control.providers.held_keys import HeldKeys
from evalkit.control.providers.identity import ProviderKind, identity_of
from evalkit.control.providers.meanings import CONTENT_FILTER, meaning_of
from evalkit.control.providers.pieces import pieces_of
from evalkit.control.providers.protocol import (
    UnsentParameter,
    Unsigned,
    WireProtocol,
    check_address,
)
from evalkit.control.providers.provider_errors import (
    as_provider_error,
    reply_without_secrets,
    shown,
    without_secrets,
)
from evalkit.control.providers.stream_reading import StreamReading, is_stream
from evalkit.control.providers.streaming import StreamProtocol
from evalkit.errors import ConfigError, Problem, ProviderError
from evalkit.ports import Clock, HttpReply, StreamingTransport
from evalkit.records.attempt import FailureMode
from evalkit.records.call import Piece, Reply, Request, Usage
from evalkit.records.moment import moment_text

Secrets = tuple[str, ...]


class HttpProvider:
    """Asks one endpoint in one wire format; the key is read from `environ` at each call and kept
    nowhere. A server that repeats it in an error or a reply is not believed: it is cut out.

    Raises ConfigError for a `base_url` that is no address or that carries a user or password.
    """

    origin: Literal["live"] = "live"

    def __init__(
        self,
        protocol: WireProtocol,
        *,
        kind: ProviderKind,
        name: str,
        base_url: str,
        api_key_env: str | None,
        environ: Mapping[str, str],
        transport: StreamingTransport,
        clock: Clock,
    ) -> None:
        """`name` is the configured provider's, for messages. The transport is not closed here."""
        check_address(name, base_url)
        self.name = name
        self.identity = identity_of(kind, base_url=base_url)
        self._protocol = protocol
        self._base_url = base_url
        self._api_key_env = api_key_env
        self._environ = environ
        self._transport = transport
        self._clock = clock
        self._sendable: set[frozenset[str]] = set()

    def __repr__(self) -> str:
        """The name, and kind and address, nothing else."""
        return f"{type(self).__name__}(name={self.name!r}, identity={self.identity!r})"

    def missing(self, request: Request) -> str | None:
        """Nothing: a live endpoint is asked.

        Raises ConfigError for a parameter that the format has no place for, so that a plan tells
        it and not every call.
        """
        names = frozenset(request.params)
        if names not in self._sendable:
            try:
                self._protocol.payload_of(request)
            except UnsentParameter as error:
                raise ConfigError([Problem(message=f"provider {self.name}: {error}")]) from None
            self._sendable.add(names)
        return None

    async def complete(self, request: Request, *, timeout_s: float) -> Reply:
        """Ask once. Raises ProviderError."""
        body = self._body(request, {})
        url = self._protocol.url_of(self._base_url, request.model)
        headers, secrets = self._headers(url, body, "application/json")
        started = self._clock.monotonic()
        reply = await self._transport.post(url, headers=headers, body=body, timeout_s=timeout_s)
        return self._read(request, reply, secrets, self._clock.monotonic() - started)

    async def stream(self, request: Request, *, timeout_s: float) -> AsyncGenerator[Piece, None]:
        """Ask once, and hand over the reply as it arrives. Raises ProviderError.

        A server that does not stream is read whole. What breaks off, or goes on with an error,
        may be billed as far as it came.
        """
        way = self._protocol.stream
        self._check_stream(way)
        body = self._body(request, way.settings)
        url = (way.url_of or self._protocol.url_of)(self._base_url, request.model)
        headers, secrets = self._headers(url, body, way.accept)
        started = self._clock.monotonic()
        async with self._transport.stream(
            url, headers=headers, body=body, timeout_s=timeout_s
        ) as arriving:
            reply = HttpReply(status=arriving.status, headers=arriving.headers, body=b"")
            reply = reply_without_secrets(reply, secrets)
            if is_stream(arriving, way):
                reading, keys = StreamReading(way), HeldKeys(secrets)
                async with aclosing(reading.pieces(arriving.chunks)) as pieces:
                    async for arrived in pieces:
                        for piece in keys.pass_on(arrived):
                            yield piece
                for piece in keys.rest():
                    yield piece
                whole = self._assembled(reading, reply, secrets)
                took_s = self._clock.monotonic() - started
                yield Piece(reply=self._reply(request, whole, reply, took_s))
                return
            text = b"".join([chunk async for chunk in arriving.chunks])
        reply = HttpReply(status=reply.status, headers=reply.headers, body=text)
        took_s = self._clock.monotonic() - started
        for piece in pieces_of(self._read(request, reply, secrets, took_s)):
            yield piece

    def _check_stream(self, way: StreamProtocol) -> None:
        """Raises ProviderError where a stream could not be read."""
        if way.needs is not None and importlib.util.find_spec(way.needs[0]) is None:
            module, extra = way.needs
            raise ProviderError(
                FailureMode.BAD_REQUEST,
                f"provider {self.name} was not asked: reading its stream needs {module}: "
                f"pip install 'evalkit[{extra}]'",
            )

    def _headers(self, url: str, body: bytes, accept: str) -> tuple[Mapping[str, str], Secrets]:
        """The headers of a call, and the secrets among them. Raises ProviderError."""
        key = self._key()
        headers = {"content-type": "application/json", "accept": accept}
        headers |= self._protocol.headers
        if key is not None:
            return {**headers, **self._protocol.key_headers(key, self._base_url)}, (key,)
        if self._protocol.sign is None:
            return headers, ()
        try:
            signed = self._protocol.sign(self._environ, url, headers, body)
        except Unsigned as error:
            raise ProviderError(
                FailureMode.AUTHENTICATION, f"provider {self.name} was not asked: {error}"
            ) from None
        shown = signed.get("authorization", "")
        identity = shown.partition("Credential=")[2].partition("/")[0]
        secrets = (signed.get("x-amz-security-token", ""), identity, shown)
        return signed, tuple(secret for secret in secrets if secret)

    def _body(self, request: Request, settings: Mapping[str, Any]) -> bytes:
        """Raises ProviderError(bad_request) for a parameter that cannot be sent."""
        try:
            return msgspec.json.encode({**self._protocol.payload_of(request), **settings})
        except UnsentParameter as error:
            raise ProviderError(
                FailureMode.BAD_REQUEST, f"provider {self.name} was not asked: {error}"
            ) from None

    def _read(self, request: Request, reply: HttpReply, secrets: Secrets, took_s: float) -> Reply:
        """The reply in an HTTP reply. Raises ProviderError."""
        reply = reply_without_secrets(reply, secrets)
        if 200 <= reply.status < 300:
            answer = self._answer(reply.body, reply)
        else:
            answer = self._protocol.error_of(reply)
        if isinstance(answer, ErrorBody):
            answer = self._filtered(answer, reply, secrets)
        return self._reply(request, answer, reply, took_s)

    def _assembled(self, reading: StreamReading, reply: HttpReply, secrets: Secrets) -> Answer:
        """What a stream that has ended says. Raises ProviderError."""
        if reading.malformed is not None:
            raise malformed(self.name, f"no {self._protocol.noun}: {reading.malformed}")
        error = reading.error
        if error is None and not reading.is_whole:
            if not reading.events:
                raise malformed(self.name, f"no {self._protocol.noun}: the stream is empty")
            raise ProviderError(
                FailureMode.CONNECTION,
                f"provider {self.name}: the stream ended before the reply was whole",
                retryable=True,
                may_be_billed=True,
            )
        answer = error or self._answer(without_secrets(reading.body(), secrets))
        if not isinstance(answer, ErrorBody):
            return answer
        try:
            return self._filtered(answer, reply, secrets)
        except ProviderError as failed:
            # What was said before the error was generated, and may be charged.
            failed.may_be_billed = failed.may_be_billed or reading.has_said
            raise

    def _filtered(self, error: ErrorBody, reply: HttpReply, secrets: Secrets) -> Answer:
        """A prompt that the vendor's filter stopped. Raises ProviderError for any other error."""
        if meaning_of(reply.status, error) is not CONTENT_FILTER:
            raise as_provider_error(
                self.name, reply, error=error, secrets=secrets, now=self._clock.now()
            )
        # The filter stopped the prompt before the model: nothing was used.
        name = next(iter(error.names), "content_filter")
        return Answer(
            finish_reason="content_filter",
            refusal=PROMPT_FILTERED,
            usage=Usage(),
            guardrails=with_block(error.guardrails, name, where="request"),
        )

    def _reply(self, request: Request, answer: Answer, reply: HttpReply, took_s: float) -> Reply:
        return reply_from(
            self.name,
            request,
            answer,
            measurement_id=self._measurement(answer, reply),
            measured_at=moment_text(self._clock.now()),
            latency_s=took_s,
            request_id=reply.headers.get(self._protocol.id_header, "") or answer.id,
        )

    def _answer(self, body: bytes, whole: HttpReply | None = None) -> Answer | ErrorBody:
        """The body of a success; headers of the `whole` reply say what it is where it is no answer.
        Raises ProviderError(malformed_reply)."""
        try:
            return self._protocol.answer_of(body.removeprefix(BOM_UTF8))
        except MalformedAnswer as error:
            raise malformed(self.name, str(error)) from None
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            told = "" if whole is None else _told(whole)
            raise malformed(self.name, f"no {self._protocol.noun}: {error}{told}") from None

    def _measurement(self, answer: Answer, reply: HttpReply) -> str:
        """The vendor's id, for its support, and ours: some servers send the same every time."""
        own = token_hex(6)
        theirs = answer.id or reply.headers.get(self._protocol.id_header, "")
        return f"{theirs}/{own}" if theirs else own

    def _key(self) -> str | None:
        """The key, or None for an endpoint that needs none. Raises ProviderError."""
        if self._api_key_env is None:
            return None
        key = self._environ.get(self._api_key_env, "").strip()
        if not key:
            problem = "is not set"
        elif not (key.isascii() and key.isprintable()):
            problem = "holds a character that no HTTP header can carry"
        else:
            return key
        raise ProviderError(
            FailureMode.AUTHENTICATION,
            f"provider {self.name}: the key is looked for in ${self._api_key_env}, which {problem}",
        )

    async def close(self) -> None:
        """Nothing to give back: the transport is the one who opened it's."""


def _told(reply: HttpReply) -> str:
    """What a success that is no JSON says it is: most often a page of somebody in between."""
    kind = reply.headers.get("content-type", "").partition(";")[0].strip().lower()
    if not kind or kind.endswith("json"):
        return ""
    return f"; the server calls it {shown(kind)}: look at base_url"
