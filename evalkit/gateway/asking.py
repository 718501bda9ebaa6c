"""One request from its bytes to its answer: read, identified, asked, written."""

from collections.abc import AsyncGenerator
from contextlib import aclosing

import msgspec

from evalkit.errors import EvalkitError
from evalkit.gateway.asked import Asked
from evalkit.gateway.call_ids import CallIds
from evalkit.gateway.call_order import CallOrder
from evalkit.gateway.desk import Desk
from evalkit.gateway.door import Door
from evalkit.gateway.exchange import EVENTS, ClientLeft, Exchange
from evalkit.gateway.forms import check_form
from evalkit.gateway.refusals import TOO_DEEP, Declined, refusal_of
from evalkit.ports import ModelSession
from evalkit.records.call import Completion, Piece

_STREAM = f"{EVENTS}; charset=utf-8"


class Asking:
    """Serves one door."""

    def __init__(self, door: Door, desk: Desk) -> None:
        """`desk` says whose requests they are."""
        self._door = door
        self._desk = desk

    async def serve(self, exchange: Exchange) -> None:
        """Answer one request. Whatever happens ends in an answer, or in nobody listening."""
        try:
            holder = self._desk.identify(exchange)
            asked = self._door.read(await exchange.body())
            tools = self._desk.known_tools(asked.tools)
            asked = msgspec.structs.replace(asked, tools=tools)
            async with self._desk.open(exchange, holder, asked) as session:
                if asked.stream:
                    await self._stream(exchange, session, asked)
                else:
                    await self._whole(exchange, session, asked)
        except Declined as declined:
            await exchange.refuse(declined.refusal, self._door.error)
        except EvalkitError as error:
            await exchange.refuse(refusal_of(error), self._door.error)
        except RecursionError:
            if exchange.started:
                raise
            await exchange.refuse(TOO_DEEP, self._door.error)
        except ClientLeft:
            return

    async def _whole(self, exchange: Exchange, session: ModelSession, asked: Asked) -> None:
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
            asked, completion, request_id=exchange.request_id, at=self._desk.now_s()
        )
        await exchange.answer(200, body, about(completion))

    async def _stream(self, exchange: Exchange, session: ModelSession, asked: Asked) -> None:
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
        writer = self._door.stream(asked, request_id=exchange.request_id, at=self._desk.now_s())
        first = await anext(pieces)
        more = about(first) if isinstance(first, Completion) else {}
        await exchange.start(200, _STREAM, more | {"cache-control": "no-cache"})
        await exchange.write(writer.begin())
        ids, order = CallIds(exchange.request_id), CallOrder()
        try:
            each: Piece | Completion = first
            while not isinstance(each, Completion):
                for piece in order.take(each):
                    if event := writer.piece(ids.piece(piece)):
                        await exchange.write(event)
                each = await anext(pieces)
            check_form(asked, each)
            rest = b"".join(writer.piece(ids.piece(piece)) for piece in order.rest())
            await exchange.write(rest + writer.end(ids.whole(each)), last=True)
        except EvalkitError as error:
            event = writer.error(refusal_of(error), exchange.request_id)
            await exchange.write(event, last=True)


def about(completion: Completion) -> dict[str, str]:
    """What headers tell of an answer."""
    headers = {"x-evalkit-model": completion.model}
    if completion.cost_usd is not None:
        headers["x-evalkit-cost-usd"] = f"{completion.cost_usd:.8f}"
    if completion.fallbacks:
        headers["x-evalkit-fallbacks"] = str(len(completion.fallbacks))
    return headers
