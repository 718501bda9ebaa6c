"""The server below the gateway: how it listens, and how it stops.

The first SIGINT or SIGTERM drains: nothing new is taken, what is under way may end. The second one
stops at once.
"""

import asyncio
import signal
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any

import uvicorn

from evalkit.errors import UsageError
from evalkit.gateway.operation import Operation
from evalkit.gateway.protocol import GuardedProtocol, guarded
from evalkit.workflows.gateway.listening import Listening

_STOPS = (signal.SIGINT, signal.SIGTERM)
# what was cut off still has to end its sessions
_CUT_S = 1
# a tick is a tenth of a second
_LOOK_TICKS = 50


class GatewayServer(uvicorn.Server):
    """Serves the gateway until it is told to stop. `whole` tells whether all requests had ended."""

    def __init__(
        self,
        config: uvicorn.Config,
        operation: Operation,
        *,
        tell: Callable[[str], None],
        on_ready: Callable[[], None],
        reload: Callable[[], Coroutine[None, None, None]],
        parent_fd: int | None = None,
    ) -> None:
        """`tell` gets what an operator should know; `on_ready` is called once it listens, `reload`
        runs for a SIGHUP. Where the file `parent_fd` ends, it stops as if it were told to."""
        super().__init__(config)
        self._parent_fd = parent_fd
        self.whole = True
        self._operation = operation
        self._tell = tell
        self._on_ready = on_ready
        self._reload = reload
        self._reloads: set[asyncio.Task[None]] = set()
        self._draining: asyncio.Task[None] | None = None

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Take the signals of the process while it serves."""
        loop = asyncio.get_running_loop()
        for each in _STOPS:
            loop.add_signal_handler(each, self._stop)
        loop.add_signal_handler(signal.SIGHUP, self._reload_now)
        if self._parent_fd is not None:
            loop.add_reader(self._parent_fd, self._orphaned, loop, self._parent_fd)
        try:
            yield
        finally:
            if self._parent_fd is not None:
                loop.remove_reader(self._parent_fd)
            for each in (*_STOPS, signal.SIGHUP):
                loop.remove_signal_handler(each)

    async def startup(self, sockets: list[Any] | None = None) -> None:
        """Listen, and say so."""
        await super().startup(sockets)
        self._on_ready()

    async def on_tick(self, counter: int) -> bool:
        """Now and then, break off what was closed and is not read."""
        if counter % _LOOK_TICKS == 0:
            for each in tuple(self.server_state.connections):
                if isinstance(each, GuardedProtocol):
                    each.abort_if_stuck()
        return await super().on_tick(counter)

    def _stop(self) -> None:
        if self._draining is None:
            self._operation.drain()
            self._draining = asyncio.get_running_loop().create_task(self._drain())
            return
        self.whole = self.whole and not self._operation.in_flight
        self.should_exit = self.force_exit = True

    def _orphaned(self, loop: asyncio.AbstractEventLoop, parent_fd: int) -> None:
        loop.remove_reader(parent_fd)
        if self._draining is None:
            self._tell("the process that started this one is gone")
            self._stop()

    def _reload_now(self) -> None:
        if self._draining is None:
            task = asyncio.get_running_loop().create_task(self._reload())
            self._reloads.add(task)
            task.add_done_callback(self._reloads.discard)

    async def _drain(self) -> None:
        count, drain_s = self._operation.in_flight, self._operation.rules.drain_s
        if count:
            self._tell(f"stopping; {count} under way may take {drain_s:g} s; again to stop at once")
        try:
            await asyncio.wait_for(self._operation.drained(), drain_s)
        except TimeoutError:
            self.whole = False
            self._tell(f"{self._operation.in_flight} requests did not end in time and are cut off")
        self.should_exit = True


def configure(app: Any, listening: Listening, operation: Operation) -> uvicorn.Config:
    """The server's settings. Raises UsageError for files of TLS that do not do."""
    config = uvicorn.Config(
        app,
        http=guarded(operation),
        ws="none",
        host=listening.host,
        port=listening.port,
        log_level="warning",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=round(operation.rules.keep_alive_s),
        timeout_graceful_shutdown=_CUT_S,
        ssl_certfile=listening.cert,
        ssl_keyfile=listening.key,
        # one that is wrong: without any, a key that needs one is asked for on the terminal
        ssl_keyfile_password="none",
    )
    try:
        config.load()
    except OSError as error:  # ssl's errors are OSErrors
        raise UsageError(
            f"--tls-cert {listening.cert} and --tls-key {listening.key} do not do: {error}; a key "
            "may have no pass phrase"
        ) from error
    return config
