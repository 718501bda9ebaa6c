"""One request and its answer over ASGI."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any, TypeVar

import msgspec

from evalkit.config.gateway import GatewayRules
from evalkit.gateway.refusals import Declined, Refusal, unreadable

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Scope = MutableMapping[str, Any]
ErrorWriter = Callable[[Refusal, str], Any]
Result = TypeVar("Result")

JSON = "application/json"
EVENTS = "text/event-stream"
BREAK_OFF = "evalkit.break_off"
DEFAULTS = GatewayRules()
_CLOSING = (408, 413)


class ClientLeft(Exception):
    """Whoever asked has closed the connection."""


class Exchange:
    """One request and its answer, over ASGI."""

    def __init__(
        self,
        scope: Scope,
        receive: Receive,
        send: Send,
        *,
        request_id: str,
        rules: GatewayRules = DEFAULTS,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """`request_id` is ours; every answer carries it.

        What is found out on the way is kept for figures and the log: the id of the `key`, the
        `route`, the `status` that was sent (0: none), the code of what was `refused`, and when the
        first byte of a stream left.
        """
        self.method = str(scope["method"])
        self.key = ""
        self.route = ""
        self.status = 0
        self.refused = ""
        self.first_s: float | None = None
        self.monotonic = monotonic
        self.began_s = monotonic()
        self._rules = rules
        self.headers: dict[str, str] = {
            name.decode("latin-1").lower(): value.decode("latin-1")
            for name, value in scope["headers"]
        }
        self.request_id = request_id
        self.started = False
        self._left = False
        # told with every answer, once known
        self.about: dict[str, str] = {}
        self._break_off: Callable[[], None] | None = scope.get("state", {}).get(BREAK_OFF)
        self._receive = receive
        self._send = send

    async def body(self) -> bytes:
        """The whole body. Raises Declined for one that is packed, too large or too slow, and
        ClientLeft."""
        packed = self.headers.get("content-encoding", "identity")
        if packed.strip().lower() != "identity":
            message = f"content-encoding {packed!r} cannot be read; send the body as it is"
            raise unreadable(message, "content-encoding")
        announced = self.headers.get("content-length", "")
        if announced.isdecimal() and int(announced) > self._rules.max_body_bytes:
            raise self._too_large()
        try:
            async with asyncio.timeout(self._rules.body_timeout_s):
                return await self._whole_body()
        except TimeoutError:
            message = f"the body did not come within {self._rules.body_timeout_s:g} s"
            raise Declined(
                Refusal(
                    status=408,
                    kind="timeout",
                    code="body_timeout",
                    message=message,
                    retry=True,
                )
            ) from None

    async def _whole_body(self) -> bytes:
        parts: list[bytes] = []
        size = 0
        while True:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                raise ClientLeft
            part = message.get("body", b"")
            size += len(part)
            if size > self._rules.max_body_bytes:
                raise self._too_large()
            parts.append(part)
            if not message.get("more_body"):
                return b"".join(parts)

    def _too_large(self) -> Declined:
        message = f"the body is longer than {self._rules.max_body_bytes:,} bytes"
        return Declined(
            Refusal(status=413, kind="too_large", code="request_too_large", message=message)
        )

    async def while_listening(self, work: Awaitable[Result]) -> Result:
        """The result of `work`, which is cancelled where the client leaves: then ClientLeft."""
        task = asyncio.current_task()
        assert task is not None, "a request is served in a task"
        cancelled_before = task.cancelling()
        listening = asyncio.ensure_future(self._cancel_when_left(task))
        try:
            return await work
        except asyncio.CancelledError:
            # whoever else cancelled the task meanwhile goes first
            if self._left and task.uncancel() <= cancelled_before:
                raise ClientLeft from None
            raise
        finally:
            listening.cancel()

    async def _cancel_when_left(self, task: asyncio.Task[Any]) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
        self._left = True
        task.cancel()

    async def start(self, status: int, kind: str, more: dict[str, str]) -> None:
        """Send the head of the answer."""
        self.started = True
        self.status = status
        if kind.startswith(EVENTS):
            self.first_s = self.monotonic()
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
        written = msgspec.json.encode(body)
        await self.start(status, JSON, more | {"content-length": str(len(written))})
        await self.write(written, last=True)

    async def break_off(self) -> bool:
        """Close the connection at once, so that half an answer does not look whole; whether it
        could be done."""
        if self._break_off is None:
            return False
        self._break_off()
        await asyncio.sleep(0)  # the server hears of it with the next turn of the loop
        return True

    async def refuse(
        self, refusal: Refusal, write: ErrorWriter, *, more: Mapping[str, str] | None = None
    ) -> None:
        """Send a refusal, whose body `write` makes of it and of the request's id, with `more`
        headers."""
        self.refused = refusal.code
        body = write(refusal, self.request_id)
        await self.answer(refusal.status, body, refusal_headers(refusal) | dict(more or {}))


def refusal_headers(refusal: Refusal) -> dict[str, str]:
    """What tells an SDK whether to ask again. Without a word it would ask again after every 429."""
    headers = {} if refusal.retry else {"x-should-retry": "false"}
    if refusal.retry and refusal.retry_after_s is not None:
        headers["retry-after"] = str(max(1, round(refusal.retry_after_s)))
    if refusal.status in _CLOSING or refusal.code == "draining":
        headers["connection"] = "close"  # what is left of the body is read by nobody
    if refusal.status == 401:
        headers["www-authenticate"] = "Bearer"
    return headers
