"""The routes that a key opens, as OpenAI lists models."""

from collections.abc import Callable
from typing import Any

from evalkit.errors import EvalkitError
from evalkit.gateway.doors.openai_errors import error_body
from evalkit.gateway.exchange import Exchange
from evalkit.gateway.identity import identify, opened_route
from evalkit.gateway.refusals import Declined, refusal_of
from evalkit.gateway.service import Service


class ModelsDoor:
    """Answers one request each."""

    def __init__(self, service: Service) -> None:
        """Lists the routes of the service."""
        self._service = service

    async def all(self, exchange: Exchange) -> None:
        """Every one of them."""

        def listed() -> Any:
            holder = identify(exchange, self._service)
            known = [_model(name) for name in self._service.routes if holder.may_use(name)]
            return {"object": "list", "data": known}

        await _answer(exchange, listed)

    async def one(self, exchange: Exchange, name: str) -> None:
        """The one of that name."""

        def found() -> Any:
            return _model(opened_route(name, identify(exchange, self._service), self._service))

        await _answer(exchange, found)


async def _answer(exchange: Exchange, work: Callable[[], Any]) -> None:
    try:
        body = work()
    except Declined as declined:
        await exchange.refuse(declined.refusal, error_body)
    except EvalkitError as error:
        await exchange.refuse(refusal_of(error), error_body)
    else:
        await exchange.answer(200, body, {})


def _model(route: str) -> dict[str, Any]:
    return {"id": route, "object": "model", "created": 0, "owned_by": "evalkit"}
