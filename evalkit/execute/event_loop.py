"""The event loop of a run: a reply is carried to its end before the next one is read.

asyncio's own loop reads every socket that is ready, then resumes every task that waited for one, a
step each. Replies that came together are therefore ended together, the requests that follow them
leave together, and come back together: calls bunch as buses do, and each waits for the work of its
whole bunch. Here one socket is read at a time, and not before what it set off has nothing left to
do. So a request leaves as soon as its worker is ready, and a bunch is spread out by the time that a
case takes, after which nobody waits for anybody.
"""

import asyncio
import math
import os
import select
import selectors
import sys
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

Result = TypeVar("Result")

# Of the loop's turns, how many may pass without a look at the sockets while callbacks are ready: a
# reply is through after four or five, and what never comes to rest must not keep the others unread.
_MOST_TURNS = 16


def run_calls(main: Coroutine[Any, Any, Result]) -> Result:
    """Run `main` as `asyncio.run` does, on a loop that carries each reply to its end.

    Where there is no epoll it is asyncio's own loop, which does the same in another order.
    """
    with asyncio.Runner(loop_factory=_LOOP_FACTORY) as runner:
        return runner.run(main)


_LOOP_FACTORY: Callable[[], asyncio.AbstractEventLoop] | None = None

if sys.platform == "linux":

    class _OneAtATime(selectors.EpollSelector):
        """At most one file that is ready, and none while the loop has callbacks left to run.

        epoll hands out what is ready in turn, so that no file is passed over for long.
        """

        def __init__(self) -> None:
            super().__init__()
            # the very same set of files, asked through an object of ours
            self._epoll = select.epoll.fromfd(os.dup(self.fileno()))
            self._turns = 0

        def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
            if timeout is None:
                wait_s = -1.0
            elif timeout > 0:
                # epoll counts milliseconds, and a timer must not come early
                wait_s = math.ceil(timeout * 1e3) * 1e-3
            elif self._turns < _MOST_TURNS:
                self._turns += 1
                return []
            else:
                wait_s = 0.0
            self._turns = 0
            try:
                happened = self._epoll.poll(wait_s, 1)
            except InterruptedError:
                return []
            return [
                (key, self._events(event) & key.events)
                for file, event in happened
                if (key := self.get_map().get(file)) is not None
            ]

        @staticmethod
        def _events(event: int) -> int:
            # an error or a hang-up is for whoever reads and for whoever writes
            reads = selectors.EVENT_READ if event & ~select.EPOLLOUT else 0
            writes = selectors.EVENT_WRITE if event & ~select.EPOLLIN else 0
            return reads | writes

        def close(self) -> None:
            self._epoll.close()
            super().close()

    def _one_at_a_time() -> asyncio.AbstractEventLoop:
        return asyncio.SelectorEventLoop(_OneAtATime())

    _LOOP_FACTORY = _one_at_a_time
