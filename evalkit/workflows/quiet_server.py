"""An ASGI server inside a program's own event loop: it takes no signals and ends when told."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import uvicorn

from evalkit.errors import Refused
from evalkit.workflows.binding import bind_tcp


class _Server(uvicorn.Server):
    """Signals are the program's: a server that caught them would keep Ctrl-C from the run."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class QuietServer:
    """Serves an application on a free port of loopback, from `start` to `stop`."""

    def __init__(self, app: Any, *, drain_s: int) -> None:
        """Requests under way have `drain_s` seconds when it is told to stop."""
        self._config = uvicorn.Config(
            app,
            host="127.0.0.1",
            port=0,
            log_level="warning",
            access_log=False,
            lifespan="off",
            server_header=False,
            timeout_graceful_shutdown=drain_s,
        )
        self._server: _Server | None = None
        self._serving: asyncio.Task[None] | None = None
        self._starting = asyncio.Lock()
        self.url = ""

    async def start(self) -> None:
        """Listen, if it does not yet. Raises Refused where no port is to be had."""
        async with self._starting:
            if self._serving is not None:
                return
            try:
                bound = bind_tcp(self._config)
            except SystemExit:  # it has told why in its log
                raise Refused("the gateway of the run cannot listen on loopback") from None
            self.url = f"http://127.0.0.1:{bound.getsockname()[1]}"
            self._server = _Server(self._config)
            self._serving = asyncio.create_task(self._server.serve(sockets=[bound]))

    async def stop(self) -> None:
        """Let requests under way end, then stop listening. Harmless where it never started."""
        if self._server is not None and self._serving is not None:
            self._server.should_exit = True
            await self._serving
            self._server = self._serving = None
