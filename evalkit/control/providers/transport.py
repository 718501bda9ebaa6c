"""HTTP out, by aiohttp.

Used directly: httpx over aiohttp's connections burns as much again for its own requests, URLs and
headers (benchmarks/floor.py).
"""

import asyncio
import os
import ssl
import sys
import threading
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from evalkit._version import __version__
from evalkit.control.providers.transport_errors import CONNECT_TIMEOUT_S, host_of, map_error
from evalkit.errors import ProviderError
from evalkit.ports import HttpReply, HttpStream
from evalkit.records.attempt import FailureMode

if TYPE_CHECKING:
    import aiohttp
    from aiohttp.abc import AbstractResolver

MAX_REPLY_BYTES = 32 * 1024 * 1024


# where OpenSSL is told to look for authorities
_AUTHORITIES = ("SSL_CERT_FILE", "SSL_CERT_DIR")


def build_transport(*, alone: bool = False) -> "HttpTransport":
    """The transport of a run. Nothing is imported or opened before the first call.

    `alone` is as HttpTransport takes it.
    """
    return HttpTransport(alone=alone)


def environment_proxy(url: str) -> str | None:
    """The proxy that the environment (or the system's settings) names for a URL, if any."""
    from urllib.request import getproxies, proxy_bypass

    parts = urlsplit(url)
    proxies = getproxies()
    proxy = proxies.get(parts.scheme) or proxies.get("all")
    if proxy is None or (parts.hostname and proxy_bypass(parts.hostname)):
        return None
    return proxy if "://" in proxy else f"http://{proxy}"


class HttpTransport:
    """Asks and reads whole replies; follows no redirect, so that a key never goes elsewhere.

    `proxy_for` names the proxy of a URL, `trusted` the authorities of certificates (by default
    those of the environment or Mozilla's), `resolver` makes who finds hosts by name. Connections
    are kept; the runner bounds how many there are. A reply above `max_reply_bytes`, once it is
    unpacked, is refused. `alone` tells that nobody but such transports uses aiohttp in this
    process, which then takes half as long to import.
    """

    def __init__(
        self,
        *,
        proxy_for: Callable[[str], str | None] = environment_proxy,
        max_reply_bytes: int = MAX_REPLY_BYTES,
        trusted: ssl.SSLContext | None = None,
        resolver: "Callable[[], AbstractResolver] | None" = None,
        alone: bool = False,
    ) -> None:
        """Nothing is opened before the first call."""
        self._proxy_for = proxy_for
        self._max_reply_bytes = max_reply_bytes
        self._options: dict[str, Mapping[str, Any]] = {}  # by origin
        self._timeouts: dict[float, aiohttp.ClientTimeout] = {}
        self._client: aiohttp.ClientSession | None = None
        self._trusted = trusted
        self._resolver = resolver
        self._alone = alone

    async def post(
        self, url: str, *, headers: Mapping[str, str], body: bytes, timeout_s: float
    ) -> HttpReply:
        """POST and read the whole reply within `timeout_s` seconds.

        Raises ProviderError: timeout, connection, malformed_reply for a reply that cannot be read,
        bad_request for a URL or header that cannot be sent.
        """
        return await self.request("POST", url, headers=headers, body=body, timeout_s=timeout_s)

    async def request(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str],
        body: bytes | None = None,
        timeout_s: float,
    ) -> HttpReply:
        """The same by any method. Raises as `post` does."""
        try:
            async with asyncio.timeout(timeout_s):
                reply = await self._send(method, url, headers, body, timeout_s)
                try:
                    whole = await self._whole_body(reply, url)
                finally:
                    reply.release()
        except ProviderError:
            raise
        except Exception as error:
            mapped = map_error(error, where=host_of(url), timeout_s=timeout_s)
            if mapped is None:
                raise
        else:
            return HttpReply(status=reply.status, headers=_headers_of(reply), body=whole)
        # Raised out here: the cause holds the request with its headers, so it must not be chained.
        raise mapped

    @asynccontextmanager
    async def stream(
        self, url: str, *, headers: Mapping[str, str], body: bytes, timeout_s: float
    ) -> AsyncGenerator[HttpStream, None]:
        """POST, and read the reply's body piece by piece. Raises as `post` does.

        `timeout_s` bounds how long the server is waited for in all, not how long a reader takes.
        """
        waiting = _Waiting(timeout_s)
        where = host_of(url)
        mapped: ProviderError | None = None
        try:
            async with waiting.turn():
                reply = await self._send("POST", url, headers, body, timeout_s)
        except ProviderError:
            raise
        except Exception as error:
            mapped = map_error(error, where=where, timeout_s=timeout_s)
            if mapped is None:
                raise
        if mapped is not None:
            raise mapped
        chunks = self._chunks_of(reply, url, waiting)
        try:
            yield HttpStream(status=reply.status, headers=_headers_of(reply), chunks=chunks)
        finally:
            await chunks.aclose()
            reply.release()

    async def _chunks_of(
        self, reply: "aiohttp.ClientResponse", url: str, waiting: "_Waiting"
    ) -> AsyncGenerator[bytes, None]:
        """The body as it arrives. Raises ProviderError."""
        size = 0
        while True:
            mapped: ProviderError | None = None
            try:
                async with waiting.turn():
                    chunk = await reply.content.readany()
            except Exception as error:
                where = host_of(url)
                mapped = map_error(error, where=where, timeout_s=waiting.timeout_s)
                if mapped is None:
                    raise
            if mapped is not None:
                raise mapped
            if not chunk:
                return
            size += len(chunk)
            self._check_size(size, url)
            yield chunk

    async def _send(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        body: bytes | None,
        timeout_s: float,
    ) -> "aiohttp.ClientResponse":
        """The reply with its body still to be read."""
        client = self._client or self._open_client()
        return await client.request(
            method,
            url,
            headers=headers,
            data=body,
            allow_redirects=False,
            timeout=self._timeout(timeout_s),
            **self._options_for(url),
        )

    async def _whole_body(self, reply: "aiohttp.ClientResponse", url: str) -> bytes:
        """The body, up to the size that is read at all."""
        content = reply.content
        first = await content.readany()
        self._check_size(len(first), url)
        if content.at_eof():
            return first
        chunks, size = [first], len(first)
        while chunk := await content.readany():
            size += len(chunk)
            self._check_size(size, url)
            chunks.append(chunk)
        return b"".join(chunks)

    def _check_size(self, size: int, url: str) -> None:
        if size > self._max_reply_bytes:
            raise ProviderError(
                FailureMode.MALFORMED_REPLY,
                f"{host_of(url)} sent more than {self._max_reply_bytes} bytes",
                may_be_billed=True,
            )

    def _options_for(self, url: str) -> Mapping[str, Any]:
        """What every request to a URL's host says beside its own. Raises ProviderError."""
        parts = urlsplit(url)
        origin = f"{parts.scheme}://{parts.netloc}"
        options = self._options.get(origin)
        if options is None:
            options = self._options[origin] = self._new_options(parts.scheme, self._proxy_for(url))
        return options

    def _new_options(self, scheme: str, proxy: str | None) -> Mapping[str, Any]:
        proxy_scheme = None if proxy is None else urlsplit(proxy).scheme
        if proxy_scheme not in (None, "http", "https"):
            raise ProviderError(
                FailureMode.CONNECTION,
                f"the environment names a {proxy_scheme} proxy; only http and https proxies "
                "are supported (set NO_PROXY for the provider's host, or another proxy)",
            )
        if "https" not in (scheme, proxy_scheme):
            return {"proxy": proxy}
        if self._trusted is None:
            self._trusted = _trusted_authorities()
        return {"proxy": proxy, "ssl": self._trusted}

    def _timeout(self, timeout_s: float) -> "aiohttp.ClientTimeout":
        """How long a connection is waited for; the whole call's time is kept around it."""
        import aiohttp

        found = self._timeouts.get(timeout_s)
        if found is None:
            connect_s = min(CONNECT_TIMEOUT_S, timeout_s)
            # from the look-up of the name to the end of the handshake
            found = self._timeouts[timeout_s] = aiohttp.ClientTimeout(connect=connect_s)
        return found

    def _open_client(self) -> "aiohttp.ClientSession":
        if self._alone:
            _load_aiohttp()
        import aiohttp

        # No cookies and no netrc: a run sends what its configuration says and nothing else.
        self._client = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                limit=0, resolver=None if self._resolver is None else self._resolver()
            ),
            cookie_jar=aiohttp.DummyCookieJar(),
            headers={"user-agent": f"evalkit/{__version__}"},
            trust_env=False,
        )
        return self._client

    async def close(self) -> None:
        """Give the connections back."""
        client, self._client = self._client, None
        if client is not None:
            await client.close()


