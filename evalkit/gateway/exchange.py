"""One request and its answer over ASGI."""

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, TypeVar

import msgspec

from evalkit.gateway.refusals import Declined, Refusal

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Scope = MutableMapping[str, Any]
ErrorWriter = Callable[[Refusal, str], Any]
Result = TypeVar("Result")

JSON = "application/json"


class ClientLeft(Exception):
    """Whoever asked has closed the connection."""


class Exchange:
    """One request and its answer, over ASGI."""

    def __init__(self, scope: Scope, receive: Receive, send: Send, *, request_id: str) -> None:
        """`request_id` is ours; every answer carries it."""
        self.headers: dict[str, str] = {
            name.decode("latin-1").lower(): value.decode("latin-1")
            for name, value in scope["headers"]
        }
        self.request_id = request_id
        self.started = False
        # told with every answer, once known
        self.about: dict[str, str] = {}
        self._receive = receive
        self._send = send

    async def body(self, max_bytes: int) -> bytes:
        """The whole body. Raises Declined for one that is too large, ClientLeft."""
        parts: list[bytes] = []
        size = 0
        while True:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                raise ClientLeft
            part = message.get("body", b"")
            size += len(part)
            if size > max_bytes:
                raise Declined(
                    Refusal(
                        status=413,
                        kind="too_large",
                        code="request_too_large",
                        message=f"the body is longer than {max_bytes:,} bytes",
                    )
                )
            parts.append(part)
            if not message.get("more_body"):
                return b"".join(parts)

    async def while_listening(self, work: Awaitable[Result]) -> Result:
        """The result of `work`, which is cancelled where the client leaves: then ClientLeft."""
        task = asyncio.ensure_future(work)
        left = asyncio.ensure_future(self._left())
        try:
            await asyncio.wait((task, left), return_when=asyncio.FIRST_COMPLETED)
            if not task.done():
                raise ClientLeft
            return task.result()
        finally:
            left.cancel()
            task.cancel()
            await asyncio.wait((task, left))

    async def _left(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass

    async def start(self, status: int, kind: str, more: dict[str, str]) -> None:
        """Send the head of the answer."""
        self.started = True
        # OpenAI's name for it, and Anthropic's
        ids = {"x-request-id": self.request_id, "request-id": self.request_id}
        headers = {"content-type": kind} | ids | self.about | more
        await self._send(
            {
                "type": "http.response.start",
                "status": status,
                "headers": [
                    (name.encode("latin-1"), value.encode("latin-1", "replace"))
                    for name, value in headers.items()
                ],
            }
        )

    async def write(self, body: bytes, *, last: bool = False) -> None:
        """Send a part of the body, or its `last` one."""
        await self._send({"type": "http.response.body", "body": body, "more_body": not last})

    async def answer(self, status: int, body: Any, more: dict[str, str]) -> None:
        """Send a whole answer."""
        await self.start(status, JSON, more)
        await self.write(msgspec.json.encode(body), last=True)

    async def refuse(self, refusal: Refusal, write: ErrorWriter) -> None:
        """Send a refusal, whose body `write` makes of it and of the request's id."""
        body = write(refusal, self.request_id)
        await self.answer(refusal.status, body, refusal_headers(refusal))


def refusal_headers(refusal: Refusal) -> dict[str, str]:
    """What tells an SDK whether to ask again. Without a word it would ask again after every 429."""
    headers = {} if refusal.retry else {"x-should-retry": "false"}
    if refusal.retry and refusal.retry_after_s is not None:
        headers["retry-after"] = str(max(1, round(refusal.retry_after_s)))
    if refusal.status == 401:
        headers["www-authenticate"] = "Bearer"
    return headers
