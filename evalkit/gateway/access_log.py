"""One line of JSON for each request: who asked for what, and how it ended. Never what was said."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import msgspec

from evalkit.gateway.exchange import Exchange


class AccessLog:
    """Writes lines."""

    def __init__(self, write: Callable[[bytes], Any], *, now: Callable[[], datetime]) -> None:
        """`write` gets a line with its end; `now` is the time of day."""
        self._write = write
        self._now = now

    def write(self, exchange: Exchange, door: str, took_s: float, first_s: float | None) -> None:
        """A request that has ended; `first_s` is when the first byte of a stream left."""
        line: dict[str, Any] = {
            "at": self._now().astimezone(UTC).isoformat(timespec="milliseconds"),
            "request_id": exchange.request_id,
            "key": exchange.key,
            "method": exchange.method,
            "door": door,
            "route": exchange.route,
            "status": exchange.status,
            "ms": round(1000 * took_s, 1),
        }
        if exchange.refused:
            line["refused"] = exchange.refused
        if first_s is not None:
            line["first_ms"] = round(1000 * first_s, 1)
        self._write(msgspec.json.encode(line) + b"\n")
