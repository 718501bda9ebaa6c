"""The one place where what aiohttp and the operating system raise is mapped.

Whether the request had left decides if money may have been spent, so that is told apart.
"""

import ssl
from typing import NamedTuple
from urllib.parse import urlsplit

from evalkit.errors import ProviderError
from evalkit.records.attempt import FailureMode

CONNECT_TIMEOUT_S = 10.0


class _Row(NamedTuple):
    """What errors of these kinds mean. `may_have_left`: the request may have reached the server."""

    kinds: tuple[type[BaseException], ...]
    code: FailureMode
    meaning: str
    retryable: bool = True
    may_have_left: bool = False


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
        f"{where}: {row.meaning}" + (f" ({reason})" if reason else ""),
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
            "its certificate is not trusted (SSL_CERT_FILE names other authorities)",
            retryable=False,
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
        ),
        _Row(
            (aiohttp.ConnectionTimeoutError,),
            FailureMode.TIMEOUT,
            f"no connection within {min(CONNECT_TIMEOUT_S, timeout_s):g} s",
        ),
        _Row(
            (aiohttp.ClientConnectorError,),
            FailureMode.CONNECTION,
            "no connection",
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
    from aiohttp.http_exceptions import ContentEncodingError, HttpProcessingError

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
            (aiohttp.ClientError, HttpProcessingError, OSError),
            FailureMode.CONNECTION,
            "the connection was lost before the reply was whole",
            may_have_left=True,
        ),
    )


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
