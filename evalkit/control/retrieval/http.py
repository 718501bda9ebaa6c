"""An index behind a service of the user's own: one POST a query, the reply checked.

Asked: `{"query": "…", "k": 5, "identity": "u-…"}`; `identity` is a pseudonym, empty for nobody.
Answered: `{"documents": [{"id": "…", "text": "…", "score": 1.5, "scopes": ["legal"]}]}`, best
first; `score` and `scopes` may be left out, and what else stands there is not read.
"""

import random
from collections import OrderedDict
from collections.abc import Mapping

import msgspec

from evalkit.config.indexes import HttpIndex
from evalkit.control.providers.error_bodies import error_in
from evalkit.control.providers.provider_errors import as_provider_error, shown, without_secrets
from evalkit.errors import ProviderError, Refused
from evalkit.ports import Clock, HttpReply, Transport
from evalkit.records.attempt import FailureMode
from evalkit.records.case import Document

BACKOFF_S = 0.5
MAX_WAIT_S = 30.0
_REMEMBERED = 4096


class _Found(msgspec.Struct, kw_only=True):
    """One document as a service writes it."""

    id: str
    text: str
    score: float | None = None
    scopes: list[str] = []


class _Answer(msgspec.Struct, kw_only=True):
    """A service's reply."""

    documents: list[_Found]


_DECODER = msgspec.json.Decoder(_Answer)


class HttpRetriever:
    """Implements Retriever. Answers are remembered while it lives, so that planning a call and
    making it see the same documents, and equal queries are asked once; errors are not.

    The key is read from `environ` at each call and kept nowhere.
    """

    remote = True

    def __init__(
        self,
        name: str,
        settings: HttpIndex,
        *,
        transport: Transport,
        clock: Clock,
        environ: Mapping[str, str],
        retries: int,
        jitter: random.Random,
    ) -> None:
        """`retries` are further tries after an error that may pass. The transport is not closed
        here."""
        self._name = name
        self._settings = settings
        self._transport = transport
        self._clock = clock
        self._environ = environ
        self._retries = retries
        self._jitter = jitter
        self._answers: OrderedDict[tuple[str, int, str], tuple[Document, ...]] = OrderedDict()

    def __repr__(self) -> str:
        """The name, nothing else."""
        return f"{type(self).__name__}(name={self._name!r})"

    async def find(self, query: str, *, k: int, identity: str) -> tuple[Document, ...]:
        """What the service answers, best first. Raises ProviderError, Refused without its key."""
        asked = (query, k, identity)
        known = self._answers.get(asked)
        if known is None:
            known = self._answers[asked] = await self._ask_with_retries(query, k, identity)
            if len(self._answers) > _REMEMBERED:
                self._answers.popitem(last=False)
        return known

    async def _ask_with_retries(self, query: str, k: int, identity: str) -> tuple[Document, ...]:
        for tried in range(self._retries + 1):
            try:
                return await self._ask(query, k, identity)
            except ProviderError as error:
                if not error.retryable or tried == self._retries:
                    raise
                wait_s = self._jitter.uniform(0, min(MAX_WAIT_S, BACKOFF_S * 2**tried))
                asked_s = min(error.retry_after_s or 0.0, MAX_WAIT_S)
            await self._clock.sleep(max(wait_s, asked_s))
        raise AssertionError("unreachable: the last try returns or raises")

    async def _ask(self, query: str, k: int, identity: str) -> tuple[Document, ...]:
        body = msgspec.json.encode({"query": query, "k": k, "identity": identity})
        secret = self._key()
        headers = {"content-type": "application/json", "accept": "application/json"}
        if secret is not None:
            header = self._settings.key_header
            bearer = header.lower() == "authorization"
            headers[header] = f"Bearer {secret}" if bearer else secret
        try:
            reply = await self._transport.post(
                self._settings.url, headers=headers, body=body, timeout_s=self._settings.timeout_s
            )
        except ProviderError as error:
            raise ProviderError(
                error.code,
                f"index {self._name} was not reached: {error}",
                retryable=error.retryable,
                retry_after_s=error.retry_after_s,
            ) from error
        return self._read(reply, () if secret is None else (secret,))

    def _key(self) -> str | None:
        if self._settings.key_env is None:
            return None
        key = self._environ.get(self._settings.key_env, "").strip()
        if not key:
            raise Refused(
                f"index {self._name} is asked with the key in ${self._settings.key_env}, which is "
                "not set"
            )
        return key

    def _read(self, reply: HttpReply, secrets: tuple[str, ...]) -> tuple[Document, ...]:
        if not 200 <= reply.status < 300:
            raise as_provider_error(
                f"of index {self._name}",
                reply,
                error=error_in(reply.body),
                secrets=secrets,
                now=self._clock.now(),
            )
        try:
            found = _DECODER.decode(without_secrets(reply.body, secrets)).documents
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise self._malformed(shown(str(error), secrets=secrets)) from None
        if any(not each.id.strip() for each in found):
            raise self._malformed("a document has no id")
        if len({each.id for each in found}) < len(found):
            raise self._malformed("two documents have one id")
        return tuple(
            Document(id=each.id, index=self._name, text=each.text, scopes=tuple(each.scopes))
            for each in found
        )

    def _malformed(self, why: str) -> ProviderError:
        return ProviderError(
            FailureMode.MALFORMED_REPLY,
            f'index {self._name} did not answer {{"documents": [{{"id", "text"}}]}}: {why}',
        )
