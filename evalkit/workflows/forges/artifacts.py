"""What CI kept of a run, as `fetch` sees it on every forge."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol, TypeVar
from urllib.parse import urljoin, urlsplit

import msgspec

from evalkit.control.providers.transport_errors import host_of
from evalkit.errors import HostError, ProviderError, UsageError
from evalkit.ports import HttpReply
from evalkit.workflows.forges.host_api import HostApi

# of a span of time; each may have to be downloaded to see what is in it
MOST_LOOKED_AT = 10
DOWNLOAD_TIMEOUT_S = 600.0
_TRIES = 3
_MOST_REDIRECTS = 5
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_BROKEN = frozenset({429, 500, 502, 503, 504})

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Artifact:
    """A zip file that a CI job kept.

    `made_at` is ISO 8601 in UTC, `ci_run` the workflow run or pipeline. `own` tells that the
    repository's own branch ran, and not what somebody asks to have merged.
    """

    id: int
    name: str
    bytes: int
    made_at: str
    ci_run: int | None
    own: bool

    @property
    def words(self) -> str:
        """How messages call it."""
        return f"artifact {self.name!r} of {self.made_at or 'an unknown time'}"


@contextmanager
def explained(api: HostApi, words: Mapping[int, str]) -> Iterator[None]:
    """What a host's refusal means for somebody who fetches, by status; others stay as they are."""
    try:
        yield
    except HostError as error:
        meaning = words.get(error.status or 0)
        if meaning is None:
            raise
        raise UsageError(f"{api.host}: {meaning}") from error


def cannot_be_found(what: str) -> str:
    """'there is no X', or 'the X cannot be found'."""
    return f"{what} cannot be found" if what.startswith("the ") else f"there is no {what}"


class Artifacts(Protocol):
    """The artifacts of one repository. Raises UsageError for what is not there or not allowed,
    HostError for what could not be asked."""

    async def of_change(self, number: int, name: str) -> list[Artifact]:
        """Those of a pull or merge request's last commit, newest first; at least one."""

    async def of_ci_run(self, number: int, name: str) -> list[Artifact]:
        """Those of a workflow run or pipeline, newest first; at least one."""

    async def made_between(self, first: datetime, last: datetime, name: str) -> list[Artifact]:
        """Those of a span of time, the earliest first, and no more than `MOST_LOOKED_AT`."""

    async def download(self, artifact: Artifact) -> bytes:
        """Its zip file."""


def none_found(what: str, name: str, others: set[str], *, busy: bool) -> UsageError:
    """The error for CI runs that kept nothing of that name; `others` are the names they kept."""
    words = f"there is no artifact {name!r} of {what}"
    if others:
        shown = ", ".join(repr(each) for each in sorted(others)[:10])
        words += f"; there is {shown}: name one with --artifact"
    elif busy:
        words += " yet: CI is still at it"
    else:
        words += ": nothing in it kept a run of evalkit"
    return UsageError(words)


def moment(text: str | None) -> datetime | None:
    """A time in ISO 8601 with its zone; None for what is none."""
    try:
        found = datetime.fromisoformat(text or "")
    except ValueError:
        return None
    return None if found.tzinfo is None else found


def typed(value: Any, kind: type[T], api: HostApi) -> T:
    """The JSON that an API answered with, as what it should be. Raises HostError."""
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        raise HostError(
            f"{api.host} answered in another form than it describes ({error})"
        ) from error


async def download(api: HostApi, path: str, what: str) -> bytes:
    """A file of an API, which may send on to another host: there, nothing tells who asks.

    Raises HostError.
    """
    url = f"{api.base_url}{path}"
    headers = dict(api.headers)
    for _ in range(_MOST_REDIRECTS):
        reply = await _get(api, url, headers)
        target = reply.headers.get("location")
        if reply.status not in _REDIRECTS or target is None:
            break
        url = urljoin(url, target)
        if urlsplit(url).scheme not in ("https", urlsplit(api.base_url).scheme):
            raise HostError(f"{api.host} keeps {what} at an address that is not https")
        if _origin(url) != _origin(api.base_url):
            headers = {}
    if reply.status == 200:
        return reply.body
    raise HostError(f"{host_of(url)} answered {reply.status} for {what}", status=reply.status)


async def _get(api: HostApi, url: str, headers: Mapping[str, str]) -> HttpReply:
    """The reply, asked for again while what came instead may pass."""
    for number in range(1, _TRIES + 1):
        try:
            reply = await api.transport.request(
                "GET", url, headers=headers, timeout_s=DOWNLOAD_TIMEOUT_S
            )
        except ProviderError as error:
            if number == _TRIES or not error.retryable:
                raise HostError(f"{api.host}: {error}") from error
        else:
            if number == _TRIES or reply.status not in _BROKEN:
                return reply
        await api.clock.sleep(2.0 ** (number - 1))
    raise AssertionError("the last try returns or raises")


def _origin(url: str) -> tuple[str, str]:
    parts = urlsplit(url)
    return parts.scheme, parts.netloc
