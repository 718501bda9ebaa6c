"""Rego in an OPA server, by its REST API: `POST /v1/data/<package>` with the input."""

import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from evalkit.control.rego.decision import Undecided, read_decision, undecided
from evalkit.control.rego.engine import json_of
from evalkit.control.rego.waiting import LoopThread
from evalkit.control.ruling import Ruling
from evalkit.errors import ProviderError
from evalkit.ports import HttpReply, Transport


class _Answer(msgspec.Struct):
    """A reply of the data API; without a `result` the document is undefined."""

    result: Any = msgspec.UNSET


class OpaServer:
    """Asks one package of an OPA server. What is slow, down or strange leaves an act undecided.

    Implements `PolicyCheck`.
    """

    waits = True

    def __init__(
        self,
        url: str,
        *,
        package: str,
        shadow: bool,
        transport: Callable[[], Transport],
        timeout_s: float,
        token_env: str | None = None,
        environ: Mapping[str, str] = os.environ,
    ) -> None:
        """`url` is the server's address, `transport` makes a transport of its own; `token_env`
        names the variable with its bearer token."""
        self.name = f"the policy server at {url}"
        self.package = package
        self._shadow = shadow
        self._url = f"{url.rstrip('/')}/v1/data/{package.replace('.', '/')}"
        self._thread = LoopThread(transport)
        self._timeout_s = timeout_s
        self._token_env = token_env
        self._environ = environ

    def check(self, document: Mapping[str, Any]) -> Sequence[Ruling]:
        """What the package says of one act; a no where it cannot be evaluated."""
        try:
            return self._decide(document)
        except Undecided as why:
            return undecided(self.name, why, shadow=self._shadow)

    def _decide(self, document: Mapping[str, Any]) -> Sequence[Ruling]:
        """Raises Undecided."""
        try:
            body = f'{{"input":{json_of(document)}}}'.encode()
        except (ValueError, TypeError, RecursionError) as error:
            raise Undecided(f"the input document is no JSON: {error}") from None
        try:
            reply = self._thread.ask(lambda transport: self._post(transport, body))
        except ProviderError as error:
            raise Undecided(str(error)) from None
        if reply.status != 200:
            raise Undecided(f"it answered {reply.status}")
        try:
            answer = msgspec.json.decode(reply.body, type=_Answer)
        except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
            raise Undecided(f"its answer cannot be read: {error}") from None
        if answer.result is msgspec.UNSET:
            raise Undecided(f"it has no package {self.package}")
        return read_decision(answer.result, package=self.package, shadow=self._shadow)

    def close(self) -> None:
        """Give its connections back."""
        self._thread.close()

    async def _post(self, transport: Transport, body: bytes) -> HttpReply:
        return await transport.post(
            self._url, headers=self._headers(), body=body, timeout_s=self._timeout_s
        )

    def _headers(self) -> dict[str, str]:
        headers = {"content-type": "application/json"}
        if self._token_env is not None:
            token = self._environ.get(self._token_env)
            if not token:
                raise Undecided(f"${self._token_env}, which holds its token, is not set")
            headers["authorization"] = f"Bearer {token}"
        return headers
