"""The event loop of a run: a reply is carried to its end before the next one is read.

asyncio's own loop reads every socket that is ready, then resumes every task that waited for one, a
step each. Replies that came together are therefore ended together, the requests that follow them
leave together, and come back together: calls bunch as buses do, and each waits for the work of its
whole bunch. Here one socket is read at a time, and not before what it set off has nothing left to
do. So a request leaves as soon as its worker is ready, and a bunch is spread out by the time that a
case takes, after which nobody waits for anybody. Of many sockets a few are read together: to be
woken for each of them alone takes its own time.

A loop that never rests is the exception. There is always work then, so nobody waits for a request
that leaves late, and whoever answers on the same machine is woken less often by bunches: such a
loop reads as asyncio's does.
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

# So many turns of the loop are left to what was read, before the sockets are looked at again while
# callbacks are ready: a reply is through after four or five, and a task that never waits never is.
_TURNS = 8
# One socket of so many is read at a time.
_SHARE = 32
# So many events a socket without a moment of rest, and the loop is one that never rests.
_RESTLESS = 8


def run_calls(main: Coroutine[Any, Any, Result]) -> Result:
    """Run `main` as `asyncio.run` does, on a loop that carries each reply to its end.

    Where there is no epoll it is asyncio's own loop, which does the same in another order.
    """
    with asyncio.Runner(loop_factory=_LOOP_FACTORY) as runner:
        return runner.run(main)


_LOOP_FACTORY: Callable[[], asyncio.AbstractEventLoop] | None = None

if sys.platform == "linux":

    class _FewAtATime(selectors.EpollSelector):
        """A few of the files that are ready, and none while what was read last still has turns and
        callbacks are ready; all of them where the loop never rests.

        epoll hands out what is ready in turn, so that no file is passed over for long.
        """

        def __init__(self) -> None:
            super().__init__()
            # the very same set of files, asked through an object of ours
            self._epoll = select.epoll.fromfd(os.dup(self.fileno()))
            self._turns = 0  # that are left to what was read last
            self._since_rest = 0

        def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
            files = len(self.get_map())
            few = max(1, files // _SHARE)
            restless = self._since_rest > _RESTLESS * files
            may_wait = timeout is None or timeout > 0
            if not (may_wait or restless) and self._turns:
                self._turns -= 1
                return []
            try:
                happened = self._epoll.poll(0, -1 if restless else few)
                if may_wait and not happened:
                    self._since_rest = 0
                    # epoll counts milliseconds, and a timer must not come early
                    wait_s = -1.0 if timeout is None else math.ceil(timeout * 1e3) * 1e-3
                    happened = self._epoll.poll(wait_s, few)
            except InterruptedError:
                return []
            self._turns = _TURNS if happened else 0
            self._since_rest += len(happened)
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

    def _few_at_a_time() -> asyncio.AbstractEventLoop:
        return asyncio.SelectorEventLoop(_FewAtATime())

    _LOOP_FACTORY = _few_at_a_time
