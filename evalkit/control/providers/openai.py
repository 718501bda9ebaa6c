"""Any OpenAI-compatible chat-completions endpoint."""

import uuid
from collections.abc import Mapping
from datetime import UTC
from typing import Literal
from urllib.parse import urlsplit, urlunsplit

import msgspec

from evalkit.control.providers.identity import identity_of
from evalkit.control.providers.openai_errors import (
    CONTENT_FILTER,
    as_provider_error,
    error_from,
    error_in,
    meaning_of,
)
from evalkit.control.providers.openai_reply import decode_completion, filtered_reply, reply_of
from evalkit.control.providers.openai_request import payload_of, token_cap_of
from evalkit.errors import ConfigError, Problem, ProviderError
from evalkit.ports import Clock, HttpReply, Transport
from evalkit.records.attempt import FailureMode
from evalkit.records.call import Reply, Request


class OpenAIProvider:
    """Asks one endpoint; the key is read from `environ` at each call and kept nowhere.

    Raises ConfigError for a `base_url` that is no address or that carries a user or password.
    """

    origin: Literal["live"] = "live"

    def __init__(
        self,
        *,
        name: str,
        base_url: str,
        api_key_env: str | None,
        environ: Mapping[str, str],
        transport: Transport,
        clock: Clock,
    ) -> None:
        """`name` is the configured provider's, for messages. The transport is not closed here."""
        self.name = name
        self.identity = identity_of("openai", base_url=base_url)
        self._url = _completions_url(name, base_url)
        self._token_cap = token_cap_of(base_url)
        self._api_key_env = api_key_env
        self._environ = environ
        self._transport = transport
        self._clock = clock

    def __repr__(self) -> str:
        """The name and the address, nothing else."""
        return f"OpenAIProvider(name={self.name!r}, url={self._url!r})"

    def missing(self, request: Request) -> str | None:
        """Nothing: a live endpoint is asked."""
        return None

    async def complete(self, request: Request, *, timeout_s: float) -> Reply:
        """Ask once. Raises ProviderError."""
        key = self._key()
        headers = {"content-type": "application/json", "accept": "application/json"}
        if key is not None:
            headers["authorization"] = f"Bearer {key}"
        body = msgspec.json.encode(payload_of(request, token_cap=self._token_cap))
        started = self._clock.monotonic()
        answer = await self._transport.post(
            self._url, headers=headers, body=body, timeout_s=timeout_s
        )
        return self._read(request, answer, key, self._clock.monotonic() - started)

    def _read(self, request: Request, answer: HttpReply, key: str | None, took_s: float) -> Reply:
        """The reply in an HTTP reply. Raises ProviderError."""
        now = self._clock.now()
        measured = {"measured_at": now.astimezone(UTC).isoformat(timespec="milliseconds")}
        # Some servers send the same id every time: it is kept for support, ours makes it unique.
        own_id = uuid.uuid4().hex[:12]
        completion, error = None, None
        if 200 <= answer.status < 300:
            completion = decode_completion(self.name, answer.body)
            problem = completion.error or (completion.choices and completion.choices[0].error)
            error = error_from(problem) if problem else None
        else:
            error = error_in(answer.body)
        if error is not None:
            if meaning_of(answer.status, error) is CONTENT_FILTER:
                return filtered_reply(request, measurement_id=own_id, latency_s=took_s, **measured)
            raise as_provider_error(self.name, answer, error=error, secret=key, now=now)
        assert completion is not None
        their_id = completion.id or answer.headers.get("x-request-id", "")
        return reply_of(
            self.name,
            request,
            completion,
            measurement_id=f"{their_id}/{own_id}" if their_id else own_id,
            latency_s=took_s,
            **measured,
        )

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


def _completions_url(name: str, base_url: str) -> str:
    """`/chat/completions` below the base, before its query. Raises ConfigError."""
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
    return urlunsplit(parts._replace(path=parts.path.rstrip("/") + "/chat/completions"))
