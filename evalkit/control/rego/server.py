"""Rego in an OPA server, by its REST API: `POST /v1/data/<package>` with the input."""

import os
from collections.abc import Mapping
from typing import Any

import msgspec

from evalkit.control.rego.decision import Undecided, read_decision
from evalkit.control.rego.engine import json_of
from evalkit.control.ruling import Ruling
from evalkit.errors import ProviderError
from evalkit.ports import Transport


class _Answer(msgspec.Struct):
    """A reply of the data API; without a `result` the document is undefined."""

    result: Any = msgspec.UNSET


class OpaServer:
    """Asks one package of an OPA server. What is slow, down or strange leaves an act undecided."""

    def __init__(
        self,
        url: str,
        *,
        package: str,
        shadow: bool,
        transport: Transport,
        timeout_s: float,
        token_env: str | None = None,
        environ: Mapping[str, str] = os.environ,
    ) -> None:
        """`url` is the server's address; `token_env` names the variable with its bearer token."""
        self.package = package
        self._shadow = shadow
        self._url = f"{url.rstrip('/')}/v1/data/{package.replace('.', '/')}"
        self._transport = transport
        self._timeout_s = timeout_s
        self._token_env = token_env
        self._environ = environ

    async def rule(self, document: Mapping[str, Any]) -> tuple[Ruling, ...]:
        """What the package says of one act. Raises Undecided."""
        try:
            body = f'{{"input":{json_of(document)}}}'.encode()
        except (ValueError, TypeError, RecursionError) as error:
            raise Undecided(f"{self.package} cannot be asked: {error}") from None
        try:
            reply = await self._transport.post(
                self._url, headers=self._headers(), body=body, timeout_s=self._timeout_s
            )
        except ProviderError as error:
            raise Undecided(f"the policy server cannot be asked: {error}") from None
        if reply.status != 200:
            raise Undecided(f"the policy server answered {reply.status}")
        try:
            answer = msgspec.json.decode(reply.body, type=_Answer)
        except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
            raise Undecided(f"the policy server's answer cannot be read: {error}") from None
        if answer.result is msgspec.UNSET:
            raise Undecided(f"the policy server knows no package {self.package}")
        return read_decision(answer.result, package=self.package, shadow=self._shadow)

    def _headers(self) -> dict[str, str]:
        headers = {"content-type": "application/json"}
        if self._token_env is not None:
            token = self._environ.get(self._token_env)
            if not token:
                raise Undecided(f"${self._token_env}, the policy server's token, is not set")
            headers["authorization"] = f"Bearer {token}"
        return headers
