"""What a wire format is: an address, headers, and two pure functions.

`payload_of` makes a Request into a body, `answer_of` a body into an Answer or the error that came
in its place. Everything else (keys, time, statuses, retries) is the same for all formats and stands
in `http_provider`.
"""

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import msgspec

from evalkit.control.providers.answers import Answer
from evalkit.control.providers.error_bodies import ErrorBody, error_in
from evalkit.control.providers.streaming import StreamProtocol
from evalkit.errors import ConfigError, Problem
from evalkit.ports import HttpReply
from evalkit.records.call import Request


class UnsentParameter(ValueError):
    """A parameter of a prompt that this wire format has no place for; the message names it."""


class Unsigned(ValueError):
    """A request that cannot be signed; the message says what is missing."""


def bearer(key: str, base_url: str) -> Mapping[str, str]:
    """The key as a bearer token."""
    return {"authorization": f"Bearer {key}"}


def error_of_reply(reply: HttpReply) -> ErrorBody:
    """The error in a body, for formats whose errors say everything there."""
    return error_in(reply.body)


class WireProtocol(msgspec.Struct, frozen=True, kw_only=True):
    """One wire format.

    `url_of(base_url, model)` is where a model is asked; `key_headers(key, base_url)` carry the key.
    `payload_of` raises UnsentParameter. `answer_of` reads the body of a success; it raises
    MalformedAnswer or msgspec's errors. `error_of` reads any other reply. `id_header` is where the
    vendor's request id stands, `stream` how the format streams. `sign(environ, url, headers, body)`
    signs the requests of a provider that has no key of its own; it raises Unsigned.
    """

    noun: str
    url_of: Callable[[str, str], str]
    payload_of: Callable[[Request], dict[str, Any]]
    answer_of: Callable[[bytes], Answer | ErrorBody]
    stream: StreamProtocol
    key_headers: Callable[[str, str], Mapping[str, str]] = bearer
    headers: Mapping[str, str] = msgspec.field(default_factory=dict)
    error_of: Callable[[HttpReply], ErrorBody] = error_of_reply
    id_header: str = "x-request-id"
    sign: Callable[[Mapping[str, str], str, Mapping[str, str], bytes], Mapping[str, str]] | None = (
        None
    )


def check_address(name: str, base_url: str) -> None:
    """Raises ConfigError for what is no address, or one with a user or password in it."""
    key = f"providers.{name}.base_url"
    try:
        parts = urlsplit(base_url)
        port = parts.port
    except ValueError as error:
        raise ConfigError([Problem(message=f"no address: {error}", key=key)]) from None
    if parts.scheme not in ("http", "https") or not parts.hostname or port == 0:
        raise ConfigError([Problem(message="no address of an endpoint", key=key)])
    if parts.username is not None or parts.password is not None:
        raise ConfigError(
            [
                Problem(
                    message="a user or password stands in the address",
                    key=key,
                    suggestion="keep it in an environment variable and name that in api_key_env",
                )
            ]
        )


@lru_cache(maxsize=256)
def below(base_url: str, path: str) -> str:
    """An address with `path` below the base, before its query."""
    parts = urlsplit(base_url)
    return urlunsplit(parts._replace(path=parts.path.rstrip("/") + path))


def translated(
    request: Request, names: Mapping[str, str | None], *, own: frozenset[str], noun: str
) -> dict[str, Any]:
    """The request's parameters under a format's names.

    `names` gives a known parameter's name there, None for one it has none for; others stay as they
    are. `own` are parts of the body that the request itself fills: set as parameters they would go
    round the session's policies. Raises UnsentParameter.
    """
    sent: dict[str, Any] = {}
    for name, value in request.params.items():
        if name in own:
            raise UnsentParameter(f"`{name}` is filled by the session and is no parameter")
        there = names.get(name, name)
        if there is None:
            raise UnsentParameter(f"{noun} has no parameter `{name}`; take it out of the prompt")
        sent[there] = value
    return sent


def stop_list(value: Any) -> Any:
    """Stop texts as a list, which most formats want even for one."""
    return [value] if isinstance(value, str) else value
