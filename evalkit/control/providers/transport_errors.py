"""The one place where what httpx, aiohttp and the operating system raise is mapped.

What aiohttp raises is more exact than what httpx makes of it, and whether the request had left
decides if money may have been spent: so the cause is mapped, not the wrapper.
"""

import ssl
from urllib.parse import urlsplit

from evalkit.errors import ProviderError
from evalkit.records.attempt import FailureMode

CONNECT_TIMEOUT_S = 10.0


def map_error(error: Exception, *, where: str, timeout_s: float) -> ProviderError | None:
    """What an error of httpx, aiohttp or the operating system means; None for a bug.

    Messages name the host and the operating system's reason, never the URL or a header.
    """
    import aiohttp
    import httpx

    cause = error.__cause__
    if isinstance(error, httpx.TransportError) and isinstance(cause, aiohttp.ClientError | OSError):
        error = cause
    # The first line that fits; subclasses stand before their bases. The last flag tells whether
    # the request may have left.
    table: tuple[tuple[tuple[type[BaseException], ...], FailureMode, str, bool, bool], ...] = (
        (
            (aiohttp.ClientConnectorCertificateError, ssl.SSLCertVerificationError),
            FailureMode.CONNECTION,
            "its certificate is not trusted (SSL_CERT_FILE names other authorities)",
            False,
            False,
        ),
        (
            (aiohttp.ServerFingerprintMismatch,),
            FailureMode.CONNECTION,
            "its certificate is another than the pinned one",
            False,
            False,
        ),
        (
            (
                aiohttp.ClientProxyConnectionError,
                aiohttp.ClientHttpProxyError,
                httpx.ProxyError,
            ),
            FailureMode.CONNECTION,
            "the proxy could not be used",
            True,
            False,
        ),
        (
            (aiohttp.ConnectionTimeoutError, httpx.ConnectTimeout, httpx.PoolTimeout),
            FailureMode.TIMEOUT,
            f"no connection within {min(CONNECT_TIMEOUT_S, timeout_s):g} s",
            True,
            False,
        ),
        (
            (aiohttp.ClientConnectorError, httpx.ConnectError),
            FailureMode.CONNECTION,
            "no connection",
            True,
            False,
        ),
        (
            (TimeoutError, httpx.TimeoutException),
            FailureMode.TIMEOUT,
            f"no whole reply within {timeout_s:g} s",
            True,
            True,
        ),
        (
            (
                aiohttp.InvalidURL,
                aiohttp.NonHttpUrlClientError,
                aiohttp.RedirectClientError,
                httpx.InvalidURL,
                httpx.UnsupportedProtocol,
                httpx.LocalProtocolError,
                httpx.TooManyRedirects,
            ),
            FailureMode.BAD_REQUEST,
            "the address or a header cannot be sent; look at base_url and the key",
            False,
            False,
        ),
        (
            (httpx.DecodingError,),
            FailureMode.MALFORMED_REPLY,
            "the reply is not compressed as it says",
            True,
            True,
        ),
        (
            (aiohttp.ClientError, httpx.HTTPError, httpx.StreamError, OSError),
            FailureMode.CONNECTION,
            "the connection was lost before the reply was whole",
            True,
            True,
        ),
    )
    for kinds, code, meaning, retryable, may_have_left in table:
        if isinstance(error, kinds):
            reason = _reason(error)
            return ProviderError(
                code,
                f"{where}: {meaning}" + (f" ({reason})" if reason else ""),
                retryable=retryable,
                may_be_billed=may_have_left,
            )
    return None


def _reason(error: BaseException) -> str:
    """The operating system's words, where there are any: they hold no part of the request."""
    inner = getattr(error, "os_error", error)
    strerror = inner.strerror if isinstance(inner, OSError) else None
    return strerror.split("\n", 1)[0][:200] if isinstance(strerror, str) else ""


def host_of(url: str) -> str:
    """`host:port` of a URL, without user, password, path and query."""
    parts = urlsplit(url)
    try:
        port = parts.port
    except ValueError:
        port = None
    host = parts.hostname or "the endpoint"
    return f"{host}:{port}" if port is not None else host