class _Waiting:
    """How long the server may still be waited for; a reader's own time does not count."""

    def __init__(self, timeout_s: float) -> None:
        self.timeout_s = timeout_s
        self._left_s = timeout_s

    @asynccontextmanager
    async def turn(self) -> AsyncGenerator[None, None]:
        """Wait once. Raises TimeoutError when no time is left."""
        clock = asyncio.get_running_loop().time
        began = clock()
        try:
            async with asyncio.timeout(self._left_s):
                yield
        finally:
            self._left_s = max(0.0, self._left_s - (clock() - began))


def _headers_of(reply: "aiohttp.ClientResponse") -> dict[str, str]:
    """By names in lower case; what stands in several lines is joined."""
    headers: dict[str, str] = {}
    for name, value in reply.headers.items():
        name = name.lower()
        if not value.isascii():  # bytes that are no text may stand there
            value = value.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    return headers


def _load_aiohttp() -> None:
    """Import aiohttp without the authorities that it reads for requests which bring none along.

    All of ours over TLS bring theirs (`_new_options`). A request that did not would fail, whoever
    answers it.
    """
    # a thread's import might meet a program that is being started, with this environment
    if "aiohttp" in sys.modules or threading.current_thread() is not threading.main_thread():
        return
    kept = {name: os.environ[name] for name in _AUTHORITIES if name in os.environ}
    os.environ.update(dict.fromkeys(_AUTHORITIES, os.devnull))
    try:
        import aiohttp  # noqa: F401
    finally:
        for name in _AUTHORITIES:
            del os.environ[name]
        os.environ.update(kept)


def _trusted_authorities() -> ssl.SSLContext:
    """Mozilla's authorities, or those that the environment names instead. Raises ProviderError."""
    file, folder = os.environ.get("SSL_CERT_FILE"), os.environ.get("SSL_CERT_DIR")
    if file:
        try:
            return ssl.create_default_context(cafile=file)
        except OSError as error:  # ssl's own errors are among them
            raise ProviderError(
                FailureMode.CONNECTION,
                f"SSL_CERT_FILE names {file}, which cannot be read as certificates "
                f"({error.strerror}); correct or unset it",
            ) from None
    if folder:
        return ssl.create_default_context(capath=folder)
    import certifi

    return ssl.create_default_context(cafile=certifi.where())
