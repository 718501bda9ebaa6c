"""Whose a request is, and the session that it is part of: by a key, or by its attempt."""

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from evalkit.gateway.asked import Asked
from evalkit.gateway.exchange import Exchange
from evalkit.gateway.identity import identify, route_of
from evalkit.gateway.service import Service
from evalkit.gateway.sessions import SessionTable
from evalkit.ports import ModelSession
from evalkit.records.asset import Tool
from evalkit.records.gateway_key import GatewayKey


class Desk(Protocol):
    """Where a door takes its sessions from."""

    def identify(self, exchange: Exchange) -> GatewayKey:
        """Whose request it is, told before its body is read. Raises Declined."""

    def known_tools(self, tools: Sequence[Tool]) -> tuple[Tool, ...]:
        """The tools, those that the project knows as it declares them."""

    def open(
        self, exchange: Exchange, holder: GatewayKey, asked: Asked
    ) -> AbstractAsyncContextManager[ModelSession]:
        """The session for a request. Raises Declined, and what opening a session raises."""

    def now_s(self) -> int:
        """Seconds since 1970."""


class KeyDesk:
    """Requests of applications: a key says whose they are, the model which route is meant."""

    def __init__(self, service: Service, sessions: SessionTable) -> None:
        """`sessions` are those that span several requests."""
        self._service = service
        self._sessions = sessions

    def identify(self, exchange: Exchange) -> GatewayKey:
        """Whose key it is."""
        return identify(exchange, self._service)

    def known_tools(self, tools: Sequence[Tool]) -> tuple[Tool, ...]:
        """As the project declares them."""
        return self._service.known_tools(tools)

    def open(
        self, exchange: Exchange, holder: GatewayKey, asked: Asked
    ) -> AbstractAsyncContextManager[ModelSession]:
        """A session on the route, one of its own or the one that a header names."""
        route = route_of(asked, exchange, holder, self._service)
        return self._sessions.take(exchange, route, holder, asked.end_user)

    def now_s(self) -> int:
        """Seconds since 1970."""
        return self._service.now_s()
