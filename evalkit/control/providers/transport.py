"""HTTP out: httpx over aiohttp's connections.

httpx's own connection pool burns 1.3 ms of CPU a call at 32 at once on an idle machine; over
aiohttp's connections it is 0.3 (benchmarks/floor.py).
"""

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from evalkit._version import __version__
from evalkit.control.providers.transport_errors import CONNECT_TIMEOUT_S, host_of, map_error
from evalkit.errors import ProviderError
from evalkit.ports import HttpReply, HttpStream
from evalkit.records.attempt import FailureMode

if TYPE_CHECKING:
    import httpx

MAX_REPLY_BYTES = 32 * 1024 * 1024


def build_transport() -> "HttpxTransport":
    """The transport of a run. Nothing is imported or opened before the first call."""
    return HttpxTransport()


def environment_proxy(url: str) -> str | None:
    """The proxy that the environment (or the system's settings) names for a URL, if any."""
    from urllib.request import getproxies, proxy_bypass

    parts = urlsplit(url)
    proxies = getproxies()
    proxy = proxies.get(parts.scheme) or proxies.get("all")
    if proxy is None or (parts.hostname and proxy_bypass(parts.hostname)):
        return None
    return proxy if "://" in proxy else f"http://{proxy}"


class HttpxTransport:
    """Asks and reads whole replies; follows no redirect, so that a key never goes elsewhere.

    `proxy_for` names the proxy of a URL. Connections are kept; the runner bounds how many there
    are. A reply above `max_reply_bytes` is refused.
    """

    def __init__(
        self,
        *,
        proxy_for: Callable[[str], str | None] = environment_proxy,
        max_reply_bytes: int = MAX_REPLY_BYTES,
    ) -> None:
        """Nothing is opened before the first call."""
        self._proxy_for = proxy_for
        self._max_reply_bytes = max_reply_bytes
        self._proxies: dict[str, str | None] = {}
        self._clients: dict[str | None, httpx.AsyncClient] = {}

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
                    whole = b"".join([chunk async for chunk in self._bytes_of(reply, url)])
                finally:
                    await reply.aclose()
        except ProviderError:
            raise
        except Exception as error:
            mapped = map_error(error, where=host_of(url), timeout_s=timeout_s)
            if mapped is None:
                raise
        else:
            return HttpReply(status=reply.status_code, headers=_headers_of(reply), body=whole)
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
            yield HttpStream(status=reply.status_code, headers=_headers_of(reply), chunks=chunks)
        finally:
            await chunks.aclose()
            await reply.aclose()

    async def _chunks_of(
        self, reply: "httpx.Response", url: str, waiting: "_Waiting"
    ) -> AsyncGenerator[bytes, None]:
        """The body as it arrives. Raises ProviderError."""
        source = self._bytes_of(reply, url)
        try:
            while True:
                mapped: ProviderError | None = None
                try:
                    async with waiting.turn():
                        chunk = await anext(source, None)
                except ProviderError:
                    raise
                except Exception as error:
                    where = host_of(url)
                    mapped = map_error(error, where=where, timeout_s=waiting.timeout_s)
                    if mapped is None:
                        raise
                if mapped is not None:
                    raise mapped
                if chunk is None:
                    return
                yield chunk
        finally:
            await source.aclose()

    async def _send(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        body: bytes | None,
        timeout_s: float,
    ) -> "httpx.Response":
        """The reply with its body still to be read."""
        client = self._client(url)
        timeouts = {"connect": min(CONNECT_TIMEOUT_S, timeout_s), "read": None}
        request = client.build_request(
            method, url, headers=dict(headers), content=body, extensions={"timeout": timeouts}
        )
        return await client.send(request, stream=True)

    async def _bytes_of(self, reply: "httpx.Response", url: str) -> AsyncGenerator[bytes, None]:
        """The body, up to the size that is read at all."""
        size = 0
        async for chunk in reply.aiter_bytes():
            size += len(chunk)
            if size > self._max_reply_bytes:
                raise ProviderError(
                    FailureMode.MALFORMED_REPLY,
                    f"{host_of(url)} sent more than {self._max_reply_bytes} bytes",
                    may_be_billed=True,
                )
            yield chunk

    def _client(self, url: str) -> "httpx.AsyncClient":
        """The client for a URL's host: one for every proxy, one without."""
        parts = urlsplit(url)
        origin = f"{parts.scheme}://{parts.netloc}"
        if origin not in self._proxies:
            self._proxies[origin] = self._proxy_for(url)
        proxy = self._proxies[origin]
        if proxy not in self._clients:
            self._clients[proxy] = _open_client(proxy)
        return self._clients[proxy]

    async def close(self) -> None:
        """Give the connections back."""
        clients = list(self._clients.values())
        self._clients.clear()
        for client in clients:
            await client.aclose()


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


def _headers_of(reply: "httpx.Response") -> dict[str, str]:
    return {name.lower(): value for name, value in reply.headers.items()}


def _open_client(proxy: str | None) -> "httpx.AsyncClient":
    import aiohttp
    import httpx
    from httpx_aiohttp import AiohttpTransport

    if proxy is not None and urlsplit(proxy).scheme not in ("http", "https"):
        raise ProviderError(
            FailureMode.CONNECTION,
            f"the environment names a {urlsplit(proxy).scheme} proxy; only http and https proxies "
            "are supported (set NO_PROXY for the provider's host, or another proxy)",
        )
    trusted = httpx.create_ssl_context()

    def open_session() -> aiohttp.ClientSession:
        # No cookies and no netrc: a run sends what its configuration says and nothing else.
        return aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, ssl=trusted),
            cookie_jar=aiohttp.DummyCookieJar(),
            trust_env=False,
        )

    transport = AiohttpTransport(
        verify=trusted, client=open_session, proxy=None if proxy is None else httpx.Proxy(proxy)
    )
    return httpx.AsyncClient(
        transport=transport,
        headers={"user-agent": f"evalkit/{__version__}"},
        trust_env=False,
        follow_redirects=False,
    )
