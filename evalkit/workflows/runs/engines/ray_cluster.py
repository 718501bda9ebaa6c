"""Ray: a cluster that is reached by its address, or one on this machine for the time of a run.

The only module that starts Ray, imported when a run asks for it. Ray's own retries are off: whether
a call may be made again is for the control session to say.
"""

import asyncio
import io
import logging
import os
import re
import sys
import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, redirect_stdout
from typing import Any, TextIO, TypeVar

from evalkit.errors import EngineError, UsageError
from evalkit.workflows.runs.engines.cluster import Post, WorkerLost
from evalkit.workflows.runs.engines.ray_actor import RayActor

INSTALL = "pip install 'evalkit[ray]'"
LOCAL = "local"
_CONNECT_S = 10.0
# parcels and batches are small; Ray would take a third of the memory
_OBJECT_STORE_BYTES = 100 * 1024 * 1024
# collecting, delivering and a few beside
_CALLS_AT_A_TIME = 16

# what Ray calls its own, and what we call those in which it is called
_THREADS = "ray_"

Result = TypeVar("Result")


def require_ray() -> Any:
    """The package. Raises UsageError where it is not installed."""
    # no word of what is run here leaves the machine
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        import ray
    except ImportError as error:
        raise UsageError(
            f"--engine ray needs Ray, which is not installed ({error}): {INSTALL}"
        ) from None
    return ray


class _WithoutRay(io.TextIOBase):
    """Standard output without what Ray's threads print there: it is the result's alone."""

    def __init__(self, out: TextIO) -> None:
        self._out = out

    def write(self, text: str) -> int:
        """Hand it on, unless it is Ray's."""
        if threading.current_thread().name.startswith(_THREADS):
            return len(text)
        return self._out.write(text)

    def flush(self) -> None:
        """Of what is behind it."""
        self._out.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._out, name)


class RayCluster:
    """Implements cluster.Cluster."""

    def __init__(self, address: str | None, *, workers: int | None) -> None:
        """`address` as Ray takes it: ray://host:10001, host:6379, auto, or local (the default: a
        cluster of this machine, with as many processors as there are to be `workers`)."""
        self._ray = require_ray()
        self._address = address or LOCAL
        self._workers = workers
        self._mine = False
        self._parcel: Any = None
        self._quiet = ExitStack()
        self._threads = ThreadPoolExecutor(1, thread_name_prefix=_THREADS)

    async def open(self) -> int:
        """Connect. Raises EngineError."""
        await self._reach()
        self._quiet.enter_context(redirect_stdout(_WithoutRay(sys.stdout)))
        # in a thread, where Ray leaves the signals of this process alone
        await self._apart(self._connect)
        resources = await self._apart(self._ray.cluster_resources)
        return int(resources.get("CPU", 0))

    def hire(self, packed: bytes, digest: str) -> Post:
        """A further actor; Ray spreads them over the nodes."""
        if self._parcel is None:
            self._parcel = self._ray.put(packed)
        actor = self._ray.remote(
            num_cpus=1,
            max_concurrency=_CALLS_AT_A_TIME,
            max_restarts=0,
            max_task_retries=0,
            scheduling_strategy="SPREAD",
        )(RayActor).remote()
        return _RayPost(self._ray, actor, self._parcel, digest)

    async def close(self) -> None:
        """Leave; a cluster that was started for the run ends."""
        self._parcel = None
        if self._mine:
            await self._apart(self._ray.shutdown)
        self._threads.shutdown()
        self._quiet.close()

    async def _apart(self, act: Callable[[], Result]) -> Result:
        """Something of Ray's that takes its time."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, act)

    async def _reach(self) -> None:
        """See whether anybody listens: Ray would try for long before it says so."""
        place = self._address.removeprefix("ray://")
        host, _, port = place.rpartition(":")
        if not host or not port.isdecimal():
            return
        try:
            async with asyncio.timeout(_CONNECT_S):
                _, writer = await asyncio.open_connection(host.strip("[]"), int(port))
        except (OSError, TimeoutError) as error:
            why = str(error) or f"nothing answered within {_CONNECT_S:.0f} s"
            raise EngineError(
                f"the Ray cluster at {self._address} cannot be reached: {why}"
            ) from error
        writer.close()

    def _connect(self) -> None:
        if self._ray.is_initialized():
            return  # of the program that runs evalkit, and left to it
        settings: dict[str, Any] = {}
        if self._address == LOCAL:
            settings = {
                "num_cpus": self._workers or os.cpu_count(),
                "include_dashboard": False,
                "object_store_memory": _OBJECT_STORE_BYTES,
            }
        if not self._address.startswith("ray://"):
            settings |= {"logging_level": logging.ERROR, "log_to_driver": False}
        before = logging.root.manager.disable
        logging.disable(logging.WARNING)  # Ray sets its own loggers up meanwhile
        try:
            self._ray.init(address=self._address, **settings)
        except Exception as error:  # Ray has no tree of errors for this
            raise EngineError(
                f"the Ray cluster at {self._address} cannot be used: {_words(error)}"
            ) from error
        finally:
            logging.disable(before)
        logging.getLogger("ray").setLevel(logging.ERROR)
        self._mine = True


class _RayPost:
    """Implements cluster.Post for one actor."""

    def __init__(self, ray: Any, actor: Any, parcel: Any, digest: str) -> None:
        self._ray = ray
        self._actor = actor
        self._parcel = parcel
        self._digest = digest

    async def introduce(self) -> bytes:
        """Once Ray has placed it."""
        return await self._result(self._actor.introduce.remote())

    async def load(self) -> bytes:
        """The parcel goes through the object store, once a node."""
        return await self._result(self._actor.load.remote(self._parcel, self._digest))

    async def deliver(self, batch: bytes) -> None:
        """Hand messages over."""
        await self._result(self._actor.deliver.remote(batch))

    async def collect(self) -> bytes:
        """Wait for messages."""
        return await self._result(self._actor.collect.remote())

    async def dismiss(self) -> bytes:
        """Its last messages."""
        return await self._result(self._actor.dismiss.remote())

    def kill(self) -> None:
        """End the process."""
        try:
            self._ray.kill(self._actor)
        except Exception:  # it is gone, or the way to it is
            logging.getLogger("evalkit").debug("a worker could not be ended", exc_info=True)

    async def _result(self, call: Awaitable[Result]) -> Result:
        try:
            return await call
        except self._ray.exceptions.RayTaskError:
            raise  # a bug of ours, on the other side
        except (self._ray.exceptions.RayError, ConnectionError) as error:
            raise WorkerLost(_words(error)) from error


def _words(error: BaseException) -> str:
    """One line of what Ray says, which may be a page; with the error at the end of a traceback."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    first, last = lines[0].rstrip(".: "), lines[-1].strip()
    return f"{first}: {last}" if re.match(r"[\w.]+(Error|Exception)\b", last) else first
