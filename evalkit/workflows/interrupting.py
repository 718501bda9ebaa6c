"""SIGINT and SIGTERM while a run executes: the first drains it, the second stops it."""

import asyncio
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from evalkit.execute.stopping import StopSignal
from evalkit.ports import EventSink
from evalkit.records.event import RunStopping


@contextmanager
def passing_signals(stop: StopSignal, emit: EventSink) -> Iterator[None]:
    """Pass SIGINT and SIGTERM to the stop signal while a run executes, where the loop allows it.

    What they meant before, they mean again afterwards.
    """
    loop = asyncio.get_running_loop()
    installed = []

    def ask() -> None:
        emit(RunStopping(again=stop.draining))
        stop.request()

    for each in (signal.SIGINT, signal.SIGTERM):
        # not in another thread, and not on every platform: there the default stays
        before = signal.getsignal(each)
        with suppress(NotImplementedError, RuntimeError, ValueError):
            loop.add_signal_handler(each, ask)
            installed.append((each, before))
    try:
        yield
    finally:
        for each, before in installed:
            loop.remove_signal_handler(each)
            # the loop leaves SIGTERM to end the process without a word, while reports are written
            signal.signal(each, before)
