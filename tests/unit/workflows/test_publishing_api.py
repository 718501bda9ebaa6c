"""A code host's API: what is waited for, what is tried again, what is told."""

import asyncio
from collections.abc import Mapping
from typing import Any

import msgspec
import pytest

from evalkit.errors import HostError, ProviderError
from evalkit.ports import HttpReply
from evalkit.workflows.forges.host_api import HostApi, Unanswered, quoted, rate_limit_wait_s
from tests.unit.control.providers.fakes import FixedClock

NOW = int(FixedClock().now().timestamp())


def reply(status: int = 200, body: Any = None, **headers: str) -> HttpReply:
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    return HttpReply(status=status, headers=names, body=msgspec.json.encode(body))


@pytest.mark.parametrize(
    ("answer", "wait_s"),
    [
        (reply(200, x_ratelimit_remaining="0"), None),
        (reply(403, {"message": "Resource not accessible by integration"}), None),
        (reply(404), None),
        (reply(429), 60.0),
        (reply(429, retry_after="7"), 7.0),
        (reply(429, retry_after="0"), 1.0),
        (reply(429, retry_after="soon"), 60.0),
        (reply(403, retry_after="7"), 7.0),
        (reply(429, retry_after="Tue, 24 Nov 2026 12:00:30 GMT"), 30.0),
        (reply(429, retry_after="Tue, 24 Nov 2026 11:00:00 GMT"), 1.0),
        (reply(403, x_ratelimit_remaining="0", x_ratelimit_reset=str(NOW + 9)), 10.0),
        (reply(429, ratelimit_remaining="0", ratelimit_reset=str(NOW + 9)), 10.0),
        (reply(403, {"message": "You have exceeded a secondary rate limit"}), 60.0),
    ],
)
def test_a_rate_limit_says_how_long(answer: HttpReply, wait_s: float | None) -> None:
    assert rate_limit_wait_s(answer, FixedClock()) == wait_s


class Replies:
    """A transport that gives these in order, and keeps what it was asked."""

    def __init__(self, *replies: HttpReply | ProviderError) -> None:
        self.replies = list(replies)
        self.asked: list[tuple[str, str]] = []

    async def post(self, url: str, **given: Any) -> HttpReply:
        return await self.request("POST", url, **given)

    async def request(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str],
        body: bytes | None = None,
        timeout_s: float,
    ) -> HttpReply:
        self.asked.append((method, url))
        found = self.replies.pop(0)
        if isinstance(found, ProviderError):
            raise found
        return found

    async def close(self) -> None:
        return None


def api_of(*replies: HttpReply | ProviderError) -> tuple[HostApi, Replies, FixedClock]:
    transport, clock = Replies(*replies), FixedClock()
    api = HostApi(
        host="GitHub",
        base_url="https://api.test",
        headers={"authorization": "Bearer t0ken"},
        transport=transport,
        clock=clock,
    )
    return api, transport, clock


NEVER_LEFT = ProviderError("connection", "api.test: no connection", retryable=True)
LOST = ProviderError("timeout", "api.test: no reply", retryable=True, may_be_billed=True)


@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE"])
@pytest.mark.parametrize("trouble", [NEVER_LEFT, LOST, reply(502), reply(429, retry_after="1")])
def test_what_can_be_repeated_is(method: str, trouble: Any) -> None:
    api, transport, _ = api_of(trouble, trouble, trouble, reply(200, {"ok": True}))
    assert asyncio.run(api.call(method, "/x")) == {"ok": True}
    assert len(transport.asked) == 4


@pytest.mark.parametrize("trouble", [LOST, reply(502)])
@pytest.mark.parametrize(("method", "once"), [("POST", None), ("PATCH", True)])
def test_what_may_have_been_carried_out_is_not_repeated_blindly(
    method: str, once: bool | None, trouble: Any
) -> None:
    api, transport, _ = api_of(trouble)
    with pytest.raises(Unanswered):
        asyncio.run(api.call(method, "/x", {}, once=once))
    assert len(transport.asked) == 1


@pytest.mark.parametrize("trouble", [NEVER_LEFT, reply(429, retry_after="2")])
def test_a_post_that_was_surely_not_carried_out_is_repeated(trouble: Any) -> None:
    api, transport, _ = api_of(trouble, reply(201, {"id": 1}))
    assert asyncio.run(api.call("POST", "/x", {})) == {"id": 1}
    assert len(transport.asked) == 2


def test_waits_grow_and_end() -> None:
    api, transport, clock = api_of(NEVER_LEFT, NEVER_LEFT, NEVER_LEFT, NEVER_LEFT)
    with pytest.raises(HostError, match=r"GitHub: api\.test: no connection"):
        asyncio.run(api.call("GET", "/x"))
    assert (len(transport.asked), clock.passed_s) == (4, 7.0)


def test_all_requests_share_the_time_to_wait() -> None:
    long = reply(429, retry_after="100")
    api, _, clock = api_of(long, reply(200, 1), long)
    assert asyncio.run(api.call("GET", "/x")) == 1
    with pytest.raises(HostError, match="180 s in all"):
        asyncio.run(api.call("GET", "/x"))
    assert clock.passed_s == 100


def test_pages_are_asked_by_number_and_no_address_of_a_reply_is_followed() -> None:
    more = reply(200, [1], link='<https://evil.test/x?page=2>; rel="next", <u>; rel="last"')
    api, transport, _ = api_of(more, reply(200, [2], link='<https://api.test/x>; rel="prev"'))

    async def work() -> list[Any]:
        return [page async for page in api.pages("/x", params={"a": "b c"})]

    assert asyncio.run(work()) == [[1], [2]]
    assert [url for _, url in transport.asked] == [
        "https://api.test/x?a=b+c&per_page=100&page=1",
        "https://api.test/x?a=b+c&per_page=100&page=2",
    ]


def test_the_token_is_in_no_message() -> None:
    api, _, _ = api_of(reply(401, {"message": "Bad credentials t0ken", "errors": ["t0ken"]}))
    with pytest.raises(HostError) as caught:
        asyncio.run(api.call("GET", "/x"))
    assert "t0ken" not in str(caught.value)
    assert caught.value.status == 401


def test_a_path_is_made_of_safe_parts() -> None:
    assert quoted("repos", "a/b", "..?x#y") == "/repos/a%2Fb/..%3Fx%23y"
