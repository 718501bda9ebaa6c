"""Asking a server from code that cannot await: a thread with an event loop of its own."""

import asyncio
import threading
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from evalkit.ports import Transport

Answer = TypeVar("Answer")


class LoopThread:
    """Runs requests on a transport of its own, and waits for each. Safe between threads."""

    def __init__(self, transport: Callable[[], Transport]) -> None:
        """Nothing is started before the first request."""
        self._build = transport
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._transport: Transport | None = None
        self._thread: threading.Thread | None = None

    def ask(self, request: Callable[[Transport], Coroutine[Any, Any, Answer]]) -> Answer:
        """What the request gives back or raises; its own timeout bounds the wait."""
        with self._lock:
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                self._transport = self._build()
                self._thread = threading.Thread(
                    target=self._loop.run_forever, name="policy server", daemon=True
                )
                self._thread.start()
            loop, transport = self._loop, self._transport
        assert transport is not None
        return asyncio.run_coroutine_threadsafe(request(transport), loop).result()

    def close(self) -> None:
        """End the thread and give its connections back. It may be asked again afterwards."""
        with self._lock:
            loop, transport, thread = self._loop, self._transport, self._thread
            self._loop = self._transport = self._thread = None
        if loop is None or transport is None or thread is None:
            return
        asyncio.run_coroutine_threadsafe(transport.close(), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
