"""One request from its bytes to its answer: read, identified, asked, written."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, MutableMapping
from contextlib import aclosing
from typing import Any, TypeVar

import msgspec

from evalkit.errors import EvalkitError
from evalkit.gateway.asked import Asked
from evalkit.gateway.call_ids import CallIds
from evalkit.gateway.door import Door
from evalkit.gateway.forms import check_form
from evalkit.gateway.refusals import Declined, Refusal, refusal_of, unreadable
from evalkit.gateway.service import Service
from evalkit.ports import Session
from evalkit.records.call import Completion, Piece
from evalkit.records.gateway_key import GatewayKey

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Scope = MutableMapping[str, Any]
Result = TypeVar("Result")

JSON = "application/json"
EVENTS = "text/event-stream; charset=utf-8"


class ClientLeft(Exception):
    """Whoever asked has closed the connection."""


class Exchange:
    """One request and its answer, over ASGI."""

    def __init__(self, scope: Scope, receive: Receive, send: Send, *, request_id: str) -> None:
        """`request_id` is ours; every answer carries it."""
        self.headers = {
            name.decode("latin-1").lower(): value.decode("latin-1")
            for name, value in scope["headers"]
        }
        self.request_id = request_id
        self.started = False
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
        headers = {"content-type": kind} | ids | more
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

    async def refuse(self, door: Door, refusal: Refusal) -> None:
        """Send a refusal in the door's format."""
        body = door.error(refusal, self.request_id)
        await self.answer(refusal.status, body, refusal_headers(refusal))


def refusal_headers(refusal: Refusal) -> dict[str, str]:
    """What tells an SDK whether to ask again. Without a word it would ask again after every 429."""
    headers = {} if refusal.retry else {"x-should-retry": "false"}
    if refusal.retry and refusal.retry_after_s is not None:
        headers["retry-after"] = str(max(1, round(refusal.retry_after_s)))
    if refusal.status == 401:
        headers["www-authenticate"] = "Bearer"
    return headers


class Asking:
    """Serves one door."""

    def __init__(self, door: Door, service: Service, *, max_bytes: int) -> None:
        """`max_bytes` is the longest body that is read."""
        self._door = door
        self._service = service
        self._max_bytes = max_bytes

    async def serve(self, exchange: Exchange) -> None:
        """Answer one request. Whatever happens ends in an answer, or in nobody listening."""
        try:
            holder = identify(exchange, self._service)
            asked = self._door.read(await exchange.body(self._max_bytes))
            route = route_of(exchange, asked, holder, self._service)
            async with self._service.session(route, holder, end_user=asked.end_user) as session:
                if asked.stream:
                    await self._stream(exchange, session, asked)
                else:
                    await self._whole(exchange, session, asked)
        except Declined as declined:
            await exchange.refuse(self._door, declined.refusal)
        except EvalkitError as error:
            await exchange.refuse(self._door, refusal_of(error))
        except ClientLeft:
            return

    async def _whole(self, exchange: Exchange, session: Session, asked: Asked) -> None:
        completion = await exchange.while_listening(
            session.complete(
                asked.messages,
                tools=asked.tools,
                params=asked.params,
                output=asked.output,
                interim=bool(asked.tools),
            )
        )
        check_form(asked, completion)
        completion = CallIds(exchange.request_id).whole(completion)
        body = self._door.answer(
            asked, completion, request_id=exchange.request_id, at=self._service.now_s()
        )
        await exchange.answer(200, body, about(completion))

    async def _stream(self, exchange: Exchange, session: Session, asked: Asked) -> None:
        """The head is sent with the first piece: until then an error has its own status."""
        pieces = session.stream(
            asked.messages,
            tools=asked.tools,
            params=asked.params,
            output=asked.output,
            interim=bool(asked.tools),
        )
        async with aclosing(pieces):
            await exchange.while_listening(self._write(exchange, pieces, asked))

    async def _write(
        self, exchange: Exchange, pieces: AsyncGenerator[Piece | Completion, None], asked: Asked
    ) -> None:
        writer = self._door.stream(asked, request_id=exchange.request_id, at=self._service.now_s())
        first = await anext(pieces)
        more = about(first) if isinstance(first, Completion) else {}
        await exchange.start(200, EVENTS, more | {"cache-control": "no-cache"})
        await exchange.write(writer.begin())
        ids = CallIds(exchange.request_id)
        try:
            each: Piece | Completion = first
            while not isinstance(each, Completion):
                if event := writer.piece(ids.piece(each)):
                    await exchange.write(event)
                each = await anext(pieces)
            check_form(asked, each)
            await exchange.write(writer.end(ids.whole(each)), last=True)
        except EvalkitError as error:
            event = writer.error(refusal_of(error), exchange.request_id)
            await exchange.write(event, last=True)


def identify(exchange: Exchange, service: Service) -> GatewayKey:
    """Whose request it is: a key as bearer token, or in x-api-key. Raises Declined."""
    scheme, _, bearer = exchange.headers.get("authorization", "").partition(" ")
    key = bearer.strip() if scheme.lower() == "bearer" else exchange.headers.get("x-api-key", "")
    holder = service.holder(key) if key else None
    if holder is None:
        message = "this key opens nothing" if key else "a key of the gateway is needed"
        raise Declined(
            Refusal(
                status=401,
                kind="authentication",
                code="invalid_api_key",
                message=f"{message}; `evalkit key add` makes one",
            )
        )
    return holder


def route_of(exchange: Exchange, asked: Asked, holder: GatewayKey, service: Service) -> str:
    """The route that is meant. Raises Declined for one that is not there for this key.

    A key that may not use a route is not told that there is one.
    """
    if holder.user and asked.end_user not in ("", holder.user):
        raise unreadable("the key is one person's, and the request names another user", "user")
    name = exchange.headers.get("x-evalkit-route") or asked.model
    if name not in service.routes or not holder.may_use(name):
        known = ", ".join(each for each in service.routes if holder.may_use(each)) or "none"
        raise Declined(
            Refusal(
                status=404,
                kind="not_found",
                code="model_not_found",
                message=f"there is no route {name!r} for this key; there is {known}",
                param="model",
            )
        )
    return name


def about(completion: Completion) -> dict[str, str]:
    """What headers tell of an answer."""
    headers = {"x-evalkit-model": completion.model}
    if completion.cost_usd is not None:
        headers["x-evalkit-cost-usd"] = f"{completion.cost_usd:.8f}"
    if completion.fallbacks:
        headers["x-evalkit-fallbacks"] = str(len(completion.fallbacks))
    return headers
