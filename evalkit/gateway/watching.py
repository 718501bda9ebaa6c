"""Doors for who runs the gateway: is it alive, may it be sent requests, what are its figures."""

import asyncio

import msgspec

from evalkit.errors import EvalkitError
from evalkit.gateway.doors.openai_errors import error_body
from evalkit.gateway.exchange import Exchange
from evalkit.gateway.identity import identify
from evalkit.gateway.metrics import CONTENT_TYPE
from evalkit.gateway.operation import Operation
from evalkit.gateway.refusals import Declined, refusal_of
from evalkit.gateway.service import Service
from evalkit.gateway.sessions import SessionTable
from evalkit.gateway.worker_metrics import Siblings, texts_together


class WatchDoors:
    """Answers one request each. They are served while the gateway drains, too."""

    def __init__(
        self,
        service: Service,
        sessions: SessionTable,
        operation: Operation,
        siblings: Siblings | None = None,
    ) -> None:
        """Of the process whose `operation` it is; `siblings` are the workers behind its port."""
        self._service = service
        self._sessions = sessions
        self._operation = operation
        self._siblings = siblings

    async def alive(self, exchange: Exchange) -> None:
        """200 as long as the process answers at all."""
        await exchange.answer(200, {"status": "alive"}, {})

    async def ready(self, exchange: Exchange) -> None:
        """200 where requests are welcome, else 503 with what is missing: without a key, so in a
        word, and without a path or a name."""
        problem = "draining" if self._operation.state == "draining" else None
        problem = problem or await asyncio.to_thread(self._service.problem)
        if problem is None:
            await exchange.answer(200, {"status": "ready"}, {})
        else:
            await exchange.answer(503, {"status": problem}, {"retry-after": "1"})

    async def metrics(self, exchange: Exchange) -> None:
        """Figures in Prometheus' text format, for a key that is for metrics."""
        try:
            identify(exchange, self._service, "metrics")
            text = await self.figures()
        except Declined as declined:
            await exchange.refuse(declined.refusal, error_body)
            return
        except EvalkitError as error:
            await exchange.refuse(refusal_of(error), error_body)
            return
        if self._siblings is not None:
            text = texts_together(await self._siblings.texts(text))
        await exchange.start(200, CONTENT_TYPE, {})
        await exchange.write(text, last=True)

    async def figures(self) -> bytes:
        """The figures of this process. Raises StoreError."""
        standing = await asyncio.to_thread(self._service.standing)
        return self._operation.metrics.text(
            msgspec.structs.replace(
                standing,
                in_flight=self._operation.in_flight,
                sessions=self._sessions.count,
                draining=self._operation.state == "draining",
            )
        )
