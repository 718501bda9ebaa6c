"""A code host's REST API: retries that repeat nothing twice, rate limits, pages, clear errors."""

import re
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

import msgspec

from evalkit.errors import HostError, ProviderError
from evalkit.ports import Clock, HttpReply, Transport
from evalkit.report.untrusted import clip, one_line

_TRIES = 4
_MOST_PAGES = 100
_PER_PAGE = 100
_UNSAID_WAIT_S = 60.0  # what GitHub asks for where a secondary limit names no time
_BROKEN = frozenset({500, 502, 503, 504})
_SECRET = frozenset({"authorization", "private-token", "job-token"})
_SECONDS = re.compile("[0-9]{1,12}")
_NEXT = re.compile(r'<[^>]*>\s*;[^,]*\brel="?next"?', re.IGNORECASE)


class Unanswered(HostError):
    """The request may have been carried out: ask what is there before it is made again."""


@dataclass(kw_only=True)
class HostApi:
    """Requests to one API with one set of headers.

    `host` is its name in messages, `base_url` has no slash at its end. What is safe to repeat is
    tried four times, what is not only where it was surely not carried out. At most `max_wait_s`
    seconds are spent waiting over all of its requests.
    """

    host: str
    base_url: str
    headers: Mapping[str, str]
    transport: Transport
    clock: Clock
    timeout_s: float = 30.0
    max_wait_s: float = 180.0
    waited_s: float = field(default=0.0, init=False)

    async def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        params: Mapping[str, str] | None = None,
        once: bool | None = None,
    ) -> Any:
        """The reply's JSON, None for an empty one. `path` begins with a slash and is quoted.

        `once` tells that it must not be carried out twice; default: a POST must not.
        Raises HostError, whose `status` says what the host answered, and Unanswered.
        """
        once = method == "POST" if once is None else once
        return _decoded(await self._ask(method, path, body, params, once=once), self.host)

    async def pages(
        self, path: str, *, params: Mapping[str, str] | None = None
    ) -> AsyncIterator[Any]:
        """The JSON of every page of a list, for as long as the reply names a next one.

        Pages are asked by number, so that no address in a reply is ever followed.
        """
        for number in range(1, _MOST_PAGES + 1):
            asked = {**(params or {}), "per_page": str(_PER_PAGE), "page": str(number)}
            reply = await self._ask("GET", path, None, asked, once=False)
            yield _decoded(reply, self.host)
            if not _NEXT.search(reply.headers.get("link", "")):
                return
        raise HostError(f"{self.host} lists more than {_MOST_PAGES * _PER_PAGE:,} at {path}")

    async def _ask(
        self,
        method: str,
        path: str,
        body: Any,
        params: Mapping[str, str] | None,
        *,
        once: bool,
    ) -> HttpReply:
        url = f"{self.base_url}{path}" + (f"?{urlencode(params)}" if params else "")
        where = f"{self.host}, {method} {path}"
        for number in range(1, _TRIES + 1):
            last = number == _TRIES
            try:
                reply = await self.transport.request(
                    method,
                    url,
                    headers=self._headers(body),
                    body=None if body is None else msgspec.json.encode(body),
                    timeout_s=self.timeout_s,
                )
            except ProviderError as error:
                self._check_repeat(error, once=once, last=last)
                await self._wait(2.0 ** (number - 1), where)
                continue
            wait_s = rate_limit_wait_s(reply, self.clock)
            if wait_s is not None:
                if last:
                    raise self._refusal(where, reply)
                await self._wait(wait_s, where)
            elif reply.status in _BROKEN:
                if once:
                    raise Unanswered(f"{where}: {reply.status}", status=reply.status)
                if last:
                    raise self._refusal(where, reply)
                await self._wait(2.0 ** (number - 1), where)
            elif not 200 <= reply.status < 300:
                raise self._refusal(where, reply)
            else:
                return reply
        raise AssertionError("the last try returns or raises")

    def _headers(self, body: Any) -> dict[str, str]:
        kind = {} if body is None else {"content-type": "application/json"}
        return {"accept": "application/json", **kind, **self.headers}

    def _check_repeat(self, error: ProviderError, *, once: bool, last: bool) -> None:
        """Return where the request may be made again; raise what it ended with otherwise."""
        if error.may_be_billed and once:
            raise Unanswered(f"{self.host}: {error}")
        if last or not error.retryable:
            raise HostError(f"{self.host}: {error}")

    async def _wait(self, seconds: float, where: str) -> None:
        if self.waited_s + seconds > self.max_wait_s:
            raise HostError(
                f"{where}: it asks to wait {seconds:.0f} s, and {self.max_wait_s:.0f} s in all are "
                "what publishing waits; publish again later"
            )
        self.waited_s += seconds
        await self.clock.sleep(seconds)

    def _refusal(self, where: str, reply: HttpReply) -> HostError:
        """What a status means. The host's own words are quoted, on one line, without the token."""
        said = self._without_token(_said(reply))
        if reply.status in (301, 302, 303, 307, 308):
            target = urlsplit(reply.headers.get("location", "")).path
            words = "it has moved" + (f" to {clip(one_line(target), 200)}" if target else "")
            words += "; no token is sent after it: name its new place"
        elif reply.status == 401:
            words = "the token is not accepted" + said
        elif reply.status == 403:
            accepted = reply.headers.get("x-accepted-github-permissions", "")
            words = "not allowed" + said
            words += f"; it would take {clip(one_line(accepted), 200)}" if accepted else ""
        elif reply.status == 404:
            words = "not there, or the token may not see it" + said
        else:
            words = f"it answered {reply.status}" + said
        return HostError(f"{where}: {words}", status=reply.status)

    def _without_token(self, text: str) -> str:
        for name, value in self.headers.items():
            token = value.rpartition(" ")[2]
            if name.lower() in _SECRET and token:
                text = text.replace(token, "***")
        return text


