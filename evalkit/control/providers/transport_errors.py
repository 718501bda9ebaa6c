"""The one place where what aiohttp and the operating system raise is mapped.

Whether the request had left decides if money may have been spent, so that is told apart.
"""

import os
import re
import ssl
from typing import NamedTuple
from urllib.parse import urlsplit

from evalkit.errors import ProviderError
from evalkit.records.attempt import FailureMode

CONNECT_TIMEOUT_S = 10.0
_LOST = "the connection was lost before the reply was whole"


class _Row(NamedTuple):
    """What errors of these kinds mean, and what to do. `may_have_left`: the request may have
    reached the server."""

    kinds: tuple[type[BaseException], ...]
    code: FailureMode
    meaning: str
    retryable: bool = True
    may_have_left: bool = False
    advice: str = ""


def map_error(error: Exception, *, where: str, timeout_s: float) -> ProviderError | None:
    """What an error of aiohttp or the operating system means; None for a bug.

    Messages name the host and the operating system's reason, never the URL or a header.
    """
    from aiohttp.http_exceptions import HttpProcessingError

    # what was wrong with a body says more than that its reading ended
    if isinstance(error.__cause__, HttpProcessingError):
        error = error.__cause__
    row = next((each for each in _table(timeout_s) if isinstance(error, each.kinds)), None)
    if row is None:
        return None
    reason = _reason(error)
    return ProviderError(
        row.code,
        f"{where}: {row.meaning}"
        + (f" ({reason})" if reason else "")
        + (f"; {row.advice}" if row.advice else ""),
        retryable=row.retryable,
        may_be_billed=row.may_have_left,
    )


def _table(timeout_s: float) -> tuple[_Row, ...]:
    """The first row that fits counts: subclasses stand before their bases."""
    return (*_rows_before_sending(timeout_s), *_rows_once_sent(timeout_s))


def _rows_before_sending(timeout_s: float) -> tuple[_Row, ...]:
    """Nothing has left, so nothing can be billed."""
    import aiohttp

    return (
        _Row(
            (aiohttp.ClientConnectorCertificateError, ssl.SSLCertVerificationError),
            FailureMode.CONNECTION,
            "its certificate is not trusted",
            retryable=False,
            advice="look at its address (base_url), or name its authority in SSL_CERT_FILE",
        ),
        _Row(
            (aiohttp.ServerFingerprintMismatch,),
            FailureMode.CONNECTION,
            "its certificate is another than the pinned one",
            retryable=False,
        ),
        _Row(
            (
                aiohttp.ClientProxyConnectionError,
                aiohttp.ClientHttpProxyError,
            ),
            FailureMode.CONNECTION,
            "the proxy could not be used",
            advice="look at HTTPS_PROXY and HTTP_PROXY, or name the host in NO_PROXY",
        ),
        _Row(
            (aiohttp.ConnectionTimeoutError,),
            FailureMode.TIMEOUT,
            f"no connection within {min(CONNECT_TIMEOUT_S, timeout_s):g} s",
        ),
        _Row(
            (aiohttp.ClientConnectorDNSError,),
            FailureMode.CONNECTION,
            "no address is known of that name",
            advice="look at its address (base_url), and at the DNS of this machine",
        ),
        _Row(
            (aiohttp.ClientConnectorSSLError,),
            FailureMode.CONNECTION,
            "no secure connection",
            advice="look at its address (base_url): does it mean http://, or another port?",
        ),
        _Row(
            (aiohttp.ClientConnectorError,),
            FailureMode.CONNECTION,
            "no connection",
            advice="look at its address (base_url), and whether it is up",
        ),
        _Row(
            (
                aiohttp.InvalidURL,
                aiohttp.NonHttpUrlClientError,
                aiohttp.RedirectClientError,
            ),
            FailureMode.BAD_REQUEST,
            "the address or a header cannot be sent; look at base_url and the key",
            retryable=False,
        ),
    )


def _rows_once_sent(timeout_s: float) -> tuple[_Row, ...]:
    """The request may have arrived, and its answer may be billed."""
    import aiohttp
    from aiohttp.http_exceptions import (
        ContentEncodingError,
        HttpProcessingError,
        PayloadEncodingError,
    )

    return (
        _Row(
            (TimeoutError,),
            FailureMode.TIMEOUT,
            f"no whole reply within {timeout_s:g} s",
            may_have_left=True,
        ),
        _Row(
            (ContentEncodingError,),
            FailureMode.MALFORMED_REPLY,
            "the reply is not compressed as it says",
            may_have_left=True,
        ),
        _Row(
            (PayloadEncodingError,),
            FailureMode.CONNECTION,
            _LOST,
            may_have_left=True,
        ),
        _Row(
            (aiohttp.ClientResponseError, HttpProcessingError),
            FailureMode.CONNECTION,
            "what came back is no HTTP that can be read, or has headers beyond all measure",
            may_have_left=True,
            advice="look at its address (base_url)",
        ),
        _Row(
            (aiohttp.ClientError, OSError),
            FailureMode.CONNECTION,
            _LOST,
            may_have_left=True,
        ),
    )


def _reason(error: BaseException) -> str:
    """The operating system's words, where there are any: they hold no part of the request."""
    inner = getattr(error, "os_error", error)
    if not isinstance(inner, OSError) or not isinstance(inner.strerror, str):
        return ""
    hidden = inner.strerror.startswith(("Connect call failed", "Multiple exceptions"))
    if hidden and inner.errno is not None:
        return os.strerror(inner.errno)  # asyncio's own words hide it
    words = inner.strerror.split("\n", 1)[0]
    return re.sub(r" \(_ssl\.c:\d+\)$", "", words)[:200]


def host_of(url: str) -> str:
    """`host:port` of a URL, without user, password, path and query."""
    parts = urlsplit(url)
    try:
        port = parts.port
    except ValueError:
        port = None
    host = parts.hostname or "the endpoint"
    return f"{host}:{port}" if port is not None else host
