"""What several tasks leave behind at about the same time goes to the disk together.

To hand something to a thread and to hear of its end costs the event loop more than to write it.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from threading import Lock
from typing import Generic, TypeVar
from weakref import WeakKeyDictionary

GATHER_S = 0.02
_Item = TypeVar("_Item")


@dataclass(slots=True)
class _Batch(Generic[_Item]):
    """What goes together; each item has somebody who waits until it is written."""

    items: list[_Item] = field(default_factory=list)
    waiting: list["asyncio.Future[None]"] = field(default_factory=list)
    timer: asyncio.TimerHandle | None = None


class Gatherer(Generic[_Item]):
    """Writes items in threads, those of one event loop together. Safe between loops."""

    def __init__(
        self, write: Callable[[Sequence[_Item]], None], *, gather_s: float = GATHER_S
    ) -> None:
        """`write` is called in a thread. An item waits for others for `gather_s` at most."""
        self._write = write
        self._gather_s = gather_s
        self._lock = Lock()
        self._batches: WeakKeyDictionary[asyncio.AbstractEventLoop, _Batch[_Item]] = (
            WeakKeyDictionary()
        )

    async def put(self, item: _Item, *, alone: bool) -> None:
        """Until it is written. One that is `alone`, since nothing else is to come, waits for no
        others. Raises what `write` raises for all that go together."""
        loop = asyncio.get_running_loop()
        written: asyncio.Future[None] = loop.create_future()
        with self._lock:
            batch = self._batches.get(loop)
            if batch is None:
                batch = self._batches[loop] = _Batch()
        batch.items.append(item)
        batch.waiting.append(written)
        if alone:
            self._begin(loop, batch)
        elif batch.timer is None:
            batch.timer = loop.call_later(self._gather_s, self._begin, loop, batch)
        try:
            await written
        except asyncio.CancelledError:
            # the loop may end before the others come
            self._begin(loop, batch)
            raise

    def _begin(self, loop: asyncio.AbstractEventLoop, batch: _Batch[_Item]) -> None:
        with self._lock:
            if self._batches.get(loop) is not batch:
                return
            del self._batches[loop]
        if batch.timer is not None:
            batch.timer.cancel()
        writing = loop.run_in_executor(None, self._write, batch.items)
        writing.add_done_callback(lambda done: _tell(batch.waiting, done.exception()))


def _tell(waiting: "Sequence[asyncio.Future[None]]", error: BaseException | None) -> None:
    for each in waiting:
        if each.done():
            continue
        if error is None:
            each.set_result(None)
        else:
            each.set_exception(error)
