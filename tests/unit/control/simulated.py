"""An event loop whose time is simulated: to sleep takes no time, all happens in its order."""

import asyncio
import contextlib
import selectors
from collections.abc import Coroutine
from datetime import datetime, timedelta
from typing import Any, TypeVar

from tests.unit.control.fakes import START

T = TypeVar("T")


class _Jump(selectors.DefaultSelector):
    """Instead of waiting for a timer, moves the clock to it."""

    loop: "SimulatedLoop"

    def select(self, timeout: float | None = None) -> Any:
        ready = super().select(0)
        if not ready and timeout:
            self.loop.passed_s += timeout
        return ready


class SimulatedLoop(asyncio.SelectorEventLoop):
    """Time passes only while everybody waits."""

    def __init__(self) -> None:
        self.passed_s = 0.0
        selector = _Jump()
        selector.loop = self
        super().__init__(selector)

    def time(self) -> float:
        return self.passed_s


class SimulatedClock:
    """The clock of the running simulated loop; at rest between two of them."""

    def __init__(self) -> None:
        self._last_s = 0.0

    def now(self) -> datetime:
        return START + timedelta(seconds=self.monotonic())

    def monotonic(self) -> float:
        with contextlib.suppress(RuntimeError):  # no loop is running
            self._last_s = asyncio.get_running_loop().time()
        return self._last_s

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


def simulate(work: Coroutine[Any, Any, T]) -> T:
    """Run it to its end, in no time."""
    with asyncio.Runner(loop_factory=SimulatedLoop) as runner:
        return runner.run(work)