def quoted(*parts: str) -> str:
    """A path of these parts, each made safe: ('repos', 'o', 'r') gives '/repos/o/r'."""
    return "".join(f"/{quote(part, safe='')}" for part in parts)


def rate_limit_wait_s(reply: HttpReply, clock: Clock) -> float | None:
    """Seconds that a reply asks to wait before the next request; None where it is no rate limit.

    A 403 is one where it says so: GitHub uses it for a missing permission too.
    """
    headers = reply.headers
    spent = "0" in (headers.get("x-ratelimit-remaining"), headers.get("ratelimit-remaining"))
    words = reply.body[:2_000].lower()
    if reply.status != 429 and not (
        reply.status == 403 and (spent or "retry-after" in headers or b"rate limit" in words)
    ):
        return None
    after = _retry_after_s(headers.get("retry-after", ""), clock)
    if after is not None:
        return after
    reset = headers.get("x-ratelimit-reset") or headers.get("ratelimit-reset") or ""
    if spent and _SECONDS.fullmatch(reset):
        return max(1.0, float(reset) - clock.now().timestamp() + 1)
    return _UNSAID_WAIT_S


def _retry_after_s(text: str, clock: Clock) -> float | None:
    if _SECONDS.fullmatch(text):
        return max(1.0, float(text))
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return None
    moment = moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
    return max(1.0, (moment - clock.now()).total_seconds())


def _decoded(reply: HttpReply, host: str) -> Any:
    if not reply.body.strip():
        return None
    try:
        return msgspec.json.decode(reply.body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise HostError(f"{host} answered {reply.status} with something that is no JSON") from error


def _said(reply: HttpReply) -> str:
    try:
        content = msgspec.json.decode(reply.body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return ""
    if not isinstance(content, dict):
        return ""
    texts = [content.get("message"), content.get("error"), content.get("error_description")]
    text = next((each for each in texts if each), None)
    if text is None:
        return ""
    errors = content.get("errors")
    details = f" {msgspec.json.encode(errors).decode()}" if errors else ""
    return f" ({clip(one_line(f'{text}{details}'), 300)})"
